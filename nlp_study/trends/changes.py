"""`find_changes(...)`: months from which a share is another one, how sure they are, and the chance that there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from nlp_study.errors import DataError

MIN_MONTHS = 3
"""Months on either side of a change; a rise of two months is no new level."""
N_PERMUTATIONS = 999
_CHUNK = 100
"""Shuffles at a time, which keeps memory within some MB for decades of months."""
SIZE_PRIOR = 0.25
"""Standard deviation of the size of a change that the posterior of its month supposes."""


@dataclass(frozen=True)
class Change:
    """A change of one share.

    Attributes
    ----------
    column : which share.
    month : the first month of the new level, the most probable one.
    month_low, month_high : the months that hold it with a probability of 1 - alpha, if there is one change here.
    first, last : the months between which there is no other change.
    before, after : mean shares on its two sides, by the months' variances.
    p_value : chance of as great a change in any of the shares, at any month, if months came in any order.
    """

    column: int
    month: int
    month_low: int
    month_high: int
    first: int
    last: int
    before: float
    after: float
    p_value: float


def find_changes(
    months: np.ndarray,
    shares: np.ndarray,
    variances: np.ndarray,
    *,
    alpha: float = 0.05,
    n_permutations: int = N_PERMUTATIONS,
    max_changes: int = 5,
    seed: int = 0,
) -> list[Change]:
    """Find changes of level in several monthly shares.

    Two patterns are looked for: a new level from a month on, and a stretch of months unlike those around it, such as
    a fall that recovers (circular binary segmentation). The greatest standardised difference is compared with the greatest of
    all shares, months and patterns when the months are shuffled (max-T), so that with no change at all one is found with a
    probability of alpha at most. Where one is found the months are split and the stretches tested alike, alpha being shared
    out among them: the next round, too, finds a change that is none with a probability of alpha at most.

    Parameters
    ----------
    months : numbers of months, rising, shape (n_months,).
    shares, variances : shape (n_months, n_shares).
    alpha : chance of finding a change where there is none; also 1 - coverage of the months.
    n_permutations : shuffles of the months.
    max_changes : changes of one share at most.
    seed : of the shuffles.

    Returns
    -------
    changes with a p-value of alpha or less, the least first.

    Raises
    ------
    DataError : shapes differ.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing; Scott & Knott (1974), Biometrics 30; Olshen, Venkatraman,
    Lucito & Wigler (2004), Biostatistics 5 (circular binary segmentation); Barry & Hartigan (1993), JASA 88 (the month).
    """
    shares, variances = np.atleast_2d(np.asarray(shares, float).T).T, np.atleast_2d(np.asarray(variances, float).T).T
    if shares.shape != variances.shape or len(shares) != len(months):
        raise DataError(f"{len(months)} months, shares of shape {shares.shape}, variances of {variances.shape}")
    found: list[Change] = []
    chance = _Chance(shares, variances, n_permutations, seed)
    for column in range(shares.shape[1]):
        cuts = _cut(chance, column, alpha, max_changes)
        edges = [0, *sorted(cuts), len(months)]
        for before, here, after in zip(edges, edges[1:], edges[2:], strict=False):
            rows = slice(before, after)
            values = shares[rows, column], variances[rows, column]
            found.append(_describe(months[rows], *values, column, here - before, cuts[here], alpha))
    return sorted(found, key=lambda change: (change.p_value, change.column, change.month))


def change_p_values(
    shares: np.ndarray, variances: np.ndarray, *, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> np.ndarray:
    """Return the p-value of the greatest change of each share, over all months and shares, shape (n_shares,).

    Parameters
    ----------
    shares, variances : shape (n_months, n_shares).
    """
    chance = _Chance(shares, variances, n_permutations, seed)
    return np.array([chance.test(0, len(shares), column)[0] for column in range(shares.shape[1])])


def _cut(chance: _Chance, column: int, alpha: float, max_changes: int) -> dict[int, float]:
    """Return the positions at which a share changes, each with the p-value of the test that found it."""
    cuts: dict[int, float] = {}
    waiting = [(0, len(chance.shares), alpha)]
    while waiting and len(cuts) < max_changes:
        start, end, level = waiting.pop(0)
        p_value, inner = chance.test(start, end, column)
        if p_value > level:
            continue
        edges = [start, *(start + cut for cut in inner), end]
        cuts |= dict.fromkeys(edges[1:-1], p_value)
        waiting += [(left, right, level / (len(edges) - 1)) for left, right in pairwise(edges)]
    return cuts


@dataclass
class _Chance:
    """What chance does to the greatest differences; stretches of months are shuffled once for all shares."""

    shares: np.ndarray
    variances: np.ndarray
    n_permutations: int
    seed: int
    _greatest: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def test(self, start: int, end: int, column: int) -> tuple[float, list[int]]:
        """Return the p-value of a share's greatest difference between `start` and `end`, and where it begins and ends."""
        n = end - start
        if n < 2 * MIN_MONTHS:
            return 1.0, []
        rows = slice(start, end)
        starts, ends = list_stretches(n)
        is_step = (starts == 0) | (ends == n)
        if (start, end) not in self._greatest:
            self._greatest[start, end] = self._shuffle(rows, starts, ends, is_step)
        greatest = self._greatest[start, end]
        # either pattern is measured against what chance does to it, so that the many stretches do not drown the few steps
        usual = np.maximum(np.quantile(greatest, 0.95, axis=0), 1e-12)
        seen = _differences(self.shares[None, rows], self.variances[None, rows], starts, ends)[0, :, column]
        relative = np.where(is_step, seen / usual[0], seen / usual[-1])
        best = int(relative.argmax())
        n_greater = int(((greatest / usual).max(1) >= relative[best] - 1e-12).sum())
        p_value = (1 + n_greater) / (1 + self.n_permutations)
        return p_value, [int(edge) for edge in (starts[best], ends[best]) if 0 < edge < n]

    def _shuffle(self, rows: slice, starts: np.ndarray, ends: np.ndarray, is_step: np.ndarray) -> np.ndarray:
        """Greatest difference of any share in each shuffle, apart for steps and stretches, shape (n_permutations, 1 or 2)."""
        rng = np.random.default_rng(self.seed)
        shares, variances = self.shares[rows], self.variances[rows]
        patterns = [is_step, ~is_step] if (~is_step).any() else [is_step]
        greatest = np.zeros((self.n_permutations, len(patterns)))
        for first in range(0, self.n_permutations, _CHUNK):
            part = slice(first, min(first + _CHUNK, self.n_permutations))
            order = np.argsort(rng.random((part.stop - first, len(shares))), axis=1)
            shuffled = _differences(shares[order], variances[order], starts, ends).max(2)
            greatest[part] = np.stack([shuffled[:, pattern].max(1) for pattern in patterns], 1)
        return greatest


