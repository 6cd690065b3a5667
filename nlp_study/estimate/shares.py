"""`estimate_shares` and `estimate_difference`: class shares corrected with labelled posts for the classifier's errors.

The estimator is the mean of the predicted probabilities, times a power λ, plus the weighted mean of (label - λ·probability)
over the posts that were drawn and labelled, the *rectifier* (Särndal, Swensson & Wretman 1992, ch. 6; Angelopoulos, Duchi &
Zrnic 2023). It is unbiased whatever the classifier does; λ only decides how narrow it gets, and λ = 0 is the mean of the
labels. All classes share one λ, so that corrected shares sum to 1 and a rare class does not have to find its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from nlp_study.errors import DataError
from nlp_study.estimate.intervals import score_interval
from nlp_study.estimate.observations import Observations

OFF_TARGET = "irrelevant"
MIN_LABELS = 20
"""Labels a part needs for a variance of its own; with fewer, that of the whole is used."""
PRIOR_POSTS = 5.0
"""Labelled posts that the pooled variance counts for beside a class's own; 5, 10 and 20 gave the same coverage within 0.5 %
(1,000 corpora, 50 to 300 labels), 5 the narrowest intervals of a class of 5 %."""
_PRIOR_RARE = 2.0


class Method(StrEnum):
    """How shares are estimated."""

    CORRECTED = "corrected"
    LABELS = "labels"
    """Weighted mean of the labels."""
    PREDICTIONS = "predictions"
    """Mean of the predicted probabilities; its interval leaves the classifier's errors out."""


class Population(StrEnum):
    """Of what the share is estimated."""

    WRITERS = "writers"
    """Those who may write such posts; the authors of the corpus are a sample of them."""
    CORPUS = "corpus"
    """The posts of the corpus; only the draw of the labelled ones is chance."""


