from __future__ import annotations

import math

import numpy as np
import pytest

from nlp_study.agreement import krippendorff_alpha, measure_agreement

# The worked example of Krippendorff (2011), section C: four observers, twelve units, missing readings.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def test_alpha_of_the_published_example():
    table = np.array(OBSERVERS)
    counts = np.stack([(table == value).sum(0) for value in range(1, 6)], 1)
    assert krippendorff_alpha(counts) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize(
    ("counts", "alpha"),
    [([[2, 0], [0, 2]], 1.0), ([[1, 1], [1, 1]], -0.5), ([[2, 0], [2, 0]], math.nan), ([[1, 0], [0, 1]], math.nan)],
)
def test_alpha_at_its_limits(counts, alpha):
    assert krippendorff_alpha(np.array(counts)) == pytest.approx(alpha, nan_ok=True)


def rows(*readings):
    return [{"post_id": post, "target": "t", "annotator": who, "stance": stance} for post, who, stance in readings]


def test_disagreements_are_listed_with_the_decision():
    table = rows(
        ("p1", "a1", "favor"), ("p1", "a2", "favor"),
        ("p2", "a1", "favor"), ("p2", "a2", "against"), ("p2", "adjudicated", "neutral"),
        ("p3", "a1", "against"), ("p3", "a2", "against"), ("p3", "author", "favor"),
        ("p4", "a1", "neutral"),
    )  # fmt: skip
    found = measure_agreement(table, annotators={"a1", "a2"}, labels=["favor", "against", "neutral"])
    assert (found.n_pairs, found.n_agreed, found.annotators) == (3, 2, ("a1", "a2"))
    assert [(d.post_id, d.readings, d.adjudicated) for d in found.disagreements] == [
        ("p2", (("a1", "favor"), ("a2", "against")), "neutral")
    ]
    assert found.low <= found.alpha <= found.high
    assert list(found.by_label) == ["favor", "against", "neutral"] and math.isnan(found.by_label["neutral"])
    assert measure_agreement(table).n_pairs == 3 and measure_agreement(table).n_agreed == 1


def test_nothing_read_twice():
    found = measure_agreement(rows(("p1", "a1", "favor")))
    assert found.n_pairs == 0 and math.isnan(found.alpha) and math.isnan(found.low) and not found.disagreements
