"""Whether a corpus is like the one that a model learnt from: its words, what the encoder makes of it, its predicted labels.

Held-out figures hold for posts like the labelled ones. A model therefore brings what is needed to compare others with these
(`training.json`): counts and means over writers, no text. Writers are the unit throughout: posts of one person resemble one
another, and counting each for itself would find a drift in every corpus with a few diligent writers.

Three questions are asked, each with an effect in units that can be judged and with a p-value. There is a warning only where
both say so: with many posts the smallest difference is certain, and with few the largest is chance.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import ModelError
from nlp_study.stance.decisions import settle_decisions
from nlp_study.stance.shifts import MIN_CLASS_SHIFT, MIN_DISTANCE, MIN_UNKNOWN, Drift, Question, Shift

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from nlp_study.stance.pairs import Pair

TRAINING_FILE = "training.json"
"""File in a model's folder with what `check_drift` compares with."""

MIN_WORD_POSTS, MIN_WORD_WRITERS = 5, 3
"""A word is known, and kept with the model, if so many posts by so many writers hold it: rarer ones may be names."""
MAX_WORDS = 50_000
MAX_AXES = 16
"""Directions in which vectors are compared; also at most a quarter of the writers, or their covariance is not known."""
MIN_WRITERS = 10
"""Below this many writers on either side nothing can be said."""
_HALF_ROOT = 0.4111
"""Mean of the root of a standard normal number's positive part: 2 ** (1/4) * Γ(3/4) / (2 * sqrt(π))."""
_N_FOLDS = 5
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class ClassShares:
    """Predicted shares of the labels toward one target, and how many independent posts they are worth."""

    shares: dict[str, float]
    n_effective: float


@dataclass(frozen=True)
class TrainingFacts:
    """What a model remembers of the posts it learnt from.

    `unknown` is (mean, variance) over writers of the share of words unknown to all others. Vectors are placed by `centre`
    (hidden,) and `axes` (n_axes, hidden), and by how far they lie off these axes; `mean` (n_axes + 1,) and `covariance`
    (n_axes + 1, n_axes + 1) are over writers. `classes` holds out-of-fold predictions by target.
    """

    n_posts: int
    n_writers: int
    words: frozenset[str]
    unknown: tuple[float, float]
    centre: np.ndarray
    axes: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    classes: dict[str, ClassShares]


def describe_training(pairs: Sequence[Pair], vectors: np.ndarray, evaluations: pa.Table, *, model: str) -> bytes:
    """Return the content of `training.json`.

    Parameters
    ----------
    pairs : labelled pairs that the model is trained on, shape (n_pairs,); their `group` is the writer.
    vectors : what it reads of them, shape (n_pairs, hidden).
    evaluations : rows of the table `evaluations`; may be empty, then predicted labels are not compared.
    model : the model's name in that table.
    """
    import numpy as np

    writers = [pair.group or pair.post_id for pair in pairs]
    texts = {pair.post_id: (pair.group or pair.post_id, pair.text) for pair in pairs}
    words, unknown = _known_words([(writer, split_words(text)) for writer, text in texts.values()])
    centre, axes, places = _fit_axes(vectors, writers)
    mean, covariance, _ = _spread(places, writers)
    facts = {
        "n_posts": len(texts),
        "n_writers": len(set(writers)),
        "words": sorted(words),
        "unknown": [float(np.mean(unknown)), float(np.var(unknown, ddof=1)) if len(unknown) > 1 else 0.0],
        "centre": _rounded(centre),
        "axes": _rounded(axes),
        "mean": _rounded(mean),
        "covariance": _rounded(covariance),
        "classes": {target: asdict(found) for target, found in _held_out_classes(evaluations, model).items()},
    }
    return (json.dumps(facts, ensure_ascii=False) + "\n").encode()


def load_facts(folder: Path) -> TrainingFacts | None:
    """Read what a model remembers of its training; None for models that were made before models did.

    Raises
    ------
    ModelError : the file is damaged.
    """
    import numpy as np

    path = folder / TRAINING_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        arrays: dict[str, Any] = {
            name: np.array(content.pop(name), float) for name in ("centre", "axes", "mean", "covariance")
        }
        words, unknown = frozenset(content.pop("words")), tuple(content.pop("unknown"))
        classes = {target: ClassShares(**shares) for target, shares in content.pop("classes").items()}
        return TrainingFacts(words=words, unknown=unknown, classes=classes, **arrays, **content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}", remedy="train the model again with `nlp-study train`") from None


