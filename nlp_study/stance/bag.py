"""`BagOfWords`: TF-IDF of words and word pairs with logistic regression; what each word adds to a score is known exactly.

Toward a target that has labels, words say much of the stance (names, themes, camps); toward a new target they say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nlp_study.stance.baselines import label_coefficients

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from nlp_study.stance.pairs import Pair

MAX_TERMS = 50_000
_C = 10.0
_WORD = re.compile(r"\b\w\w+\b")


@dataclass(frozen=True)
class BagOfWords:
    """A fitted model: `idf` (n_terms,), `weights` (n_stances, n_terms), `bias` (n_stances,)."""

    terms: tuple[str, ...]
    idf: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of each term."""
        return {term: column for column, term in enumerate(self.terms)}

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Return the score of each label, shape (n_pairs, n_stances)."""
        scores: np.ndarray = _weigh(pairs, self.columns, self.idf) @ self.weights.T + self.bias
        return scores

    def locate(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Return where a pair's terms begin and what each adds to the scores, (n_found,) and (n_found, n_stances).

        What is added by all of them, the target's own term left out, and the bias are the scores.
        """
        found = [(start, self.columns[term]) for start, term in _spans(pair.text) if term in self.columns]
        row = _weigh([pair], self.columns, self.idf)
        values, counts = row.toarray()[0], Counter(column for _, column in found)
        at = np.array([column for _, column in found], int)
        share = np.array([values[column] / counts[column] for column in at])
        return np.array([start for start, _ in found], int), share[:, None] * self.weights.T[at]


def fit_bag(pairs: Sequence[Pair], stances: Sequence[str]) -> BagOfWords | None:
    """Fit a bag of words on labelled pairs; None where no term stands with two authors.

    Only terms of at least two groups count: what one author alone writes cannot help with others, and need not be kept.

    Parameters
    ----------
    pairs : labelled, shape (n_pairs,).
    stances : the labels, in the order of the columns.
    """
    terms = _shared_terms(pairs)
    if not terms:
        return None
    columns = {term: column for column, term in enumerate(terms)}
    counts = _count(pairs, columns)
    idf = np.log((1 + len(pairs)) / (1 + np.bincount(counts.indices, minlength=len(terms)))) + 1
    weights, bias = _regress(_weigh(pairs, columns, idf), pairs, list(map(str, stances)))
    return BagOfWords(tuple(terms), idf.astype(np.float32), weights.astype(np.float32), bias.astype(np.float32))


def _regress(matrix: csr_matrix, pairs: Sequence[Pair], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_C, class_weight="balanced", max_iter=2000)
    model.fit(matrix, [str(pair.stance) for pair in pairs])
    return label_coefficients(model, names)


def _spans(text: str) -> list[tuple[int, str]]:
    """Words and pairs of neighbouring words with the character at which they begin."""
    words = [(found.start(), found.group().lower()) for found in _WORD.finditer(text)]
    pairs = [(start, f"{word} {after}") for (start, word), (_, after) in pairwise(words)]
    return words + pairs


@lru_cache(maxsize=1024)
def _count_terms(text: str) -> dict[str, int]:
    return dict(Counter(term for _, term in _spans(text)))


def _terms(pair: Pair) -> dict[str, int]:
    return {**_count_terms(pair.text), f"target_{pair.target.replace(' ', '_')}": 1}


def _shared_terms(pairs: Sequence[Pair]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, set()).update(_terms(pair))
    spread = Counter(term for terms in groups.values() for term in terms)
    kept = sorted((term for term, n in spread.items() if n > 1), key=lambda term: (-spread[term], term))
    return sorted(kept[:MAX_TERMS])


def _count(pairs: Sequence[Pair], columns: dict[str, int]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    indptr, indices, counts = [0], [], []
    for pair in pairs:
        found = sorted((columns[term], n) for term, n in _terms(pair).items() if term in columns)
        indices += [column for column, _ in found]
        counts += [float(n) for _, n in found]
        indptr.append(len(indices))
    return csr_matrix((counts, indices, indptr), shape=(len(pairs), len(columns)))


def _weigh(pairs: Sequence[Pair], columns: dict[str, int], idf: np.ndarray) -> csr_matrix:
    """TF-IDF with logarithmic term frequencies, rows of unit length."""
    from sklearn.preprocessing import normalize

    matrix = _count(pairs, columns)
    matrix.data = (1 + np.log(matrix.data)) * idf[matrix.indices]
    weighed: csr_matrix = normalize(matrix)
    return weighed