@dataclass(frozen=True)
class Shares:
    """Shares of all classes in one part of the corpus; arrays have the shape (n_stances,).

    Attributes
    ----------
    share, se, low, high : estimate, standard error and ends of the interval, in [0, 1].
    low_all, high_all : ends of intervals that hold for all classes at once (Šidák).
    n_effective : number of independent labelled posts that would give the same variance.
    power : λ, 0 for labels only; nan for predictions only.
    df : degrees of freedom of the interval.
    influence : what each cluster adds to the error, shape (n_clusters, n_stances), by `clusters`, shape (n_clusters,).
    extra : variance beside it, where a classifier's errors may drift between parts.
    note : what a reader must know of it; empty if nothing.
    """

    stances: tuple[str, ...]
    method: Method
    share: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    low_all: np.ndarray
    high_all: np.ndarray
    n_effective: np.ndarray
    power: float
    df: float
    n_posts: int
    n_labels: int
    n_authors: int
    influence: np.ndarray
    clusters: np.ndarray
    extra: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Shares of part B minus shares of part A; arrays have the shape (n_stances,).

    `low_all` and `high_all` hold for all classes at once.
    """

    stances: tuple[str, ...]
    before: Shares
    after: Shares
    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    low_all: np.ndarray
    high_all: np.ndarray


@dataclass(frozen=True)
class Tuning:
    """What estimates of parts take from the whole corpus.

    `power` is λ, `scale` how much larger the variance is than that of independent posts, `explained` the squared correlation
    of probability and label if probabilities are right, shape (n_stances,), `df` the degrees of freedom behind `scale`.
    """

    power: float
    scale: float
    explained: np.ndarray
    df: float


@dataclass(frozen=True)
class Errors:
    """Shares of one part before their intervals are made, shape (n_stances,); see `Shares` for `clusters` and `influence`.

    `unit` is the variance that is expected of them, over share·(1 - share).
    """

    share: np.ndarray
    clusters: np.ndarray
    influence: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Contributions:
    """Sums of a cluster's errors, shape (n_clusters, n_stances): of labels, and of predictions at λ = 1.

    `error` at power λ is `labels + λ·predictions`.
    """

    clusters: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    label_share: np.ndarray
    shift: np.ndarray
    n_labelled: int


def estimate_shares(
    observations: Observations,
    *,
    where: np.ndarray | None = None,
    method: Method | str = Method.CORRECTED,
    population: Population | str = Population.WRITERS,
    on_target: bool = False,
    alpha: float = 0.05,
) -> Shares:
    """Estimate the share of each stance, corrected for classifier error with the labels of these posts.

    The variance is that of sums over authors, as posts of one author are alike; leverage as in CR2 (Bell & McCaffrey 2002).
    Of a class it is blended with the variance that all classes have together, because that of a rare class rests on a few
    posts. Intervals are Wilson's with the effective number of posts and a quantile of t.

    Parameters
    ----------
    observations : predictions must be out of sample.
    where : posts of the part, positions or mask of shape (n_posts,); None: all.
    method : `corrected`, `labels` or `predictions`.
    population : `writers` (the default) or `corpus`.
    on_target : shares of the posts that are not `irrelevant`.
    alpha : 1 - coverage; 0.05 gives a 95 % interval.

    Raises
    ------
    DataError : there are no posts; or labels of fewer than two authors where labels are needed.

    References
    ----------
    Angelopoulos, Duchi & Zrnic (2023), arXiv:2311.01453 (power tuning); Särndal, Swensson & Wretman (1992), Model Assisted
    Survey Sampling; Wolter (2007), Introduction to Variance Estimation, ch. 7 (generalized variance functions).
    """
    method, population = Method(method), Population(population)
    observations = tie_errors(observations, population)
    part = observations if where is None else observations.take(where)
    if not len(part):
        raise DataError("there are no posts to estimate a share of", remedy="choose another period or group")
    if method is not Method.PREDICTIONS and len(np.unique(part.authors[part.weights > 0])) < 2:
        raise DataError(
            f"{part.n_labels} labels of fewer than two authors cannot give an interval",
            remedy="label a probability sample, or take method `predictions`",
        )
    tuning = tune(part, method=method, population=population)
    errors = sum_errors(part, tuning, method=method, population=population)
    return finish_shares(part, errors, tuning, method=method, on_target=on_target, alpha=alpha)


def estimate_difference(
    observations: Observations,
    before: np.ndarray,
    after: np.ndarray,
    *,
    method: Method | str = Method.CORRECTED,
    population: Population | str = Population.WRITERS,
    on_target: bool = False,
    alpha: float = 0.05,
) -> Difference:
    """Estimate how much the share of each stance differs between two parts; authors may stand in both.

    Parameters
    ----------
    before, after : posts of the parts, positions or masks of shape (n_posts,).
    method, population, on_target, alpha : as for `estimate_shares`.

    Raises
    ------
    DataError : as `estimate_shares`, for either part.
    """
    first, second = (
        estimate_shares(
            observations, where=where, method=method, population=population, on_target=on_target, alpha=alpha
        )
        for where in (before, after)
    )
    return subtract_shares(first, second, alpha=alpha)


def subtract_shares(before: Shares, after: Shares, *, alpha: float = 0.05) -> Difference:
    """Return the difference of two estimates, with intervals made of theirs and the covariance over common authors.

    Parameters
    ----------
    before, after : estimates by the same method; their intervals must be those of `alpha`.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27(10); Newcombe (1998), Statistics in Medicine 17(8).
    """
    _, left, right = np.intersect1d(before.clusters, after.clusters, return_indices=True)
    covariance = (before.influence[left] * after.influence[right]).sum(0)
    spread = np.sqrt(_own_variance(before) * _own_variance(after))
    correlation = np.clip(np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0), -0.95, 0.95)
    difference = after.share - before.share
    ends = []
    for a_low, a_high, b_low, b_high in (
        (before.low, before.high, after.low, after.high),
        (before.low_all, before.high_all, after.low_all, after.high_all),
    ):
        down_b, up_b = after.share - b_low, b_high - after.share
        down_a, up_a = before.share - a_low, a_high - before.share
        low = difference - np.sqrt(np.maximum(down_b**2 + up_a**2 - 2 * correlation * down_b * up_a, 0))
        high = difference + np.sqrt(np.maximum(up_b**2 + down_a**2 - 2 * correlation * up_b * down_a, 0))
        ends.append((np.maximum(low, -1), np.minimum(high, 1)))
    return Difference(before.stances, before, after, difference, *ends[0], *ends[1])


def expected_unit(
    part: Observations, power: float, explained: np.ndarray, method: Method, population: Population
) -> np.ndarray:
    """Variance over share·(1 - share) if posts were independent and probabilities right, shape (n_stances,)."""
    n_posts = len(part)
    if method is Method.PREDICTIONS:
        return explained / n_posts if population is Population.WRITERS else np.full_like(explained, 1e-12)
    gain = (2 * power - power**2) * explained
    n_labels = count_equal_labels(part)
    if population is Population.CORPUS:
        return (1 - gain) * max(1 / n_labels - 1 / n_posts, 1e-12)
    return gain / n_posts + (1 - gain) / n_labels


def tie_errors(observations: Observations, population: Population) -> Observations:
    """Return the observations with clusters that fit the population: authors, or single posts."""
    clusters = observations.authors if population is Population.WRITERS else np.arange(len(observations))
    return replace(observations, clusters=clusters)


def tune(part: Observations, *, method: Method, population: Population = Population.WRITERS) -> Tuning:
    """Choose λ and measure the variance that all classes have together.

    λ minimises the sum of the classes' variances over authors. It is then drawn toward 0 by its own uncertainty
    (James-Stein), so that a useless classifier costs nothing, and kept in [0, 1].
    """
    mean = part.probas.mean(0)
    room = np.maximum(mean * (1 - mean), 1e-9)
    explained = np.minimum(part.probas.var(0) / room, 0.95)
    found = sum_contributions(part, population)
    if method is Method.PREDICTIONS:
        error, power, df = _prediction_error(part, population), 1.0, max(part.n_authors - 1, 1)
    else:
        power = _best_power(found) if method is Method.CORRECTED else 0.0
        error = found.labels + power * found.predictions
        df = max(found.n_labelled - 1 - (power > 0), 1)
    variance = (error**2).sum(0) * (found.n_labelled - 1 if method is not Method.PREDICTIONS else df) / df
    share = _point(found, power, mean) if method is not Method.PREDICTIONS else mean
    n = count_equal_labels(part) if method is not Method.PREDICTIONS else len(part)
    room = _room(share, n)
    expected = (room * expected_unit(part, power, explained, method, population)).sum()
    # where nearly all labels are alike they show no variance; two posts that vary as expected keep it off 0
    rare = n * (1 - float(np.max(share)))
    scale = (rare * float(variance.sum()) / max(float(expected), 1e-12) + _PRIOR_RARE) / (rare + _PRIOR_RARE)
    return Tuning(power, scale, explained, df)


def sum_errors(
    part: Observations, tuning: Tuning, *, method: Method, population: Population = Population.WRITERS
) -> Errors:
    """Return the shares of a part by its own labels and predictions, with what each cluster adds to their error."""
    unit = expected_unit(part, tuning.power, tuning.explained, method, population) * tuning.scale
    if method is Method.PREDICTIONS:
        return Errors(part.probas.mean(0), np.unique(part.clusters), _prediction_error(part, population), unit)
    found = sum_contributions(part, population)
    share = found.label_share + tuning.power * found.shift
    return Errors(share, found.clusters, found.labels + tuning.power * found.predictions, unit)


def finish_shares(
    part: Observations,
    errors: Errors,
    tuning: Tuning,
    *,
    method: Method,
    on_target: bool = False,
    alpha: float = 0.05,
    own_variance: bool = True,
    drift: float = 0.0,
    note: str = "",
) -> Shares:
    """Return shares with their intervals.

    Parameters
    ----------
    part, errors : the posts, and the sums that `sum_errors` made of them.
    own_variance : let the part's own clusters speak for the variance, not the whole corpus alone.
    drift : variance beside it, in units of share·(1 - share).
    """
    stances = part.stances
    share, influence, unit = errors.share, errors.influence, errors.unit + drift
    n = float(len(part)) if method is Method.PREDICTIONS else count_equal_labels(part)
    if on_target and OFF_TARGET in stances:
        share, influence, unit, n = _condition(stances, share, influence, unit, n)
    if method is Method.CORRECTED:
        share = _project(share, keep=stances.index(OFF_TARGET) if on_target and OFF_TARGET in stances else None)
    share = np.clip(share, 0, 1)
    room = _room(share, n)
    df = tuning.df
    own_posts: np.ndarray | float = 0.0
    if own_variance and (method is Method.PREDICTIONS or part.n_labels >= MIN_LABELS):
        own_posts = n * np.minimum(share, 1 - share)
        if method is not Method.PREDICTIONS:
            n_clusters = len(np.unique(part.clusters[part.weights > 0]))
            df = max(n_clusters - 1 - (tuning.power > 0), 1)
            influence = influence * np.sqrt((n_clusters - 1) / df)
    own = (influence**2).sum(0) / room + drift
    unit = np.maximum((own_posts * own + PRIOR_POSTS * unit) / (own_posts + PRIOR_POSTS), 1e-12)
    ends = [score_interval(share, 1 / unit, _critical(a, df)) for a in (alpha, 1 - (1 - alpha) ** (1 / len(stances)))]
    return Shares(
        stances=stances,
        method=method,
        share=share,
        se=np.sqrt(unit * room),
        low=ends[0][0],
        high=ends[0][1],
        low_all=ends[1][0],
        high_all=ends[1][1],
        n_effective=1 / unit,
        power=float("nan") if method is Method.PREDICTIONS else tuning.power,
        df=df,
        n_posts=len(part),
        n_labels=part.n_labels,
        n_authors=part.n_authors,
        influence=influence,
        clusters=errors.clusters,
        extra=drift * room,
        note=note,
    )


def sum_contributions(part: Observations, population: Population) -> Contributions:
    """Return what each cluster's posts add to the error of the mean of labels and of predictions."""
    clusters, owner = np.unique(part.clusters, return_inverse=True)
    drawn = part.weights > 0
    k, n = len(part.stances), len(clusters)
    if not drawn.any():
        return Contributions(clusters, np.zeros((n, k)), np.zeros((n, k)), np.zeros(k), np.zeros(k), 0)
    hits = np.eye(k)[part.labels[drawn]]
    weights = part.weights[drawn, None] / part.weights.sum()
    mean_label, mean_drawn = (weights * hits).sum(0), (weights * part.probas[drawn]).sum(0)
    mean_all = part.probas.mean(0)
    lift = _lift(part, owner, n, population)
    labels = sum_by(owner[drawn], weights * (hits - mean_label), n) * lift
    predictions = -sum_by(owner[drawn], weights * (part.probas[drawn] - mean_drawn), n) * lift
    if population is Population.WRITERS:
        predictions += sum_by(owner, part.probas - mean_all, n) / len(part)
    n_labelled = len(np.unique(owner[drawn]))
    return Contributions(clusters, labels, predictions, mean_label, mean_all - mean_drawn, n_labelled)


