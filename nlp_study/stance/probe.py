"""`StanceProbe`: logistic regression on a reader's vectors and on words, weighed on held-out authors.

With some hundred labels this beats tuning the encoder on them (docs/stance.md), costs seconds, and its decision is a sum over
tokens, so that it can say which sentences made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nlp_study.stance.bag import BagOfWords, fit_bag
from nlp_study.stance.baselines import fit_linear_head
from nlp_study.stance.mixing import DECISION_SHRINK, Mix, fit_mix, plain_mix, softmax
from nlp_study.stance.pairs import Pair, split_folds

_HELD_OUT_FOLDS = 5


@dataclass(frozen=True)
class Forecast:
    """What a model says of some pairs: `probas` (n_pairs, n_stances) and `scores` of the same shape, by which it decides."""

    probas: np.ndarray
    scores: np.ndarray

    @property
    def decided(self) -> np.ndarray:
        """Column of the decided label, shape (n_pairs,); not always the most probable one, see `mixing.py`."""
        columns: np.ndarray = self.scores.argmax(1)
        return columns

    @classmethod
    def of_probas(cls, probas: np.ndarray) -> Forecast:
        """Return the forecast of a model that decides for the most probable label."""
        return cls(probas, np.log(np.clip(probas, 1e-12, 1)))


@dataclass(frozen=True)
class Mixes:
    """How scores are mixed to decide and to say how probable a label is."""

    decision: Mix
    probability: Mix


@dataclass(frozen=True)
class StanceProbe:
    """A fitted classifier.

    `weights` (n_stances, hidden) and `bias` (n_stances,) act on a reader's vectors, whose mean over the training posts is
    `centre` (hidden,); `bag` acts on words. `known` mixes both for
    the `targets` that had labels; `unknown` serves any other target, by the vectors alone; `words_alone` leaves
    the vectors out, for comparison. `stances` is the order of columns.
    """

    stances: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    centre: np.ndarray
    bag: BagOfWords | None
    targets: frozenset[str]
    known: Mixes
    unknown: Mixes
    words_alone: Mixes | None = None
    trained: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_head(cls, stances: Sequence[str], weights: np.ndarray, bias: np.ndarray) -> StanceProbe:
        """Return a probe that uses a linear layer as it is."""
        mix = plain_mix(1, len(stances))
        centre, mixes = np.zeros(weights.shape[1], np.float32), Mixes(mix, mix)
        return cls(tuple(map(str, stances)), weights, bias, centre, None, frozenset(), mixes, mixes)

    def predict(self, vectors: np.ndarray, pairs: Sequence[Pair]) -> Forecast:
        """Return probabilities and decisions.

        Parameters
        ----------
        vectors : of the reader that the probe was fitted on, shape (n_pairs, hidden).
        pairs : shape (n_pairs,).
        """
        scores = vectors @ self.weights.T + self.bias
        decision, probability = self.unknown.decision.apply([scores]), self.unknown.probability.apply([scores])
        rows = [i for i, pair in enumerate(pairs) if self.uses_words(pair)]
        if self.bag is not None and rows:
            parts = [scores[rows], self.bag.score([pairs[i] for i in rows])]
            decision[rows] = self.known.decision.apply(parts)
            probability[rows] = self.known.probability.apply(parts)
        return Forecast(softmax(probability), decision)

    def predict_by_words(self, pairs: Sequence[Pair]) -> Forecast | None:
        """Return what the words alone say; None where the probe has none."""
        if self.bag is None or self.words_alone is None:
            return None
        scores = [self.bag.score(pairs)]
        return Forecast(softmax(self.words_alone.probability.apply(scores)), self.words_alone.decision.apply(scores))

    def uses_words(self, pair: Pair) -> bool:
        """Whether words count for a pair."""
        return self.bag is not None and pair.target in self.targets


def fit_probe(
    vectors: np.ndarray,
    pairs: Sequence[Pair],
    stances: Sequence[str],
    *,
    seed: int,
    with_words: bool = False,
    calibrate: bool = True,
) -> StanceProbe:
    """Fit a probe on labelled pairs; how its parts are weighed and calibrated is found on authors that they had not seen.

    Parameters
    ----------
    vectors : of the reader, shape (n_pairs, hidden).
    pairs : labelled, shape (n_pairs,).
    stances : the labels, in the order of the columns.
    seed : of the inner folds.
    with_words : use a bag of words beside the vectors.
    calibrate : weigh and calibrate; without it, or with too few authors to hold any out, the vectors' scores stand as they
        are and words do not count.
    """
    names = tuple(map(str, stances))
    weights, bias = fit_linear_head(vectors, pairs, names)
    weights, bias = weights.astype(np.float32), bias.astype(np.float32)
    centre = vectors.mean(0).astype(np.float32)
    trained = {"n_labels": len(pairs), "seed": seed}
    held = _score_held_out(vectors, pairs, names, seed=seed, with_words=with_words) if calibrate else None
    if held is None:
        return replace(StanceProbe.of_head(names, weights, bias), centre=centre, trained=trained)
    scores, gold = held
    unknown = _fit_mixes(scores[:1], gold)
    bag = fit_bag(pairs, names) if len(scores) > 1 else None
    known, words_alone = (_fit_mixes(scores, gold), _fit_mixes(scores[1:], gold)) if bag else (unknown, None)
    targets = frozenset(pair.target for pair in pairs)
    return StanceProbe(names, weights, bias, centre, bag, targets, known, unknown, words_alone, trained)


def _fit_mixes(scores: Sequence[np.ndarray], gold: np.ndarray) -> Mixes:
    return Mixes(fit_mix(scores, gold, balanced=True, shrink=DECISION_SHRINK), fit_mix(scores, gold, balanced=False))


def _score_held_out(
    vectors: np.ndarray, pairs: Sequence[Pair], names: tuple[str, ...], *, seed: int, with_words: bool
) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Return the scores of each part for authors held out in turn, and their right columns; None with too few authors."""
    if len({pair.group for pair in pairs}) < 2 * _HELD_OUT_FOLDS:
        return None
    by_vectors, by_words, gold = [], [], []
    for fold in split_folds(pairs, n_folds=_HELD_OUT_FOLDS, seed=seed):
        train, test = [pairs[i] for i in fold.train], [pairs[i] for i in fold.test]
        if not test or len({pair.stance for pair in train}) < 2:
            continue
        weights, bias = fit_linear_head(vectors[fold.train], train, names)
        by_vectors.append(vectors[fold.test] @ weights.T + bias)
        bag = fit_bag(train, names) if with_words else None
        by_words.append(bag.score(test) if bag else np.zeros((len(test), len(names))))
        gold += [names.index(str(pair.stance)) for pair in test]
    if not gold:
        return None
    parts = [by_vectors, by_words] if with_words else [by_vectors]
    return [np.concatenate(part) for part in parts], np.array(gold)
