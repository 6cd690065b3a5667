"""`StanceProbe`: logistic regression on a reader's vectors, with a temperature found on held-out authors.

With some hundred labels this beats tuning the encoder on them (docs/stance.md), costs seconds, and its decision is a sum over
tokens, so that it can say which sentences made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nlp_study.stance.baselines import fit_linear_head
from nlp_study.stance.pairs import Pair, split_folds

_CALIBRATION_FOLDS = 5
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.25, 4.0


@dataclass(frozen=True)
class StanceProbe:
    """A fitted classifier on a reader's vectors.

    `weights` (n_stances, hidden) and `bias` (n_stances,) act on the vectors, `temperature` divides the scores. `stances` is
    the order of all columns.
    """

    stances: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    temperature: float
    trained: dict[str, Any] = field(default_factory=dict)

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, shape (n_pairs, n_stances).

        Parameters
        ----------
        vectors : of the reader that the probe was fitted on, shape (n_pairs, hidden).
        """
        return softmax((vectors @ self.weights.T + self.bias) / self.temperature)


def fit_probe(
    vectors: np.ndarray, pairs: Sequence[Pair], stances: Sequence[str], *, seed: int, calibrate: bool = True
) -> StanceProbe:
    """Fit a probe on labelled pairs; the temperature is found on authors that it had not seen.

    Parameters
    ----------
    vectors : of the reader, shape (n_pairs, hidden).
    pairs : labelled, shape (n_pairs,).
    stances : the labels, in the order of the columns.
    seed : of the inner folds.
    """
    names = tuple(map(str, stances))
    weights, bias = fit_linear_head(vectors, pairs, names)
    temperature = _find_temperature(vectors, pairs, names, seed=seed) if calibrate else 1.0
    trained = {"n_labels": len(pairs), "seed": seed}
    return StanceProbe(names, weights.astype(np.float32), bias.astype(np.float32), temperature, trained)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities of scores, along the last axis."""
    shifted = np.exp(scores - scores.max(-1, keepdims=True))
    probas: np.ndarray = shifted / shifted.sum(-1, keepdims=True)
    return probas


def _find_temperature(vectors: np.ndarray, pairs: Sequence[Pair], names: tuple[str, ...], *, seed: int) -> float:
    """Return the temperature with the least log loss on authors held out in turn (Guo et al. 2017, arXiv:1706.04599).

    1 where there are too few authors to hold any out.
    """
    from scipy.optimize import minimize_scalar

    if len({pair.group for pair in pairs}) < 2 * _CALIBRATION_FOLDS:
        return 1.0
    held, gold = [], []
    for fold in split_folds(pairs, n_folds=_CALIBRATION_FOLDS, seed=seed):
        train = [pairs[i] for i in fold.train]
        if not fold.test or len({pair.stance for pair in train}) < 2:
            continue
        weights, bias = fit_linear_head(vectors[fold.train], train, names)
        held.append(vectors[fold.test] @ weights.T + bias)
        gold += [names.index(str(pairs[i].stance)) for i in fold.test]
    scores, at = np.concatenate(held), np.array(gold)

    def loss(log_temperature: float) -> float:
        probas = softmax(scores / np.exp(log_temperature))
        return float(-np.log(np.clip(probas[np.arange(len(at)), at], 1e-9, 1)).mean())

    bounds = (np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
