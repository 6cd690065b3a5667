"""`expected_width`: how narrow an interval will be with so many labels, before they are made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nlp_study.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.estimate.observations import Observations


def expected_width(
    share: float,
    n_labels: float,
    *,
    correlation: float = 0.0,
    n_posts: float = math.inf,
    cluster_effect: float = 1.0,
    weight_effect: float = 1.0,
    alpha: float = 0.05,
) -> float:
    """Return the expected half-width of the interval of a corrected share.

    Parameters
    ----------
    share : the share that is expected, in [0, 1]; 0.5 is the worst case.
    n_labels : labelled posts, above 1.
    correlation : of predicted probability and label (`measure_correlation`); 0 gives the interval of the labels alone.
    n_posts : posts of the part, labelled ones included.
    cluster_effect : how much larger the variance is because posts of one author are alike (`author_effect`).
    weight_effect : the same for unequal sampling probabilities, n·Σw²/(Σw)² (Kish 1965).
    alpha : 1 - coverage.

    Raises
    ------
    DataError : a value is outside its range.

    References
    ----------
    Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, sec. 6.4: the variance of a regression estimator is
    that of the residuals, (1 - ρ²)·p(1 - p)/n, and ρ²·p(1 - p)/N for the predictions of all posts.
    """
    from scipy.stats import t

    if not 0 <= share <= 1 or n_labels <= 1 or not -1 <= correlation <= 1 or n_posts < n_labels:
        raise DataError(
            f"no width for share {share}, {n_labels} labels of {n_posts} posts, correlation {correlation}",
            remedy="a share lies in [0, 1], a correlation in [-1, 1], and 1 < labels <= posts",
        )
    explained = max(correlation, 0.0) ** 2
    unit = (1 - explained) * weight_effect / n_labels + explained / n_posts
    ratio = float(t.ppf(1 - alpha / 2, n_labels - 1)) ** 2 * unit * cluster_effect
    return math.sqrt(share * (1 - share) * ratio + ratio**2 / 4) / (1 + ratio)


def labels_for_width(
    share: float,
    half_width: float,
    *,
    correlation: float = 0.0,
    n_posts: float = math.inf,
    cluster_effect: float = 1.0,
    weight_effect: float = 1.0,
    alpha: float = 0.05,
) -> int:
    """Return the least number of labels whose expected half-width is no larger than `half_width`.

    Raises
    ------
    DataError : not even labels of all posts would do, or a value is outside its range.
    """
    options = {
        "correlation": correlation,
        "n_posts": n_posts,
        "cluster_effect": cluster_effect,
        "weight_effect": weight_effect,
        "alpha": alpha,
    }
    if half_width <= 0:
        raise DataError(f"half-width {half_width} is not above 0", remedy="give a width such as 0.05")
    low, high = 2, 2
    ceiling = int(n_posts) if math.isfinite(n_posts) else 10**9
    while expected_width(share, high, **options) > half_width:
        if high >= ceiling:
            raise DataError(
                f"no number of labels among {n_posts:,.0f} posts gives a half-width of {half_width}",
                remedy="ask for a wider interval, or take in more posts",
            )
        low, high = high, min(2 * high, ceiling)
    while high - low > 1:
        middle = (low + high) // 2
        if expected_width(share, middle, **options) > half_width:
            low = middle
        else:
            high = middle
    return high


def author_effect(posts_per_author: float, similarity: float) -> float:
    """Return how much larger a variance is when labelled posts come in groups of one author.

    Parameters
    ----------
    posts_per_author : mean number of labelled posts of an author, weighed by posts.
    similarity : intraclass correlation of what is averaged; for corrected shares that of the residuals.

    References
    ----------
    Kish (1965), Survey Sampling, sec. 5.4.
    """
    return 1 + max(posts_per_author - 1, 0.0) * similarity


def measure_correlation(observations: Observations) -> np.ndarray:
    """Return the weighted correlation of predicted probability and label over the labelled posts, shape (n_stances,).

    0 where a stance has no label, or all have it.
    """
    import numpy as np

    drawn = observations.weights > 0
    if not drawn.any():
        return np.zeros(len(observations.stances))
    weights = observations.weights[drawn] / observations.weights[drawn].sum()
    hits = np.eye(len(observations.stances))[observations.labels[drawn]]
    probas = observations.probas[drawn]
    hits, probas = hits - weights @ hits, probas - weights @ probas
    spread = np.sqrt((weights @ hits**2) * (weights @ probas**2))
    found: np.ndarray = np.divide(weights @ (hits * probas), spread, out=np.zeros(len(spread)), where=spread > 0)
    return found
