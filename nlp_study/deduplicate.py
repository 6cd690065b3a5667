"""`find_duplicates(posts)`: which posts repeat an earlier one, and how much of it. They are marked, never deleted.

Texts are compared by their shingles, runs of five words (Broder 1997, "On the resemblance and containment of documents"),
and by containment rather than resemblance, so that a repost inside a longer text counts as well.

Candidates come from a sample of the shingles that is the same in every text: those whose hash falls into one quarter of the
range (FracMinHash, Irber et al. 2022, doi:10.1101/2022.01.11.475838). The key is not one sampled shingle but two that follow
each other: a sentence that three hundred posts quote gives keys to all of them, a copied passage gives many keys to two.
Each text is then held against the few before it under the same key, so the work grows with the number of texts and not with
its square; every pair that is reported has been compared by all its shingles.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.extract.urls import parse_article_url
from nlp_study.schema import TableName, table_specs

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.config import Study
    from nlp_study.store import Corpus, RunRecord

logger = logging.getLogger(__name__)

SHINGLE_WORDS = 5
NEAR_DUPLICATE = 0.5
"""Share of a text's shingles that makes it a near-duplicate of another. Independent posts of one theme share under 0.02;
the reposts of the demonstration corpus, edited and with a footer in the middle, 0.70 and more of their own."""
_SAMPLED = 4
_WHOLE_BELOW = 20 * _SAMPLED
"""Texts of fewer shingles are taken whole as well: a sample of under 20 would be too thin to compare."""
_LOOK_BACK = 8
"""Texts that one is held against under one key. A copy stands beside its original under most of their keys, because posts
are in order of time and few keys have more members than this."""
_LEAST_COMMON_KEYS = 0.08
"""Share of the thinner text's keys that a pair must have in common to be compared. An edited copy that still shares half of
its shingles (every eighth word changed) keeps about 0.3 of its keys."""
_WORDS_REMEMBERED = 1_000_000

_WORD = re.compile(r"\w+")


class DuplicateKind(StrEnum):
    """How a post repeats another one."""

    EXACT = "exact"
    """The same words."""
    NEAR = "near"
    """Most of its shingles stand in the earlier post."""
    REPOST = "repost"
    """Exact or near, and its pasted footer names the other post as its source."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two texts, by position, `first` < `second`, and the share of each one's shingles that stand in the other."""

    first: int
    second: int
    share_of_first: float
    share_of_second: float

    @property
    def share(self) -> float:
        """The share of the shorter one's shingles, in [0, 1]."""
        return max(self.share_of_first, self.share_of_second)


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """A row of the table `duplicates`; its columns are explained in `schema`."""

    post_id: str
    group: str
    position: int
    is_first: bool
    kind: DuplicateKind | None
    share: float
    nearest: str | None


# ---- shingles --------------------------------------------------------------------------------------------------------


class _WordHashes(dict[str, int]):
    """64-bit hash of each word, computed when first met; the same in every run and on every machine."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        value = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        self[word] = value
        return value


def hash_shingles(text: str, n_words: int = SHINGLE_WORDS) -> np.ndarray:
    """Return the distinct runs of `n_words` words of a text as sorted 64-bit hashes, shape (n_shingles,).

    Case and punctuation do not count; a text of fewer words is one run, one of none gives none.
    """
    import numpy as np

    return np.unique(_run_hashes(text, _WordHashes(), n_words))


def shared_share(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the smaller set's shingles that stand in the other, 0 if one is empty."""
    smaller = min(len(first), len(second))
    return _n_shared(first, second) / smaller if smaller else 0.0


def _n_shared(first: np.ndarray, second: np.ndarray) -> int:
    import numpy as np

    return len(np.intersect1d(first, second, assume_unique=True))


