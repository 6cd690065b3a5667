"""`settle_decisions(...)`: one label and one set of probabilities a pair, out of several held-out predictions of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What models that never saw a pair's author say of it: label, mean probability of each label, and the pair's group."""

    stance: str
    probas: dict[str, float]
    group: str


def settle_decisions(evaluations: pa.Table, model: str) -> dict[tuple[str, str], HeldOut]:
    """Return one decision for each (post_id, target) that a model has predicted, over the evaluation's seeds.

    The label decided most often counts; of those decided equally often the more probable one.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`.
    model : its name there.
    """
    rows: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    groups: dict[tuple[str, str], str] = {}
    for row in evaluations.to_pylist():
        if row["model"] == model:
            key = row["post_id"], row["target"]
            rows[key].append(
                {k.removeprefix("proba_"): v for k, v in row.items() if k.startswith("proba_") and v is not None}
            )
            votes[key][row["predicted"]] += 1
            groups[key] = row["group"] or row["post_id"]
    return {key: _settle(found, votes[key], groups[key]) for key, found in rows.items()}


def _settle(rows: list[dict[str, float]], votes: Counter[str], group: str) -> HeldOut:
    means = {stance: sum(row[stance] for row in rows) / len(rows) for stance in rows[0]}
    stance = max(votes, key=lambda name: (votes[name], means.get(name, 0.0)))
    return HeldOut(stance, means, group)
