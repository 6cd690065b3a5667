"""`decompose_change(...)`: does a share move because writers change, because some write more, or because others write?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from nlp_study.errors import DataError
from nlp_study.estimate.pooling import MIN_OWN, weigh_labels
from nlp_study.estimate.shares import Method
from nlp_study.estimate.tables import Estimator

N_SAMPLES = 1000
"""Resamples of authors."""
_CHUNK_CELLS = 4_000_000


class Component(StrEnum):
    """What a change of a share is made of."""

    WITHIN = "within"
    """Groups that write in both periods take another stance."""
    VOLUME = "volume"
    """They write a larger or smaller part of all posts."""
    TURNOVER = "turnover"
    """Groups write in one of the periods only."""
    TOTAL = "total"


@dataclass(frozen=True)
class Decomposition:
    """Components of the change of each share; arrays have the shape (n_components, n_stances), in the order of `Component`.

    `low` and `high` are nan where one author wrote everything. `n_both`, `n_left`, `n_came` count groups in both periods, in
    the first only, in the second only.
    """

    stances: tuple[str, ...]
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_both: int
    n_left: int
    n_came: int


def decompose_change(
    scores: np.ndarray,
    groups: np.ndarray,
    is_after: np.ndarray,
    authors: np.ndarray,
    *,
    stances: tuple[str, ...] = ("share",),
    label_errors: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    alpha: float = 0.05,
    n_samples: int = N_SAMPLES,
    seed: int = 0,
) -> Decomposition:
    """Split the difference of mean scores between two periods into parts that add up to it.

    With s the part of a period's posts that a group writes and m its mean score, the share of a period is Σ s·m. Over groups
    of both periods `within` is Σ s̄·Δm and `volume` Σ Δs·(m̄ - m₀), a bar being the mean of the two periods and m₀ the mean of
    the two shares; `turnover` is Σ s·(m - m₀) of groups that came, minus that of groups that left. Nothing is left over.

    Parameters
    ----------
    scores : what is averaged: 0 or 1 for known stances, corrected probabilities otherwise, shape (n_posts, n_shares).
    groups, authors : numbers from 0, shape (n_posts,).
    is_after : whether a post is of the second period, shape (n_posts,).
    label_errors : (label - what the score says of the post) of labelled posts, 0 elsewhere, shape (n_posts, n_shares); their
        weighted mean is added to each period. None: nothing to add.
    weights : weights of the labelled posts, 0 elsewhere, shape (n_posts,).
    alpha : 1 - coverage of the intervals, from a bootstrap over authors.

    Raises
    ------
    DataError : a period has no posts.

    References
    ----------
    Kitagawa (1955), JASA 50; Griliches & Regev (1995), Journal of Econometrics 65; Field & Welsh (2007), JRSS B 69.
    """
    is_after = np.asarray(is_after, bool)
    if not is_after.any() or is_after.all():
        raise DataError("one of the periods has no posts", remedy="choose periods that both have some")
    # one row for each author in a group, so that a resample is a weighted sum of rows
    scores = np.asarray(scores, float)
    _, author = np.unique(authors, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    cell_of_post = author * len(names) + group
    cells, cell = np.unique(cell_of_post, return_inverse=True)
    cell_author, cell_group = cells // len(names), cells % len(names)
    k = scores.shape[1]
    extra = np.zeros_like(scores) if label_errors is None else label_errors
    mass = np.zeros(len(scores)) if weights is None else weights
    sums = []
    for period in (~is_after, is_after):
        columns = [period.astype(float), mass * period, *(scores * period[:, None]).T]
        columns += list((extra * (mass * period)[:, None]).T)
        sums.append(np.stack([np.bincount(cell, column, len(cells)) for column in columns], 1))
    table = np.stack(sums, 0)  # (2, n_cells, 2 + 2·n_shares)
    value = _components(_sum_groups(table, np.ones((1, len(cells))), cell_group, len(names)), k)[0]
    rng = np.random.default_rng(seed)
    n_authors = int(author.max()) + 1
    drawn = []
    chunk = max(1, _CHUNK_CELLS // (len(cells) * table.shape[2]))
    for first in range(0, n_samples, chunk):
        n = min(chunk, n_samples - first)
        times = rng.multinomial(n_authors, np.full(n_authors, 1 / n_authors), size=n)[:, cell_author].astype(float)
        drawn.append(_components(_sum_groups(table, times, cell_group, len(names)), k))
    spread = np.concatenate(drawn)
    spread = spread[np.isfinite(spread).all((1, 2))]
    low, high = _basic_interval(value, spread, alpha, n_authors)
    counts = np.stack([np.bincount(group, period, len(names)) for period in (~is_after, is_after)])
    both = (counts > 0).all(0)
    return Decomposition(
        stances,
        value,
        low,
        high,
        int(both.sum()),
        int(((counts[0] > 0) & ~both).sum()),
        int(((counts[1] > 0) & ~both).sum()),
    )


def _sum_groups(table: np.ndarray, times: np.ndarray, cell_group: np.ndarray, n_groups: int) -> np.ndarray:
    """Sums of each group in each resample, shape (n_samples, 2, n_groups, n_columns).

    Parameters
    ----------
    table : sums of each cell (an author in a group) in either period, shape (2, n_cells, n_columns).
    times : how often each cell is drawn, shape (n_samples, n_cells).
    """
    n_columns = table.shape[2]
    order = np.argsort(cell_group, kind="stable")
    if n_groups == len(cell_group):  # groups are authors
        return times[:, None, order, None] * table[None, :, order]
    edges = np.searchsorted(cell_group[order], np.arange(n_groups + 1))
    flat = np.concatenate([table[0], table[1]], 1)
    grouped = np.empty((len(times), 2, n_groups, n_columns))
    for group in range(n_groups):
        cells = order[edges[group] : edges[group + 1]]
        grouped[:, :, group] = (times[:, cells] @ flat[cells]).reshape(-1, 2, n_columns)
    return grouped


def _components(grouped: np.ndarray, k: int) -> np.ndarray:
    """Components of resamples, shape (n_samples, 4, n_shares); input (n_samples, 2, n_groups, 2 + 2·n_shares)."""
    n = grouped[..., 0]
    total = n.sum(2, keepdims=True)
    mass = grouped[..., 1].sum(2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = np.where(mass > 0, total / mass, 0.0)
        score = grouped[..., 2 : 2 + k] + grouped[..., 2 + k :] * lift[..., None]
        part = n / total
        mean = np.where(n[..., None] > 0, score / np.maximum(n, 1e-12)[..., None], 0.0)
    share = (part[..., None] * mean).sum(2)
    middle = share.mean(1)[:, None, :]
    both = ((n[:, 0] > 0) & (n[:, 1] > 0))[..., None]
    s_a, s_b, m_a, m_b = part[:, 0, :, None], part[:, 1, :, None], mean[:, 0], mean[:, 1]
    within = (both * (s_a + s_b) / 2 * (m_b - m_a)).sum(1)
    volume = (both * (s_b - s_a) * ((m_a + m_b) / 2 - middle)).sum(1)
    turnover = (~both * (s_b * (m_b - middle) - s_a * (m_a - middle))).sum(1)
    return np.stack([within, volume, turnover, share[:, 1] - share[:, 0]], 1)


def _basic_interval(
    value: np.ndarray, spread: np.ndarray, alpha: float, n_authors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ends by the standard error over resamples and t; percentiles of few authors come out too narrow."""
    from scipy.special import stdtrit

    if len(spread) < 2 or n_authors < 2:
        return np.full_like(value, np.nan), np.full_like(value, np.nan)
    error = spread.std(0, ddof=1) * float(stdtrit(max(n_authors - 1, 1), 1 - alpha / 2))
    return np.clip(value - error, -1, 1), np.clip(value + error, -1, 1)


