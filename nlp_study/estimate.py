"""Shares and their intervals.

`wilson_interval` is for plain counts. A share of predictions carries the classifier's errors as well; the estimator that
corrects for them with labelled posts will stand here, and `trends.method` says which one made a row.
"""

from __future__ import annotations

from statistics import NormalDist

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