def list_stretches(n_months: int) -> tuple[np.ndarray, np.ndarray]:
    """Return begin and end (not included) of every stretch of months with at least `MIN_MONTHS` on either side of an edge.

    Those that begin with the first month, or end with the last, are the steps from one level to another.
    """
    starts, ends = np.meshgrid(np.arange(n_months + 1), np.arange(n_months + 1), indexing="ij")
    inner = (ends - starts >= MIN_MONTHS) & (n_months - (ends - starts) >= MIN_MONTHS)
    left, right = (starts == 0) | (starts >= MIN_MONTHS), (ends == n_months) | (n_months - ends >= MIN_MONTHS)
    fits = inner & left & right & ~((starts == 0) & (ends == n_months)) & (starts != n_months) & ~(ends == 0)
    once = ~((ends == n_months) & (starts > 0) & (starts <= n_months))  # a step is listed by its first part alone
    return starts[fits & once], ends[fits & once]


def _differences(shares: np.ndarray, variances: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Standardised differences of stretches from the other months, shape (n_series, n_stretches, n_shares).

    Parameters
    ----------
    shares, variances : shape (n_series, n_months, n_shares).
    """
    weights = 1 / variances
    none = np.zeros_like(shares[:, :1])
    total = np.cumsum(np.concatenate([none, weights * shares], 1), 1)
    mass = np.cumsum(np.concatenate([none, weights], 1), 1)
    inside, inner = total[:, ends] - total[:, starts], mass[:, ends] - mass[:, starts]
    outside, outer = total[:, -1:] - inside, mass[:, -1:] - inner
    differences: np.ndarray = np.abs(inside / inner - outside / outer) / np.sqrt(1 / inner + 1 / outer)
    return differences


def _describe(
    months: np.ndarray,
    shares: np.ndarray,
    variances: np.ndarray,
    column: int,
    split: int,
    p_value: float,
    alpha: float,
) -> Change:
    weights = 1 / variances
    before = float(np.average(shares[:split], weights=weights[:split]))
    after = float(np.average(shares[split:], weights=weights[split:]))
    level = np.where(np.arange(len(shares)) < split, before, after)
    # months that scatter more than their variances say make the month of the change less sure
    excess = max(1.0, float((weights * (shares - level) ** 2).sum()) / max(len(shares) - 2, 1))
    log_density = []
    for cut in range(MIN_MONTHS, len(shares) - MIN_MONTHS + 1):
        left, right = weights[:cut], weights[cut:]
        difference = np.average(shares[cut:], weights=right) - np.average(shares[:cut], weights=left)
        chance = excess * (1 / left.sum() + 1 / right.sum())
        log_density.append(
            0.5 * np.log(chance / (chance + SIZE_PRIOR**2))
            + 0.5 * difference**2 / chance * SIZE_PRIOR**2 / (chance + SIZE_PRIOR**2)
        )
    density = np.exp(np.array(log_density) - max(log_density))
    density /= density.sum()
    likely = _smallest_set(density, 1 - alpha)
    best = int(density.argmax()) + MIN_MONTHS
    if best != split:  # the most probable month counts
        before = float(np.average(shares[:best], weights=weights[:best]))
        after = float(np.average(shares[best:], weights=weights[best:]))
    low, high = (int(months[MIN_MONTHS + i]) for i in (likely.min(), likely.max()))
    return Change(column, int(months[best]), low, high, int(months[0]), int(months[-1]), before, after, p_value)


def _smallest_set(density: np.ndarray, mass: float) -> np.ndarray:
    order = np.argsort(-density)
    n = int(np.searchsorted(np.cumsum(density[order]), mass - 1e-12)) + 1
    return order[:n]
