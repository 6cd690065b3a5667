"""Which sentences made a decision: each token's part in it is known, because all behind the token vectors is linear.

The score of a label is a weighted sum over token vectors, so a sentence's part in the lead of the decided label over the
next one is the sum over its tokens, exactly (no sampling, no second reading). What a sentence does to its neighbours inside
the encoder counts for the neighbours; `check_faithfulness` measures how well the parts
foretell what happens when sentences are taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nlp_study.stance.reader import Reading, StanceReader, read_pairs_through
from nlp_study.stance.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nlp_study.stance.pairs import Pair
    from nlp_study.stance.probe import Forecast, StanceProbe

N_EVIDENCE = 3
"""Sentences kept for each decision."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence and its part in a decision.

    `start` and `end` are characters of the pair's text; `weight` is the sentence's part of the lead (in log-odds) of the
    decided label over the runner-up: above 0 it speaks for the decision, below 0 against it.
    """

    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Explained:
    """A reading, the forecast made of it, and every sentence's part in each decision (in the order of the text)."""

    reading: Reading
    forecast: Forecast
    sentences: list[list[Evidence]]


def explain_pairs(
    reader: StanceReader,
    probe: StanceProbe,
    pairs: Sequence[Pair],
    *,
    decided: Sequence[int | None] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Explained:
    """Classify pairs and say which sentences decided, in one reading.

    Vectors are taken from the mean of the training posts: what all posts share moves no decision.

    Parameters
    ----------
    pairs : shape (n_pairs,).
    decided : the label to explain, where it was decided elsewhere (out of fold); shape (n_pairs,).
    progress : called with the number of pairs done since the last call.
    """
    spans = [split_sentences(pair.text) for pair in pairs]
    starts = [np.array([low for low, _ in found] or [0]) for found in spans]
    parts = [np.zeros((max(1, len(found)), len(probe.stances))) for found in spans]

    def watch(owner: int, hidden: np.ndarray, offsets: Sequence[tuple[int, int]], weight: float) -> None:
        ends = np.array([high for _, high in offsets])
        at = np.searchsorted(starts[owner], [low for low, _ in offsets], side="right") - 1
        inside = (ends > 0) & (at >= 0)
        np.add.at(parts[owner], at[inside], weight * ((hidden[inside] - probe.centre) @ probe.weights.T))

    reading = read_pairs_through(reader, pairs, progress=progress, watch=watch)
    forecast = probe.predict(reading.vectors, pairs)
    sentences = []
    for i, pair in enumerate(pairs):
        by_label = _add_words(probe, pair, starts[i], parts[i])
        order = np.argsort(forecast.scores[i])[::-1]
        label = decided[i] if decided is not None else None
        first = int(order[0]) if label is None else label
        second = int(order[order != first][0])
        lead = by_label[:, first] - by_label[:, second]
        found = [Evidence(low, high, float(w)) for (low, high), w in zip(spans[i], lead, strict=False)]
        sentences.append(found)
    return Explained(reading, forecast, sentences)


def _add_words(probe: StanceProbe, pair: Pair, starts: np.ndarray, by_vectors: np.ndarray) -> np.ndarray:
    """Each sentence's part in the deciding scores, (n_sentences, n_stances), of what tokens and words have in them."""
    if probe.bag is None or not probe.uses_words(pair):
        return by_vectors * probe.unknown.decision.scales[0]
    by_words = np.zeros_like(by_vectors)
    places, added = probe.bag.locate(pair)
    np.add.at(by_words, np.maximum(np.searchsorted(starts, places, side="right") - 1, 0), added)
    of_vectors, of_words = probe.known.decision.scales
    return of_vectors * by_vectors + of_words * by_words


def top_evidence(sentences: Sequence[Evidence], n: int = N_EVIDENCE) -> list[Evidence]:
    """Return the sentences that moved the decision most, for it or against it, the strongest first."""
    return sorted(sentences, key=lambda found: -abs(found.weight))[:n]


@dataclass(frozen=True)
class Faithfulness:
    """How much the probability of the decided label falls, on average, when sentences are taken out.

    `top` the sentences that speak for it most, `random` as many others drawn at random; `n_pairs` pairs with enough
    sentences; `wins` the share of pairs in which taking out the top ones lowers it more.
    """

    top: float
    random: float
    wins: float
    n_pairs: int


def check_faithfulness(
    reader: StanceReader, probe: StanceProbe, pairs: Sequence[Pair], *, n_sentences: int = N_EVIDENCE, seed: int = 0
) -> Faithfulness:
    """Take out the top sentences, and as many random ones, read again, and compare (comprehensiveness, DeYoung et al. 2020).

    Parameters
    ----------
    pairs : shape (n_pairs,); those with fewer than three times `n_sentences` sentences are left out.
    """
    explained = explain_pairs(reader, probe, pairs)
    rng = np.random.default_rng(seed)
    kept, without_top, without_random = [], [], []
    for i, pair in enumerate(pairs):
        sentences = explained.sentences[i]
        if len(sentences) < 3 * n_sentences:
            continue
        order = sorted(range(len(sentences)), key=lambda k: -sentences[k].weight)
        kept.append(i)
        without_top.append(_remove(pair, [sentences[k] for k in order[:n_sentences]]))
        drawn = rng.choice(order[n_sentences:], n_sentences, replace=False)
        without_random.append(_remove(pair, [sentences[k] for k in drawn]))
    decided = explained.forecast.decided[kept]
    before = explained.forecast.probas[kept, decided]
    falls = []
    for changed in (without_top, without_random):
        probas = probe.predict(read_pairs_through(reader, changed).vectors, changed).probas
        falls.append(before - probas[np.arange(len(kept)), decided])
    return Faithfulness(float(falls[0].mean()), float(falls[1].mean()), float((falls[0] > falls[1]).mean()), len(kept))


def _remove(pair: Pair, sentences: Sequence[Evidence]) -> Pair:
    text = pair.text
    for found in sorted(sentences, key=lambda found: -found.start):
        text = text[: found.start] + text[found.end :]
    return replace(pair, text=text)
