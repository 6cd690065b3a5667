"""Shares of parts with few labels, such as a month: their own labels, and their predictions as all labels adjust them.

A month holds a handful of labels. Were its mean prediction corrected by the mean error of the whole corpus, its movements
would come out too small: a classifier that is wrong half of the time sees half of a fall. What stays the same from month to
month is how the probabilities of a post are spread *given its stance*; so the month's mean prediction is solved for the
shares that would give it (adjusted counts: Forman 2008; Bella et al. 2010), beginning at the shares of the whole corpus,
which rest on all labels. The month's own labels are weighed against that by their variances (a composite estimator: Rao &
Molina 2015, Small Area Estimation, ch. 3).

References
----------
Forman (2008), Data Mining and Knowledge Discovery 17; Bella, Ferri, Hernández-Orallo & Ramírez-Quintana (2010), ICDM; Fay &
Herriot (1979), JASA 74; Li & Lahiri (2010), Journal of Multivariate Analysis 101.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_study.estimate.design import measure_correlation
from nlp_study.estimate.observations import Observations
from nlp_study.estimate.shares import (
    Errors,
    Method,
    Population,
    Tuning,
    count_equal_labels,
    sum_by,
    sum_contributions,
    sum_errors,
)

DRIFT_PRIOR = 0.1
"""Scale of the half-normal prior of what the adjustment is wrong by in a part, in units of √(share·(1 - share)): 5 points for
a share of a half. With no prior the estimate is 0 whenever parts differ no more than by chance, and intervals come out as if
the classifier could not drift at all (Li & Lahiri 2010)."""
_GRID = np.linspace(0, 4 * DRIFT_PRIOR, 41)
_MODEL_LABELS = 10.0
"""Labels of a class that the mean probabilities implied by the predictions count for beside the labelled posts' own."""
_LEAST_TOLD = 1e-4
MIN_OWN = 20
"""Labels with which a half-year, a year or a group is corrected by its own alone, with nothing assumed."""


@dataclass(frozen=True)
class Adjustment:
    """How predictions become shares; from all labelled posts.

    Attributes
    ----------
    inverse : shares per mean probability, shape (n_stances, n_stances): the inverse of `E[probability j | stance k]`.
    share, mean : corrected share and mean probability of the whole corpus, shape (n_stances,).
    unit : variance of an adjusted prediction of one post, over share·(1 - share), shape (n_stances,); 1 for a label.
    common : what each cluster adds to the error of all adjusted shares alike, shape (n_clusters, n_stances).
    clusters : their numbers, shape (n_clusters,).
    common_unit : variance of it, over share·(1 - share), shape (n_stances,).
    """

    inverse: np.ndarray
    share: np.ndarray
    mean: np.ndarray
    unit: np.ndarray
    common: np.ndarray
    clusters: np.ndarray
    common_unit: np.ndarray

    def apply(self, probas: np.ndarray) -> np.ndarray:
        """Return adjusted probabilities, shape (..., n_stances); they sum to 1 and may lie outside [0, 1]."""
        adjusted: np.ndarray = self.share + (probas - self.mean) @ self.inverse.T
        return adjusted


def learn_adjustment(whole: Observations, tuning: Tuning, population: Population = Population.WRITERS) -> Adjustment:
    """Learn from all labelled posts how predictions become shares.

    Parameters
    ----------
    whole : all posts, with labels of at least two authors.
    tuning : of the whole, for method `corrected`.
    """
    k = len(whole.stances)
    drawn = whole.weights > 0
    mean = whole.probas.mean(0)
    # columns: mean probabilities of the posts of one stance; implied by the predictions, and as the labelled posts have them
    implied = (whole.probas.T @ whole.probas) / len(whole) / np.maximum(mean, 1e-9)
    hits = np.eye(k)[whole.labels[drawn]] * whole.weights[drawn, None]
    totals = np.maximum(hits.sum(0), 1e-9)
    seen = (whole.probas[drawn].T @ hits) / totals
    n_seen = np.bincount(whole.labels[drawn], minlength=k)
    means = (n_seen * seen + _MODEL_LABELS * implied) / (n_seen + _MODEL_LABELS)
    inverse = np.linalg.pinv(means, rcond=0.02)
    errors = sum_errors(whole, tuning, method=Method.CORRECTED, population=population)
    share = errors.share
    room = np.maximum(np.clip(share, 0, 1) * (1 - np.clip(share, 0, 1)), 0.5 / (count_equal_labels(whole) + 4))
    spread = np.cov(whole.probas.T, bias=True).reshape(k, k)
    # no prediction tells more than its correlation with the label; where probabilities hardly vary, the inverse says nothing
    told = np.maximum(tuning.explained, measure_correlation(whole) ** 2)
    unit = np.maximum(np.diag(inverse @ spread @ inverse.T) / room, 1 / np.clip(told, _LEAST_TOLD, 1))
    common = errors.influence
    if population is Population.WRITERS:
        owner = np.searchsorted(errors.clusters, whole.clusters)
        common = common - sum_by(owner, (whole.probas - mean) @ inverse.T, len(errors.clusters)) / len(whole)
    common_unit = (common**2).sum(0) / room
    return Adjustment(inverse, share, mean, unit, common, errors.clusters, common_unit)


