"""Collocates, sketches, keywords, n-grams and dispersion of a corpus small enough to count by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_study.collocation.collocates import find_collocates
from nlp_study.collocation.counts import Part
from nlp_study.collocation.dispersion import measure_dispersion
from nlp_study.collocation.keyness import find_keywords
from nlp_study.collocation.measures import (
    deviation_of_proportions,
    log_dice,
    log_likelihood_keyness,
    log_likelihood_table,
)
from nlp_study.collocation.ngrams import find_ngrams
from nlp_study.collocation.sketch import sketch_word
from nlp_study.collocation.subcorpora import Subcorpus, parse_subcorpus
from nlp_study.errors import DataError
from tests.collocation_tables import connect, plain_rows, small_corpus

EVERYTHING = {"min_together": 1, "min_posts": 1, "rarer": True, "limit": 0}


@pytest.fixture
def tables():
    return small_corpus()


def by_word(found, column):
    first = found.table.column_names[0] if "relation" not in found.table.column_names else "collocate"
    return dict(zip(found.table[first].to_pylist(), found.table[column].to_pylist(), strict=True))


# ---- collocates --------------------------------------------------------------------------------------------------


def test_window_of_two_words_by_hand(tables):
    found = find_collocates(tables, "platform", left=2, right=2, **EVERYTHING)
    assert by_word(found, "n_together") == {
        "memonopoli": 2, "besar": 1, "mendukung": 1, "kecil": 1, "pasar": 1, "pedagang": 1,
    }  # fmt: skip
    row = next(row for row in found.table.to_pylist() if row["collocate"] == "memonopoli")
    # 3 nodes reach 7 of 26 words; memonopoli stands 3 times in p1, p2 and p5 (p4 repeats p1)
    assert (row["n_posts"], row["n_collocate"]) == (2, 3)
    assert row["expected"] == pytest.approx(7 * 3 / 26)
    assert row["mi"] == pytest.approx(math.log2(2 * 26 / 21))
    assert row["t"] == pytest.approx((2 - 21 / 26) / math.sqrt(2))
    assert row["log_dice"] == pytest.approx(14 + math.log2(2 * 2 / 6))
    assert row["log_likelihood"] == pytest.approx(log_likelihood_table([2], 7, [3], 26)[0])


def test_sides_are_kept_apart(tables):
    right = find_collocates(tables, "memonopoli", left=0, right=1, **EVERYTHING)
    assert by_word(right, "n_together") == {"pasar": 2, "garam": 1}
    left = find_collocates(tables, "memonopoli", left=1, right=0, **EVERYTHING)
    assert by_word(left, "n_together") == {"platform": 1, "besar": 1, "negara": 1}


def test_windows_stop_at_sentences_unless_told(tables):
    inside = find_collocates(tables, "mendukung", left=5, right=5, **EVERYTHING)
    assert set(by_word(inside, "n_together")) == {"pedagang", "platform", "kecil"}
    across = find_collocates(tables, "mendukung", left=5, right=5, across_sentences=True, **EVERYTHING)
    assert by_word(across, "n_together") == {"platform": 2, "memonopoli": 1, "pasar": 1, "kecil": 2, "pedagang": 1}


def test_punctuation_takes_no_place(tables):
    found = find_collocates(tables, "garam", left=1, right=1, **EVERYTHING)
    assert by_word(found, "n_together") == {"memonopoli": 1, "harga": 1}


def test_node_by_root_and_collocates_by_lemma(tables):
    found = find_collocates(tables, "root=dukung", by="lemma", left=1, right=1, **EVERYTHING)
    assert by_word(found, "n_together") == {"dagang": 2, "pasar": 1, "platform": 1}
    assert any("root=dukung, 2 occurrences" in line for line in found.notes())


def test_words_between_two_nodes_count_once_or_for_each():
    tables = connect(plain_rows("a", "kopi enak kopi enak . kopi panas"), {"a": {}})
    once = find_collocates(tables, "kopi", left=2, right=2, **EVERYTHING)
    assert by_word(once, "n_together") == {"enak": 2, "kopi": 2, "panas": 1}
    pairs = find_collocates(tables, "kopi", left=2, right=2, count_pairs=True, **EVERYTHING)
    assert by_word(pairs, "n_together") == {"enak": 3, "kopi": 2, "panas": 1}
    assert pairs.table["q"].null_count == 3


def test_dependencies_in_both_directions(tables):
    found = find_collocates(tables, "platform", dependency=True, **EVERYTHING)
    assert by_word(found, "n_together") == {"memonopoli": 2, "besar": 1, "kecil": 1, "mendukung": 1}
    subjects = find_collocates(tables, "platform", dependency=True, relations=("nsubj*",), **EVERYTHING)
    assert by_word(subjects, "n_together") == {"memonopoli": 2}
    passive = find_collocates(tables, "didukung", dependency=True, relations=("nsubj",), **EVERYTHING)
    assert passive.table.num_rows == 0


def test_filters_are_applied_and_said(tables):
    found = find_collocates(tables, "platform", left=2, right=2, min_together=2, min_posts=1)
    assert list(by_word(found, "n_together")) == ["memonopoli"]
    assert "Filtered: at least 2 occurrences together, in at least 1 posts." in found.notes()
    assert "1 posts that repeat another one were not counted." in found.notes()
    assert "Based on 26 words in 4 posts: the whole corpus." in found.notes()
    assert "Berdasarkan 26 kata dalam 4 tulisan: seluruh korpus." in found.notes("id")
    adjectives = find_collocates(tables, "platform", left=2, right=2, upos=("ADJ",), **EVERYTHING)
    assert set(by_word(adjectives, "n_together")) == {"besar", "kecil"}
    content = find_collocates(tables, "platform", left=2, right=2, stop_words=False, **EVERYTHING)
    assert set(by_word(content, "n_together")) == {"memonopoli", "mendukung", "kecil", "pasar", "pedagang"}
    assert any(line.startswith("1 stop words of the list are not shown") for line in content.notes())


def test_q_filter_and_order(tables):
    found = find_collocates(tables, "platform", left=2, right=2, sort="n_together", **EVERYTHING)
    assert found.table["n_together"].to_pylist() == [2, 1, 1, 1, 1, 1]
    assert find_collocates(tables, "platform", left=2, right=2, max_q=0.01, **EVERYTHING).table.num_rows == 0
    cut = find_collocates(tables, "platform", left=2, right=2, **{**EVERYTHING, "limit": 2})
    assert cut.notes()[-1] == "Showing 2 of 6 rows, by log_dice."


def test_subcorpus_changes_all_counts(tables):
    found = find_collocates(tables, "memonopoli", Subcorpus(month="2023"), **EVERYTHING)
    row = next(row for row in found.table.to_pylist() if row["collocate"] == "platform")
    # 14 words in p1 and p2; p1's platform in the next sentence is out of reach
    assert (row["n_together"], row["n_collocate"]) == (2, 3)
    assert row["expected"] == pytest.approx(8 * 3 / 14)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"node": "gajah"}, "does not occur"),
        ({"left": 0, "right": 0}, "span"),
        ({"by": "upos"}, "cannot be counted by"),
        ({"sort": "collocate"}, "cannot be sorted"),
        ({"relations": ("nsubj",)}, "--dependency"),
    ],
)
def test_options_without_meaning_are_refused(tables, options, message):
    with pytest.raises(DataError, match=message):
        find_collocates(tables, **{"node": "platform", **options})


WORDS = st.lists(st.sampled_from(["kopi", "teh", "susu", "gula", "."]), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), st.integers(0, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_windows_equal_a_count_word_by_word(texts, left, right, across, pairs):
    tokens = [row for i, text in enumerate(texts) for row in plain_rows(f"p{i}", " ".join(text))]
    wanted: Counter[str] = Counter()
    for text in texts:
        lines = [[word for word in text if word != "."]] if across else [
            line.split() for line in " ".join(text).split(".")
        ]  # fmt: skip
        for line in lines:
            for at, word in enumerate(line):
                nodes = line[max(0, at - right) : at] + line[at + 1 : at + 1 + left]
                n = nodes.count("kopi")
                wanted[word] += n if pairs else n > 0
    wanted = Counter({word: n for word, n in wanted.items() if n})
    if not any(row["lower"] == "kopi" for row in tokens):
        return
    tables = connect(tokens, {f"p{i}": {} for i in range(len(texts))})
    found = find_collocates(
        tables, "kopi", left=left, right=right, across_sentences=across, count_pairs=pairs, **EVERYTHING
    )
    assert by_word(found, "n_together") == wanted


# ---- sketch ------------------------------------------------------------------------------------------------------


def test_sketch_of_a_verb_by_hand(tables):
    found = sketch_word(tables, "memonopoli", by="lower", min_together=1, min_posts=1)
    rows = [(row["relation"], row["collocate"], row["n_together"]) for row in found.table.to_pylist()]
    assert rows == [
        ("subject", "platform", 2),
        ("subject", "negara", 1),
        ("object", "pasar", 2),
        ("object", "garam", 1),
        ("coordination", "turun", 1),
    ]
    first = found.table.to_pylist()[0]
    # of 7 subjects that count (p4 left out) 3 are of memonopoli; platform is a subject 2 times
    assert (first["n_node"], first["n_collocate"]) == (3, 2)
    assert first["log_dice"] == pytest.approx(log_dice([2], 3, [2])[0])
    assert first["log_likelihood"] == pytest.approx(log_likelihood_table([2], 3, [2], 7)[0])


def test_sketch_of_a_noun_looks_up_and_down(tables):
    found = sketch_word(tables, "platform", by="lemma", min_together=1, min_posts=1)
    rows = {(row["relation"], row["collocate"]): row["n_together"] for row in found.table.to_pylist()}
    assert rows == {
        ("subject of", "monopoli"): 2,
        ("object of", "dukung"): 1,
        ("adjective", "besar"): 1,
    }
    # small qualifies 3 of the 4 nouns with an adjective: 1 of 2 platforms is less than by chance
    assert "Only words more frequent than by chance; 1 others that passed the filters were left out." in found.notes()
    subject_of = found.table.to_pylist()[0]
    assert (subject_of["n_node"], subject_of["n_collocate"]) == (2, 3)


def test_passive_has_relations_of_its_own(tables):
    found = sketch_word(tables, "root=dukung", by="lower", min_together=1, min_posts=1)
    rows = [(row["relation"], row["collocate"]) for row in found.table.to_pylist()]
    assert rows == [
        ("subject", "pedagang"),
        ("passive subject", "pasar"),
        ("object", "platform"),
        ("agent", "pedagang"),
    ]


def test_sketch_shows_chosen_relations_and_the_best_of_each(tables):
    found = sketch_word(tables, "memonopoli", by="lower", relations=("subject",), min_together=1, min_posts=1, each=1)
    assert found.table["collocate"].to_pylist() == ["platform"]
    assert "At most 1 words a relation; 1 others that passed the filters were left out." in found.notes()
    with pytest.raises(DataError, match="no relation 'subyek'"):
        sketch_word(tables, "memonopoli", relations=("subyek",))


def test_a_word_without_company_has_empty_tables():
    tables = connect(plain_rows("a", "kopi . teh susu"), {"a": {}})
    assert find_collocates(tables, "kopi", **EVERYTHING).table.num_rows == 0
    assert find_collocates(tables, "kopi", dependency=True, **EVERYTHING).table.num_rows == 0
    assert sketch_word(tables, "kopi", by="lower", min_together=1, min_posts=1).table.num_rows == 0
    assert find_ngrams(tables, node="kopi", size=2, min_count=1, min_range=1).table.num_rows == 0


# ---- keyness -----------------------------------------------------------------------------------------------------


def test_keywords_of_a_stance_by_hand(tables):
    found = find_keywords(
        tables, Subcorpus(stance="against"), Subcorpus(stance="favor"),
        min_count=1, min_range=1, max_q=None, rarer=True, limit=0,
    )  # fmt: skip
    rows = {row["word"]: row for row in found.table.to_pylist()}
    # 14 words against (p1, p2), 7 in favour (p3)
    platform = rows["platform"]
    assert (platform["n_focus"], platform["n_reference"], platform["range_focus"]) == (3, 0, 2)
    assert platform["per_million_focus"] == pytest.approx(3 / 14 * 1e6)
    assert platform["log_likelihood"] == pytest.approx(2 * 3 * math.log(3 / 2))
    assert platform["log_ratio"] == pytest.approx(math.log2((3 / 14) / (0.5 / 7)))
    assert platform["percent_diff"] is None
    assert platform["dp_reference"] is None
    # p1 has 8 of 14 words and 2 of 3 occurrences
    assert platform["dp_focus"] == pytest.approx((abs(2 / 3 - 8 / 14) + abs(1 / 3 - 6 / 14)) / 2)
    small = rows["kecil"]
    assert (small["n_focus"], small["n_reference"]) == (2, 1)
    assert small["log_ratio"] == pytest.approx(0, abs=1e-12)
    assert small["percent_diff"] == pytest.approx(0, abs=1e-9)
    assert small["log_ratio_low"] < 0 < small["log_ratio_high"]
    assert rows["harga"]["log_ratio"] < 0


def test_keywords_against_the_rest_and_filters(tables):
    focus = parse_subcorpus("stance=against")
    found = find_keywords(tables, focus, min_count=2, min_range=2, max_q=None)
    assert by_word(found, "n_focus") == {"platform": 3, "memonopoli": 2, "pasar": 2, "pedagang": 2}
    assert by_word(found, "n_reference") == {"platform": 0, "memonopoli": 1, "pasar": 1, "pedagang": 1}
    assert any("the reference corpus (not (stance against))" in line for line in found.notes())
    assert "Filtered: in at least 2 posts of the focus corpus." in found.notes()
    spread = find_keywords(tables, focus, min_count=2, min_range=1, max_dp=0.2, max_q=None)
    assert by_word(spread, "n_focus") == {"platform": 3, "memonopoli": 2, "pasar": 2, "pedagang": 2}
    assert find_keywords(tables, focus, min_count=2, min_range=1, max_q=0.01).table.num_rows == 0


def test_adjusted_p_counts_the_words_tested():
    tokens = plain_rows("a", "kopi " * 30 + "teh " * 10) + plain_rows("b", "kopi " * 5 + "teh " * 10 + "gula " * 20)
    tables = connect(tokens, {"a": {"category": "x"}, "b": {"category": "y"}})
    found = find_keywords(
        tables, parse_subcorpus("category=x"), parse_subcorpus("category=y"), min_range=1, rarer=True, max_q=0.05
    )
    statistic = by_word(found, "log_likelihood")
    assert set(statistic) == {"kopi", "gula"}
    assert statistic["kopi"] == pytest.approx(log_likelihood_keyness([30], [5], 40, 35)[0])
    p = {word: math.erfc(math.sqrt(value / 2)) for word, value in statistic.items()}
    q = by_word(found, "q")
    ranked = sorted(p.values())
    # three words are tested: the smallest p times 3, the next times 3/2
    assert sorted(q.values()) == pytest.approx([min(3 * ranked[0], 1.5 * ranked[1]), 1.5 * ranked[1]])


# ---- n-grams and dispersion --------------------------------------------------------------------------------------


def test_ngrams_stay_within_sentences_and_punctuation(tables):
    found = find_ngrams(tables, size=3, min_count=1, min_range=1, limit=0)
    counts = by_word(found, "n")
    assert counts["memonopoli pasar kecil"] == 1
    assert "memonopoli garam harga" not in counts
    assert "pasar kata pedagang" not in counts
    # two a sentence in p1; platform besar memonopoli, besar memonopoli pasar; two in p3 and one; negara memonopoli garam
    assert sum(counts.values()) == 4 + 2 + 2 + 1 + 1
    clusters = find_ngrams(tables, size=2, node="root=dukung", min_count=1, min_range=1)
    assert set(by_word(clusters, "n")) == {
        "pedagang mendukung", "mendukung platform", "pasar didukung", "didukung pedagang",
    }  # fmt: skip
    assert "Only runs with root=dukung in them." in clusters.notes()


def test_authors_may_be_the_parts_of_ngrams_and_keywords(tables):
    found = find_ngrams(tables, size=2, part=Part.AUTHOR, min_count=1, min_range=1, node="kecil")
    assert by_word(found, "range") == {"pasar kecil": 1, "platform kecil": 1, "pedagang kecil": 1}
    words = find_keywords(
        tables, parse_subcorpus("month=2023.."), part=Part.AUTHOR, min_count=1, min_range=2, max_q=None
    )
    # ani and budi wrote p1, p2 and p3
    assert by_word(words, "range_focus") == {"pasar": 2, "pedagang": 2, "platform": 2}
    assert any("within the same of the authors" in line for line in words.notes())


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), st.integers(2, 4))
def test_ngrams_equal_a_count_by_reading(texts, size):
    tokens = [row for i, text in enumerate(texts) for row in plain_rows(f"p{i}", " ".join(text))]
    lines = [line.split() for text in texts for line in " ".join(text).split(".")]
    wanted = Counter(" ".join(line[at : at + size]) for line in lines for at in range(len(line) - size + 1))
    if not tokens:
        return
    tables = connect(tokens, {f"p{i}": {} for i in range(len(texts))})
    assert by_word(find_ngrams(tables, size=size, min_count=1, min_range=1, limit=0), "n") == wanted


def test_ngram_range_is_a_filter(tables):
    found = find_ngrams(tables, size=2, min_count=2, min_range=2)
    assert by_word(found, "n") == {"memonopoli pasar": 2}
    assert by_word(found, "range") == {"memonopoli pasar": 2}
    with pytest.raises(DataError, match="runs of 9 words"):
        find_ngrams(tables, size=9)


def test_runs_of_stop_words_can_be_left_out():
    tables = connect(plain_rows("a", "yang ada . kopi yang ada"), {"a": {}})
    found = find_ngrams(tables, size=2, min_count=1, min_range=1, stop_words=False)
    assert by_word(found, "n") == {"kopi yang": 1}
    assert "1 runs made of stop words only are not shown." in found.notes()


def test_dispersion_over_posts_authors_and_months(tables):
    found = measure_dispersion(tables, ["pedagang", "gajah"])
    row = found.table.to_pylist()[0]
    # posts of 8, 6, 7 and 5 words with 1, 1, 1 and 0 occurrences
    wanted = deviation_of_proportions(np.array([1, 1, 1, 0]) / 3, np.array([8, 6, 7, 5]) / 26)
    assert (row["n"], row["range"], row["share_range"]) == (3, 3, 0.75)
    assert row["per_million"] == pytest.approx(3 / 26 * 1e6)
    assert row["dp"] == pytest.approx(wanted)
    assert row["dp_norm"] == pytest.approx(wanted / (1 - 5 / 26))
    assert "Not found: gajah." in found.notes()
    # ani wrote p1 and p3, budi p2; p5 has no author and stands by itself
    authors = measure_dispersion(tables, ["pedagang"], part=Part.AUTHOR).table.to_pylist()[0]
    assert authors["range"] == 2
    assert authors["dp"] == pytest.approx(deviation_of_proportions(np.array([2, 1, 0]) / 3, np.array([15, 6, 5]) / 26))
    months = measure_dispersion(tables, ["pedagang"], part=Part.MONTH)
    assert any("over 4 months" in line for line in months.notes())


def test_dispersion_of_all_words(tables):
    found = measure_dispersion(tables, min_count=3, sort="dp")
    assert set(by_word(found, "n").items()) == {
        ("platform", 3), ("memonopoli", 3), ("pasar", 3), ("pedagang", 3), ("kecil", 3),
    }  # fmt: skip
    assert found.table["dp"].to_pylist() == sorted(found.table["dp"].to_pylist())


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=4))
def test_dispersion_equals_the_formula_over_all_parts(texts):
    tokens = [row for i, text in enumerate(texts) for row in plain_rows(f"p{i}", " ".join(text))]
    counts = [Counter(word for word in text if word != ".") for text in texts]
    counts = [count for count in counts if count]
    if not counts:
        return
    tables = connect(tokens, {f"p{i}": {} for i in range(len(texts))})
    found = measure_dispersion(tables, min_count=1, limit=0)
    sizes = np.array([sum(count.values()) for count in counts])
    for word, dp in by_word(found, "dp").items():
        here = np.array([count[word] for count in counts])
        assert dp == pytest.approx(deviation_of_proportions(here / here.sum(), sizes / sizes.sum()), abs=1e-9)
