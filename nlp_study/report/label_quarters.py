"""What human labels alone say, quarter by quarter, beside the predictions for the same posts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from nlp_study.labels import resolve_labels
from nlp_study.report.numbers import Share, make_share
from nlp_study.report.queries import fetch_rows
from nlp_study.schema import Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

PERIOD = "quarter"
_FEWEST_LABELS = 60
_FEWEST_QUARTERS = 4
KINDS = ("labels", "predictions")


@dataclass(frozen=True, slots=True)
class LabelQuarter:
    """Labelled posts of one quarter; shares are of those on the target, by label and by prediction."""

    start: date
    labels: dict[Stance, Share]
    predictions: dict[Stance, Share]


def gather_label_quarters(
    study: Study, corpus: Corpus, shown: Mapping[str, Sequence[Stance]]
) -> dict[str, list[LabelQuarter]]:
    """Return the quarters of each target with enough labels to compare; others are left out, and so are undecided posts.

    Parameters
    ----------
    shown : the stances whose shares are shown, by target.
    """
    if not (corpus.has(TableName.LABELS) and corpus.has(TableName.PREDICTIONS)):
        return {}
    gold, _ = resolve_labels(
        corpus.read(TableName.LABELS).to_pylist(),
        targets={target.id for target in study.targets},
        stances=study.study.stances,
    )
    query = """
        SELECT post_id, target, stance, date_trunc('quarter', published_at)::DATE AS start
        FROM predictions JOIN posts USING (post_id) WHERE published_at IS NOT NULL AND abstained IS NOT TRUE
    """
    predicted = {(row["post_id"], row["target"]): row for row in fetch_rows(corpus, query)}
    counts: dict[str, dict[date, dict[str, dict[str, int]]]] = defaultdict(
        lambda: defaultdict(lambda: {kind: defaultdict(int) for kind in KINDS})
    )
    n_labels: dict[str, int] = defaultdict(int)
    for label in gold:
        row = predicted.get((label.post_id, label.target))
        if row is None:
            continue
        n_labels[label.target] += 1
        cell = counts[label.target][row["start"]]
        cell["labels"][str(label.stance)] += 1
        cell["predictions"][row["stance"]] += 1
    found = {}
    for target, by_start in counts.items():
        if n_labels[target] >= _FEWEST_LABELS and len(by_start) >= _FEWEST_QUARTERS:
            stances = shown[target]
            found[target] = [
                LabelQuarter(start, *(_shares(by_start[start][kind], stances) for kind in KINDS))
                for start in sorted(by_start)
            ]
    return found


def _shares(counts: dict[str, int], stances: Sequence[Stance]) -> dict[Stance, Share]:
    total = sum(counts[str(stance)] for stance in stances)
    return {stance: make_share(counts[str(stance)], total) for stance in stances}