@dataclass(frozen=True)
class Measured:
    """What is compared of some pairs: `n_words` and `n_unknown` (n_pairs,), `places` (n_pairs, n_axes + 1)."""

    n_words: np.ndarray
    n_unknown: np.ndarray
    places: np.ndarray


def measure_pairs(facts: TrainingFacts, pairs: Sequence[Pair], vectors: np.ndarray) -> Measured:
    """Return what is compared of pairs, small enough to be kept for a whole corpus.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    vectors : of the model's reader, shape (n_pairs, hidden).
    """
    import numpy as np

    split = [split_words(pair.text) for pair in pairs]
    return Measured(
        np.array([len(words) for words in split], np.int64),
        np.array([sum(word not in facts.words for word in words) for words in split], np.int64),
        _place(vectors, facts.centre, facts.axes),
    )


def check_drift(
    facts: TrainingFacts,
    measured: Measured,
    writers: Sequence[str],
    predicted: Mapping[str, Sequence[tuple[str, str]]],
    *,
    n_posts: int,
) -> Drift:
    """Compare posts that the model has not seen with those it learnt from.

    Parameters
    ----------
    measured : as `measure_pairs` returns it.
    writers : shape (n_pairs,).
    predicted : writer and predicted label of each pair, by target.
    n_posts : different posts among the pairs.
    """
    n_writers = len(set(writers))
    sizes = (n_posts, n_writers, facts.n_posts, facts.n_writers)
    if not n_writers:
        return Drift(*sizes, reason="every post was labelled for the model: there is nothing new to compare")
    if min(n_writers, facts.n_writers) < MIN_WRITERS:
        return Drift(*sizes, reason=f"{MIN_WRITERS} writers on either side are needed, there are {n_writers} new ones "
                     f"and {facts.n_writers} in training")  # fmt: skip
    shifts = [_compare_words(facts, measured, writers), _compare_vectors(facts, measured.places, writers)]
    shifts += [
        _compare_classes(facts.classes[target], rows, target)
        for target, rows in sorted(predicted.items())
        if target in facts.classes and rows
    ]
    return Drift(*sizes, tuple(shifts))


def split_words(text: str) -> list[str]:
    """Return the running words of a text, case folded; numbers and single letters are none."""
    return _WORD.findall(text.casefold())


# ---- words -----------------------------------------------------------------------------------------------------------


def _known_words(posts: Sequence[tuple[str, list[str]]]) -> tuple[set[str], list[float]]:
    """Return the known words, and each writer's share of words that the others do not know.

    Without leaving the writer out, training posts would seem better known than any new post can be.
    """
    of_posts: Counter[str] = Counter()
    of_writer: dict[str, Counter[str]] = defaultdict(Counter)
    of_writers: Counter[str] = Counter()
    for writer, words in posts:
        for word in set(words):
            of_posts[word] += 1
            of_writers[word] += word not in of_writer[writer]
            of_writer[writer][word] += 1
    usual = {word for word, n in of_posts.items() if n >= MIN_WORD_POSTS and of_writers[word] >= MIN_WORD_WRITERS}
    if len(usual) > MAX_WORDS:
        usual = set(sorted(usual, key=lambda word: (-of_posts[word], word))[:MAX_WORDS])

    def knows(word: str, own: Counter[str]) -> bool:
        left = of_writers[word] - (word in own)
        return word in usual and of_posts[word] - own[word] >= MIN_WORD_POSTS and left >= MIN_WORD_WRITERS

    shares: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for writer, words in posts:
        shares[writer][0] += sum(not knows(word, of_writer[writer]) for word in words)
        shares[writer][1] += len(words)
    return usual, [unknown / total for unknown, total in shares.values() if total]


