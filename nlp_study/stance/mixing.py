"""`fit_mix(...)`: weigh the scores of several linear models, on authors that none of them has seen.

A probe mixes twice, from the same held-out scores. To *decide*, all classes count alike, as macro-F1 counts them: the mix is
fitted with the classes weighted equally. To say how *probable* each label is, posts count as often as they occur. One mix
cannot do both: where classes are unequal, the most probable label is not the one that stands out most (docs/stance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DECISION_SHRINK = 0.02
"""Penalty on the shifts of the deciding mix, which are few and found on few labels; flat from 0.01 to 0.05 on id_stance."""
_SCALES = (0.02, 20.0)
_SHIFTS = (-6.0, 6.0)


@dataclass(frozen=True)
class Mix:
    """Weights of score tables: `scales` one for each, `shift` (n_stances,) added to their sum."""

    scales: tuple[float, ...]
    shift: tuple[float, ...]

    def apply(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mixed scores.

        Parameters
        ----------
        scores : one table for each scale, each of shape (n_pairs, n_stances).
        """
        mixed: np.ndarray = sum(scale * table for scale, table in zip(self.scales, scores, strict=True)) + np.array(
            self.shift
        )
        return mixed


def plain_mix(n_parts: int, n_stances: int) -> Mix:
    """Return the mix that takes the first table as it is and leaves the others out."""
    return Mix((1.0, *(0.0,) * (n_parts - 1)), (0.0,) * n_stances)


def fit_mix(scores: Sequence[np.ndarray], gold: np.ndarray, *, balanced: bool, shrink: float = 0.0) -> Mix:
    """Find the mix with the least log loss on held-out scores.

    Vector scaling with one scale for each table (Guo et al. 2017, arXiv:1706.04599, section 4.2; stacking: Wolpert 1992).

    Parameters
    ----------
    scores : tables of scores by models that had not seen these pairs, each of shape (n_pairs, n_stances).
    gold : right columns, shape (n_pairs,).
    balanced : let every class count alike, however many pairs it has.
    shrink : penalty on the squared shifts.
    """
    from scipy.optimize import minimize

    n_stances, n_parts = scores[0].shape[1], len(scores)
    counts = np.bincount(gold, minlength=n_stances)
    weights = (len(gold) / (counts > 0).sum() / np.maximum(counts, 1))[gold] if balanced else np.ones(len(gold))
    onehot = np.eye(n_stances)[gold]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scales, shift = values[:n_parts], values[n_parts:]
        probas = softmax(sum(scale * table for scale, table in zip(scales, scores, strict=True)) + shift)
        right = np.clip(probas[np.arange(len(gold)), gold], 1e-12, 1)
        centred = shift - shift.mean()
        error = weights[:, None] * (probas - onehot) / len(gold)
        slope = [float((error * table).sum()) for table in scores]
        value = float(-(weights * np.log(right)).mean() + shrink * centred @ centred)
        return value, np.array([*slope, *(error.sum(0) + 2 * shrink * centred)])

    start = np.array([*[0.5] * n_parts, *[0.0] * n_stances])
    bounds = [_SCALES] * n_parts + [_SHIFTS] * n_stances
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    shift = found[n_parts:] - found[n_parts:].mean()
    return Mix(tuple(map(float, found[:n_parts])), tuple(map(float, shift)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities of scores, along the last axis."""
    shifted = np.exp(scores - scores.max(-1, keepdims=True))
    probas: np.ndarray = shifted / shifted.sum(-1, keepdims=True)
    return probas