def _run_hashes(text: str, words: Mapping[str, int], n_words: int = SHINGLE_WORDS) -> np.ndarray:
    """Hashes of the runs of words in the order of the text, shape (n_runs,): a polynomial of the words' hashes, mixed."""
    import numpy as np

    found = _WORD.findall(text.lower())
    ids = np.fromiter(map(words.__getitem__, found), np.uint64, len(found))
    length = min(n_words, len(ids))
    runs = np.zeros(len(ids) - length + 1 if length else 0, np.uint64)
    for offset in range(length):
        runs *= np.uint64(0x9E3779B97F4A7C15)
        runs += ids[offset : offset + len(runs)]
    return _mix(runs)


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread every bit over all others (the finalizer of MurmurHash3), so that any of them can decide a sample."""
    import numpy as np

    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(multiplier)
    return values ^ (values >> np.uint64(33))


# ---- pairs -----------------------------------------------------------------------------------------------------------


def find_near_duplicates(texts: Sequence[str], *, min_share: float = NEAR_DUPLICATE) -> list[NearDuplicate]:
    """Return pairs of texts that share at least `min_share` of the shorter one's shingles.

    Of many copies of one text not every pair is returned, but each copy is paired with some that come before it, so that
    chains of pairs hold all of them together.

    Parameters
    ----------
    texts : shape (n_texts,), best in order of time.
    min_share : above 0; under about 0.3 pairs are missed.

    Returns
    -------
    pairs in ascending order, none twice.

    References
    ----------
    Broder (1997), doi:10.1109/SEQUEN.1997.666900; Irber et al. (2022), doi:10.1101/2022.01.11.475838.
    """
    words = _WordHashes()
    return list(_compare(texts, _find_candidates(texts, words), words, min_share))


def _compare(
    texts: Sequence[str], pairs: Sequence[tuple[int, int]], words: _WordHashes, min_share: float
) -> Iterator[NearDuplicate]:
    """Yield the pairs, given in ascending order, that share enough of all their shingles."""
    from functools import lru_cache

    import numpy as np

    @lru_cache(maxsize=4096)
    def shingles_of(position: int) -> np.ndarray:
        return np.unique(_run_hashes(texts[position], words))

    for first, second in pairs:
        one, other = shingles_of(first), shingles_of(second)
        if not len(one) or not len(other):
            continue
        n_shared = _n_shared(one, other)
        if n_shared / min(len(one), len(other)) >= min_share:
            yield NearDuplicate(first, second, n_shared / len(one), n_shared / len(other))


def _find_candidates(texts: Sequence[str], words: _WordHashes) -> list[tuple[int, int]]:
    """Return pairs of positions worth comparing, in ascending order.

    A key and the position of its text share one 64-bit number, so that one sort in place brings equal keys together, the
    texts in order. The key loses its lowest bits; two that then look equal cost a comparison and no more.
    """
    import numpy as np

    n_bits = np.uint64(max(1, len(texts).bit_length()))
    entries = []
    n_sampled, n_keys = np.zeros(len(texts), np.int32), np.zeros(len(texts), np.int32)
    for position, text in enumerate(texts):
        sampled, whole = _make_keys(_run_hashes(text, words))
        n_sampled[position], n_keys[position] = len(sampled), len(sampled) + len(whole)
        keys = np.concatenate([sampled, whole]) if len(whole) else sampled
        entries.append((keys >> n_bits << n_bits) | np.uint64(position))
    if not n_keys.sum():
        return []
    flat = np.concatenate(entries)
    del entries
    flat.sort()
    same = (flat[1:] >> n_bits) == (flat[:-1] >> n_bits)  # most keys are in one text only and tie nothing
    flat = flat[np.r_[same, False] | np.r_[False, same]]
    keys, owners = flat >> n_bits, (flat & ((np.uint64(1) << n_bits) - np.uint64(1))).astype(np.int64)
    del flat
    found = [np.zeros(0, np.int64)]
    for back in range(1, min(_LOOK_BACK + 1, len(keys))):
        at = np.flatnonzero(keys[back:] == keys[:-back])
        if not len(at):
            break
        found.append(owners[at] * len(texts) + owners[at + back])
    del keys, owners
    pairs = np.concatenate(found)
    del found
    pairs.sort()
    starts = np.flatnonzero(np.r_[len(pairs) > 0, pairs[1:] != pairs[:-1]])
    n_common, pairs = np.diff(np.r_[starts, len(pairs)]), pairs[starts]
    del starts
    first, second = pairs // len(texts), pairs % len(texts)
    both_whole = (n_keys[first] > n_sampled[first]) & (n_keys[second] > n_sampled[second])
    possible = np.where(
        both_whole, np.minimum(n_keys[first], n_keys[second]), np.minimum(n_sampled[first], n_sampled[second])
    )
    enough = (n_common >= _LEAST_COMMON_KEYS * possible) & (first != second)
    return list(zip(first[enough].tolist(), second[enough].tolist(), strict=True))


def _make_keys(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys of a text: each sampled shingle with the next sampled one, and of a short text each with the next."""
    import numpy as np

    sampled = runs[(runs >> np.uint64(40)) % np.uint64(_SAMPLED) == 0]
    keys = _mix(sampled[1:] * np.uint64(3) + sampled[:-1])
    if len(runs) >= _WHOLE_BELOW:
        return np.unique(keys), runs[:0]
    whole = runs[1:] * np.uint64(5) + runs[:-1] if len(runs) > 1 else runs
    return np.unique(keys), np.unique(_mix(whole))


# ---- groups ----------------------------------------------------------------------------------------------------------