def _compare_words(facts: TrainingFacts, measured: Measured, writers: Sequence[str]) -> Shift:
    """Welch's t-test of writers' shares of unknown words, one-sided: well-known words are no reason to worry."""
    import numpy as np
    from scipy import stats

    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for writer, unknown, total in zip(writers, measured.n_unknown, measured.n_words, strict=True):
        totals[writer][0] += int(unknown)
        totals[writer][1] += int(total)
    shares = np.array([unknown / total for unknown, total in totals.values() if total] or [0.0])
    parts = np.array([facts.unknown[1] / facts.n_writers, shares.var(ddof=1) / len(shares) if len(shares) > 1 else 0.0])
    error = float(np.sqrt(parts.sum()))
    effect = float(shares.mean()) - facts.unknown[0]
    p_value = float(effect <= 0)
    if error:
        freedom = parts.sum() ** 2 / (parts**2 / (np.array([facts.n_writers, max(2, len(shares))]) - 1)).sum()
        p_value = float(stats.t.sf(effect / error, freedom))
    expected = error * float(np.sqrt(2 / np.pi))
    return Shift(Question.WORDS, effect, MIN_UNKNOWN, p_value, expected, float(shares.mean()), facts.unknown[0])


# ---- vectors ---------------------------------------------------------------------------------------------------------


