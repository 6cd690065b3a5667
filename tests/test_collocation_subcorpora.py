from __future__ import annotations

import pytest

from nlp_study.collocation.subcorpora import Node, Subcorpus, parse_node, parse_subcorpus, select_posts
from nlp_study.collocation.texts import NOTES, PARTS, RELATIONS, note
from nlp_study.errors import DataError
from tests.collocation_tables import STANCES, small_corpus


@pytest.fixture
def tables():
    return small_corpus()


def chosen(tables, subcorpus):
    selection = select_posts(tables, subcorpus)
    found = tables.sql(f"SELECT DISTINCT post_id FROM tokens WHERE {selection.sql} ORDER BY 1").fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("Platform", (("lower", "platform"),)),
        ("lemma=ekonomi", (("lemma", "ekonomi"),)),
        ("root:dukung", (("root", "dukung"),)),
        ('lemma="dukung", upos=VERB', (("lemma", "dukung"), ("upos", "VERB"))),
        ("-nya", (("lower", "-nya"),)),
    ],
)
def test_nodes_are_read(text, conditions):
    assert parse_node(text) == Node(conditions)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no word"), ("lema=x", "no attribute 'lema'"), ("dua kata", "no single word"), ("lemma=", "no single word")],
)
def test_nodes_that_are_none_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_node(text)


def test_values_cannot_leave_their_quotes(tables):
    assert parse_node("lemma=' OR true --").sql() == "lemma = ''' OR true --'"
    with pytest.raises(DataError, match="no words to count"):
        select_posts(tables, Subcorpus(category="' OR true --"))


def test_lines_are_read():
    assert parse_subcorpus("stance=favor, month=2023-01..2023-06") == Subcorpus(
        stance="favor", month="2023-01..2023-06"
    )
    assert parse_subcorpus("topic=-1") == Subcorpus(topic=-1)
    assert parse_subcorpus("topic=3, where n_words > 3, category = 'x'") == Subcorpus(
        topic=3, where="n_words > 3, category = 'x'"
    )
    assert parse_subcorpus("WHERE n_words > 3").where == "n_words > 3"
    assert parse_subcorpus("category=Ekonomi Digital").category == "Ekonomi Digital"
    assert parse_subcorpus("") == Subcorpus()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("favor", "does not choose posts"),
        ("mood=good", "does not choose posts"),
        ("stance=pro", "no stance 'pro'"),
        ("month=2023-13", "no month"),
        ("month=May", "no month"),
        ("topic=economy", "no number"),
    ],
)
def test_lines_that_choose_nothing_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_subcorpus(text)


@pytest.mark.parametrize(
    ("line", "posts"),
    [
        ("", ["p1", "p2", "p3", "p5"]),
        ("stance=against", ["p1", "p2"]),
        ("stance=against, month=2023-05..", ["p2"]),
        ("month=2023", ["p1", "p2"]),
        ("month=2023-04", ["p1"]),
        ("month=..2023-11", ["p1", "p2"]),
        ("month=2023-11..2024", ["p2", "p3"]),
        ("topic=1", ["p1", "p2"]),
        ("topic=-1", ["p3"]),
        ("category=Ekonomi", ["p1", "p2"]),
        ("author=ani", ["p1", "p3"]),
        ("tag=pasar", ["p1"]),
        ("source=tulisan", ["p1", "p2", "p3", "p5"]),
        ("where n_words >= 7 -- with a comment", ["p1", "p3"]),
        ("where category <> 'Ekonomi'", ["p3"]),
    ],
)
def test_posts_are_chosen(tables, line, posts):
    assert chosen(tables, parse_subcorpus(line)) == posts


def test_counts_of_a_selection(tables):
    found = select_posts(tables, Subcorpus(stance="against"))
    assert (found.n_posts, found.n_words, found.n_repeated, found.n_unparsed) == (2, 14, 1, 0)
    rest = select_posts(tables, None, exclude=Subcorpus(stance="against"))
    assert (rest.n_posts, rest.n_words) == (2, 12)
    assert rest.label[1] == "not (stance against)"


def test_a_post_without_a_month_is_in_the_rest(tables):
    rest = select_posts(tables, None, exclude=Subcorpus(month="2023"))
    assert rest.n_posts == 2


def test_posts_without_tokens_are_said():
    fields = {"p1": {}, "leer": {}}
    from tests.collocation_tables import connect, plain_rows

    found = select_posts(connect(plain_rows("p1", "kopi pahit"), fields))
    assert found.n_unparsed == 1
    assert "1 selected posts have no tokens and were not counted." in [pair[1] for pair in found.notes()]


def test_a_stance_needs_its_target_where_there_are_several():
    tables = small_corpus(targets=("ekonomi digital", "pajak"))
    with pytest.raises(DataError, match="several"):
        select_posts(tables, Subcorpus(stance="favor"))
    assert chosen(tables, Subcorpus(stance="favor", target="pajak")) == ["p3"]
    with pytest.raises(DataError, match="no predictions for the target 'bea'"):
        select_posts(tables, Subcorpus(stance="favor", target="bea"))
    with pytest.raises(DataError, match="nlp-study classify"):
        select_posts(small_corpus(stances={}), Subcorpus(stance="favor"))


def test_undecided_posts_have_no_stance(tables):
    rows = ", ".join(f"('{p}', 'x', '{s}', {str(p == 'p2').lower()})" for p, s in STANCES.items())
    tables.unregister("predictions")
    tables.execute(f"CREATE VIEW predictions AS FROM (VALUES {rows}) AS p(post_id, target, stance, abstained)")
    assert chosen(tables, Subcorpus(stance="against")) == ["p1"]


def test_a_condition_that_does_not_parse_says_so(tables):
    with pytest.raises(DataError, match="n_wrds"):
        select_posts(tables, Subcorpus(where="n_wrds > 1"))


def test_footnotes_have_both_languages_with_the_same_fields():
    import string

    for key, pair in NOTES.items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair]
        assert fields[0] == fields[1], key
        assert all(text.strip() for text in pair)
    assert all(len(pair) == 2 for pair in (*PARTS.values(), *RELATIONS.values()))


def test_numbers_in_footnotes_are_written_each_way():
    assert note("max_q", q=0.01, n=12345) == (
        "Disaring: q paling tinggi 0,01 (Benjamini-Hochberg atas 12.345 kata yang diuji).",
        "Filtered: q at most 0.01 (Benjamini-Hochberg over the 12,345 words tested).",
    )