def find_duplicates(posts: Sequence[Mapping[str, Any]], *, min_share: float = NEAR_DUPLICATE) -> list[DuplicateRow]:
    """Group posts that repeat one another, each group led by the post that came first.

    A post joins the group of an earlier one if at least `min_share` of *its own* shingles stand there. So a round-up that
    quotes five posts neither is a copy of one of them nor ties them together, and an answer that quotes half of a post and
    adds twice as much is a post of its own. A post whose pasted footer names another one as its source, and which does
    repeat it, comes after that one whatever the dates say; a footer alone marks nothing, because the site adds it to every
    copied passage, however short.

    Parameters
    ----------
    posts : rows with `post_id`, `text` and, where known, `published_at`, `reposted_url`; shape (n_posts,). Posts without a
        date come last.
    min_share : share of the later post's shingles, in (0, 1].

    Returns
    -------
    one row for each post of a group of two and more, group by group in order of publication, the first post in front.
    """
    ordered = sorted(posts, key=_publication_order)
    texts = [post["text"] for post in ordered]
    pairs = find_near_duplicates(texts, min_share=min_share)
    position = {post["post_id"]: i for i, post in enumerate(ordered)}
    named = {i: source for i, post in enumerate(ordered) if (source := _named_source(post)) is not None}
    sources = {i: position[source] for i, source in named.items() if source in position}
    pairs = _with_named(pairs, sources, texts, min_share)

    shares: dict[int, dict[int, float]] = {}  # of each post, by the post that it repeats
    for pair in pairs:
        if pair.share_of_second >= min_share:
            shares.setdefault(pair.second, {})[pair.first] = pair.share_of_second
        if pair.share_of_first >= min_share:
            shares.setdefault(pair.first, {})[pair.second] = pair.share_of_first
    reposts = {i for i, source in sources.items() if source in shares.get(i, {})}

    leader = list(range(len(ordered)))
    nearest: dict[int, tuple[float, int]] = {}
    for i in sorted(range(len(ordered)), key=lambda i: (i in reposts, i)):
        earlier = {j: share for j, share in shares.get(i, {}).items() if _comes_before(j, i, reposts)}
        if not earlier:
            continue
        like = min(earlier, key=lambda j: (-earlier[j], j))
        if i in reposts and sources[i] in earlier:
            like = sources[i]
        nearest[i] = (earlier[like], like)
        leader[i] = leader[like]
    return _make_rows(ordered, leader, nearest, reposts)


def _make_rows(
    ordered: Sequence[Mapping[str, Any]],
    leader: Sequence[int],
    nearest: Mapping[int, tuple[float, int]],
    reposts: set[int],
) -> list[DuplicateRow]:
    members: dict[int, list[int]] = {}
    for i in nearest:
        members.setdefault(leader[i], []).append(i)
    words = [
        _WORD.findall(ordered[i]["text"].lower()) if i in nearest or i in members else [] for i in range(len(leader))
    ]
    rows = []
    for first in sorted(members):
        group = str(ordered[first]["post_id"])
        rows.append(DuplicateRow(group, group, 0, True, None, 1.0, None))
        for place, i in enumerate(sorted(members[first]), start=1):
            share, source = nearest[i]
            same = words[i] == words[source]
            kind = DuplicateKind.REPOST if i in reposts else DuplicateKind.EXACT if same else DuplicateKind.NEAR
            post_id, like = str(ordered[i]["post_id"]), str(ordered[source]["post_id"])
            rows.append(DuplicateRow(post_id, group, place, False, kind, share, like))
    return rows


def _comes_before(one: int, other: int, reposts: set[int]) -> bool:
    return (one in reposts, one) < (other in reposts, other)


def _publication_order(post: Mapping[str, Any]) -> tuple[bool, float, str]:
    published: datetime | None = post.get("published_at")
    return published is None, published.timestamp() if published else 0.0, str(post["post_id"])


def _named_source(post: Mapping[str, Any]) -> str | None:
    """The id of the post that the pasted footer names."""
    article = parse_article_url(post.get("reposted_url") or "")
    return article.id24 if article and article.id24 != post["post_id"] else None


def _with_named(
    pairs: list[NearDuplicate], sources: Mapping[int, int], texts: Sequence[str], min_share: float
) -> list[NearDuplicate]:
    """Add the pairs that footers name: they are compared even where no key brought them together."""
    known = {(pair.first, pair.second) for pair in pairs}
    named = sorted({(min(i, j), max(i, j)) for i, j in sources.items()} - known)
    return pairs + list(_compare(texts, named, _WordHashes(), min_share))


def mark_duplicates(study: Study, corpus: Corpus, record: RunRecord) -> dict[str, Any]:
    """Write the table `duplicates`.

    Raises
    ------
    DataError : there are no posts.
    """
    from collections import Counter

    import pyarrow as pa

    if not corpus.has(TableName.POSTS):
        raise DataError("there are no posts to compare", remedy="import some first: `nlp-study import PATH`")
    posts = corpus.fetch("SELECT post_id, published_at, reposted_url, text FROM posts").to_pylist()
    rows = find_duplicates(posts)
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=table_specs()[TableName.DUPLICATES].schema)
    kinds = Counter(str(row.kind) for row in rows if row.kind is not None)
    counts = {"groups": sum(row.is_first for row in rows), **{str(kind): kinds[kind] for kind in DuplicateKind}}
    corpus.write(TableName.DUPLICATES, table, replace(record, counts=counts))
    return counts
