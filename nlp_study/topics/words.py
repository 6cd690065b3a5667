"""Words of segments: counts, roots, the words that describe a topic, and how well these go together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

STOP_WORDS = "lexicons/stop_words_id.txt"
REGISTER_WORDS = "lexicons/register_words_id.txt"

_WORD = re.compile(r"(?u)\b[^\W\d_][\w-]{2,}\b")
_LEAST_WORDS = 100
"""With fewer words than this the corpus is too small to leave rare ones out."""
_N_CANDIDATES = 30
"""Words by relevance from which the shown ones are chosen."""
_TOGETHERNESS = 0.5
"""Weight of NPMI with the words chosen before, against relevance (1 for the best word).

On the demonstration posts 0, 0.3, 0.5, 0.75 and 1 give NPMI 0.10, 0.18, 0.20, 0.23 and 0.24; above 0.5 common words of the
topic give way to rare ones that happen to stand in the same posts.
"""
_EXCLUSIVE = 0.5
"""A word that tells another topic twice as much describes that one only: diversity rises from 0.91 to 0.93, NPMI stays."""


@dataclass(frozen=True)
class WordCounts:
    """Words of the corpus, stop words left out.

    `counts` is sparse, shape (n_segments, n_words); `words` are its columns, sorted; `root_of` is the column of
    `root_counts`, shape (n_segments, n_roots), for each word, -1 where the word tells the register and not the theme;
    `post_of` is the number of each segment's post, shape (n_segments,).
    """

    words: list[str]
    counts: Any
    roots: list[str]
    root_of: np.ndarray
    root_counts: Any
    post_of: np.ndarray

    @property
    def n_posts(self) -> int:
        """Posts with a segment."""
        return int(self.post_of.max()) + 1 if len(self.post_of) else 0


def read_stop_words() -> list[str]:
    """Return the Indonesian stop words, lower case."""
    return _read_lines(STOP_WORDS)


@cache
def read_register_words() -> frozenset[str]:
    """Return words that tell how somebody writes, not about what: address, spoken forms, other languages' function words.

    English function words are those of scikit-learn. Without this the largest topics of the demonstration posts are
    registers (Jakarta slang, Javanese, English), not themes.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(word for line in _read_lines(REGISTER_WORDS) for word in line.split()) | ENGLISH_STOP_WORDS


def count_words(texts: Sequence[str], post_ids: Sequence[str], *, min_posts: int = 3) -> WordCounts:
    """Count the words of segments, stop words left out.

    Parameters
    ----------
    texts, post_ids : segments and the posts they belong to, shape (n_segments,).
    min_posts : posts a word or root must stand in: names and dialect words of one post otherwise fill the lists. With few
        words in all, every word counts.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    from nlp_study.roots import find_root

    numbers: dict[str, int] = dict.fromkeys(read_stop_words(), -1)
    n_stop = len(numbers)
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns += [numbers.setdefault(word, len(numbers) - n_stop) for word in _WORD.findall(text.lower())]
        ends.append(len(columns))
    words = [word for word, number in numbers.items() if number >= 0]
    raw = np.array(columns, np.int64)
    kept = np.concatenate([[0], np.cumsum(raw >= 0)])
    indices = raw[raw >= 0]
    shape = (len(texts), len(words))
    counts = csr_matrix((np.ones(len(indices), np.float32), indices, kept[np.array(ends)]), shape=shape)
    counts.sum_duplicates()
    post_of = np.unique(np.array(post_ids, dtype=object).astype(str), return_inverse=True)[1].reshape(-1)

    total = np.asarray(counts.sum(0)).ravel()
    register = read_register_words()
    numbers_of_roots: dict[str, int] = {}
    root_of = np.full(len(words), -1)
    for word in sorted(words):
        number = numbers[word]
        # a form that stands once shares no post with another form; its root is not worth the search
        root = find_root(word) if total[number] > 1 else word
        if word in register or root in register or numbers.get(root) == -1:
            continue
        root_of[number] = numbers_of_roots.setdefault(root, len(numbers_of_roots))
    themes = root_of >= 0
    ones = np.ones(int(themes.sum()), np.float32)
    joined = csr_matrix((ones, (np.flatnonzero(themes), root_of[themes])), shape=(len(words), len(numbers_of_roots)))

    common = _common_columns(counts, post_of, min_posts)
    order = np.array(sorted(common.tolist(), key=lambda number: words[number]), dtype=np.int64)
    root_counts = counts @ joined
    common_roots = _common_columns(root_counts, post_of, min_posts)
    place = np.full(len(numbers_of_roots), -1)
    place[common_roots] = np.arange(len(common_roots))
    names = list(numbers_of_roots)
    final = root_of[order]
    return WordCounts(
        words=[words[number] for number in order],
        counts=counts[:, order].tocsr(),
        roots=[names[number] for number in common_roots],
        root_of=np.where(final >= 0, place[final], -1) if len(place) else final,
        root_counts=root_counts[:, common_roots].tocsr(),
        post_of=post_of,
    )


def score_words(counts: WordCounts, labels: np.ndarray, n_topics: int) -> np.ndarray:
    """Return how much each word tells of each topic, shape (n_topics, n_words).

    The word's part of the Kullback-Leibler divergence of the topic's segments from all segments, p(w|t) log(p(w|t) / p(w)),
    with p the share of segments that hold the word: common words of the topic come first, words of one long post do not.
    Words that tell the register score 0.

    Parameters
    ----------
    labels : topic of each segment, shape (n_segments,); negative: none.
    """
    import numpy as np

    shares, totals = share_segments(counts, labels, n_topics)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = shares * np.log(shares / np.maximum(totals, 1e-12))
    scores[~np.isfinite(scores)] = 0
    scores[:, counts.root_of < 0] = 0
    return scores


def share_segments(counts: WordCounts, labels: np.ndarray, n_topics: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of a topic's segments with each word, shape (n_topics, n_words), and that of all segments."""
    import numpy as np

    present = (counts.counts > 0).astype(np.float64)
    held = _membership(labels, n_topics) @ present
    sizes = np.bincount(labels[labels >= 0], minlength=n_topics)[:, None]
    return held.toarray() / np.maximum(sizes, 1), np.asarray(present.sum(0)).ravel() / max(1, len(labels))


