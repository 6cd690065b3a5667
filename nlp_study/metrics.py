"""Classification figures from held-out predictions: macro-F1, per class, confusion."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

BASELINES = ("majority", "tfidf", "characters", "words", "embedding", "no target")
"""Names in `evaluations.model`; any other name is the study's own model."""
ABLATION = "no target"
"""Of these, the study's own model without the name of the target: not a simpler way, but a question to the model."""

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ClassScore:
    """Scores of one label, pooled over seeds; `support` counts gold pairs of one seed."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ModelScore:
    """Scores of one model on held-out pairs.

    `macro_f1` and `accuracy` are means over seeds, each computed on the pooled out-of-fold predictions of that seed;
    `macro_f1_spread` is the standard deviation over seeds (0 with one seed). `confusion[gold][predicted]` sums all seeds.
    """

    model: str
    n_pairs: int
    n_seeds: int
    macro_f1: float
    macro_f1_spread: float
    accuracy: float
    per_class: dict[str, ClassScore]
    confusion: dict[str, dict[str, int]]


def score_labels(gold: Sequence[str], predicted: Sequence[str], stances: Sequence[str]) -> dict[str, ClassScore]:
    """Return precision, recall and F1 of each label; 0 where a denominator is 0.

    Parameters
    ----------
    gold, predicted : labels, shape (n_pairs,).
    stances : the labels to score, in order.
    """
    hits = Counter(g for g, p in zip(gold, predicted, strict=True) if g == p)
    n_gold, n_predicted = Counter(gold), Counter(predicted)
    scores = {}
    for stance in stances:
        precision = hits[stance] / n_predicted[stance] if n_predicted[stance] else 0.0
        recall = hits[stance] / n_gold[stance] if n_gold[stance] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores[stance] = ClassScore(precision, recall, f1, n_gold[stance])
    return scores


def macro_f1(gold: Sequence[str], predicted: Sequence[str], stances: Sequence[str]) -> float:
    """Return the unweighted mean F1 over the labels that occur in `gold` or `predicted`.

    A label that occurs in neither says nothing about the model and would only lower the mean.
    """
    present = set(gold) | set(predicted)
    scores = score_labels(gold, predicted, [stance for stance in stances if stance in present])
    return fmean(score.f1 for score in scores.values()) if scores else 0.0


def score_evaluations(evaluations: pa.Table, stances: Sequence[str], *, target: str | None = None) -> list[ModelScore]:
    """Score every model of an `evaluations` table, best macro-F1 first.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`, shape (n_models * n_seeds * n_pairs, 10).
    stances : the study's labels, in order.
    target : count only pairs of this target; all by default.
    """
    columns = evaluations.select(["model", "seed", "target", "gold", "predicted"]).to_pydict()
    rows: dict[str, dict[int, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for model, seed, row_target, gold, predicted in zip(*columns.values(), strict=True):
        if target is None or row_target == target:
            rows[model][seed].append((gold, predicted))
    scores = []
    for model, by_seed in rows.items():
        pairs = [pair for seed_pairs in by_seed.values() for pair in seed_pairs]
        gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
        seed_f1 = [macro_f1([g for g, _ in seed], [p for _, p in seed], stances) for seed in by_seed.values()]
        confusion = {g: dict.fromkeys(stances, 0) for g in stances}
        for g, p in pairs:
            confusion[g][p] += 1
        n_seeds = len(by_seed)
        pooled = score_labels(gold, predicted, stances)
        scores.append(
            ModelScore(
                model=model,
                n_pairs=len(pairs) // n_seeds,
                n_seeds=n_seeds,
                macro_f1=fmean(seed_f1),
                macro_f1_spread=pstdev(seed_f1),
                accuracy=sum(g == p for g, p in pairs) / len(pairs),
                per_class={
                    stance: ClassScore(score.precision, score.recall, score.f1, score.support // n_seeds)
                    for stance, score in pooled.items()
                },
                confusion=confusion,
            )
        )
    return sorted(scores, key=lambda score: -score.macro_f1)


def list_scores(evaluations: pa.Table, stances: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Return the scores of every model, and the confusion matrix of the fine-tuned one, as tables to print.

    Models are in the order of their macro-F1; with several targets there are rows for all of them and for each.

    Parameters
    ----------
    evaluations : rows of the table `evaluations`.
    stances : the study's labels, in order.
    """
    import pyarrow as pa

    targets = sorted(set(evaluations["target"].to_pylist()))
    rows = []
    for target in (None, *(targets if len(targets) > 1 else [])):
        for score in score_evaluations(evaluations, stances, target=target):
            per_class = {f"F1 {stance}": score.per_class[stance].f1 for stance in stances}
            named = {"target": target or "all"} if len(targets) > 1 else {}
            spread = {"± sd": score.macro_f1_spread} if score.n_seeds > 1 else {}
            rows.append(
                {
                    **named,
                    "model": score.model,
                    "macro-F1": score.macro_f1,
                    **spread,
                    "accuracy": score.accuracy,
                    **per_class,
                    "pairs": score.n_pairs,
                }
            )
    tuned = [score for score in score_evaluations(evaluations, stances) if score.model not in BASELINES]
    confusion = [
        {"gold": gold, **{predicted: score.confusion[gold][predicted] for predicted in stances}}
        for score in tuned[:1]
        for gold in stances
    ]
    return pa.Table.from_pylist(rows), pa.Table.from_pylist(confusion)
