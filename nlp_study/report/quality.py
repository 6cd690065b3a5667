"""How good the classifier is, beside its baselines, and how many labels it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_study.metrics import ABLATION, BASELINES, ModelScore, score_evaluations
from nlp_study.report.queries import fetch_row, fetch_rows
from nlp_study.schema import Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus


@dataclass(frozen=True, slots=True)
class QualityFacts:
    """Scores over all targets and for each, best first, and labels by index of the target.

    `labels` counts decisions: a pair that two people labelled counts twice.
    """

    scores: list[ModelScore]
    by_target: dict[int, list[ModelScore]]
    n_folds: int
    labels: dict[int, dict[Stance, int]]
    n_annotators: int

    @property
    def tuned(self) -> ModelScore | None:
        """The study's own model; the best one if there are several."""
        return next((score for score in self.scores if score.model not in BASELINES), None)

    @property
    def best_baseline(self) -> ModelScore | None:
        """The strongest of the models it is compared with."""
        return next((score for score in self.scores if score.model in BASELINES and score.model != ABLATION), None)

    @property
    def n_labels(self) -> int:
        """Decisions on all targets."""
        return sum(n for counts in self.labels.values() for n in counts.values())


def gather_quality(study: Study, corpus: Corpus) -> QualityFacts:
    """Score the held-out predictions on the study's targets and count its labels."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stances = [str(stance) for stance in study.study.stances]
    order = {target.id: index for index, target in enumerate(study.targets)}
    table = corpus.read(TableName.EVALUATIONS, columns=["model", "seed", "fold", "target", "gold", "predicted"])
    for column, allowed in (("gold", stances), ("predicted", stances), ("target", list(order))):
        # rows of labels or targets that the study no longer uses would be scored as errors
        table = table.filter(pc.is_in(table[column], value_set=pa.array(allowed, pa.string())))
    by_target = {index: score_evaluations(table, stances, target=name) for name, index in order.items()}
    labels: dict[int, dict[Stance, int]] = {}
    for row in fetch_rows(corpus, "SELECT target, stance, count(*) AS n FROM labels GROUP BY target, stance"):
        if row["target"] in order and row["stance"] in stances:
            counts = labels.setdefault(order[row["target"]], dict.fromkeys(study.study.stances, 0))
            counts[Stance(row["stance"])] = row["n"]
    annotators = fetch_row(corpus, "SELECT count(DISTINCT annotator) AS n FROM labels")
    return QualityFacts(
        scores=score_evaluations(table, stances),
        by_target={index: scores for index, scores in by_target.items() if scores},
        n_folds=len(set(table["fold"].to_pylist())),
        labels=dict(sorted(labels.items())),
        n_annotators=annotators["n"],
    )
