"""`monthly_series(...)`: corrected shares of each month with their variances, as smoothing and change points need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlp_study.estimate.pooling import pool_errors
from nlp_study.estimate.shares import OFF_TARGET, Method, sum_errors
from nlp_study.estimate.tables import Estimator

_MIN_ON_TARGET = 0.25
"""Share of posts on the target that a month's denominator is held above: a quotient of two posts means nothing."""


@dataclass(frozen=True)
class Series:
    """Shares of each month that has posts, not yet smoothed; they may lie outside [0, 1].

    Attributes
    ----------
    stances : names of the columns.
    months : year·12 + month - 1, rising, shape (n_months,).
    shares : shape (n_months, n_stances).
    variances : of each month alone, shape (n_months, n_stances).
    common_variance : of what all months have in common, shape (n_stances,).
    n_posts : shape (n_months,).
    df : degrees of freedom of the variances.
    """

    stances: tuple[str, ...]
    months: np.ndarray
    shares: np.ndarray
    variances: np.ndarray
    common_variance: np.ndarray
    n_posts: np.ndarray
    df: float


def monthly_series(estimator: Estimator, *, method: Method = Method.CORRECTED, on_target: bool = False) -> Series:
    """Return the shares of each month by one method.

    Variances are those of the whole corpus, scaled to the month's posts and labels: a variance of eight posts is no guide.

    Parameters
    ----------
    on_target : shares of the posts that are not `irrelevant`; the column of `irrelevant` stays a share of all posts.
    """
    whole = estimator.whole
    tuning = estimator.tunings[method]
    overall = sum_errors(whole, tuning, method=method, population=estimator.population)
    least = 0.5 / (len(whole) + 1)
    base = np.clip(overall.share, least, 1 - least)
    months = np.unique(estimator.posts.months)
    shares, units, n_posts = [], [], []
    common = np.zeros(len(whole.stances))
    kept = []
    for month in months:
        part = whole.take(estimator.posts.months == month)
        if method is Method.LABELS and not part.n_labels:
            continue
        if method is Method.CORRECTED:
            errors, weight = pool_errors(part, estimator.adjustment, tuning, population=estimator.population)
            shared = estimator.adjustment.common_unit
            # what months have in common is added once, by the caller; drift is a month's own
            unit = errors.unit - (1 - weight) ** 2 * shared + (1 - weight) ** 2 * estimator.drift["all"]
            common = shared * base * (1 - base)
        else:
            errors = sum_errors(part, tuning, method=method, population=estimator.population)
            unit = errors.unit
        kept.append(month)
        shares.append(errors.share)
        units.append(np.maximum(unit, 1e-9))
        n_posts.append(len(part))
    found, spread = np.array(shares), np.array(units)
    variances = spread * base * (1 - base)
    if on_target and OFF_TARGET in whole.stances:
        off = whole.stances.index(OFF_TARGET)
        mean_on = 1 - base[off]
        on = np.clip(1 - found[:, off], _MIN_ON_TARGET * mean_on, None)
        ratio = np.clip(base / mean_on, least, 1 - least)
        columns = np.arange(len(whole.stances)) != off
        found[:, columns] = found[:, columns] / on[:, None]
        variances[:, columns] = (spread * (ratio * (1 - ratio))[None, :])[:, columns] / on[:, None]
        common[columns] = common[columns] / (base * (1 - base))[columns] * (ratio * (1 - ratio))[columns] / mean_on
    return Series(whole.stances, np.array(kept), found, variances, common, np.array(n_posts), tuning.df)
