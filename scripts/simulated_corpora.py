"""Simulated corpora of known truth: authors alike in stance, a biased classifier, labels drawn from two strata."""

from __future__ import annotations

import math

import numpy as np

from nlp_study.estimate.corpus import StudyPosts
from nlp_study.estimate.observations import NO_LABEL, Observations

STANCES = ("favor", "against", "neutral", "irrelevant")
SIMILARITY = 0.25
"""Correlation of two posts of one author, in stance and in the classifier's noise."""
FIRST_MONTH = 2023 * 12
N_MONTHS = 36


def draw_posts(
    rng: np.random.Generator, shares: np.ndarray, *, signal: float, n_labels: int, n_authors: int = 400
) -> tuple[Observations, np.ndarray, np.ndarray]:
    """Return observations, true stances and months.

    Parameters
    ----------
    shares : of each stance, shape (n_stances,), or of each month, shape (N_MONTHS, n_stances).
    signal : 0 for a classifier that knows nothing.
    """
    written = np.minimum(1 + rng.negative_binomial(0.7, 0.19, n_authors), 40)
    author = np.repeat(np.arange(n_authors), written)
    n, k = len(author), shares.shape[-1]
    months = rng.integers(0, N_MONTHS, n)
    wanted = shares[months] if shares.ndim == 2 else np.tile(shares, (n, 1))
    truth = _stances(rng, author, wanted)
    noise = math.sqrt(1 - SIMILARITY) * rng.standard_normal((n, k))
    noise += math.sqrt(SIMILARITY) * rng.standard_normal((n_authors, k))[author]
    prior = np.sqrt(wanted.mean(0))
    score = 1.2 * (np.log(prior / prior.sum()) + signal * (signal * np.eye(k)[truth] + noise))
    score -= score.max(1, keepdims=True)
    probas = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    # two strata, as a draw by keywords: posts on the target are drawn more often
    odds = np.where(rng.random(n) < np.where(truth < k - 1, 0.7, 0.35), 1.7, 1.0)
    weights = np.zeros(n)
    for stratum in (1.0, 1.7):
        inside = np.flatnonzero(odds == stratum)
        size = min(len(inside), max(2, round(n_labels * len(inside) * stratum / odds.sum())))
        weights[rng.choice(inside, size, replace=False)] = len(inside) / size
    labels = np.where(weights > 0, truth, NO_LABEL)
    return Observations(STANCES[:k], probas, author, labels, weights, author), truth, months


def _stances(rng: np.random.Generator, author: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Draw stances whose shares are exactly those wanted, and that are alike within an author: each stance of an author has a
    normal lot of its own, the ranks of which decide (Gaussian copula)."""
    from scipy.special import ndtr

    n_authors = int(author.max()) + 1
    turn = rng.integers(0, wanted.shape[1], n_authors)  # so that alike authors are not always at the same end
    lot = math.sqrt(SIMILARITY) * rng.standard_normal(n_authors)[author]
    place = ndtr(lot + math.sqrt(1 - SIMILARITY) * rng.standard_normal(len(author)))
    order = (np.arange(wanted.shape[1])[None, :] + turn[author][:, None]) % wanted.shape[1]
    edges = np.cumsum(np.take_along_axis(wanted, order, 1), 1)
    index = np.minimum((place[:, None] > edges).sum(1), wanted.shape[1] - 1)
    found: np.ndarray = np.take_along_axis(order, index[:, None], 1)[:, 0]
    return found


def count_confusion(truth: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """Return counts, rows true and columns decided."""
    k = int(max(truth.max(), decided.max())) + 1
    return np.bincount(truth * k + decided, minlength=k * k).reshape(k, k)


def planted_months() -> np.ndarray:
    """Return shares of each month, shape (N_MONTHS, 3): favor falls in October of the first year and recovers slowly."""
    favor = np.full(N_MONTHS, 0.5)
    favor[9:] = 0.22
    favor[18:] = np.linspace(0.25, 0.42, N_MONTHS - 18)
    against = 0.2 + 0.7 * (0.5 - favor)
    return np.stack([favor, against, 1 - favor - against], 1)


def study_posts(posts: Observations, months: np.ndarray) -> StudyPosts:
    """Return simulated posts as a study has them."""
    numbers = FIRST_MONTH + months
    authors = posts.authors.astype(str)
    return StudyPosts("t", [str(i) for i in range(len(months))], posts, numbers, {}, {"author": authors}, "")
