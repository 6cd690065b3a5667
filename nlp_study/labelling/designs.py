"""Sampling designs: inclusion probabilities that sum to the wanted size, and draws of exactly that size.

Every post of the frame has a probability above 0, so a weighted mean of the labels is unbiased for the whole frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from nlp_study.errors import DataError

if TYPE_CHECKING:
    import numpy as np

UNIFORM_SHARE = 0.2
"""Part of an uncertainty draw that is spread evenly: a post that the model is sure of has at least a fifth of the average
probability, so that no weight is above five times the average (Zrnic and Candès 2024 mix in the same way)."""
LEAST_PER_STRATUM = 2
"""Two readings let a stratum's own variance be estimated."""


class Design(StrEnum):
    """How posts are drawn."""

    RANDOM = "random"
    STRATIFIED = "stratified"
    UNCERTAIN = "uncertain"


def spread_of_labels(probas: np.ndarray) -> np.ndarray:
    """Return how uncertain each post's label is: sqrt(sum_k p_k (1 - p_k)), the root of the label's total variance.

    Probabilities proportional to it minimise the variance of the corrected shares, summed over the labels, if the
    probabilities are calibrated (Zrnic and Candès 2024, arXiv:2403.03208, section 4).

    Parameters
    ----------
    probas : shape (n_posts, n_stances), rows summing to 1.

    Returns
    -------
    shape (n_posts,), in [0, 1).
    """
    import numpy as np

    return np.sqrt(np.clip((probas * (1 - probas)).sum(1), 0, None))


def spread_evenly(n_posts: int, size: int) -> np.ndarray:
    """Return equal probabilities size / n_posts, shape (n_posts,)."""
    import numpy as np

    return np.full(n_posts, size / n_posts)


def spread_by_uncertainty(uncertainty: np.ndarray, size: int, *, uniform_share: float = UNIFORM_SHARE) -> np.ndarray:
    """Return probabilities proportional to uncertainty, mixed with equal ones, none 0, none above 1, summing to `size`.

    Posts that would pass 1 are taken for certain and the rest is spread over the others (Särndal, Swensson and Wretman 1992,
    section 3.6.1).

    Parameters
    ----------
    uncertainty : not negative, shape (n_posts,).
    size : posts to draw, at most n_posts.
    uniform_share : in (0, 1].
    """
    import numpy as np

    uncertainty = np.asarray(uncertainty, float)
    total = uncertainty.sum()
    relative = uncertainty / total if total > 0 else np.full(len(uncertainty), 1 / len(uncertainty))
    wanted = (1 - uniform_share) * relative + uniform_share / len(uncertainty)
    probas = np.zeros(len(wanted))
    certain = np.zeros(len(wanted), bool)
    while True:
        left = size - certain.sum()
        rest = wanted[~certain].sum()
        probas[certain] = 1.0
        if rest > 0:
            probas[~certain] = left * wanted[~certain] / rest
        beyond = (probas >= 1) & ~certain
        if not beyond.any():
            return probas
        certain |= beyond


def allocate(
    counts: Sequence[int], spreads: Sequence[float], size: int, *, least: int = LEAST_PER_STRATUM
) -> list[int]:
    """Return how many posts each stratum gives: `least` of each, the rest in proportion to count times spread.

    Neyman (1934) allocation between bounds; no stratum gives more posts than it has. Fractions are rounded by largest
    remainder, so that the numbers sum to `size`.

    Parameters
    ----------
    counts : posts in each stratum, all above 0, shape (n_strata,).
    spreads : standard deviation of what is measured in each stratum, shape (n_strata,).
    size : posts to draw, at most the sum of `counts`.

    Raises
    ------
    DataError : the floor alone takes more than `size`.
    """
    import numpy as np

    room = np.asarray(counts, int)
    floor = np.minimum(room, least)
    if floor.sum() > size:
        raise DataError(
            f"{len(room)} strata of {least} posts each take {floor.sum()} labels, {size} are wanted",
            remedy="ask for more labels, or for coarser strata: --period quarter, half, year or all",
        )
    pull = np.maximum(np.asarray(spreads, float), 1e-6) * room
    low, high = 0.0, float((room / pull).max())
    for _ in range(100):  # the scale at which the bounded allocation has the wanted size
        scale = (low + high) / 2
        low, high = (scale, high) if np.clip(scale * pull, floor, room).sum() < size else (low, scale)
    ideal = np.clip(high * pull, floor, room)
    given = np.floor(ideal + 1e-9).astype(int)
    rank = np.argsort(-(ideal - given), kind="stable")
    given[[i for i in rank if given[i] < room[i]][: size - given.sum()]] += 1
    return [int(n) for n in given]


def draw_systematically(probas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw exactly sum(probas) posts so that each is in the sample with its probability; a mask, shape (n_posts,).

    Systematic sampling with unequal probabilities over a random order (Madow 1949; Hartley and Rao 1962).

    Parameters
    ----------
    probas : in (0, 1], with a whole-numbered sum.
    """
    import numpy as np

    order = rng.permutation(len(probas))
    reached = np.cumsum(probas[order])
    size = round(float(reached[-1]))
    reached *= size / reached[-1]  # rounding must not lose the last post
    marks = rng.random() + np.arange(size)
    drawn = np.zeros(len(probas), bool)
    drawn[order[np.searchsorted(reached, marks, side="right").clip(max=len(probas) - 1)]] = True
    return drawn
