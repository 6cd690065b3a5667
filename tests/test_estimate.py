"""Shares by hand, at their ends, against simulation, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nlp_study.errors import DataError
from nlp_study.estimate import wilson_interval
from nlp_study.estimate.design import (
    author_effect,
    expected_width,
    labels_for_width,
    measure_correlation,
)
from nlp_study.estimate.intervals import score_interval
from nlp_study.estimate.observations import make_observations
from nlp_study.estimate.periods import Period, parse_period
from nlp_study.estimate.shares import Method, estimate_difference, estimate_shares, tune

STANCES = ("favor", "against", "neutral", "irrelevant")


def test_by_hand():
    """3 of 10, z = 1.959964: centre (0.3 + 0.19207) / 1.38415, half 0.24777 / ... (worked out on paper)."""
    low, high = wilson_interval(3, 10)
    assert low == pytest.approx(0.10779, abs=1e-5)
    assert high == pytest.approx(0.60322, abs=1e-5)


def test_ends_stay_inside():
    assert wilson_interval(0, 7)[0] == 0.0
    assert wilson_interval(7, 7)[1] == 1.0


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.01, 0.05, 0.2])
)
def test_equals_scipy(pair, alpha):
    k, n = pair
    expected = binomtest(k, n).proportion_ci(1 - alpha, method="wilson")
    assert wilson_interval(k, n, alpha=alpha) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (3, 2), (-1, 4)])
def test_impossible_counts(k, n):
    with pytest.raises(ValueError, match="share needs"):
        wilson_interval(k, n)


def test_coverage_by_simulation():
    """95 % intervals of small months cover the truth 93-97 % of the time."""
    rng = np.random.default_rng(5)
    for share, n in ((0.1, 20), (0.35, 12), (0.5, 30)):
        hits = rng.binomial(n, share, 20_000)
        bounds = {k: wilson_interval(k, n) for k in range(n + 1)}
        covered = np.mean([bounds[k][0] <= share <= bounds[k][1] for k in hits])
        assert 0.93 <= covered <= 0.98, (share, n, covered)


def test_score_interval_with_n_posts_is_wilson():
    low, high = score_interval(np.array([0.3]), np.array([10.0]), np.array([1.959964]))
    assert (low[0], high[0]) == pytest.approx(wilson_interval(3, 10), abs=1e-6)


def two_classes(rng, *, n=600, n_labels=120, signal=1.5, share=0.4, n_authors=None):
    """Observations of two stances, one author a post unless `n_authors` says otherwise, and the true stances."""
    hits = rng.random(n) < share
    score = np.log(share / (1 - share)) + signal * (2 * hits - 1) * signal + 2 * signal * rng.standard_normal(n)
    favor = 1 / (1 + np.exp(-score))
    authors = np.arange(n) if n_authors is None else rng.integers(0, n_authors, n)
    drawn = rng.permutation(n) < n_labels
    names = np.where(hits, "favor", "against").astype(object)
    labels = np.where(drawn, names, None)
    return make_observations(
        np.stack([favor, 1 - favor], 1), authors, labels, stances=("favor", "against")
    ), names == "favor"


def test_corrected_share_by_hand():
    """λ·(mean of all - mean of labelled) + mean of labels, worked out for four posts of which two are labelled."""
    observations = make_observations(
        [[0.8, 0.2], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]],
        "abcd",
        ["favor", None, "against", None],
        stances=("favor", "against"),
    )
    power = tune(observations, method=Method.CORRECTED).power
    found = estimate_shares(observations)
    assert found.share[0] == pytest.approx(0.5 + power * (0.5 - 0.7))
    assert estimate_shares(observations, method="labels").share == pytest.approx([0.5, 0.5])
    assert estimate_shares(observations, method="predictions").share == pytest.approx([0.5, 0.5])


def test_unequal_probabilities_are_weighed():
    """One of two strata is drawn four times as often; the labels' mean must not follow it: (4·0 + 1·1 + ...)/weights."""
    observations = make_observations(
        np.tile([0.5, 0.5], (6, 1)),
        range(6),
        ["favor", "favor", "favor", "favor", "against", None],
        [1.0, 1.0, 1.0, 1.0, 0.25, 0.25],
        stances=("favor", "against"),
    )
    assert estimate_shares(observations, method="labels").share == pytest.approx([0.5, 0.5])


