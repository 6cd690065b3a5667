"""`measure_curve(...)`: how macro-F1 grows with the number of labels, and what that says about more of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nlp_study.metrics import BASELINES, score_evaluations
from nlp_study.schema import TableName
from nlp_study.stance.evaluate import evaluate_protocol
from nlp_study.stance.protocols import Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus

SHARES = (0.125, 0.25, 0.5, 1.0)
"""Shares of the training labels; each twice the one before."""


def measure_curve(study: Study, corpus: Corpus, *, force: bool = False) -> pa.Table:
    """Return macro-F1 of the study's model and the baselines for growing shares of the training labels.

    Folds and seeds are those of the table `evaluations`; whole authors are left out of training, never of the test.

    Returns
    -------
    columns `share`, `n_labels` (mean in training) and one for each model; shape (n_shares, 2 + n_models).
    """
    import pyarrow as pa

    stances = [str(stance) for stance in study.study.stances]
    rows: list[dict[str, Any]] = []
    for share in SHARES:
        if share == 1:
            evaluations = corpus.read(TableName.EVALUATIONS)
        else:
            evaluations = evaluate_protocol(study, corpus, Protocol.AUTHOR, share=share, force=force)
        scores = score_evaluations(evaluations, stances)
        n_labels = round(share * scores[0].n_pairs * (1 - 1 / study.stance.folds))
        rows.append({"share": share, "n_labels": n_labels} | {score.model: score.macro_f1 for score in scores})
    return pa.Table.from_pylist(rows)


def describe_curve(curve: pa.Table) -> str:
    """Return in one sentence what another doubling of the labels has brought, and would have to bring.

    The gain of a doubling is the slope of macro-F1 on the logarithm of the number of labels, by least squares; learning
    curves flatten, so a figure beyond the last point is a best case (Viering & Loog 2023, arXiv:2103.10948).
    """
    ours = next(name for name in curve.column_names[2:] if name not in BASELINES)
    points = [(math.log2(row["n_labels"]), row[ours]) for row in curve.to_pylist()]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    last, n_labels = curve[ours][-1].as_py(), curve["n_labels"][-1].as_py()
    if slope <= 0.005:
        return f"{ours}: {last:.3f} with {n_labels} labels; more labels of this kind have brought nothing"
    needed = n_labels * 2 ** (0.05 / slope)
    return (
        f"{ours}: {last:.3f} with {n_labels} labels; each doubling has brought {slope:.3f}, so {last + 0.05:.2f} would take "
        f"about {needed:,.0f} labels at the best"
    )