def rank_words(counts: WordCounts, scores: np.ndarray, *, n_words: int) -> list[str]:
    """Return the best words by score, one a root, best first.

    Parameters
    ----------
    scores : of one topic, shape (n_words,).
    """
    return [counts.words[column] for column in _best_forms(counts, scores, n_words)]


def choose_words(counts: WordCounts, scores: np.ndarray, *, n_words: int = 10) -> list[list[tuple[str, float]]]:
    """Return each topic's words with their scores, best first: relevant ones that stand in the same segments.

    Candidates are the best by score, one a root (*pajak*, not *pajaknya* as well), without those that
    tell another topic far more. The first is taken, then each time the
    one with the highest sum of its score (1 for the best) and its mean NPMI with those taken; in the end they are sorted
    by score.

    Parameters
    ----------
    scores : as `score_words` makes them, shape (n_topics, n_words).
    """
    import numpy as np

    present = (counts.counts > 0).astype(np.float64).tocsc()
    highest = scores.max(0) if len(scores) else 0
    found: list[list[tuple[str, float]]] = []
    for row in scores:
        exclusive = np.where(row >= _EXCLUSIVE * highest, row, 0)
        candidates = _best_forms(counts, exclusive, max(_N_CANDIDATES, n_words))
        if not candidates:
            found.append([])
            continue
        npmi = npmi_matrix(present[:, candidates])
        relevance = row[candidates] / row[candidates[0]]
        chosen = [0]
        while len(chosen) < min(n_words, len(candidates)):
            gain = relevance + _TOGETHERNESS * npmi[:, chosen].mean(1)
            gain[chosen] = -np.inf
            chosen.append(int(gain.argmax()))
        best = sorted((candidates[place] for place in chosen), key=lambda column: (-row[column], counts.words[column]))
        found.append([(counts.words[column], float(row[column])) for column in best])
    return found


def npmi_matrix(present: Any) -> np.ndarray:
    """Return the normalised pointwise mutual information of columns, shape (n_words, n_words); -1 if never together.

    Parameters
    ----------
    present : 1 where the segment holds the word, sparse, shape (n_segments, n_words).

    References
    ----------
    Bouma (2009), "Normalized (pointwise) mutual information in collocation extraction".
    """
    import numpy as np

    together = (present.T @ present).toarray() / present.shape[0]
    alone = together.diagonal()
    with np.errstate(divide="ignore", invalid="ignore"):
        npmi = np.log(together / np.outer(alone, alone)) / -np.log(together)
    npmi[together == 0] = -1
    npmi[together >= 1] = 1
    return npmi


