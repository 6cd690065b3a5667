"""A vector for each frequent word, made by the teacher: what it knows of a word when it reads the word alone.

A pipeline of spaCy's small size starts from hashed letters and has to see a word to learn it. The teacher knows which words
are alike before anybody has tagged one; a table of its vectors hands that on, at the cost of a look-up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spacy.vocab import Vocab

    from nlp_study.parser.teacher import Teacher

N_WORDS = 24_000
N_DIMENSIONS = 64
"""24,000 words of 64 numbers are 6 MB; 64 of the teacher's 384 directions hold most of the variance."""


@dataclass(frozen=True)
class WordVectors:
    """Words in lower case, shape (n_words,), and their vectors, float32, shape (n_words, n_dimensions)."""

    words: list[str]
    values: np.ndarray


def choose_words(counts: Mapping[str, int], always: Iterable[str], *, n_words: int = N_WORDS) -> list[str]:
    """Return the words that get a vector: those of `always` first, then the most frequent ones; lower case."""
    chosen = dict.fromkeys(sorted({word.lower() for word in always}))
    for word, _ in sorted(Counter(counts).items(), key=lambda item: (-item[1], item[0])):
        if len(chosen) >= n_words:
            break
        chosen[word.lower()] = None
    return list(chosen)[:n_words]


def make_vectors(teacher: Teacher, words: Sequence[str], *, n_dimensions: int = N_DIMENSIONS) -> WordVectors:
    """Return the teacher's vectors on the directions in which words differ most, scaled to unit variance over all.

    Parameters
    ----------
    words : lower case, shape (n_words,).
    """
    raw = teacher.embed_words(words)
    centred = raw - raw.mean(axis=0)
    _, _, directions = np.linalg.svd(centred[:: max(1, len(centred) // 6000)], full_matrices=False)
    reduced = centred @ directions[:n_dimensions].T
    return WordVectors(list(words), (reduced / reduced.std()).astype(np.float32))


def save_vectors(path: Path, vectors: WordVectors) -> None:
    """Keep vectors in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, words=np.array(vectors.words), values=vectors.values)


def load_vectors(path: Path) -> WordVectors:
    """Return what `save_vectors` kept."""
    with np.load(path) as stored:
        return WordVectors([str(word) for word in stored["words"]], stored["values"])


def put_vectors(vocab: Vocab, vectors: WordVectors) -> None:
    """Give a vocabulary the vectors; a token finds its own by its lower case."""
    from spacy.vectors import Vectors

    keys = [vocab.strings.add(word) for word in vectors.words]
    vocab.vectors = Vectors(data=vectors.values, keys=keys, strings=vocab.strings, name="teacher", attr="LOWER")