def _fit_axes(vectors: np.ndarray, writers: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centre, axes and the places of the training posts.

    How far a post lies off the axes is measured with axes of other writers: its own would pass too near to it.
    """
    import numpy as np

    names = sorted(set(writers))
    n_axes = max(1, min(MAX_AXES, len(names) // 4, vectors.shape[1] - 1))
    centre, axes = _principal(vectors, n_axes)
    places = _place(vectors, centre, axes)
    if len(names) >= 2 * _N_FOLDS:
        fold = {name: i % _N_FOLDS for i, name in enumerate(names)}
        of = np.array([fold[writer] for writer in writers])
        for k in range(_N_FOLDS):
            others = _principal(vectors[of != k], n_axes)
            places[of == k, -1] = _place(vectors[of == k], *others)[:, -1]
    return centre, axes, places


def _principal(vectors: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    centre = vectors.mean(0, dtype=float)
    _, _, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    return centre, axes[:n_axes]


def _place(vectors: np.ndarray, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return scores on the axes and, last, the logarithm of the distance off them, shape (n, n_axes + 1).

    Axes alone would miss what training never varied in: there a new corpus can be far away unseen (Jackson & Mudholkar 1979).
    """
    import numpy as np

    moved = vectors - centre
    scores = moved @ axes.T
    off = np.linalg.norm(moved - scores @ axes, axis=1)
    return np.concatenate([scores, np.log(np.maximum(off, 1e-9))[:, None]], 1)


def _spread(places: np.ndarray, writers: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean and covariance over writers, each the mean of their posts."""
    import numpy as np

    names, owner = np.unique(np.asarray(writers), return_inverse=True)
    sums = np.zeros((len(names), places.shape[1]))
    np.add.at(sums, owner, places)
    means = sums / np.bincount(owner)[:, None]
    if len(names) < 2:
        return means.mean(0), np.eye(places.shape[1]), len(names)
    return means.mean(0), np.atleast_2d(np.cov(means.T)), len(names)


def _compare_vectors(facts: TrainingFacts, places: np.ndarray, writers: Sequence[str]) -> Shift:
    """Mahalanobis distance of the means, bias taken off, with Hotelling's test for unequal covariances.

    Chosen because it needs a mean and a covariance of the training posts, not the posts' vectors (of which texts can be
    restored in part; Morris et al. 2023), and has a scale: at distance D a linear classifier tells the two corpora apart in
    Φ(D / 2) of the cases, 69 % at 1 and 84 % at 2. Test: Krishnamoorthy & Yu 2004, Statistics & Probability Letters 66(2).
    """
    import numpy as np
    from scipy import stats

    mean, covariance, n = _spread(places, writers)
    ridge = 1e-9 * float(np.trace(facts.covariance)) * np.eye(len(mean))
    gap = mean - facts.mean
    within = (facts.covariance + covariance) / 2 + ridge
    errors = [facts.covariance / facts.n_writers + ridge, covariance / n + ridge]
    inverse = np.linalg.inv(sum(errors))
    size = len(mean)
    shares = [part @ inverse for part in errors]
    freedom = (size + size**2) / sum(
        (np.trace(share @ share) + np.trace(share) ** 2) / (count - 1)
        for share, count in zip(shares, (facts.n_writers, n), strict=True)
    )
    statistic = float(gap @ inverse @ gap)
    left = max(1.0, freedom - size + 1)
    p_value = float(stats.f.sf(statistic * left / (freedom * size), size, left))
    chance = float(np.trace(np.linalg.solve(within, sum(errors))))
    squared = float(gap @ np.linalg.solve(within, gap)) * max(0.0, 1 - (size + 1) / (facts.n_writers + n - 2)) - chance
    expected = _HALF_ROOT * (chance * (2 / size) ** 0.5) ** 0.5
    return Shift(Question.VECTORS, max(0.0, squared) ** 0.5, MIN_DISTANCE, p_value, expected)


# ---- predicted labels ------------------------------------------------------------------------------------------------


def effective_size(hits: np.ndarray, sizes: np.ndarray) -> float:
    """Return how many independent observations shares of clustered ones are worth (Kish 1965; Rao & Scott 1981).

    Parameters
    ----------
    hits : counts of each category in each cluster, shape (n_clusters, n_categories).
    sizes : observations in each cluster, shape (n_clusters,).

    Returns
    -------
    at most the number of observations; the number of clusters where there is no variation to judge by.
    """

    n, n_clusters = float(sizes.sum()), len(sizes)
    shares = hits.sum(0) / n
    simple = float((shares * (1 - shares)).sum()) / n
    if n_clusters < 2 or simple <= 0:
        return float(n_clusters)
    left = hits - shares * sizes[:, None]
    clustered = n_clusters / (n_clusters - 1) * float((left**2).sum()) / n**2
    return n if clustered <= simple else n * simple / clustered


def _count_classes(rows: Sequence[tuple[str, str]]) -> ClassShares:
    """Count (writer, label)."""
    import numpy as np

    labels = sorted({label for _, label in rows})
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for writer, label in rows:
        counts[writer][label] += 1
    hits = np.array([[found[label] for label in labels] for found in counts.values()], float)
    shares = hits.sum(0) / hits.sum()
    sizes = hits.sum(1)
    return ClassShares(dict(zip(labels, map(float, shares), strict=True)), effective_size(hits, sizes))


def _held_out_classes(evaluations: pa.Table, model: str) -> dict[str, ClassShares]:
    """Most probable labels of the mean out-of-fold probabilities, by target: as `predictions` counts labelled posts."""
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for (_, target), found in settle_decisions(evaluations, model).items():
        rows[target].append((found.group, found.stance))
    return {target: _count_classes(found) for target, found in sorted(rows.items())}


def _compare_classes(training: ClassShares, rows: Sequence[tuple[str, str]], target: str) -> Shift:
    """Total variation of predicted shares, with a chi-square test on effective sizes (Rao & Scott 1981)."""
    import numpy as np
    from scipy import stats

    here = _count_classes(rows)
    labels = sorted(training.shares.keys() | here.shares.keys())
    first, second = (np.array([side.shares.get(label, 0.0) for label in labels]) for side in (training, here))
    weights = np.array([training.n_effective, here.n_effective])
    pooled = (first * weights[0] + second * weights[1]) / weights.sum()
    per_post = (1 / weights).sum()
    kept = pooled > 0
    statistic = float(((first - second)[kept] ** 2 / pooled[kept]).sum() / per_post)
    p_value = float(stats.chi2.sf(statistic, max(1, int(kept.sum()) - 1)))
    expected = float(np.sqrt(2 / np.pi * pooled * (1 - pooled) * per_post).sum() / 2)
    effect = float(np.abs(first - second).sum() / 2)
    return Shift(Question.CLASSES, effect, MIN_CLASS_SHIFT, p_value, expected, target=target)


def _rounded(values: np.ndarray) -> Any:
    """Six significant digits, as lists: enough to compare with, and half the file."""
    import numpy as np

    return np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[float])(values).tolist()