def decompose_periods(
    estimator: Estimator, before: np.ndarray, after: np.ndarray, *, by: str, seed: int = 0, n_samples: int = N_SAMPLES
) -> Decomposition:
    """Split the change of corrected shares between two periods of a study.

    A post counts with its corrected probabilities: adjusted by all labels, or, where both periods have enough labels, with
    the classifier's mean error of each period added to each label. Without labels, with its probabilities as they are.

    Parameters
    ----------
    before, after : positions of the posts of the periods.
    by : `author`, or a kind of group; a post with several topics counts for its main one.

    Raises
    ------
    DataError : a period has no posts, or `by` is unknown.
    """
    if by not in estimator.posts.main:
        raise DataError(f"no grouping «{by}»", remedy=f"choose one of {', '.join(sorted(estimator.posts.main))}")
    where = np.concatenate([before, after])
    part = estimator.whole.take(where)
    is_after = np.arange(len(where)) >= len(before)
    _, groups = np.unique(estimator.posts.main[by][where], return_inverse=True)
    k = len(part.stances)
    errors = np.zeros((len(part), k))
    scores, weights = part.probas, None
    if Method.CORRECTED in estimator.methods:
        drawn = part.weights > 0
        hits = np.eye(k)[part.labels[drawn]]
        enough = all((drawn & period).sum() >= MIN_OWN for period in (is_after, ~is_after))
        if enough:
            power = estimator.tunings[Method.CORRECTED].power
            scores = power * part.probas
            errors[drawn] = hits - scores[drawn]
            weights = part.weights
        else:
            adjusted = estimator.adjustment.apply(part.probas)
            scores = np.empty_like(adjusted)
            weights = np.where(drawn, part.weights, 0.0)
            for period in (is_after, ~is_after):
                own = weigh_labels(part.take(period), estimator.adjustment)
                scores[period] = (1 - own) * adjusted[period]
                errors[drawn & period] = own * np.eye(k)[part.labels[drawn & period]]
    return decompose_change(
        scores,
        groups,
        is_after,
        part.authors,
        stances=part.stances,
        label_errors=errors,
        weights=weights,
        alpha=estimator.alpha,
        n_samples=n_samples,
        seed=seed,
    )