def weigh_labels(part: Observations, adjustment: Adjustment) -> float:
    """Return the weight of the part's own labels beside its adjusted predictions, in [0, 1].

    Inverse variance; both contain the labelled posts, so their covariance is that of one post's label over all posts.
    """
    if not part.n_labels:
        return 0.0
    room = np.clip(adjustment.share, 0, 1) * (1 - np.clip(adjustment.share, 0, 1))
    label, both = 1 / min(count_equal_labels(part), len(part)), 1 / len(part)
    adjusted = float((room * (adjustment.unit * both + adjustment.common_unit)).sum() / max(room.sum(), 1e-9))
    return float(np.clip((adjusted - both) / max(adjusted + label - 2 * both, 1e-12), 0, 1))


def pool_errors(
    part: Observations, adjustment: Adjustment, tuning: Tuning, *, population: Population = Population.WRITERS
) -> tuple[Errors, float]:
    """Return the shares of a part with few labels, and the weight of its own labels.

    Parameters
    ----------
    part : posts of the corpus that `adjustment` was learnt from.
    tuning : of the whole corpus, for method `corrected`.
    """
    k = len(part.stances)
    weight = weigh_labels(part, adjustment)
    share = (1 - weight) * adjustment.apply(part.probas.mean(0))
    clusters, owner = np.unique(part.clusters, return_inverse=True)
    own = np.zeros((len(clusters), k))
    if population is Population.WRITERS:
        adjusted = (part.probas - part.probas.mean(0)) @ adjustment.inverse.T
        own += (1 - weight) / len(part) * sum_by(owner, adjusted, len(clusters))
    n, label = len(part), 0.0
    if weight:
        found = sum_contributions(part, population)
        share = share + weight * found.label_share
        own += weight * found.labels
        label = 1 / min(count_equal_labels(part), n)
    if population is Population.CORPUS:
        unit = (1 - weight) ** 2 * (adjustment.unit - 1) / n + weight**2 * max(label - 1 / n, 0)
    else:
        unit = (1 - weight) ** 2 * adjustment.unit / n + weight**2 * label + 2 * weight * (1 - weight) / n
    unit = unit * tuning.scale + (1 - weight) ** 2 * adjustment.common_unit
    influence = (1 - weight) * adjustment.common
    influence[np.searchsorted(adjustment.clusters, clusters)] += own
    return Errors(share, adjustment.clusters, influence, np.maximum(unit, 1e-12)), weight


def measure_drift(parts: Sequence[Observations], adjustment: Adjustment, tuning: Tuning) -> float:
    """Return how much labels and adjusted predictions of parts differ beyond chance, as a variance over share·(1 - share).

    The posterior mean under a half-normal prior, so that it is never 0.

    Parameters
    ----------
    parts : a partition of the posts; parts without labels say nothing.
    """
    prior = np.exp(-0.5 * (_GRID / DRIFT_PRIOR) ** 2)
    log_density = np.log(prior)
    room = np.maximum(np.clip(adjustment.share, 0, 1) * (1 - np.clip(adjustment.share, 0, 1)), 0.01)
    k = len(room)
    unit = float((room * adjustment.unit).sum() / room.sum())
    for part in parts:
        n_labels = min(count_equal_labels(part), len(part)) if part.n_labels else 0.0
        if n_labels < 1:
            continue
        label_share = sum_contributions(part, Population.WRITERS).label_share
        chance = tuning.scale * (unit / len(part) + 1 / n_labels - 2 / len(part))
        distance = float(((label_share - adjustment.apply(part.probas.mean(0))) ** 2 / room).sum())
        spread = max(chance, 1e-6) + _GRID**2
        log_density = log_density - 0.5 * ((k - 1) * np.log(spread) + (k - 1) / k * distance / spread)
    density = np.exp(log_density - log_density.max())
    return float((density * _GRID**2).sum() / density.sum())


def has_own_rectifier(part: Observations) -> bool:
    """Say whether the part has labels enough to be corrected by its own alone."""
    return part.n_labels >= MIN_OWN and len(np.unique(part.authors[part.weights > 0])) >= MIN_OWN // 2