def _lift(part: Observations, owner: np.ndarray, n: int, population: Population) -> np.ndarray:
    """What a cluster's error is multiplied by, shape (n, 1): for its leverage, or for the share of posts not drawn."""
    drawn = part.weights > 0
    if population is Population.CORPUS:
        n_labels = int(drawn.sum())
        kept = np.zeros(n)
        kept[owner[drawn]] = np.maximum(1 - 1 / part.weights[drawn], 0)
        thinned: np.ndarray = np.sqrt(kept * n_labels / max(n_labels - 1, 1))[:, None]
        return thinned
    leverage = np.bincount(owner[drawn], part.weights[drawn], n) / part.weights.sum()
    lift: np.ndarray = 1 / np.sqrt(1 - np.minimum(leverage, 0.9))[:, None]
    return lift


def _best_power(found: Contributions) -> float:
    slope = float((found.predictions**2).sum())
    if slope <= 0:
        return 0.0
    power = -float((found.labels * found.predictions).sum()) / slope
    error = found.labels + power * found.predictions
    own = float(((found.predictions * error).sum(1) ** 2).sum()) / slope**2
    return float(np.clip(power * max(0.0, 1 - own / max(power**2, 1e-12)), 0, 1))


def _point(found: Contributions, power: float, mean: np.ndarray) -> np.ndarray:
    return np.clip(found.label_share + power * found.shift, 0, 1)


