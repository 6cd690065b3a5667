"""Protocols: nothing that ties posts together stands on both sides."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_study.errors import DataError
from nlp_study.schema import TIMEZONE, Stance
from nlp_study.stance.pairs import Pair
from nlp_study.stance.protocols import Protocol
from nlp_study.stance.splits import TIME_BLOCKS, split_pairs, thin_training

STANCES = list(Stance)[:3]


def make_pairs(rows):
    start = datetime(2024, 1, 1, tzinfo=TIMEZONE)
    return [
        Pair(f"p{i}", target, target, "teks", (), f"a{author}", STANCES[i % 3], start + timedelta(days=day))
        for i, (target, author, day) in enumerate(rows)
    ]


rows = st.lists(
    st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(0, 40), st.integers(0, 900)), min_size=60, max_size=90
)


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(list(Protocol)))
def test_no_group_stands_on_both_sides(rows, protocol):
    pairs = make_pairs(rows)
    try:
        folds = split_pairs(pairs, protocol, n_folds=3, seed=1)
    except DataError:
        return
    for fold in folds:
        assert not {pairs[i].group for i in fold.train} & {pairs[i].group for i in fold.test}
        assert not set(fold.train) & set(fold.test)


def test_each_target_is_predicted_by_the_others():
    pairs = make_pairs([("xy"[i % 2], i, i) for i in range(40)])
    folds = split_pairs(pairs, Protocol.TARGET, n_folds=5, seed=1)
    assert sorted(i for fold in folds for i in fold.test) == list(range(40))
    for fold in folds:
        assert not {pairs[i].target for i in fold.train} & {pairs[i].target for i in fold.test}


def test_the_future_is_predicted_by_the_past():
    pairs = make_pairs([("x", i, (37 * i) % 100) for i in range(100)])
    folds = split_pairs(pairs, Protocol.TIME, n_folds=5, seed=1)
    assert len(folds) == TIME_BLOCKS - 1
    for fold in folds:
        assert max(pairs[i].published_at for i in fold.train) < min(pairs[i].published_at for i in fold.test)


def test_what_cannot_be_split_says_so():
    pairs = make_pairs([("x", i, i) for i in range(30)])
    with pytest.raises(DataError, match="none can be left out") as caught:
        split_pairs(pairs, Protocol.TARGET, n_folds=5, seed=1)
    assert "--protocol author" in caught.value.remedy
    undated = [Pair(p.post_id, "x", "x", "t", (), p.group, p.stance) for p in pairs]
    with pytest.raises(DataError, match="have a date"):
        split_pairs(undated, Protocol.TIME, n_folds=5, seed=1)


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from([0.125, 0.25, 0.5, 1.0]))
def test_a_share_of_the_training_is_whole_authors_with_every_label(rows, share):
    pairs = make_pairs(rows)
    try:
        fold = split_pairs(pairs, Protocol.AUTHOR, n_folds=3, seed=1)[0]
    except DataError:
        return
    thinned = thin_training(fold, pairs, share=share, seed=2)
    kept, left = set(thinned.train), set(fold.train) - set(thinned.train)
    assert thinned.test == fold.test and kept <= set(fold.train)
    assert not {pairs[i].group for i in kept} & {pairs[i].group for i in left}
    assert {pairs[i].stance for i in kept} == {pairs[i].stance for i in fold.train}
    assert len(kept) >= share * len(fold.train) - 1
    assert thin_training(fold, pairs, share=share, seed=2) == thinned