def measure_coherence(words: Sequence[Sequence[str]], counts: WordCounts, *, n_words: int = 10) -> list[float | None]:
    """Return the mean NPMI over pairs of each topic's first words, with a segment as the document.

    A word that the corpus does not hold is never together with another: its pairs count -1. None for fewer than two words.

    References
    ----------
    Lau, Newman & Baldwin (2014), "Machine reading tea leaves".
    """
    import numpy as np

    column_of = {word: column for column, word in enumerate(counts.words)}
    present = (counts.counts > 0).astype(np.float64).tocsc()
    found: list[float | None] = []
    for topic in words:
        first = list(topic)[:n_words]
        if len(first) < 2:
            found.append(None)
            continue
        known = [column_of[word] for word in first if word in column_of]
        pairs = len(first) * (len(first) - 1) / 2
        matrix = npmi_matrix(present[:, known]) if known else np.zeros((0, 0))
        total = float(np.tril(matrix, -1).sum())
        found.append((total - (pairs - len(known) * (len(known) - 1) / 2)) / pairs)
    return found


def measure_diversity(words: Sequence[Sequence[str]], *, n_words: int = 10) -> float:
    """Return the share of different words among the first words of all topics; 1 for no words.

    References
    ----------
    Dieng, Ruiz & Blei (2020), "Topic modeling in embedding spaces".
    """
    shown = [word for topic in words for word in list(topic)[:n_words]]
    return len(set(shown)) / len(shown) if shown else 1.0


def name_topic(words: Sequence[str], texts: Iterable[str], *, n_parts: int = 3) -> str:
    """Return a name in Indonesian: phrases of the topic's strongest paragraphs around its words, then words.

    Parameters
    ----------
    words : the topic's words, best first.
    texts : its strongest segments.
    """
    ranks = {word: place for place, word in enumerate(words)}
    seen: dict[tuple[str, str], int] = {}
    for text in texts:
        # once a segment: a phrase that one writer repeats is no name
        for pair in set(_phrases(text.lower(), ranks)):
            seen[pair] = seen.get(pair, 0) + 1
    phrases = sorted((-n, ranks[a] + ranks[b], a, b) for (a, b), n in seen.items() if n > 1)
    parts: list[str] = []
    used: set[str] = set()
    for _, _, first, second in phrases:
        if not {first, second} & used:
            parts.append(f"{first} {second}")
            used |= {first, second}
        if len(parts) == 1:  # one phrase leads; more than one reads like a list of fragments
            break
    parts += [word for word in words if word not in used]
    name = ", ".join(parts[:n_parts])
    return name[:1].upper() + name[1:]


def _phrases(text: str, ranks: dict[str, int]) -> Iterable[tuple[str, str]]:
    """Two of the topic's words side by side, nothing but one space between them."""
    for first, second in zip(_WORD.finditer(text), list(_WORD.finditer(text))[1:], strict=False):
        if first.group() in ranks and second.group() in ranks and text[first.end() : second.start()] == " ":
            yield first.group(), second.group()


def _best_forms(counts: WordCounts, scores: np.ndarray, n_forms: int) -> list[int]:
    """Columns of the best words, the best form of each root."""
    import numpy as np

    best: list[int] = []
    roots: set[int] = set()
    for column in np.argsort(-scores, kind="stable"):
        if scores[column] <= 0 or len(best) == n_forms:
            break
        if counts.root_of[column] not in roots:
            roots.add(int(counts.root_of[column]))
            best.append(int(column))
    return best


def _common_columns(counts: Any, post_of: np.ndarray, min_posts: int) -> np.ndarray:
    import numpy as np

    posts = _membership(post_of, int(post_of.max()) + 1 if len(post_of) else 0) @ counts
    n_posts = np.asarray((posts > 0).sum(0)).ravel()
    common = np.flatnonzero(n_posts >= min_posts)
    return common if len(common) >= _LEAST_WORDS else np.arange(counts.shape[1])


def _membership(labels: np.ndarray, n_groups: int) -> Any:
    """Sparse matrix that sums rows by group, shape (n_groups, n_segments); negative labels count nowhere."""
    import numpy as np
    from scipy.sparse import csr_matrix

    rows = np.flatnonzero(labels >= 0)
    return csr_matrix((np.ones(len(rows), np.float32), (labels[rows], rows)), shape=(n_groups, len(labels)))


def _read_lines(name: str) -> list[str]:
    lines = files("nlp_study").joinpath(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
