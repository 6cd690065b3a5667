"""Protocols of evaluation: which labelled pairs a model may learn from, and which it is then asked about."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from nlp_study.errors import DataError, LeakageError
from nlp_study.stance.pairs import Fold, Pair, split_folds
from nlp_study.stance.protocols import Protocol

TIME_BLOCKS = 5
"""Blocks of equal size in order of publication: each but the first is predicted by a model of all before it."""


def split_pairs(pairs: Sequence[Pair], protocol: Protocol, *, n_folds: int, seed: int) -> list[Fold]:
    """Split labelled pairs as a protocol says.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    n_folds : of the protocol `author`.
    seed : of the protocol `author`; the others are the same for every seed.

    Raises
    ------
    DataError : too few authors, targets or dated posts for the protocol.
    LeakageError : a group stands on both sides (a guard; it cannot happen by construction).
    """
    if protocol is Protocol.AUTHOR:
        return split_folds(pairs, n_folds=n_folds, seed=seed)
    folds = _split_targets(pairs) if protocol is Protocol.TARGET else _split_time(pairs)
    for fold in folds:
        if {pairs[i].group for i in fold.train} & {pairs[i].group for i in fold.test}:
            raise LeakageError("an author stands in training and test", remedy="report this as a bug")
    return folds


def _split_targets(pairs: Sequence[Pair]) -> list[Fold]:
    targets = sorted({pair.target for pair in pairs})
    if len(targets) < 2:
        raise DataError(
            f"all labels are toward «{targets[0]}»: none can be left out",
            remedy="label posts toward a second target, or use --protocol author",
        )
    folds = [_disjoint(pairs, [i for i, pair in enumerate(pairs) if pair.target == target]) for target in targets]
    return _trainable(pairs, folds, "target")


def _split_time(pairs: Sequence[Pair]) -> list[Fold]:
    dated = sorted((i for i, pair in enumerate(pairs) if pair.published_at), key=lambda i: (pairs[i].published_at, i))
    if len(dated) < 2 * TIME_BLOCKS:
        raise DataError(
            f"{len(dated)} labelled posts have a date: too few to learn from the past",
            remedy="use --protocol author, or import posts with their dates",
        )
    edges = [round(len(dated) * i / TIME_BLOCKS) for i in range(TIME_BLOCKS + 1)]
    folds = []
    for start, end in pairwise(edges[1:]):
        past, future = dated[:start], dated[start:end]
        fold = _disjoint(pairs, future)
        folds.append(Fold(sorted(set(fold.train) & set(past)), future))
    return _trainable(pairs, folds, "span of time")


def _disjoint(pairs: Sequence[Pair], test: list[int]) -> Fold:
    """Everything may be learnt from but what shares an author or a text with the test pairs."""
    seen = {pairs[i].group for i in test}
    return Fold([i for i, pair in enumerate(pairs) if pair.group not in seen], test)


def _trainable(pairs: Sequence[Pair], folds: list[Fold], what: str) -> list[Fold]:
    for fold in folds:
        if len({pairs[i].stance for i in fold.train}) < 2:
            raise DataError(
                f"without the authors of one {what} less than two classes are left to learn from",
                remedy="label more posts, or use --protocol author",
            )
    return folds


def thin_training(fold: Fold, pairs: Sequence[Pair], *, share: float, seed: int) -> Fold:
    """Return a fold with a share of its training pairs; whole groups are drawn, and every label stays.

    Parameters
    ----------
    share : in (0, 1].
    seed : of the draw.
    """
    if share == 1:
        return fold
    groups = sorted({pairs[i].group for i in fold.train})
    random.Random(seed).shuffle(groups)
    wanted, labels = max(2, round(share * len(fold.train))), {pairs[i].stance for i in fold.train}
    kept: list[int] = []
    for group in groups:
        if len(kept) >= wanted and {pairs[i].stance for i in kept} == labels:
            break
        kept += [i for i in fold.train if pairs[i].group == group]
    return Fold(sorted(kept), fold.test)
