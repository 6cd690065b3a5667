from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.concordance.cql import (
    ATTRIBUTES,
    MAX_REPEAT,
    All,
    Branch,
    Compare,
    CqlError,
    Either,
    Not,
    Repeat,
    Sequence,
    Token,
    longest,
    parse_cql,
    shortest,
)

from .conftest import REPOSITORY

EKONOMI = Token(Compare("lemma", "ekonomi"))
ADJ = Token(Compare("upos", "ADJ"))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ('[lemma="ekonomi"]', EKONOMI),
        ('[lemma="ekonomi"] [upos="ADJ"]', Sequence((EKONOMI, ADJ))),
        ("[]", Token(All())),
        ('[upos="ADJ"]{0,3} [lemma="ekonomi"]', Sequence((Repeat(ADJ, 0, 3), EKONOMI))),
        ('[upos="ADJ"]{2}', Repeat(ADJ, 2, 2)),
        ('[upos="ADJ"]{2,}', Repeat(ADJ, 2, MAX_REPEAT)),
        ('[upos="ADJ"]{,2}[upos="ADJ"]', Sequence((Repeat(ADJ, 0, 2), ADJ))),
        ('[upos="ADJ"]+', Repeat(ADJ, 1, MAX_REPEAT)),
        ('[upos="ADJ"]* [upos="ADJ"]?[]', Sequence((Repeat(ADJ, 0, MAX_REPEAT), Repeat(ADJ, 0, 1), Token(All())))),
        ('[upos="ADJ"] | [lemma="ekonomi"]', Branch((ADJ, EKONOMI))),
        ('([upos="ADJ"] | [lemma="ekonomi"]) []', Sequence((Branch((ADJ, EKONOMI)), Token(All())))),
        ('"Ekonomi"', Token(Compare("form", "Ekonomi"))),
        ('"eko.*"%c', Token(Compare("form", "eko.*", is_regex=True, ignore_case=True))),
        ('[form=="a.b"]', Token(Compare("form", "a.b"))),
        (r'[form="\"x\.y\""]', Token(Compare("form", r'"x\.y"', is_regex=True))),
        ("Ekonomi", Token(Compare("lower", "ekonomi"))),
        ("ekonomi digital", Sequence((Token(Compare("lower", "ekonomi")), Token(Compare("lower", "digital"))))),
        ("ekonom*", Token(Compare("lower", "ekonom.*", is_regex=True))),
        ("root:Dukung", Token(Compare("root", "dukung"))),
        ('lemma:"dukung|tolak"', Token(Compare("lemma", "dukung|tolak", is_regex=True))),
        ("hanya", Token(Compare("lower", "hanya"))),
        (
            "bukunya",
            Branch(
                (
                    Token(Compare("lower", "bukunya")),
                    Sequence(
                        (Token(All((Compare("lower", "buku"), Compare("space", "no")))), Token(Compare("lower", "nya")))
                    ),
                )
            ),
        ),
        ('[upos!="ADJ"]', Token(Not(Compare("upos", "ADJ")))),
        (
            '[upos="ADJ" & !(lemma="x" | ent="B-PER")]',
            Token(All((Compare("upos", "ADJ"), Not(Either((Compare("lemma", "x"), Compare("ent", "B-PER"))))))),
        ),
        ('["x"]', Token(Compare("form", "x"))),
    ],
)
def test_patterns(text, pattern):
    assert parse_cql(text).pattern == pattern
    assert parse_cql(f"  {text}\n").pattern == pattern


@pytest.mark.parametrize("end", ["within s", "within <s/>", "within <s>"])
def test_within_a_sentence(end):
    assert parse_cql(f'[lemma="ekonomi"] {end}').within_sentence
    assert parse_cql(f'[lemma="ekonomi"] {end}').pattern == EKONOMI
    assert not parse_cql("kopi within rumah").within_sentence


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ('[lemma="ekonomi', 8, "never closed"),
        ('[lemma="ekonomi"', 1, "never closed"),
        ("[lemma=ekonomi]", 8, "double quotes"),
        ('[lema="x"]', 2, "no attribute «lema»"),
        ("lema:x", 1, "no attribute «lema»"),
        ("root:", 6, "a word is missing"),
        ('[lemma "x"]', 8, "no comparison"),
        ('a [lemma="("]', 11, "no regular expression"),
        (r'[lemma="(a)\1"]', 9, "no regular expression"),
        ('[lemma="(?=x)a"]', 9, "no regular expression"),
        ("(a | b", 1, "never closed"),
        ("a | ", 5, "ends too early"),
        ("a ) b", 3, "«)» does not belong"),
        ("a ] b", 3, "«]» does not belong"),
        ("a {", 4, "a number is missing"),
        ("[]{3,1}", 3, "counts nothing"),
        ("[]{0,101}", 3, "repetitions"),
        ("[]{0,3}", 1, "nothing at all"),
        ('a? "b"*', 1, "nothing at all"),
        ("(([]{1,99}){1,99})", 1, "more than 1000 tokens"),
        ("a within", 9, "within s"),
        ("a ; DROP TABLE tokens", None, None),
        ('[lemma="x" & ]', 14, "does not belong"),
        ('[lemma="x" lemma="y"]', 12, "stands where"),
        ("(" * 40 + "a" + ")" * 40, 32, "inside one another"),
        ("a" * 2001, 2001, "characters"),
    ],
)
def test_errors_point_at_the_column(text, column, problem):
    if column is None:
        assert isinstance(parse_cql(text).pattern, Sequence)  # words like any other
        return
    with pytest.raises(CqlError) as caught:
        parse_cql(text)
    assert caught.value.column == column
    assert problem in caught.value.what
    assert caught.value.remedy
    shown, mark = caught.value.what.splitlines()[-2:]
    assert mark.index("^") - 4 == column - 1 and shown.startswith("    ")


@given(st.text(st.sampled_from(list('[]{}()|&!="<>/,?*+:.\\ \n%c0123abslemmaroot')), max_size=40))
def test_any_text_is_a_query_or_an_error_with_a_column(text):
    try:
        query = parse_cql(text)
    except CqlError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert 1 <= shortest(query.pattern) <= longest(query.pattern) <= 10 * MAX_REPEAT


def test_the_documentation_names_every_attribute():
    text = (REPOSITORY / "docs/concordance.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ATTRIBUTES)


def test_every_example_of_the_documentation_can_be_read():
    text = (REPOSITORY / "docs/concordance.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```cql\n(.*?)```", text, re.DOTALL)
    examples = [re.split(r"\s+# ", line)[0].strip() for block in blocks for line in block.splitlines()]
    assert len(examples) > 30
    for example in examples:
        assert parse_cql(example).text == example
