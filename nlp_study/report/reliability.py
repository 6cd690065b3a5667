"""How honest the model's probabilities are: observed accuracy against confidence on held-out posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp_study.estimate import wilson_interval
from nlp_study.schema import Stance, TableName
from nlp_study.stance.drift import effective_size
from nlp_study.uncertainty import N_BINS, calibration_error

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import Study
    from nlp_study.store import Corpus


@dataclass(frozen=True, slots=True)
class ReliabilityPart:
    """Held-out predictions with a probability between `start` and `end`: how probable on average, and how often true.

    `n` counts predictions of all seeds. `low` and `high` are a 95 % Wilson interval on as many posts as the predictions are
    worth: those of one post under several seeds, and posts of one author, say less than as many independent ones.
    """

    start: float
    end: float
    n: int
    confidence: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReliabilityFacts:
    """Reliability of the most probable label (`parts`), and of the probability of each label.

    `error` is the expected calibration error; `expected_error` what an honest model would show on as many posts by chance.
    """

    n_predictions: int
    n_pairs: int
    error: float
    expected_error: float
    parts: list[ReliabilityPart]
    by_stance: dict[Stance, list[ReliabilityPart]]


def gather_reliability(study: Study, corpus: Corpus, model: str) -> ReliabilityFacts | None:
    """Return the reliability of a model's held-out probabilities; None where it left none.

    Parameters
    ----------
    model : its name in the table `evaluations`.
    """
    import numpy as np

    stances = [str(stance) for stance in study.study.stances]
    targets = {target.id for target in study.targets}
    rows = [
        row
        for row in corpus.read(TableName.EVALUATIONS).to_pylist()
        if row["model"] == model and row["gold"] in stances and row["target"] in targets
        and any(row[f"proba_{stance}"] is not None for stance in stances)
    ]  # fmt: skip
    if not rows:
        return None
    probas = np.array([[row[f"proba_{stance}"] or 0.0 for stance in stances] for row in rows])
    gold = np.array([stances.index(row["gold"]) for row in rows])
    groups = np.array([row["group"] or row["post_id"] for row in rows])
    parts, sizes = _count_parts(probas.max(1), probas.argmax(1) == gold, groups)
    chance = [part.n * np.sqrt(2 / np.pi * part.confidence * (1 - part.confidence) / size)
              for part, size in zip(parts, sizes, strict=True)]  # fmt: skip
    return ReliabilityFacts(
        n_predictions=len(rows),
        n_pairs=len({(row["post_id"], row["target"]) for row in rows}),
        error=calibration_error(probas, gold),
        expected_error=float(sum(chance)) / len(rows),
        parts=parts,
        by_stance={Stance(name): _count_parts(probas[:, i], gold == i, groups)[0] for i, name in enumerate(stances)},
    )


def _count_parts(probas: np.ndarray, true: np.ndarray, groups: np.ndarray) -> tuple[list[ReliabilityPart], list[float]]:
    """Return the parts that hold a prediction, and how many independent predictions each is worth."""
    import numpy as np

    place = np.minimum((probas * N_BINS).astype(int), N_BINS - 1)
    parts, worth = [], []
    for i in np.unique(place):
        inside = place == i
        _, owner = np.unique(groups[inside], return_inverse=True)
        n_true = np.bincount(owner, true[inside])
        sizes = np.bincount(owner)
        size = effective_size(np.stack([n_true, sizes - n_true], 1), sizes)
        share = float(true[inside].mean())
        low, high = wilson_interval(share * size, size)
        n = int(inside.sum())
        parts.append(ReliabilityPart(i / N_BINS, (i + 1) / N_BINS, n, float(probas[inside].mean()), share, low, high))
        worth.append(size)
    return parts, worth
