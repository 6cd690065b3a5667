"""What a learning curve says."""

from __future__ import annotations

import pyarrow as pa
import pytest

from nlp_study.stance.curve import describe_curve


def make_curve(figures):
    return pa.Table.from_pylist(
        [
            {"share": share, "n_labels": round(200 * share), "majority": 0.2, "my-encoder": figure}
            for share, figure in zip((0.125, 0.25, 0.5, 1.0), figures, strict=True)
        ]
    )


def test_a_doubling_is_the_slope_on_the_logarithm():
    said = describe_curve(make_curve([0.40, 0.45, 0.50, 0.55]))
    assert said.startswith("my-encoder: 0.550 with 200 labels; each doubling has brought 0.050")
    assert "0.60 would take about 400 labels" in said


@pytest.mark.parametrize("figures", [[0.5, 0.5, 0.5, 0.5], [0.5, 0.49, 0.5, 0.48]])
def test_a_flat_curve_promises_nothing(figures):
    assert "brought nothing" in describe_curve(make_curve(figures))