def test_shares_sum_to_one_and_a_useless_classifier_costs_nothing():
    rng = np.random.default_rng(3)
    probas = rng.dirichlet(np.ones(4), 800)
    labels = np.where(rng.permutation(800) < 100, rng.choice(STANCES, 800), None)
    observations = make_observations(probas, rng.integers(0, 200, 800), labels, stances=STANCES)
    corrected, labelled = (estimate_shares(observations, method=method) for method in ("corrected", "labels"))
    assert corrected.share.sum() == pytest.approx(1)
    assert ((corrected.high - corrected.low) / (labelled.high - labelled.low)).max() < 1.03
    assert corrected.power < 0.3


def test_a_good_classifier_narrows_the_interval_as_its_correlation_says():
    rng = np.random.default_rng(4)
    ratios, limits = [], []
    for _ in range(40):
        observations, _ = two_classes(rng, signal=2.0)
        corrected, labelled = (estimate_shares(observations, method=method) for method in ("corrected", "labels"))
        ratios.append((corrected.high - corrected.low)[0] / (labelled.high - labelled.low)[0])
        limits.append(np.sqrt(1 - measure_correlation(observations)[0] ** 2 * (1 - 120 / 600)))
    assert np.mean(ratios) == pytest.approx(np.mean(limits), abs=0.03)
    assert np.mean(ratios) < 0.85


@pytest.mark.parametrize("population", ["writers", "corpus"])
def test_coverage_of_a_biased_classifier(population):
    """Predictions alone are wrong by far; corrected shares cover, of the writers as of the corpus."""
    rng = np.random.default_rng(6)
    inside, plain = [], []
    for _ in range(300):
        observations, truth = two_classes(rng, n=300, n_labels=60, signal=1.0)
        twisted = observations.probas[:, 0] ** 2
        probas = np.stack([twisted, 1 - twisted], 1)
        observations = observations.__class__(**{**vars(observations), "probas": probas})
        right = 0.4 if population == "writers" else truth.mean()
        found = estimate_shares(observations, population=population)
        inside.append(found.low[0] <= right <= found.high[0])
        only = estimate_shares(observations, method="predictions")
        plain.append(only.low[0] <= right <= only.high[0])
    assert 0.92 <= np.mean(inside) <= 0.98
    assert np.mean(plain) < 0.2


def test_authors_who_repeat_themselves_widen_the_interval():
    rng = np.random.default_rng(8)
    stance = rng.random(40) < 0.5
    authors = np.repeat(np.arange(40), 5)
    labels = np.where(stance[authors], "favor", "against")
    probas = np.tile([0.5, 0.5], (200, 1))
    clustered = estimate_shares(
        make_observations(probas, authors, labels, stances=("favor", "against")), method="labels"
    )
    apart = estimate_shares(
        make_observations(probas, range(200), labels, stances=("favor", "against")), method="labels"
    )
    assert clustered.se[0] / apart.se[0] == pytest.approx(np.sqrt(5), rel=0.05)
    assert clustered.n_effective[0] == pytest.approx(40, rel=0.1)


def test_no_positive_label_still_has_a_width():
    observations = make_observations(
        np.tile([0.05, 0.95], (60, 1)), range(60), ["against"] * 30 + [None] * 30, stances=("favor", "against")
    )
    found = estimate_shares(observations)
    assert found.low[0] == pytest.approx(0, abs=1e-9) and 0.08 < found.high[0] < 0.2
    assert (found.low_all[0], found.high_all[0]) == (pytest.approx(0, abs=1e-9), pytest.approx(found.high_all[0]))
    assert found.high_all[0] > found.high[0]


def test_shares_on_the_target_leave_irrelevant_posts_out():
    labels = ["favor"] * 20 + ["against"] * 10 + ["irrelevant"] * 30
    observations = make_observations(np.tile([0.4, 0.3, 0.1, 0.2], (60, 1)), range(60), labels, stances=STANCES)
    found = estimate_shares(observations, method="labels", on_target=True)
    assert found.share == pytest.approx([2 / 3, 1 / 3, 0, 0])
    low, high = wilson_interval(20, 30)
    assert (found.low[0], found.high[0]) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))


