"""Many refits, and the topics on which they agree.

A topic model that is fitted once moves with its seed. Here k-means is fitted many times, each time on another bootstrap
sample of posts with another start, and what is kept is the partition of the segments that the fits share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

RUNS_PER_REFIT = 10
"""k-means fits of a refit. On the demonstration posts the final topics of two seeds share an adjusted Rand index of 0.88
with 100 fits; single fits share 0.6 to 0.7."""
MAX_TOPICS = 100
_TOPICS_PER_ROOT = 1.2
_ALIKE = 0.95
"""Refits that agree this much (adjusted Rand index) have found one and the same number of topics."""
_SEPARATE = 0.5
"""Mean silhouette from which groups are apart by themselves (Kaufman & Rousseeuw 1990: 0.5 and more is a reasonable
structure). Without this a corpus in two languages is two topics for ever: refits agree on that best."""
_NEAR_BEST = 0.01
_N_FITTED = 10_000
"""Segments of a k-means fit; its centres do not move with more."""
_N_START = 2_000
"""Segments among which the start of a fit is chosen (k-means++, Arthur & Vassilvitskii 2007)."""
_N_LANDMARKS = 3_000
"""Segments whose agreement is clustered; Ward's method takes memory by the square. The others join the nearest topic."""
_KMEANS_ROUNDS = 50
_LLOYD_ROUNDS = 30


@dataclass(frozen=True)
class Agreement:
    """What the refits agree on.

    Attributes
    ----------
    labels : topic of each segment, from 0, shape (n_segments,).
    fits : cluster of each segment in each k-means fit, shape (n_fits, n_segments).
    refit_labels : topics of each refit by itself, of the landmarks, shape (n_refits, n_landmarks).
    landmarks : which segments these are, shape (n_landmarks,).
    agreement : adjusted Rand index between refits and final topics for each number of topics that was tried.
    """

    labels: np.ndarray
    fits: np.ndarray
    refit_labels: np.ndarray
    landmarks: np.ndarray
    agreement: dict[int, float]


def guess_n_topics(n_posts: int) -> int:
    """Return the number of topics expected for a corpus of this size: 1.2 times the root of its posts, 3 to 100.

    24 for 400 posts, 58 for 2,300; more posts hold more themes, but no reader can use one topic for every ten posts.
    """
    return max(3, min(MAX_TOPICS, round(_TOPICS_PER_ROOT * n_posts**0.5)))


