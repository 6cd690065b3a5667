"""Tables of an evaluation for a reviewer: differences with intervals, calibration, what abstaining would bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlp_study.metrics import BASELINES, macro_f1
from nlp_study.uncertainty import calibration_error, compare_macro_f1, reliability_bins

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ABSTENTION = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8)


def study_model(evaluations: pa.Table) -> str | None:
    """Return the name of the study's own model in a table of evaluations; None if only baselines are there."""
    return next((name for name in dict.fromkeys(evaluations["model"].to_pylist()) if name not in BASELINES), None)


def list_differences(evaluations: pa.Table, stances: Sequence[str]) -> pa.Table:
    """Return how much the study's model is better than each other one, with a 95 % interval over authors.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`; each model has predicted the same pairs.
    stances : the study's labels, in order.
    """
    import pyarrow as pa

    ours = study_model(evaluations)
    rows = []
    if ours:
        gold, predicted, groups = _labels(evaluations, ours, stances)
        for other in sorted(set(evaluations["model"].to_pylist()) - {ours}):
            _, theirs, _ = _labels(evaluations, other, stances)
            found = compare_macro_f1(gold, predicted, theirs, groups, n_stances=len(stances))
            rows.append(
                {
                    "compared with": other,
                    "macro-F1 more": found.value,
                    "low": found.low,
                    "high": found.high,
                    "clear": "yes" if found.is_clear else "no",
                }
            )
    return pa.Table.from_pylist(rows)


def list_reliability(evaluations: pa.Table, stances: Sequence[str]) -> pa.Table:
    """Return the study's model's predictions by confidence, and the expected calibration error in the last row."""
    import pyarrow as pa

    ours = study_model(evaluations)
    if ours is None:
        return pa.table({})
    probas, gold = _probas(evaluations, ours, stances)
    rows = [
        {
            "confidence": f"{b.low:.1f}-{b.high:.1f}",
            "predictions": b.n,
            "mean confidence": b.confidence,
            "most probable is right": b.accuracy,
        }
        for b in reliability_bins(probas, gold)
    ]
    rows.append(
        {
            "confidence": f"ECE {calibration_error(probas, gold):.3f}",
            "predictions": len(gold),
            "mean confidence": float(probas.max(1).mean()),
            "most probable is right": float((probas.argmax(1) == gold).mean()),
        }
    )
    return pa.Table.from_pylist(rows)


def list_abstention(evaluations: pa.Table, stances: Sequence[str]) -> pa.Table:
    """Return what is left, and how good it is, when predictions below a confidence are not made."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ours = study_model(evaluations)
    if ours is None:
        return pa.table({})
    probas, gold = _probas(evaluations, ours, stances)
    decided = np.array(evaluations.filter(pc.field("model") == ours)["predicted"].to_pylist())
    confidence = probas[np.arange(len(gold)), [list(stances).index(stance) for stance in decided]]
    rows = []
    for threshold in ABSTENTION:
        kept = confidence >= threshold
        if not kept.any():
            break
        right, found = [stances[i] for i in gold[kept]], list(decided[kept])
        rows.append(
            {
                "abstain below": threshold,
                "decided": float(kept.mean()),
                "accuracy": float(np.mean([a == b for a, b in zip(right, found, strict=True)])),
                "macro-F1": macro_f1(right, found, stances),
            }
        )
    return pa.Table.from_pylist(rows)


def _labels(evaluations: pa.Table, model: str, stances: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return gold (n_pairs,), predictions (n_seeds, n_pairs) and groups of one model, pairs in a fixed order."""
    import numpy as np

    columns = ["model", "seed", "post_id", "target", "group", "gold", "predicted"]
    rows = [row for row in evaluations.select(columns).to_pylist() if row["model"] == model]
    seeds = sorted({row["seed"] for row in rows})
    by_seed = {seed: {(r["post_id"], r["target"]): r for r in rows if r["seed"] == seed} for seed in seeds}
    keys = sorted(by_seed[seeds[0]])
    names = list(stances)
    first = [by_seed[seeds[0]][key] for key in keys]
    predicted = [[names.index(by_seed[seed][key]["predicted"]) for key in keys] for seed in seeds]
    return (
        np.array([names.index(row["gold"]) for row in first]),
        np.array(predicted),
        [row["group"] or row["post_id"] for row in first],
    )


def _probas(evaluations: pa.Table, model: str, stances: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    rows = [row for row in evaluations.to_pylist() if row["model"] == model]
    probas = np.array([[row[f"proba_{stance}"] or 0.0 for stance in stances] for row in rows])
    return probas, np.array([list(stances).index(row["gold"]) for row in rows])