def test_difference_of_the_same_authors_is_narrower_than_of_strangers():
    rng = np.random.default_rng(9)
    stance = rng.random(150) < 0.5
    authors = np.concatenate([np.arange(150), np.arange(150)])
    labels = np.where(stance[authors], "favor", "against")
    flipped = rng.random(300) < 0.1
    labels = np.where(flipped, np.where(labels == "favor", "against", "favor"), labels)
    probas = np.tile([0.5, 0.5], (300, 1))
    early = np.arange(300) < 150
    options = {"stances": ("favor", "against")}
    same = estimate_difference(make_observations(probas, authors, labels, **options), early, ~early, method="labels")
    apart = estimate_difference(
        make_observations(probas, range(300), labels, **options), early, ~early, method="labels"
    )
    assert same.difference == pytest.approx(apart.difference)
    assert (same.high - same.low)[0] < 0.65 * (apart.high - apart.low)[0]
    assert apart.high[0] - apart.low[0] == pytest.approx(2 * 1.96 * np.sqrt(0.5 / 150), rel=0.05)


def test_what_estimates_refuse():
    with pytest.raises(DataError, match="do not sum to 1"):
        make_observations([[0.5, 0.2]], ["a"], stances=("favor", "against"))
    with pytest.raises(DataError, match="outside the set"):
        make_observations([[0.5, 0.5]], ["a"], ["unsure"], stances=("favor", "against"))
    with pytest.raises(DataError, match="sampling probability"):
        make_observations([[0.5, 0.5]], ["a"], ["favor"], [0.0], stances=("favor", "against"))
    with pytest.raises(DataError, match="have the shape"):
        make_observations([[1.0]], ["a"], stances=("favor", "against"))
    nothing = make_observations([[0.5, 0.5]] * 3, "abc", stances=("favor", "against"))
    with pytest.raises(DataError, match="0 labels"):
        estimate_shares(nothing)
    with pytest.raises(DataError, match="no posts"):
        estimate_shares(nothing, where=np.zeros(3, bool), method="predictions")


def test_expected_width_is_wilsons_and_shrinks_with_correlation():
    low, high = wilson_interval(40, 100)
    assert expected_width(0.4, 100) == pytest.approx((high - low) / 2, rel=0.02)
    assert expected_width(0.4, 100, correlation=0.8) / expected_width(0.4, 100) == pytest.approx(0.6, abs=0.01)
    assert expected_width(0.4, 100, cluster_effect=4) == pytest.approx(expected_width(0.4, 25), rel=0.05)
    assert expected_width(0.4, 100, correlation=0.8, n_posts=200) > expected_width(0.4, 100, correlation=0.8)
    n = labels_for_width(0.4, 0.05, correlation=0.6)
    assert expected_width(0.4, n, correlation=0.6) <= 0.05 < expected_width(0.4, n - 1, correlation=0.6)
    assert author_effect(3, 0.25) == 1.5
    with pytest.raises(DataError, match="no number of labels"):
        labels_for_width(0.4, 0.01, n_posts=500)
    with pytest.raises(DataError, match="no width"):
        expected_width(1.4, 100)


def test_expected_width_foretells_the_mean_width():
    rng = np.random.default_rng(12)
    widths, correlations = [], []
    for _ in range(60):
        observations, _ = two_classes(rng)
        found = estimate_shares(observations)
        widths.append((found.high - found.low)[0] / 2)
        correlations.append(measure_correlation(observations)[0])
    expected = expected_width(0.4, 120, correlation=float(np.mean(correlations)), n_posts=600)
    assert np.mean(widths) == pytest.approx(expected, rel=0.05)


def test_periods():
    assert parse_period("2023-Q3") == parse_period("2023-07..2023-09") == Period(2023 * 12 + 6, 2023 * 12 + 8)
    assert str(parse_period("2023-07..2023-12")) == "2023-H2"
    assert str(parse_period("2023-02..2023-05")) == "2023-02..2023-05"
    assert str(parse_period("2024")) == "2024" and parse_period("2024-H2").start.isoformat() == "2024-07-01"
    for wrong in ("2023-13", "2023-Q5", "soon", "2024..2023"):
        with pytest.raises(DataError):
            parse_period(wrong)
