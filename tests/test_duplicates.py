from __future__ import annotations

import random

import pytest

from nlp_study.duplicates import find_near_duplicates, shared_share, shingles

WORDS = [f"kata{i}" for i in range(3000)]


def text(seed, n=300):
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def edited(original, seed, n_changes):
    words = original.split()
    for place in random.Random(seed).sample(range(len(words)), n_changes):
        words[place] = "lain"
    return " ".join(words)


@pytest.mark.parametrize("n", [12, 30, 120, 300, 2000])
def test_reposts_with_small_edits_are_found_at_any_length(n):
    original = text(1, n)
    repost = "Saya salin dari tetangga. " + edited(original, 2, n // 60) + " Konten ini telah tayang"
    found = find_near_duplicates([text(3, n), original, text(4, n), repost])
    assert [(pair.first, pair.second) for pair in found] == [(1, 3)]
    assert found[0].share > 0.6


def test_a_text_copied_into_a_longer_one_counts():
    short = text(1, 150)
    found = find_near_duplicates([short, text(2, 500) + " " + short + " " + text(3, 500)])
    assert found and found[0].share > 0.95


def test_independent_and_empty_texts_do_not():
    assert find_near_duplicates([text(i) for i in range(30)] + ["", "  ", "..."]) == []
    assert find_near_duplicates([]) == []


def test_a_phrase_of_the_site_is_no_copy():
    footer = " Konten ini menjadi tanggung jawab bloger dan tidak mewakili pandangan redaksi"
    assert find_near_duplicates([text(i, 120) + footer for i in range(300)]) == []


def test_shingles():
    assert shingles("Satu, dua TIGA empat lima enam") == {"satu dua tiga empat lima", "dua tiga empat lima enam"}
    assert shingles("dua kata") == {"dua kata"} and shingles("?!") == frozenset()
    assert shared_share(shingles(""), shingles("a")) == 0.0
