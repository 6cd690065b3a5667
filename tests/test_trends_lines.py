"""Smoothed lines, changes and decompositions: by hand, on planted movements, on shuffled months."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from nlp_study.errors import DataError
from nlp_study.estimate.periods import parse_period
from nlp_study.trends.changes import change_p_values, find_changes, list_stretches
from nlp_study.trends.decompose import Component, decompose_change
from nlp_study.trends.smooth import smooth_trend

from .conftest import REPOSITORY

MONTHS = np.arange(2023 * 12, 2026 * 12)


def test_a_line_through_precise_months_is_the_months():
    shares = np.linspace(0.2, 0.6, 36)
    line = smooth_trend(MONTHS, shares, np.full(36, 1e-6))
    assert line.share == pytest.approx(shares, abs=2e-3)
    assert line.months.tolist() == MONTHS.tolist()


def test_a_line_through_noise_about_a_level_is_the_level():
    rng = np.random.default_rng(0)
    line = smooth_trend(MONTHS, 0.4 + 0.1 * rng.standard_normal(36), np.full(36, 0.01))
    assert np.ptp(line.share) < 0.1 and line.share.mean() == pytest.approx(0.4, abs=0.04)
    assert (line.high - line.low).mean() < 0.5 * 2 * 1.96 * 0.1


def test_bands_hold_pointwise_and_all_at_once():
    rng = np.random.default_rng(1)
    truth = 0.4 + 0.15 * np.sin(np.arange(36) / 6)
    point, band = [], []
    for seed in range(40):
        line = smooth_trend(MONTHS, truth + 0.08 * rng.standard_normal(36), np.full(36, 0.0064), seed=seed)
        point.append(((line.low <= truth) & (truth <= line.high)).mean())
        band.append(((line.low_all <= truth) & (truth <= line.high_all)).all())
    assert 0.93 <= np.mean(point) <= 0.99
    assert np.mean(band) >= 0.92


def test_missing_months_are_filled_and_wider():
    kept = np.r_[0:15, 21:36]
    line = smooth_trend(MONTHS[kept], np.full(30, 0.4), np.full(30, 0.01))
    width = line.high - line.low
    assert len(line.months) == 36 and width[18] == width[3:33].max()


def test_a_common_error_widens_every_month():
    apart = smooth_trend(MONTHS, np.full(36, 0.4), np.full(36, 0.01))
    common = smooth_trend(MONTHS, np.full(36, 0.4), np.full(36, 0.01), common_variance=0.01)
    assert np.all(common.high - common.low > apart.high - apart.low)


def test_stretches_by_hand():
    starts, ends = list_stretches(10)
    pairs = set(zip(starts.tolist(), ends.tolist(), strict=True))
    assert pairs == {(0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (3, 6), (3, 7), (4, 7)}


def test_a_step_is_found_where_it_is():
    rng = np.random.default_rng(2)
    shares = np.where(np.arange(36) < 20, 0.5, 0.2) + 0.07 * rng.standard_normal(36)
    still = 0.3 + 0.07 * rng.standard_normal(36)
    found = find_changes(MONTHS, np.stack([still, shares], 1), np.full((36, 2), 0.0049))
    assert [(change.column, change.month) for change in found] == [(1, MONTHS[20])]
    change = found[0]
    assert change.month_low <= MONTHS[20] <= change.month_high and change.p_value == pytest.approx(0.001)
    assert (change.before, change.after) == (pytest.approx(0.5, abs=0.05), pytest.approx(0.2, abs=0.05))
    assert (change.first, change.last) == (MONTHS[0], MONTHS[-1])


def test_a_fall_that_recovers_is_two_changes():
    rng = np.random.default_rng(3)
    shares = np.full(36, 0.5)
    shares[9:18] = 0.25
    found = find_changes(MONTHS, (shares + 0.08 * rng.standard_normal(36))[:, None], np.full((36, 1), 0.0064))
    assert sorted(change.month for change in found) == pytest.approx([MONTHS[9], MONTHS[18]], abs=1)
    assert all(change.month_low <= change.month <= change.month_high for change in found)


def test_shuffled_months_show_changes_no_more_often_than_stated():
    rng = np.random.default_rng(4)
    shares = np.stack([np.where(np.arange(30) < 12, 0.6, 0.3), np.full(30, 0.4)], 1) + 0.1 * rng.standard_normal(
        (30, 2)
    )
    n_found = 0
    for seed in range(200):
        order = rng.permutation(30)
        values = change_p_values(shares[order], np.full((30, 2), 0.01), n_permutations=99, seed=seed)
        n_found += values.min() <= 0.05
    assert n_found / 200 <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


def test_too_few_months_and_wrong_shapes():
    assert find_changes(MONTHS[:5], np.zeros((5, 1)), np.ones((5, 1))) == []
    with pytest.raises(DataError, match="months"):
        find_changes(MONTHS, np.zeros((5, 1)), np.ones((5, 1)))


def test_the_planted_fall_of_the_demonstration_posts():
    """By the intended labels `favor` falls with the ban of October 2023 and recovers (corpus/demo/DESIGN.md)."""
    import json

    with (REPOSITORY / "corpus/gold/design.csv").open(encoding="utf-8") as handle:
        design = {row["post_id"]: row for row in csv.DictReader(handle)}
    posts = map(json.loads, (REPOSITORY / "corpus/demo/posts.jsonl").read_text(encoding="utf-8").splitlines())
    by_month: dict[int, list[str]] = {}
    for post in posts:
        row = design[post["post_id"]]
        if row["stance"] != "irrelevant" and row["trap"] != "near_duplicate":
            year, month = int(post["published_at"][:4]), int(post["published_at"][5:7])
            by_month.setdefault(year * 12 + month - 1, []).append(row["stance"])
    months = np.array(sorted(by_month))
    stances = ("favor", "against", "neutral")
    shares = np.array([[by_month[m].count(s) / len(by_month[m]) for s in stances] for m in months])
    sizes = np.array([len(by_month[m]) for m in months])
    mean = np.average(shares, axis=0, weights=sizes)
    found = find_changes(months, shares, mean * (1 - mean) / sizes[:, None])
    falls = [change for change in found if change.column == 0 and change.after < change.before]
    october = parse_period("2023-10").first
    assert falls and falls[0].month_low <= october <= falls[0].month_high and abs(falls[0].month - october) <= 1


def change_of(scores, groups, after, **options):
    groups = np.asarray(groups)
    authors = options.pop("authors", np.arange(len(groups)))
    return decompose_change(np.asarray(scores, float)[:, None], groups, np.asarray(after, bool), authors, **options)


def test_components_by_hand():
    """Group 0: 2 of 4 posts, then 1 of 4; scores 1 and 0.  Group 1: 2 posts, then 3; 0.5 and 1/3.

    within = (1/2 + 1/4)/2 · (0 - 1) + (1/2 + 3/4)/2 · (1/3 - 1/2); total = 1/4 - 3/4.
    """
    groups = [0, 0, 1, 1, 0, 1, 1, 1]
    scores = [1, 1, 1, 0, 0, 1, 0, 0]
    found = change_of(scores, groups, [0] * 4 + [1] * 4, n_samples=50)
    within = 0.375 * -1 + 0.625 * (1 / 3 - 1 / 2)
    assert found.value[:, 0] == pytest.approx([within, -0.5 - within, 0, -0.5])
    assert (found.n_both, found.n_left, found.n_came) == (2, 0, 0)


def test_other_writers_are_turnover():
    found = change_of([1, 1, 0, 0], [0, 1, 2, 3], [0, 0, 1, 1], n_samples=50)
    assert found.value[:, 0] == pytest.approx([0, 0, -1, -1])
    assert (found.n_both, found.n_left, found.n_came) == (0, 2, 2)


def test_one_sided_writers_who_write_more_are_volume():
    groups = [0] * 2 + [1] * 8 + [0] * 8 + [1] * 2
    scores = [1] * 2 + [0] * 8 + [1] * 8 + [0] * 2
    found = change_of(scores, groups, [0] * 10 + [1] * 10, authors=np.array(groups), n_samples=50)
    assert found.value[:, 0] == pytest.approx([0, 0.6, 0, 0.6])


def test_components_cover_their_truth():
    """Writers of both periods move from 0.6 to 0.4; as many posts by others stay at 0.5 on either side."""
    rng = np.random.default_rng(5)
    inside = []
    for seed in range(60):
        authors = np.concatenate(
            [np.repeat(np.arange(100), 2), np.repeat(np.arange(100), 2), np.arange(100, 300), np.arange(300, 500)]
        )
        after = np.concatenate([np.zeros(200), np.ones(200), np.zeros(200), np.ones(200)]).astype(bool)
        wanted = np.where(authors < 100, np.where(after, 0.4, 0.6), 0.5)
        scores = rng.random(800) < wanted
        found = change_of(scores, authors, after, authors=authors, seed=seed, n_samples=200)
        inside.append((found.low[:, 0] <= [-0.1, 0, 0, -0.1]) & (found.high[:, 0] >= [-0.1, 0, 0, -0.1]))
    assert np.all(np.mean(inside, 0) >= 0.88)
    assert list(Component) == ["within", "volume", "turnover", "total"]


def test_label_errors_correct_each_period():
    """Scores say 0.5 throughout; the labelled posts say 1 before and 0 after, so the change is -1."""
    scores, after = np.full((8, 1), 0.5), np.arange(8) >= 4
    errors, weights = np.zeros((8, 1)), np.zeros(8)
    errors[[0, 5], 0], weights[[0, 5]] = (0.5, -0.5), 2.0
    found = decompose_change(
        scores, np.zeros(8), after, np.arange(8), label_errors=errors, weights=weights, n_samples=20
    )
    assert found.value[3, 0] == pytest.approx(-1)
    with pytest.raises(DataError, match="no posts"):
        change_of([1, 0], [0, 0], [1, 1])
