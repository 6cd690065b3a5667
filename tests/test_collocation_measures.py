"""Each formula against figures reckoned by hand or published, and against an independent implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nlp_study.collocation.measures import (
    LL_CUTS,
    adjust_p,
    chi2_p,
    cluster_variance,
    count_first_in_windows,
    deviation_of_proportions,
    expect_together,
    lix,
    log_dice,
    log_likelihood_keyness,
    log_likelihood_table,
    log_ratio,
    log_ratio_interval,
    mutual_information,
    normalise_dp,
    percent_difference,
    t_score,
    token_variance,
)


def test_association_by_hand():
    expected = expect_together(50, [40, 8], 1000)
    assert expected.tolist() == [2.0, 0.4]
    assert mutual_information([16, 0], expected).tolist() == [3.0, -math.inf]
    assert t_score([16, 0], expected)[0] == 3.5
    assert math.isnan(t_score([16, 0], expected)[1])


def test_log_dice_by_hand():
    assert log_dice([10, 20, 5], 20, [20, 20, 60]).tolist() == [13.0, 14.0, 11.0]


def test_log_likelihood_of_a_table_is_the_g_test_of_four_cells():
    together, first, second, total = np.array([16, 1, 0]), 50, np.array([40, 200, 30]), 1000
    found = log_likelihood_table(together, first, second, total)
    for i in range(3):
        a, b = together[i], second[i]
        cells = [[a, first - a], [b - a, total - first - b + a]]
        wanted = stats.chi2_contingency(cells, correction=False, lambda_="log-likelihood").statistic
        assert found[i] == pytest.approx(wanted, abs=1e-9)
    assert np.sign(log_likelihood_table(together, first, second, total, signed=True)).tolist() == [1, -1, -1]


def test_log_likelihood_refuses_counts_of_no_common_table():
    with pytest.raises(ValueError, match="no common table"):
        log_likelihood_table([6], 5, [10], 100)


def test_log_likelihood_of_two_corpora_by_hand():
    # 20 of 1,000 against 10 of 1,000, expected 15 each
    wanted = 2 * (20 * math.log(20 / 15) + 10 * math.log(10 / 15))
    assert log_likelihood_keyness([20], [10], 1000, 1000)[0] == pytest.approx(wanted, rel=1e-12)
    assert log_likelihood_keyness([3, 0], [6, 0], 1000, 2000).tolist() == [0.0, 0.0]
    # nothing in the reference: 2 · 8 · ln 2
    assert log_likelihood_keyness([8], [0], 500, 500)[0] == pytest.approx(16 * math.log(2), rel=1e-12)


def test_effect_sizes_by_hand():
    assert log_ratio([20, 5, 0, 4], [10, 10, 2, 0], 1000, 1000).tolist() == [1.0, -1.0, -2.0, 3.0]
    assert log_ratio([20], [10], 1000, 2000)[0] == pytest.approx(2.0)
    difference = percent_difference([20, 5, 3], [10, 10, 0], 1000, 1000)
    assert difference[:2].tolist() == [100.0, -50.0]
    assert math.isnan(difference[2])


def test_usual_cut_offs_are_quantiles_of_chi_squared():
    for p, cut in LL_CUTS.items():
        assert stats.chi2.ppf(1 - p, 1) == pytest.approx(cut, abs=0.01)
        assert chi2_p([cut])[0] == pytest.approx(p, rel=0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_are_scipys(values):
    assert adjust_p(values) == pytest.approx(stats.false_discovery_control(values), abs=1e-12)


def test_adjusting_nothing_gives_nothing():
    assert adjust_p([]).tolist() == []


def test_dp_of_gries_example():
    # Gries (2008): the letter a 1, 2, 3, 4, 5 times in parts of 9, 10, 10, 10, 11 of 50 letters; DP = 0.18
    dp = deviation_of_proportions(np.arange(1, 6) / 15, np.array([9, 10, 10, 10, 11]) / 50)
    assert dp == pytest.approx(0.18, abs=1e-9)
    assert normalise_dp([dp], 0.18)[0] == pytest.approx(0.18 / 0.82, abs=1e-9)
    assert deviation_of_proportions([0.2, 0.8], [0.2, 0.8]) == 0
    assert math.isnan(normalise_dp([0.0], 1.0)[0])


def test_variance_of_words_by_posts_by_hand():
    # posts of 10, 10 and 20 words with 2, 0 and 2 occurrences: p = 0.1, Σ(c - p·n)² = 1 + 1 + 0
    counts, sizes = np.array([2, 0, 2]), np.array([10, 10, 20])
    found = cluster_variance([4], [(counts**2).sum()], [(counts * sizes).sum()], size=40, size_squares=600, n_parts=3)
    assert found[0] == pytest.approx(max(3 / 2 * 2 / 16, 1 / 4 - 1 / 40))
    # all in one of three equal posts: 3/2 · ((4 - 4/3)² + 2 · (4/3)²) / 16 = 1
    assert cluster_variance([4], [16], [40], size=30, size_squares=300, n_parts=3)[0] == pytest.approx(1.0)
    assert token_variance([4, 0], 40) == pytest.approx([1 / 4 - 1 / 40, 2 - 1 / 40])


def test_interval_by_posts_keeps_its_coverage_where_tokens_do_not():
    """Words that come in bursts: 95 % intervals of two equal corpora must hold 0 about 95 times in 100."""
    rng = np.random.default_rng(5)
    n_posts, n_words, n_runs = 150, 200, 600
    held = {"posts": 0, "tokens": 0}
    for _ in range(n_runs):
        counts = rng.poisson(rng.gamma(0.3, 6, size=(2, n_posts)))
        total, size = counts.sum(axis=1), n_posts * n_words
        clustered = [
            cluster_variance(
                [total[side]], [(counts[side] ** 2).sum()], [total[side] * n_words],
                size=size, size_squares=n_posts * n_words**2, n_parts=n_posts,
            )
            for side in (0, 1)
        ]  # fmt: skip
        ratio = log_ratio([total[0]], [total[1]], size, size)
        for name, variances in (("posts", clustered), ("tokens", [token_variance([t], size) for t in total])):
            low, high = log_ratio_interval(ratio, *variances)
            held[name] += bool(low[0] <= 0 <= high[0])
    assert 0.92 <= held["posts"] / n_runs <= 0.975
    assert held["tokens"] / n_runs < 0.7


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=30), min_size=1, max_size=4), st.integers(2, 8))
def test_types_in_moving_windows_are_counted_as_by_reading_every_window(texts, window):
    places, previous, lengths = [], [], []
    for text in texts:
        last: dict[int, int] = {}
        for place, word in enumerate(text):
            places.append(place)
            previous.append(last.get(word, -1))
            lengths.append(len(text))
            last[word] = place
    found = count_first_in_windows(places, previous, lengths, window).sum()
    wanted = sum(len(set(text[at : at + window])) for text in texts for at in range(len(text) - window + 1))
    assert found == wanted


def test_lix_by_hand():
    # 100 words in 5 sentences, 25 of them long
    assert lix([100], [5], [25]).tolist() == [45.0]