def find_agreement(
    features: np.ndarray,
    post_of: np.ndarray,
    *,
    seed: int,
    n_refits: int = 10,
    n_topics: int = 0,
    progress: Callable[[int], object] = lambda n: None,
) -> Agreement:
    """Refit, and return the topics that the refits share.

    1. Each refit is ten k-means fits, each on a bootstrap sample of posts with a start of its own; every segment is then
       assigned to the nearest centre.
    2. Segments are described by the clusters they fell in over all fits (evidence accumulation, Fred & Jain 2005), scaled by
       the clusters' sizes and reduced by a singular value decomposition (the spectral form of it, Strehl & Ghosh 2002),
       and clustered by Ward's method with some rounds of k-means after it.
    3. The same with the fits of one refit gives that refit's own topics, by which stability is measured.

    Where `n_topics` is 0, the number is the one at which refits are alike (adjusted Rand index 0.95 and more; the greater
    of equals) and topics lie apart (mean silhouette 0.5 and more). Where there is none, it is the one between 0.8 and 1.2
    times `guess_n_topics` at which refits agree best, the smaller of equals. Equal means less than 0.01 apart.

    Parameters
    ----------
    features : unit vectors, shape (n_segments, n_axes).
    post_of : number of each segment's post, shape (n_segments,).
    progress : called after each k-means fit with 1.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    n_segments = len(features)
    expected = min(n_topics or guess_n_topics(int(post_of.max()) + 1), n_segments // 2)
    fits = np.empty((n_refits * RUNS_PER_REFIT, n_segments), np.int16)
    for place in range(len(fits)):
        fits[place] = _fit_once(features, post_of, expected, rng)
        progress(1)
    landmarks = np.arange(n_segments)
    if n_segments > _N_LANDMARKS:
        landmarks = np.sort(rng.choice(n_segments, _N_LANDMARKS, replace=False))
    whole = _Consensus(fits, landmarks, expected, seed)
    refits = [
        _Consensus(fits[start : start + RUNS_PER_REFIT], landmarks, expected, seed)
        for start in range(0, len(fits), RUNS_PER_REFIT)
    ]
    agreement: dict[int, float] = {}

    def agree(n: int) -> float:
        if n not in agreement:
            agreement[n] = _mean_rand(whole.cut(n), [refit.cut(n) for refit in refits])
        return agreement[n]

    def separate(n: int) -> float:
        from sklearn.metrics import silhouette_score

        labels = whole.cut(n)
        return float(silhouette_score(features[landmarks], labels)) if 1 < labels.max() + 1 < len(labels) else 0.0

    chosen = expected
    if not n_topics:
        chosen = _choose_number(expected, n_most=len(landmarks) // 2, agree=agree, separate=separate)
    agree(chosen)
    return Agreement(
        labels=whole.assign(chosen),
        fits=fits,
        refit_labels=np.stack([refit.cut(chosen) for refit in refits]),
        landmarks=landmarks,
        agreement=dict(sorted(agreement.items())),
    )


def _choose_number(
    expected: int, *, n_most: int, agree: Callable[[int], float], separate: Callable[[int], float]
) -> int:
    most = max(1, min(round(1.2 * expected), n_most))
    least = min(max(3, round(0.8 * expected)), most)
    tried = (*_grid(min(3, most), least - 1, 1.15), *_grid(least, most, 1.04))
    alike = [n for n in tried if agree(n) >= _ALIKE and separate(n) >= _SEPARATE]
    if alike:
        best = max(agree(n) for n in alike)
        return max(n for n in alike if agree(n) >= best - _NEAR_BEST)
    near = _grid(least, most, 1.04)
    best = max(agree(n) for n in near)
    return next(n for n in near if agree(n) >= best - _NEAR_BEST)


def _grid(least: int, most: int, ratio: float) -> list[int]:
    """Whole numbers from `least` to `most`, each at least 1 and about `ratio` times above the one before."""
    found = []
    while least <= most:
        found.append(least)
        least = max(least + 1, round(ratio * least))
    return found


def _fit_once(features: np.ndarray, post_of: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """One k-means fit on a bootstrap sample of posts; the cluster of every segment, shape (n_segments,)."""
    import warnings

    import numpy as np
    from sklearn.cluster import KMeans, kmeans_plusplus
    from sklearn.exceptions import ConvergenceWarning

    n_posts = int(post_of.max()) + 1
    weights = np.bincount(rng.integers(0, n_posts, n_posts), minlength=n_posts)[post_of].astype(np.float32)
    rows = np.flatnonzero(weights)
    if len(rows) > _N_FITTED:
        rows = np.sort(rng.choice(rows, _N_FITTED, replace=False))
    start = rows if len(rows) <= _N_START else np.sort(rng.choice(rows, _N_START, replace=False))
    n_clusters = min(n_clusters, len(start))
    centres, _ = kmeans_plusplus(
        features[start], n_clusters, sample_weight=weights[start], random_state=int(rng.integers(1 << 31))
    )
    kmeans = KMeans(n_clusters, init=centres, n_init=1, max_iter=_KMEANS_ROUNDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal segments give fewer clusters than asked for
        kmeans.fit(features[rows], sample_weight=weights[rows])
    return nearest(features, kmeans.cluster_centers_)


def nearest(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the nearest centre of each row, shape (n_rows,)."""
    import numpy as np

    offsets = (centres**2).sum(1) / 2
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), 50_000):
        part = slice(start, start + 50_000)
        found[part] = (rows[part] @ centres.T - offsets).argmax(1)
    return found


