"""`find_near_duplicates(texts)`: pairs of texts that share most of their wording, such as reposts with small edits.

Texts are compared by their shingles, runs of five words (Broder 1997, "On the resemblance and containment of documents").
One shingle in eight, chosen by its hash and so the same one in every text, finds the candidates; these are then compared
by all their shingles. Containment is used rather than resemblance: a repost inside a longer text counts as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SHINGLE_WORDS = 5
NEAR_DUPLICATE = 0.5
"""Share of the shorter text's shingles that makes two texts near-duplicates. Independent posts of one theme share under
0.02; the reposts of the demonstration corpus, edited and with a footer in the middle, over 0.8."""
_SAMPLED = 8
_COMMON = 200
"""A shingle in more texts than this is a phrase of the site, not a trace of copying."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two texts, by position, `first` < `second`, and the share of the shorter one's shingles that stand in the other."""

    first: int
    second: int
    share: float


def shingles(text: str, n_words: int = SHINGLE_WORDS) -> frozenset[str]:
    """Return the runs of `n_words` words of a text, in lower case; a shorter text is one run."""
    words = _WORD.findall(text.lower())
    if not words:
        return frozenset()
    return frozenset(" ".join(words[i : i + n_words]) for i in range(max(1, len(words) - n_words + 1)))


def shared_share(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the share of the smaller set's shingles that stand in the other, 0 if one is empty."""
    smaller = min(len(first), len(second))
    return len(first & second) / smaller if smaller else 0.0


def find_near_duplicates(texts: Sequence[str], *, min_share: float = NEAR_DUPLICATE) -> list[NearDuplicate]:
    """Return the pairs of texts that share at least `min_share` of the shorter one's shingles.

    Parameters
    ----------
    texts : shape (n_texts,).
    min_share : above 0; candidates need a shared sampled shingle, so under about 0.1 pairs are missed in short texts.

    Returns
    -------
    pairs in ascending order.
    """
    found = []
    for first, second in _candidates(texts):
        share = shared_share(shingles(texts[first]), shingles(texts[second]))
        if share >= min_share:
            found.append(NearDuplicate(first, second, share))
    return found


def _candidates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    import numpy as np

    hashes, owners = [], []
    for i, text in enumerate(texts):
        sampled = _sketch(text)
        hashes.append(sampled)
        owners.append(np.full(len(sampled), i, np.int32))
    if not hashes:
        return
    order = np.argsort(flat := np.concatenate(hashes), kind="stable")
    values, members = flat[order], np.concatenate(owners)[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if len(values) else np.zeros(0, np.int64)
    ends = np.r_[starts[1:], len(values)]
    pairs: set[tuple[int, int]] = set()
    for start, end in zip(starts, ends, strict=True):
        if 1 < end - start <= _COMMON:
            together = members[start:end].tolist()
            pairs.update((a, b) for n, a in enumerate(together) for b in together[n + 1 :])
    yield from sorted(pairs)


def _sketch(text: str) -> np.ndarray:
    """Hashes of the sampled shingles of a text; all of them where a sample would be too thin to compare."""
    import zlib

    import numpy as np

    hashes = np.array(sorted({zlib.crc32(run.encode()) for run in shingles(text)}), np.uint32)
    # crc32 is linear in its input: mixing (Knuth's multiplier) makes the sampled bits depend on all of the shingle
    mixed = (hashes * np.uint32(2654435761)) >> np.uint32(16)
    sampled = hashes[mixed % _SAMPLED == 0]
    return sampled if len(hashes) > 40 * _SAMPLED else hashes
