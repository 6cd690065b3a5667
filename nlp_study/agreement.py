"""`measure_agreement(labels)`: Krippendorff's alpha between annotators, with interval, per label, and the disagreements.

Alpha for nominal data: Krippendorff (2011), "Computing Krippendorff's alpha-reliability". The interval is a bootstrap over
posts (percentile method), because readings of one post are not independent of each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.labels import ADJUDICATED

if TYPE_CHECKING:
    import numpy as np

BOOTSTRAP_SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A pair that annotators read differently; `readings` holds (annotator, label)."""

    post_id: str
    target: str
    readings: tuple[tuple[str, str], ...]
    adjudicated: str | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on the (post, target) pairs that at least two annotators read.

    `alpha` is 1 for perfect agreement, 0 for agreement by chance, and nan if every reading is the same label. `low` and
    `high` bound its 95 % interval. `by_label` holds alpha for each label against all others.
    """

    annotators: tuple[str, ...]
    n_pairs: int
    n_agreed: int
    alpha: float
    low: float
    high: float
    by_label: dict[str, float]
    disagreements: tuple[Disagreement, ...]


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Return alpha for nominal data.

    Parameters
    ----------
    counts : how many annotators gave each label to each item, shape (n_items, n_labels); items with fewer than two
        readings do not count.

    Returns
    -------
    at most 1; nan without two readings of an item or without two labels in use.
    """
    import numpy as np

    counts = np.asarray(counts, float)
    readings = counts.sum(1)
    counts, readings = counts[readings >= 2], readings[readings >= 2]
    n = readings.sum()
    totals = counts.sum(0)
    expected = 1 - (totals * (totals - 1)).sum() / (n * (n - 1)) if n else 0.0
    if expected == 0:
        return float("nan")
    observed = 1 - ((counts * (counts - 1)).sum(1) / (readings - 1)).sum() / n
    return float(1 - observed / expected)


def measure_agreement(
    rows: Iterable[Mapping[str, Any]],
    *,
    annotators: Collection[str] | None = None,
    labels: Sequence[str] = (),
    seed: int = 0,
) -> Agreement:
    """Compare annotators on the pairs that at least two of them read.

    Parameters
    ----------
    rows : rows of the table `labels`; adjudicated decisions are not readings and are only shown beside them.
    annotators : those to compare; None: all.
    labels : labels to report alpha for; by default those in use.
    seed : of the bootstrap.
    """
    import numpy as np

    readings: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    decided: dict[tuple[str, str], str] = {}
    for row in rows:
        pair, annotator = (row["post_id"], row["target"]), row["annotator"]
        if annotator == ADJUDICATED:
            decided[pair] = row["stance"]
        elif annotators is None or annotator in annotators:
            readings[pair][annotator] = row["stance"]
    shared = {pair: found for pair, found in sorted(readings.items()) if len(found) >= 2}
    names = tuple(dict.fromkeys([*labels, *sorted({label for found in shared.values() for label in found.values()})]))
    counts = np.zeros((len(shared), len(names)))
    for i, found in enumerate(shared.values()):
        for label, n in Counter(found.values()).items():
            counts[i, names.index(label)] = n
    differing = tuple(
        Disagreement(pair[0], pair[1], tuple(sorted(found.items())), decided.get(pair))
        for pair, found in shared.items()
        if len(set(found.values())) > 1
    )
    low, high = _bootstrap(counts, seed)
    return Agreement(
        annotators=tuple(sorted({name for found in shared.values() for name in found})),
        n_pairs=len(shared),
        n_agreed=len(shared) - len(differing),
        alpha=krippendorff_alpha(counts),
        low=low,
        high=high,
        by_label={
            name: krippendorff_alpha(np.stack([counts[:, i], counts.sum(1) - counts[:, i]], 1))
            for i, name in enumerate(names)
        },
        disagreements=differing,
    )


def _bootstrap(counts: np.ndarray, seed: int) -> tuple[float, float]:
    import numpy as np

    if len(counts) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = [krippendorff_alpha(counts[rng.integers(0, len(counts), len(counts))]) for _ in range(BOOTSTRAP_SAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)