def _condition(
    stances: tuple[str, ...], share: np.ndarray, influence: np.ndarray, unit: np.ndarray, n: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Turn shares of all posts into shares of posts on the target (ratio estimator, linearised)."""
    off = stances.index(OFF_TARGET)
    on = max(1 - share[off], 1e-3)
    ratio = share / on
    ratio[off] = 0.0
    turned = (influence - ratio * np.delete(influence, off, 1).sum(1, keepdims=True)) / on
    turned[:, off] = 0.0
    return ratio, turned, unit / on, n * on


def _prediction_error(part: Observations, population: Population) -> np.ndarray:
    clusters, owner = np.unique(part.clusters, return_inverse=True)
    if population is Population.CORPUS:
        return np.zeros((len(clusters), len(part.stances)))
    spread = sum_by(owner, part.probas - part.probas.mean(0), len(clusters)) / len(part)
    return spread * np.sqrt(len(clusters) / max(len(clusters) - 1, 1))


def _own_variance(shares: Shares) -> np.ndarray:
    variance: np.ndarray = (shares.influence**2).sum(0) + shares.extra
    return variance


def _project(share: np.ndarray, *, keep: int | None) -> np.ndarray:
    """Return the nearest shares that are not negative and sum to 1 (Duchi et al. 2008); `keep` stays 0."""
    free = np.arange(len(share)) != (-1 if keep is None else keep)
    values = share[free]
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(values) + 1)
    last = int(np.flatnonzero(ordered > excess)[-1])
    projected = np.zeros_like(share)
    projected[free] = np.clip(values - excess[last], 0, 1)
    return projected


def _room(share: np.ndarray, n: float) -> np.ndarray:
    """share·(1 - share), kept off 0 by two labels of each kind (Agresti & Coull 1998)."""
    inside = np.clip(share, 1 / (n + 4), 1 - 1 / (n + 4))
    room: np.ndarray = inside * (1 - inside)
    return room


def count_equal_labels(part: Observations) -> float:
    """Number of equally weighted labels that are worth as much (Kish 1965)."""
    total = float((part.weights**2).sum())
    return float(part.weights.sum()) ** 2 / total if total else 1.0


def _critical(alpha: float, df: float) -> np.ndarray:
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, 1 - alpha / 2))


def sum_by(owner: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    return np.stack([np.bincount(owner, column, n) for column in values.T], 1)
