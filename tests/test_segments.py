from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nlp_study.segments import split_segments


def words(n: int, letter: str = "a") -> str:
    return " ".join([letter] * n)


def test_short_paragraphs_are_joined_up_to_the_minimum():
    found = split_segments([words(30), words(40), words(70), words(10)], min_words=60, max_words=180)
    assert [(s.first, s.last, s.n_words) for s in found] == [(0, 1, 70), (2, 3, 80)]
    assert found[0].text == words(30) + "\n\n" + words(40)


def test_a_long_paragraph_is_never_cut_and_stands_alone():
    found = split_segments([words(20), words(300), words(65)], min_words=60, max_words=180)
    assert [(s.first, s.last) for s in found] == [(0, 0), (1, 1), (2, 2)]


def test_a_short_rest_stays_alone_when_it_does_not_fit():
    found = split_segments([words(170), words(30)], min_words=60, max_words=180)
    assert [(s.first, s.last) for s in found] == [(0, 0), (1, 1)]


def test_no_paragraphs():
    assert split_segments([]) == []


@given(st.lists(st.integers(1, 250), max_size=30))
def test_every_paragraph_stands_in_exactly_one_segment(sizes):
    found = split_segments([words(n) for n in sizes], min_words=60, max_words=180)
    covered = [i for s in found for i in range(s.first, s.last + 1)]
    assert covered == list(range(len(sizes)))
    assert sum(s.n_words for s in found) == sum(sizes)
    assert all(s.n_words <= 180 or s.first == s.last for s in found if s.n_words > 239)
    for s in found:
        if s.first != s.last:
            assert s.n_words <= 60 - 1 + 180
