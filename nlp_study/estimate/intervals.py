"""Intervals of shares: Wilson's for plain counts, and the same score interval for estimates with an effective size."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PLAIN_METHOD = "wilson, predictions counted as they are"


def wilson_interval(n_hits: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    It stays inside [0, 1] and keeps its coverage for small months and shares near 0, where the textbook interval fails.
    It covers sampling of posts only, not errors of a classifier.

    Parameters
    ----------
    n_hits, n : counts, or effective ones of clustered observations, 0 <= n_hits <= n.
    alpha : 1 - coverage.

    Raises
    ------
    ValueError : n is 0 or n_hits is outside [0, n].

    References
    ----------
    Wilson (1927), JASA 22(158); Brown, Cai & DasGupta (2001), Statistical Science 16(2).
    """
    if n <= 0 or not 0 <= n_hits <= n:
        raise ValueError(f"a share needs 0 <= n_hits <= n and n > 0, not {n_hits} of {n}")
    z = NormalDist().inv_cdf(1 - alpha / 2)
    share = n_hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    low = 0.0 if n_hits == 0 else max(0.0, centre - half)
    high = 1.0 if n_hits == n else min(1.0, centre + half)
    return low, high


def score_interval(share: np.ndarray, n_effective: np.ndarray, critical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval for shares whose variance is that of `n_effective` independent posts.

    Of the intervals for surveys that Franco et al. compare, this one holds its coverage best for small shares; it is never
    empty or of no width, also where not one labelled post has the stance.

    Parameters
    ----------
    share : in [0, 1], shape (...,).
    n_effective : above 0, shape (...,).
    critical : quantile of t (or of a maximum of several), shape (...,).

    Returns
    -------
    lower and upper ends in [0, 1], shape (...,).

    References
    ----------
    Korn & Graubard (1998), Survey Methodology 24(2); Franco, Little, Louis & Slud (2019), JSSAM 7(3).
    """
    import numpy as np

    ratio = critical**2 / n_effective
    centre = (share + ratio / 2) / (1 + ratio)
    half = np.sqrt(share * (1 - share) * ratio + ratio**2 / 4) / (1 + ratio)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
