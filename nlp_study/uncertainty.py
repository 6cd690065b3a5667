"""How sure held-out figures are: paired bootstrap over authors, calibration error, reliability bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BOOTSTRAP_SAMPLES = 2000
N_BINS = 10


@dataclass(frozen=True)
class Difference:
    """How much better one classifier is than another, with a 95 % interval over resampled authors.

    `value` is the difference of their macro-F1 (mean over seeds); `low` and `high` are percentiles.
    """

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of one range of confidence: how sure they were on average, and how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def bootstrap_macro_f1(
    gold: np.ndarray, predicted: np.ndarray, groups: Sequence[str], *, n_stances: int, seed: int = 0
) -> np.ndarray:
    """Return macro-F1, mean over seeds, on `BOOTSTRAP_SAMPLES` resamples of groups.

    Whole groups (authors with whatever ties them) are drawn with replacement, as posts of one author are not independent
    (cluster bootstrap; Field and Welsh 2007). Equal arguments but `predicted` draw the same groups, so that two
    classifiers can be compared pairwise.

    Parameters
    ----------
    gold : indices of labels, shape (n_pairs,).
    predicted : indices of labels, shape (n_seeds, n_pairs).
    groups : shape (n_pairs,).

    Returns
    -------
    shape (BOOTSTRAP_SAMPLES,).
    """
    import numpy as np

    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    counts = _confusion(gold, predicted, n_stances, owner=owner, n_groups=len(names))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=BOOTSTRAP_SAMPLES)
    confusion = np.tensordot(weights, counts, 1)
    return macro_f1_of(confusion).mean(1)


def macro_f1_of(confusion: np.ndarray) -> np.ndarray:
    """Return macro-F1 of confusion matrices, over the labels that occur in gold or prediction.

    Parameters
    ----------
    confusion : rows gold, columns predicted, shape (..., n_stances, n_stances).
    """
    import numpy as np

    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(-1) + confusion.sum(-2)
    f1 = 2 * hits / np.maximum(total, 1)
    return f1.sum(-1) / np.maximum((total > 0).sum(-1), 1)


def compare_macro_f1(
    gold: np.ndarray, ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str], *, n_stances: int, seed: int = 0
) -> Difference:
    """Return the difference of two classifiers on the same held-out pairs, by paired cluster bootstrap.

    Parameters
    ----------
    gold : shape (n_pairs,).
    ours, theirs : predicted labels, shape (n_seeds, n_pairs); the numbers of seeds may differ.
    groups : shape (n_pairs,).
    """
    import numpy as np

    drawn = [
        bootstrap_macro_f1(gold, predicted, groups, n_stances=n_stances, seed=seed) for predicted in (ours, theirs)
    ]
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    values = [_macro_f1(gold, predicted, n_stances) for predicted in (ours, theirs)]
    return Difference(float(values[0] - values[1]), float(low), float(high))


def reliability_bins(probas: np.ndarray, gold: np.ndarray, *, n_bins: int = N_BINS) -> list[ReliabilityBin]:
    """Group predictions by confidence, the probability of the predicted label, into bins of equal width.

    Parameters
    ----------
    probas : shape (n, n_stances).
    gold : indices of labels, shape (n,).

    Returns
    -------
    bins that hold a prediction, from the least confident up.
    """
    import numpy as np

    confidence, right = probas.max(1), probas.argmax(1) == gold
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return [
        ReliabilityBin(
            i / n_bins,
            (i + 1) / n_bins,
            int((place == i).sum()),
            float(confidence[place == i].mean()),
            float(right[place == i].mean()),
        )
        for i in range(n_bins)
        if (place == i).any()
    ]


def calibration_error(probas: np.ndarray, gold: np.ndarray, *, n_bins: int = N_BINS) -> float:
    """Return the expected calibration error: mean gap of confidence and accuracy over bins, weighted by their size.

    Naeini et al. 2015; Guo et al. 2017 (arXiv:1706.04599). With n predictions sampling alone gives about
    sqrt(n_bins / n) / 2.

    Parameters
    ----------
    probas : shape (n, n_stances).
    gold : shape (n,).
    """
    bins = reliability_bins(probas, gold, n_bins=n_bins)
    return sum(part.n * abs(part.accuracy - part.confidence) for part in bins) / max(1, len(gold))


def _macro_f1(gold: np.ndarray, predicted: np.ndarray, n_stances: int) -> float:
    import numpy as np

    counts = _confusion(gold, predicted, n_stances, owner=np.zeros(len(gold), int), n_groups=1)
    return float(macro_f1_of(counts[0]).mean())


def _confusion(
    gold: np.ndarray, predicted: np.ndarray, n_stances: int, *, owner: np.ndarray, n_groups: int
) -> np.ndarray:
    """Count (gold, predicted) in each group and seed, shape (n_groups, n_seeds, n_stances, n_stances)."""
    import numpy as np

    n_seeds = len(predicted)
    cells = ((owner * n_seeds + np.arange(n_seeds)[:, None]) * n_stances + gold) * n_stances + predicted
    counts = np.bincount(cells.ravel(), minlength=n_groups * n_seeds * n_stances**2)
    return counts.reshape(n_groups, n_seeds, n_stances, n_stances)
