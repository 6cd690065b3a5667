from __future__ import annotations

import math

import pytest
from scipy import stats

from nlp_study.collocation.readability import Group, measure_readability
from nlp_study.collocation.subcorpora import Subcorpus
from nlp_study.errors import DataError
from tests.collocation_tables import connect, parse_rows, plain_rows, small_corpus


def rows_of(found):
    return {row["group"]: row for row in found.table.to_pylist()}


def test_lix_of_one_body_by_hand():
    title = "Judul/NOUN/0/root sangat/ADV/1/advmod panjang/ADJ/1/amod sekali/ADV/3/advmod"
    body = [
        "Perdagangan/NOUN/2/nsubj naik/VERB/0/root ~,/PUNCT/2/punct keuntungan/NOUN/5/nsubj "
        "turun/VERB/2/conj ~./PUNCT/2/punct",
        "Harga/NOUN/3/nsubj ~nya/PRON/1/nmod mahal/ADJ/0/root ~./PUNCT/3/punct",
        "Toko/NOUN/3/nsubj ~nya/PRON/1/nmod sepi/ADJ/0/root ~./PUNCT/3/punct",
    ]
    tables = connect(parse_rows("a", body, title=title), {"a": {"title": "Judul sangat panjang sekali"}})
    found = measure_readability(tables, min_posts=1, window=4)
    row = rows_of(found)["all"]
    # perdagangan naik keuntungan turun | harganya mahal | tokonya sepi: the title is left out, clitics are part of a word
    assert (row["n_words"], row["n_sentences"]) == (8, 3)
    # longer than six letters: perdagangan, keuntungan, harganya, tokonya
    assert row["share_long"] == 4 / 8
    assert row["words_per_sentence"] == pytest.approx(8 / 3)
    assert row["lix"] == pytest.approx(8 / 3 + 50)
    assert row["lix_low"] is None
    # types among tokens, where nya is a word of its own: 10 tokens, 9 types
    assert (row["n_types"], row["ttr"]) == (9, 0.9)
    # 7 windows of 4 tokens; only «nya mahal toko nya» has a word twice
    assert row["mattr"] == pytest.approx((6 * 4 + 3) / 28)


def test_a_post_without_a_title_is_read_from_its_start():
    found = measure_readability(
        connect(plain_rows("a", "kopi itu pahit . teh manis"), {"a": {}}), min_posts=1, window=2
    )
    assert rows_of(found)["all"]["n_words"] == 5


def test_groups_have_means_and_intervals_over_posts():
    texts = {
        "a": "kopi itu pahit",
        "b": "kopi itu pahit sekali . teh manis",
        "c": "perdagangan . kopi pahit",
        "d": "teh",
    }
    tokens = [row for post_id, text in texts.items() for row in plain_rows(post_id, text)]
    months = {"a": "2023-01", "b": "2023-05", "c": "2024-02", "d": "2025-01"}
    tables = connect(tokens, {post_id: {"month": month} for post_id, month in months.items()})
    found = measure_readability(tables, group=Group.YEAR, window=3)
    rows = rows_of(found)
    assert list(rows) == ["2023"]
    # a: 3 words in 1 sentence; b: 6 words in 2: LIX 3 and 3
    assert (rows["2023"]["lix"], rows["2023"]["lix_low"]) == (3.0, 3.0)
    assert "2 groups of fewer than 2 posts left out." in found.notes()
    whole = rows_of(measure_readability(tables, window=3))["all"]
    values = [3.0, 3.0, 1.5 + 100 / 3, 1.0]
    mean, sd = sum(values) / 4, math.sqrt(sum((v - sum(values) / 4) ** 2 for v in values) / 3)
    assert whole["lix"] == pytest.approx(mean)
    assert whole["lix_high"] == pytest.approx(mean + stats.t.ppf(0.975, 3) * sd / 2)
    # d is shorter than a window
    assert any("over windows of 3 words; 1 posts are shorter" in line for line in
               measure_readability(tables, window=3).notes())  # fmt: skip


def test_groups_by_stance_topic_month_and_field():
    tables = small_corpus()
    assert {name: row["n_posts"] for name, row in
            rows_of(measure_readability(tables, group=Group.STANCE, min_posts=1)).items()} == {
        "against": 2, "favor": 1, "neutral": 1,
    }  # fmt: skip
    topics = measure_readability(tables, group=Group.TOPIC, min_posts=1)
    assert {name: row["n_posts"] for name, row in rows_of(topics).items()} == {"0": 1, "1": 2}
    assert "A post may be in several groups." in topics.notes()
    assert "2 posts without a value for this grouping were left out." in topics.notes()
    months = measure_readability(tables, group=Group.MONTH, min_posts=1)
    assert list(rows_of(months)) == ["2023-04", "2023-11", "2024-02"]
    assert rows_of(measure_readability(tables, group=Group.AUTHOR, min_posts=1))["ani"]["n_posts"] == 2
    digital = measure_readability(tables, Subcorpus(category="Digital"), group=Group.CATEGORY, min_posts=1)
    assert list(rows_of(digital)) == ["Digital"]


def test_short_posts_have_no_mattr_and_a_window_needs_two_words():
    found = measure_readability(small_corpus(), window=50)
    row = rows_of(found)["all"]
    assert (row["mattr"], row["mattr_low"]) == (None, None)
    with pytest.raises(DataError, match="no variety"):
        measure_readability(small_corpus(), window=1)
