"""`Observations`: what an estimate rests on, as plain arrays, so that an analyst can make them of any table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp_study.errors import DataError

NO_LABEL = -1


@dataclass(frozen=True)
class Observations:
    """Posts with predictions, and the labels of those that were drawn.

    Attributes
    ----------
    stances : names of the classes, in the order of the columns of `probas`.
    probas : out-of-sample class probabilities, shape (n_posts, n_stances), rows sum to 1.
    authors : number of the author from 0, shape (n_posts,).
    labels : index of the human label, `NO_LABEL` where the post was not drawn, shape (n_posts,).
    weights : 1 / sampling probability of labelled posts, 0 of others, shape (n_posts,).
    clusters : number of what ties errors together, shape (n_posts,): the author, or the post itself where the estimate is of
        this corpus only.
    """

    stances: tuple[str, ...]
    probas: np.ndarray
    authors: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    clusters: np.ndarray

    def __len__(self) -> int:
        return len(self.authors)

    @property
    def n_labels(self) -> int:
        """Number of labelled posts."""
        return int((self.weights > 0).sum())

    @property
    def n_authors(self) -> int:
        """Number of authors."""
        return len(np.unique(self.authors))

    def take(self, where: np.ndarray) -> Observations:
        """Return the posts at `where` (positions, or a mask of shape (n_posts,)); authors keep their numbers."""
        return replace(
            self,
            probas=self.probas[where],
            authors=self.authors[where],
            labels=self.labels[where],
            weights=self.weights[where],
            clusters=self.clusters[where],
        )


def make_observations(
    probas: np.ndarray,
    authors: Sequence[object] | np.ndarray,
    labels: Sequence[str | None] | np.ndarray | None = None,
    sampling_proba: Sequence[float] | np.ndarray | None = None,
    *,
    stances: Sequence[str],
) -> Observations:
    """Check arrays and put them together.

    Parameters
    ----------
    probas : out-of-sample class probabilities, shape (n_posts, n_stances); the model must not have seen the labels of the
        posts it predicts.
    authors : any names, shape (n_posts,).
    labels : the stance's name, None or "" where there is no label, shape (n_posts,); None: no post has one.
    sampling_proba : probability, in (0, 1], with which each post was drawn, read where there is a label, shape (n_posts,);
        None: labelled posts are a simple random sample of all.
    stances : names of the columns of `probas`.

    Raises
    ------
    DataError : shapes differ, rows do not sum to 1, a label is unknown, or a probability is outside (0, 1].
    """
    values = np.asarray(probas, np.float64)
    names = tuple(map(str, stances))
    if values.ndim != 2 or values.shape[1] != len(names):
        raise DataError(
            f"probabilities have the shape {values.shape}, not (n_posts, {len(names)})", remedy="one column a stance"
        )
    if len(values) and not np.allclose(values.sum(1), 1, atol=1e-3):
        raise DataError("rows of the probabilities do not sum to 1", remedy="give the probabilities of all stances")
    n = len(values)
    if len(authors) != n or any(given is not None and len(given) != n for given in (labels, sampling_proba)):
        raise DataError(f"there are {n} posts, but not as many authors, labels or probabilities")
    _, codes = np.unique(np.array([str(author) for author in authors]), return_inverse=True)
    marks = np.full(n, NO_LABEL)
    if labels is not None:
        known = {name: index for index, name in enumerate(names)}
        unknown = sorted({str(label) for label in labels if label and str(label) not in known})
        if unknown:
            raise DataError(f"label «{unknown[0]}» is outside the set {', '.join(names)}", remedy="correct the labels")
        marks = np.array([known[str(label)] if label else NO_LABEL for label in labels], int).reshape(n)
    drawn = marks != NO_LABEL
    if sampling_proba is None:
        pi = np.full(n, drawn.mean() if drawn.any() else 1.0)
    else:
        pi = np.array([np.nan if p is None else p for p in sampling_proba], float)
    if (~((pi[drawn] > 0) & (pi[drawn] <= 1))).any():
        raise DataError(
            "a labelled post has no sampling probability in (0, 1]", remedy="give it, or leave the label out"
        )
    weights = np.where(drawn, 1 / np.where(drawn, pi, 1.0), 0.0)
    return Observations(names, values / values.sum(1, keepdims=True), codes, marks, weights, codes)
