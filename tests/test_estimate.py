from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nlp_study.estimate import wilson_interval


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
    import numpy as np

    rng = np.random.default_rng(5)
    for share, n in ((0.1, 20), (0.35, 12), (0.5, 30)):
        hits = rng.binomial(n, share, 20_000)
        bounds = {k: wilson_interval(k, n) for k in range(n + 1)}
        covered = np.mean([bounds[k][0] <= share <= bounds[k][1] for k in hits])
        assert 0.93 <= covered <= 0.98, (share, n, covered)
