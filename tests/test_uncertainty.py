"""Bootstrap and calibration figures against hand computation."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_study.metrics import macro_f1
from nlp_study.uncertainty import bootstrap_macro_f1, calibration_error, compare_macro_f1, macro_f1_of, reliability_bins


def test_macro_f1_of_confusion_equals_that_of_labels():
    rng = np.random.default_rng(3)
    gold, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    confusion = np.zeros((4, 4))
    np.add.at(confusion, (gold, predicted), 1)
    names = "abcd"
    expected = macro_f1([names[i] for i in gold], [names[i] for i in predicted], list(names))
    assert macro_f1_of(confusion) == pytest.approx(expected)


def test_authors_are_drawn_whole():
    """Two authors: one always right, one always wrong. A resample holds 0, 1 or 2 of the right one, nothing between."""
    gold = np.array([0, 1, 0, 1])
    predicted = np.array([[0, 1, 1, 0]])
    drawn = bootstrap_macro_f1(gold, predicted, ["right", "right", "wrong", "wrong"], n_stances=2)
    assert set(np.round(drawn, 6)) == {0.0, 0.5, 1.0}


def test_a_clear_difference_and_none():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 300)
    authors = [f"a{i % 60}" for i in range(300)]
    good = np.stack([np.where(rng.random(300) < 0.8, gold, rng.integers(0, 3, 300)) for _ in range(3)])
    bad = np.stack([np.where(rng.random(300) < 0.4, gold, rng.integers(0, 3, 300)) for _ in range(5)])
    found = compare_macro_f1(gold, good, bad, authors, n_stances=3)
    assert found.is_clear and found.low < found.value < found.high and found.value > 0.2
    same = compare_macro_f1(gold, good, good, authors, n_stances=3)
    assert not same.is_clear and (same.value, same.low, same.high) == (0, 0, 0)


def test_calibration_error_by_hand():
    # 0.95 sure and right in 1 of 2, 0.65 sure and right in 2 of 2: (2 * 0.45 + 2 * 0.35) / 4
    probas = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.35, 0.65]])
    gold = np.array([0, 1, 1, 1])
    assert calibration_error(probas, gold) == pytest.approx(0.4)
    bins = reliability_bins(probas, gold)
    assert [(b.n, round(b.confidence, 2), b.accuracy) for b in bins] == [(2, 0.65, 1.0), (2, 0.95, 0.5)]
