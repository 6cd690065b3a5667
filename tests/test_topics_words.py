from __future__ import annotations

import math

import numpy as np
import pytest

from nlp_study.topics.words import (
    choose_words,
    count_words,
    measure_coherence,
    measure_diversity,
    name_topic,
    npmi_matrix,
    rank_words,
    read_register_words,
    score_words,
)

TEXTS = ["pajak omzet pajaknya", "pajak omzet", "pajak kopi", "kopi gula", "kopi gula susu", "gula garam"]
POSTS = ["a", "a", "b", "c", "d", "e"]


def by_word(counts, row):
    return dict(zip(counts.words, row, strict=True))


def test_counts_words_and_roots():
    counts = count_words(TEXTS, POSTS)
    assert counts.words == sorted({word for text in TEXTS for word in text.split()})
    assert by_word(counts, counts.counts.toarray().sum(0)) == {
        "pajak": 3, "pajaknya": 1, "omzet": 2, "kopi": 3, "gula": 3, "susu": 1, "garam": 1
    }  # fmt: skip
    assert counts.post_of.tolist() == [0, 0, 1, 2, 3, 4] and counts.n_posts == 5
    assert counts.root_counts.shape == (6, len(counts.roots))
    repeated = count_words(["pajak pajaknya", "pajaknya dipajaki", "dipajaki"], ["a", "b", "c"])
    assert repeated.roots == ["pajak"] and repeated.root_counts.toarray().ravel().tolist() == [2, 2, 1]


def test_words_of_one_post_do_not_describe_topics():
    many = [f"kata{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "klmnp"]
    texts = [f"yang ojek tarif beta{i} {' '.join(many)}" for i in range(6)]
    found = count_words(texts, [f"p{i}" for i in range(6)]).words
    assert {"ojek", "tarif"} <= set(found) and "yang" not in found and not any(w.startswith("beta") for w in found)


def test_register_words_are_counted_but_say_nothing_of_a_topic():
    assert {"sampeyan", "pake", "mbak", "ora", "the"} <= read_register_words()
    assert not {"pinjol", "pajak", "pasar"} & read_register_words()
    counts = count_words(["pake warung", "pake warung", "kios"], ["a", "b", "c"])
    assert "pake" in counts.words and "pake" not in counts.roots
    scores = by_word(counts, score_words(counts, np.array([0, 0, 1]), 2)[0])
    assert scores["pake"] == 0 < scores["warung"]


def test_relevance_by_hand():
    counts = count_words(TEXTS, POSTS)
    scores = score_words(counts, np.array([0, 0, 0, 1, 1, -1]), 2)
    first = by_word(counts, scores[0])
    assert first["pajak"] == pytest.approx(1 * math.log(1 / (3 / 6)))
    assert first["kopi"] == pytest.approx(1 / 3 * math.log((1 / 3) / (3 / 6)))
    assert first["gula"] == 0  # not in the topic
    assert by_word(counts, scores[1])["susu"] == pytest.approx(0.5 * math.log(0.5 / (1 / 6)))
    assert rank_words(counts, scores[0], n_words=2) == ["pajak", "omzet"]
    assert "kopi" not in rank_words(counts, scores[0], n_words=9)  # rarer in the topic than elsewhere
    forms = count_words(["pajak pajaknya", "pajak pajaknya", "kopi"], ["a", "b", "c"])
    assert rank_words(forms, score_words(forms, np.array([0, 0, 1]), 2)[0], n_words=9) == ["pajak"]  # one form a root


def test_npmi_by_hand():
    counts = count_words(TEXTS, POSTS)
    columns = [counts.words.index(word) for word in ("pajak", "omzet", "gula", "susu")]
    npmi = npmi_matrix((counts.counts[:, columns] > 0).astype(float))
    expected = math.log((2 / 6) / (3 / 6 * 2 / 6)) / -math.log(2 / 6)
    assert npmi[0, 1] == npmi[1, 0] == pytest.approx(expected)
    assert npmi[0, 2] == -1 and npmi[0, 0] == pytest.approx(1)
    everywhere = count_words(["satupun kios", "satupun toko"], ["a", "b"])
    column = everywhere.words.index("satupun")
    assert npmi_matrix((everywhere.counts[:, [column, column]] > 0).astype(float)).tolist() == [[1, 1], [1, 1]]


def test_coherence_by_hand():
    counts = count_words(TEXTS, POSTS)
    together = math.log((2 / 6) / (3 / 6 * 2 / 6)) / -math.log(2 / 6)
    found = measure_coherence([["pajak", "omzet"], ["pajak", "omzet", "tiada"], ["pajak"], []], counts)
    assert found == [pytest.approx(together), pytest.approx((together - 2) / 3), None, None]


def test_diversity_by_hand():
    assert measure_diversity([["a", "b"], ["b", "c"]]) == 0.75
    assert measure_diversity([["a", "b", "c"], ["a", "d", "e"]], n_words=1) == 0.5
    assert measure_diversity([]) == 1


def test_chosen_words_stand_together():
    # `dermaga` is as relevant as `jalan` and before it in the alphabet, but never stands with the topic's other words
    texts = ["motor bensin jalan"] * 5 + ["motor bensin"] + ["dermaga"] * 5 + ["gula kopi"] * 11
    counts = count_words(texts, [f"p{i}" for i in range(22)])
    labels = np.array([0] * 11 + [1] * 11)
    (first, second) = choose_words(counts, score_words(counts, labels, 2), n_words=3)
    assert {word for word, _ in second} == {"gula", "kopi"}
    assert {word for word, _ in first} == {"motor", "bensin", "jalan"}
    assert [weight for _, weight in first] == sorted((weight for _, weight in first), reverse=True)


def test_a_word_of_another_topic_is_left_out():
    texts = ["motor pasar"] * 2 + ["motor"] * 8 + ["pasar kios"] * 10 + ["kota"] * 20
    counts = count_words(texts, [f"p{i}" for i in range(40)])
    labels = np.array([0] * 10 + [1] * 10 + [2] * 20)
    words = [[word for word, _ in topic] for topic in choose_words(counts, score_words(counts, labels, 3))]
    assert words == [["motor"], ["kios", "pasar"], ["kota"]]


def test_names_lead_with_a_phrase_that_several_segments_share():
    texts = ["Kena pinjaman daring lagi.", "Bunga pinjaman daring naik", "bunga, pinjaman"]
    assert name_topic(["bunga", "pinjaman", "daring", "tenor"], texts) == "Pinjaman daring, bunga, tenor"
    assert name_topic(["bunga", "tenor"], texts) == "Bunga, tenor"
    assert name_topic([], texts) == ""