class _Consensus:
    """Agreement of some fits, as a tree over the landmarks that can be cut at any number of topics."""

    def __init__(self, fits: np.ndarray, landmarks: np.ndarray, n_axes: int, seed: int) -> None:
        import numpy as np
        from scipy.cluster.hierarchy import linkage
        from scipy.sparse import diags
        from sklearn.decomposition import TruncatedSVD

        self._fits = fits
        self._n_clusters = int(fits.max()) + 1
        self._landmarks = landmarks
        held = self._hold(landmarks)
        sizes = np.asarray(held.sum(0)).ravel()
        self._scale = diags(1 / np.sqrt(np.maximum(sizes, 1)))
        n_axes = max(1, min(n_axes, min(held.shape) - 1))
        self._svd = TruncatedSVD(n_axes, random_state=seed, n_iter=7)
        with np.errstate(divide="ignore", invalid="ignore"):  # shares of variance, where there is none
            self._svd.fit(held @ self._scale)
        self._place = self._embed(landmarks)
        self._tree = linkage(self._place, "ward")
        self._cuts: dict[int, np.ndarray] = {}

    def _hold(self, segments: np.ndarray) -> Any:
        """1 where the segment fell in the cluster, sparse, shape (n_segments, n_fits * n_clusters)."""
        import numpy as np
        from scipy.sparse import csr_matrix

        n_fits = len(self._fits)
        columns = self._fits[:, segments].T.astype(np.int64) + self._n_clusters * np.arange(n_fits)
        ends = np.arange(len(segments) + 1) * n_fits
        ones = np.ones(columns.size, np.float32)
        shape = (len(segments), n_fits * self._n_clusters)
        return csr_matrix((ones, columns.ravel(), ends), shape=shape)

    def _embed(self, segments: np.ndarray) -> np.ndarray:
        from nlp_study.topics.features import normalise_rows

        return normalise_rows(self._svd.transform(self._hold(segments) @ self._scale))

    def cut(self, n_topics: int) -> np.ndarray:
        """Topics of the landmarks, shape (n_landmarks,)."""
        import numpy as np
        from scipy.cluster.hierarchy import fcluster

        if n_topics not in self._cuts:
            labels = np.unique(fcluster(self._tree, n_topics, "maxclust"), return_inverse=True)[1]
            for _ in range(_LLOYD_ROUNDS):
                moved = nearest(self._place, self._centres(labels))
                if (moved == labels).all() or len(np.unique(moved)) <= labels.max():
                    break
                labels = moved
            self._cuts[n_topics] = labels
        return self._cuts[n_topics]

    def assign(self, n_topics: int) -> np.ndarray:
        """Topics of all segments, shape (n_segments,)."""
        import numpy as np

        labels = self.cut(n_topics)
        n_segments = self._fits.shape[1]
        if len(labels) == n_segments:
            return labels
        centres = self._centres(labels)
        found = np.empty(n_segments, np.int64)
        for start in range(0, n_segments, _N_LANDMARKS):
            rows = np.arange(start, min(start + _N_LANDMARKS, n_segments))
            found[rows] = nearest(self._embed(rows), centres)
        return found

    def _centres(self, labels: np.ndarray) -> np.ndarray:
        import numpy as np
        from scipy.sparse import csr_matrix

        shape = (int(labels.max()) + 1, len(labels))
        held = csr_matrix((np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))), shape=shape)
        centres: np.ndarray = (held @ self._place) / np.bincount(labels)[:, None]
        return centres.astype(np.float32)


def measure_strengths(fits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the strength of each segment in its topic, in [0, 1], shape (n_segments,).

    The share of the segments that stood in one cluster with it that are of its topic, mean over all fits.

    Parameters
    ----------
    fits : cluster of each segment in each fit, shape (n_fits, n_segments).
    labels : topic of each segment, shape (n_segments,).
    """
    import numpy as np

    _, topics = np.unique(labels, return_inverse=True)
    total = np.zeros(len(labels))
    for fit in fits:
        shared = np.zeros((int(fit.max()) + 1, int(topics.max()) + 1))
        np.add.at(shared, (fit, topics), 1)
        shared /= np.maximum(shared.sum(1, keepdims=True), 1)
        total += shared[fit, topics]
    return total / len(fits)


def _mean_rand(labels: np.ndarray, others: list[np.ndarray]) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(sum(adjusted_rand_score(labels, other) for other in others) / len(others))
