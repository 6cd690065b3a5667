"""`smooth_trend(...)`: a line through monthly shares, with a band for each month and one for all months at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP_PRIOR = 0.05
"""Scale of the half-normal prior of the share's monthly step: five points. A wider one lets the line follow every month."""
_STEPS = np.linspace(0.001, 4 * STEP_PRIOR, 40)
_N_DRAWS = 20_000


@dataclass(frozen=True)
class TrendLine:
    """A smoothed share for each month from the first to the last; arrays have the shape (n_months,).

    `low` and `high` hold for a month, `low_all` and `high_all` for all months at once. `step` is the standard deviation of
    the share's monthly step, as the months show it.
    """

    months: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    low_all: np.ndarray
    high_all: np.ndarray
    step: float


def smooth_trend(
    months: np.ndarray,
    shares: np.ndarray,
    variances: np.ndarray,
    *,
    common_variance: float = 0.0,
    df: float = np.inf,
    alpha: float = 0.05,
    seed: int = 0,
) -> TrendLine:
    """Smooth one share over months with a local level model: it moves by a random step from month to month.

    The size of the step is integrated over, so that its uncertainty is in the bands. A level may jump, but a jump is drawn
    out over the months around it; for breaks see `find_changes`. The band over all months is that of the greatest
    standardised deviation (max-t), drawn from the posterior.

    Parameters
    ----------
    months : numbers of months, rising, shape (n_months,); gaps are filled.
    shares, variances : of each month, shape (n_months,).
    common_variance : of an error that all months share.
    df : degrees of freedom of the variances.
    alpha : 1 - coverage.
    seed : of the draws behind the band over all months.

    References
    ----------
    Durbin & Koopman (2012), Time Series Analysis by State Space Methods, ch. 2; Nychka (1988), JASA 83; Montiel Olea &
    Plagborg-Møller (2019), Journal of Applied Econometrics 34 (simultaneous bands).
    """
    from scipy.special import stdtrit

    months = np.asarray(months)
    grid = np.arange(months[0], months[-1] + 1)
    times = (grid - grid[0]).astype(float)
    seen = np.searchsorted(grid, months)
    centre = float(np.average(shares, weights=1 / variances))
    # a random walk from the first month, and a level that is as good as unknown
    walk = np.minimum(times[:, None], times[None, :])
    log_density, means, spreads = [], [], []
    for step in _STEPS:
        prior = step**2 * walk + 1.0
        between = prior[:, seen]
        total = between[seen] + np.diag(variances)
        lower = np.linalg.cholesky(total)
        left = np.linalg.solve(lower, between.T)
        residual = np.linalg.solve(lower, shares - centre)
        means.append(centre + left.T @ residual)
        spreads.append(prior - left.T @ left)
        likelihood = -0.5 * residual @ residual - np.log(np.diag(lower)).sum()
        log_density.append(likelihood - 0.5 * (step / STEP_PRIOR) ** 2)
    weights = np.exp(np.array(log_density) - max(log_density))
    weights /= weights.sum()
    mean = weights @ np.array(means)
    away = np.array(means) - mean
    cover = np.tensordot(weights, np.array(spreads), 1) + (weights[:, None] * away).T @ away + common_variance
    deviation = np.sqrt(np.maximum(np.diag(cover), 1e-12))
    one = float(stdtrit(min(df, 1e6), 1 - alpha / 2))
    every = _greatest(cover / np.outer(deviation, deviation), df=df, alpha=alpha, seed=seed)
    every = max(every, one)
    return TrendLine(
        months=grid,
        share=np.clip(mean, 0, 1),
        low=np.clip(mean - one * deviation, 0, 1),
        high=np.clip(mean + one * deviation, 0, 1),
        low_all=np.clip(mean - every * deviation, 0, 1),
        high_all=np.clip(mean + every * deviation, 0, 1),
        step=float(weights @ _STEPS),
    )


def _greatest(correlation: np.ndarray, *, df: float, alpha: float, seed: int) -> float:
    """Quantile of the greatest of several correlated t statistics, by simulation."""
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = np.abs(rng.standard_normal((_N_DRAWS, len(values))) @ root.T).max(1)
    if np.isfinite(df):
        draws /= np.sqrt(rng.chisquare(df, _N_DRAWS) / df)
    return float(np.quantile(draws, 1 - alpha))
