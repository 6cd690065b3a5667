"""Models trained so far: which there are, how good they were, and two of them side by side."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import ModelError
from nlp_study.metrics import score_evaluations
from nlp_study.schema import MODEL_EVALUATIONS, TIMEZONE
from nlp_study.scorecard import study_model
from nlp_study.stance.classify import MODEL_RECORD
from nlp_study.stance.model import CONFIG_FILE
from nlp_study.stance.saved import PROBE_FILE

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.store import Corpus


def list_registry(study: Study, corpus: Corpus) -> pa.Table:
    """Return the trained models under `paths.models`, oldest first; `used` marks the one that classifies the study."""
    import pyarrow as pa

    record = corpus.record(MODEL_RECORD)
    used = study.resolve(record.counts["path"]) if record and "path" in record.counts else None
    return pa.Table.from_pylist([_describe(study, folder, used) for folder in _folders(study)])


def find_model(study: Study, name: str) -> Path:
    """Return the folder of the model with this name, or of the only one that begins with it.

    Raises
    ------
    ModelError : there is none, or several.
    """
    folders = _folders(study)
    exact = [folder for folder in folders if folder.name == name]
    found = exact or [folder for folder in folders if folder.name.startswith(name)]
    if len(found) != 1:
        known = ", ".join(folder.name for folder in folders) or "none; train one with `nlp-study run`"
        what = f"{len(found)} models begin with" if found else "no model"
        raise ModelError(f"{what} «{name}»", remedy=f"models: {known}")
    return found[0]


def compare_registry(study: Study, first: str, second: str) -> pa.Table:
    """Return the macro-F1 of two models on the pairs that both held out, and the difference with its interval.

    Raises
    ------
    ModelError : a model is not there, brings no held-out predictions, or they share no pair.
    """
    import pyarrow as pa

    from nlp_study.uncertainty import compare_macro_f1

    stances = [str(stance) for stance in study.study.stances]
    rows = [_held_out(find_model(study, name)) for name in (first, second)]
    shared = sorted(set(rows[0]) & set(rows[1]))
    if not shared:
        raise ModelError("the two models share no held-out pair", remedy="compare models of the same labels")
    import numpy as np

    gold = np.array([stances.index(rows[0][key][0]["gold"]) for key in shared])
    groups = [rows[0][key][0]["group"] or key[0] for key in shared]
    predicted = []
    for found in rows:
        n_seeds = min(len(found[key]) for key in shared)
        predicted.append(
            np.array([[stances.index(found[key][i]["predicted"]) for key in shared] for i in range(n_seeds)])
        )
    difference = compare_macro_f1(gold, predicted[0], predicted[1], groups, n_stances=len(stances))
    return pa.Table.from_pylist(
        [
            {
                "first": first,
                "second": second,
                "pairs": len(shared),
                "macro-F1 more": difference.value,
                "low": difference.low,
                "high": difference.high,
                "clear": "yes" if difference.is_clear else "no",
            }
        ]
    )


def _folders(study: Study) -> list[Path]:
    if not study.models_dir.is_dir():
        return []
    found = [
        folder
        for folder in study.models_dir.iterdir()
        if not folder.name.startswith(".") and ((folder / PROBE_FILE).is_file() or (folder / CONFIG_FILE).is_file())
    ]
    return sorted(found, key=lambda folder: (folder.stat().st_mtime, folder.name))


def _describe(study: Study, folder: Path, used: Path | None) -> dict[str, Any]:
    is_probe = (folder / PROBE_FILE).is_file()
    settings = json.loads((folder / (PROBE_FILE if is_probe else CONFIG_FILE)).read_text(encoding="utf-8"))
    score = None
    if (folder / MODEL_EVALUATIONS).is_file():
        import pyarrow.parquet as pq

        table = pq.read_table(folder / MODEL_EVALUATIONS)
        ours = study_model(table)
        score = next((s for s in score_evaluations(table, settings["stances"]) if s.model == ours), None)
    return {
        "model": folder.name,
        "kind": "linear on frozen vectors" if is_probe else "fine-tuned",
        "encoder": settings["encoder"],
        "labels": (settings["trained"] if is_probe else settings).get("n_labels"),
        "macro-F1": score.macro_f1 if score else None,
        "± sd": score.macro_f1_spread if score else None,
        "made": datetime.fromtimestamp(folder.stat().st_mtime, TIMEZONE).isoformat(" ", "minutes")[:16],
        "used": "yes" if used and used == folder else "",
    }


def _held_out(folder: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    if not (folder / MODEL_EVALUATIONS).is_file():
        raise ModelError(f"{folder.name} brings no held-out predictions", remedy="train it with --evaluate")
    table = pq.read_table(folder / MODEL_EVALUATIONS)
    ours = study_model(table)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: row["seed"]):
        if row["model"] == ours:
            found.setdefault((row["post_id"], row["target"]), []).append(row)
    return found
