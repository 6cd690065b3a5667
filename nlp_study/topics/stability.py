"""How much of a topic every refit finds again, and how topics hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STABLE = 0.6
"""Mean Jaccard index from which a topic counts as stable.

Hennig (2007) reads 0.75 and more as a valid cluster, 0.6 to 0.75 as a pattern whose members are not certain, below as nothing
to rely on.
"""


@dataclass(frozen=True)
class TreeNode:
    """A topic, or two nodes joined; `height` is 1 - cosine of mean vectors, mean over pairs of topics; 0 for a topic."""

    node: int
    parent: int | None
    height: float
    topics: tuple[int, ...]


def measure_stability(
    members: np.ndarray, parts: Sequence[np.ndarray], refit_labels: np.ndarray
) -> tuple[float | None, list[float]]:
    """Return a topic's stability, and its Jaccard index with each refit.

    The index is that of the topic with the refit's topic that overlaps it best; of a topic that was merged by hand, with the
    union of those that overlap its parts best.

    Parameters
    ----------
    members : True for the topic's segments, shape (n_landmarks,).
    parts : the same for each topic it was merged from; the topic itself where it was not.
    refit_labels : shape (n_refits, n_landmarks).

    Returns
    -------
    the mean over refits in [0, 1]; None where no landmark is a member.

    References
    ----------
    Hennig (2007), "Cluster-wise assessment of cluster stability".
    """
    import numpy as np

    if not members.any():
        return None, []
    found = []
    for labels in refit_labels:
        partners = {_best_partner(part, labels) for part in parts if part.any()}
        union = np.isin(labels, sorted(partners))
        found.append(float((members & union).sum() / (members | union).sum()))
    return float(np.mean(found)), found


def _best_partner(part: np.ndarray, labels: np.ndarray) -> int:
    import numpy as np

    sizes = np.bincount(labels)
    shared = np.bincount(labels[part], minlength=len(sizes))
    return int((shared / np.maximum(sizes + part.sum() - shared, 1)).argmax())


def compare_refits(refit_labels: np.ndarray) -> list[float]:
    """Return the adjusted Rand index of every pair of refits (Hubert & Arabie 1985)."""
    from sklearn.metrics import adjusted_rand_score

    n_refits = len(refit_labels)
    return [
        float(adjusted_rand_score(refit_labels[i], refit_labels[j]))
        for i in range(n_refits)
        for j in range(i + 1, n_refits)
    ]


def build_tree(centres: Mapping[int, np.ndarray]) -> list[TreeNode]:
    """Join topics by average linkage of the cosines of their mean vectors; leaves first, the root last.

    Parameters
    ----------
    centres : mean vector of each topic, by its number from 0; joined nodes get the numbers that follow.
    """
    import numpy as np
    from scipy.cluster.hierarchy import linkage

    from nlp_study.topics.features import normalise_rows

    topics = sorted(centres)
    if len(topics) < 2:
        return [TreeNode(topic, None, 0.0, (topic,)) for topic in topics]
    joins = linkage(
        normalise_rows(np.stack([centres[topic] for topic in topics])).astype(np.float64), "average", "cosine"
    )
    first_free = topics[-1] + 1
    number = [*topics, *range(first_free, first_free + len(joins))]
    held: list[tuple[int, ...]] = [(topic,) for topic in topics]
    parents: dict[int, int] = {}
    heights = [0.0] * len(topics)
    for place, (left, right, height, _) in enumerate(joins):
        parents[number[int(left)]] = parents[number[int(right)]] = number[len(topics) + place]
        held.append(tuple(sorted(held[int(left)] + held[int(right)])))
        heights.append(max(0.0, float(height)))
    return [
        TreeNode(node, parents.get(node), height, members)
        for node, height, members in zip(number, heights, held, strict=True)
    ]
