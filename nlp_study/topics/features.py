"""`describe_segments(...)`: what segments are compared by, words of the segment and its post beside the encoder's vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.topics.words import WordCounts

N_WORD_AXES = 30
"""Axes of the words. On the demonstration posts 18 to 50 give the same purity within 0.03, 100 one that is 0.1 lower."""
N_VECTOR_AXES = 50
POST_WEIGHT = 0.3
"""A word elsewhere in the post counts this much of one in the segment.

Segments of 60-180 words rarely name their theme; the post does. Without the post purity on the demonstration posts falls from
0.84 to 0.62 (sweep: 0.15, 0.2, 0.3, 0.5, 1 are within 0.04 of one another).
"""
VECTOR_WEIGHT = 0.3
"""Length of the encoder's part beside 1 for the words' part.

On the demonstration posts 0.3 raises the agreement between seeds from 0.84 to 0.88 and lowers purity from 0.86 to 0.84 (two
seeds); 0.5 and 0.8 give the same purity. Vectors alone give 0.29: e5-small tells registers better than themes.
"""
SEED_PULL = 1.0
"""How far a segment with seed words is drawn to its theme: as far as its own vector is long."""

_N_FITTED = 20_000
"""Segments, drawn at random, on which axes are fitted; the others are only projected."""


def describe_segments(
    counts: WordCounts, vectors: np.ndarray, *, seed: int, seed_words: Mapping[str, Sequence[str]] | None = None
) -> np.ndarray:
    """Return the vectors by which segments are compared, unit length, float32, shape (n_segments, n_axes).

    Words: log(1 + count in the segment + 0.3 count in the post) of roots, weighted by inverse document frequency over
    posts, unit length, 30 axes of a truncated singular value decomposition (latent semantic analysis, Deerwester et al.
    1990), centred. Encoder: the vectors centred, 50 principal axes. Axes depend on the seed only where there are more than
    20,000 segments: they are fitted on a sample.

    Parameters
    ----------
    vectors : the encoder's, shape (n_segments, hidden).
    seed_words : words of themes that the study expects.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    n_segments = len(vectors)
    fitted = np.arange(n_segments)
    if n_segments > _N_FITTED:
        fitted = np.sort(rng.choice(n_segments, _N_FITTED, replace=False))
    parts = [normalise_rows(_describe_words(counts, fitted))]
    parts.append(VECTOR_WEIGHT * normalise_rows(_project_vectors(vectors, fitted)))
    features = normalise_rows(np.hstack(parts))
    pulls = find_seeded(counts, seed_words or {})
    for place in range(len(seed_words or {})):
        members = pulls == place
        if members.any():
            features[members] += SEED_PULL * normalise_rows(features[members].mean(0, keepdims=True))
    return normalise_rows(features)


def find_seeded(counts: WordCounts, seed_words: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Return the place in `seed_words` of the theme whose words a segment holds most of, -1 for none; shape (n_segments,).

    Words are compared by root; a segment that holds as many of two themes belongs to neither.
    """
    import numpy as np

    from nlp_study.roots import find_root

    n_segments = counts.counts.shape[0]
    if not seed_words:
        return np.full(n_segments, -1)
    column_of = {root: column for column, root in enumerate(counts.roots)}
    held = np.zeros((n_segments, len(seed_words)))
    for place, words in enumerate(seed_words.values()):
        roots = {find_root(word) for phrase in words for word in phrase.split()}
        columns = sorted(column_of[root] for root in roots if root in column_of)
        held[:, place] = np.asarray((counts.root_counts[:, columns] > 0).sum(1)).ravel()
    best = held.argmax(1)
    top = held.max(1)
    single = (held == top[:, None]).sum(1) == 1
    return np.where((top > 0) & single, best, -1)


def normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows of unit length; a row of zeros stays."""
    import numpy as np

    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, 1e-9)).astype(np.float32)


def _describe_words(counts: WordCounts, fitted: np.ndarray) -> np.ndarray:
    import numpy as np
    from sklearn.decomposition import TruncatedSVD

    n_segments, n_roots = counts.root_counts.shape
    n_axes = min(N_WORD_AXES, n_roots - 1, n_segments - 1)
    if n_axes < 1:
        return np.zeros((n_segments, 1), np.float32)
    of_posts = _sum_posts(counts)
    frequency = np.asarray((of_posts > 0).sum(0)).ravel()
    weights = (np.log((counts.n_posts + 1) / (frequency + 1)) + 1).astype(np.float32)
    # near convergence and with a start of its own: axes that move with the seed would move the topics
    axes = TruncatedSVD(n_axes, n_iter=15, n_oversamples=20, random_state=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of variance, where there is none
        axes.fit(_weigh(counts, of_posts, weights, fitted))
    found = np.empty((n_segments, n_axes), np.float32)
    for start in range(0, n_segments, _N_FITTED):
        rows = np.arange(start, min(start + _N_FITTED, n_segments))
        found[rows] = normalise_rows(axes.transform(_weigh(counts, of_posts, weights, rows)))
    return found - found[fitted].mean(0)


def _weigh(counts: WordCounts, of_posts: Any, weights: np.ndarray, rows: np.ndarray) -> Any:
    """Weighted roots of some segments, unit length, sparse, shape (n_rows, n_roots)."""
    import numpy as np
    from scipy.sparse import diags
    from sklearn.preprocessing import normalize

    mixed = (counts.root_counts[rows] + np.float32(POST_WEIGHT) * of_posts[counts.post_of[rows]]).tocsr()
    mixed.data = np.log1p(mixed.data)
    return normalize(mixed @ diags(weights))


def _sum_posts(counts: WordCounts) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    n_segments = len(counts.post_of)
    ones = np.ones(n_segments, np.float32)
    return (
        csr_matrix((ones, (counts.post_of, np.arange(n_segments))), shape=(counts.n_posts, n_segments))
        @ counts.root_counts
    ).tocsr()


def _project_vectors(vectors: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Centred vectors on their principal axes, from the covariance: it is small whatever the number of segments."""
    import numpy as np

    centre = vectors[fitted].mean(0)
    centred = vectors[fitted] - centre
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    return (vectors - centre) @ axes[:, ::-1][:, :N_VECTOR_AXES].astype(np.float32)
