"""`find_concordance(...)`: a query, its exact counts, and some of its lines with their context.

A `Concordancer` holds an index and what is known of its posts, so that one query after the other costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_study.concordance import cql
from nlp_study.concordance.index import Index, expand_ranges, open_index
from nlp_study.concordance.match import TIME_LIMIT_S, Deadline, Hits, match_query
from nlp_study.concordance.subcorpus import Subcorpus, choose_posts
from nlp_study.errors import DataError
from nlp_study.schema import TIMEZONE

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from nlp_study.store import Corpus

SORT_TOKENS = 3
"""Tokens of the context, nearest first, by which lines are sorted."""
_Key = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""Gives a number by which hits are sorted, for some of them."""


class Sort(StrEnum):
    """The order of the lines."""

    TEXT = "text"
    """By post id and place in the post."""
    LEFT = "left"
    RIGHT = "right"
    NODE = "node"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class View:
    """Which lines are shown, and how much of their context.

    Attributes
    ----------
    limit, offset : lines shown, and lines passed over before them.
    context : tokens on either side, within the post; None: to the ends of the sentence.
    sort : order of the lines.
    sample : only so many lines, drawn at random with `seed`; None: all. Counts are of all hits in any case.
    longest : of several ends of a match the farthest counts, not the nearest.
    """

    limit: int = 100
    offset: int = 0
    context: int | None = 8
    sort: Sort = Sort.TEXT
    sample: int | None = None
    seed: int = 0
    longest: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One hit: the node between its contexts, and the post it stands in.

    `sentence` and `position` are those of the table `tokens`, of the node's first token; `n_tokens` is the node's length.
    """

    left: str
    node: str
    right: str
    post_id: str
    sentence: int
    position: int
    n_tokens: int
    title: str | None
    author: str | None
    url: str | None
    published_at: datetime | None


@dataclass(frozen=True)
class Concordance:
    """Lines of a query and its exact counts.

    Attributes
    ----------
    n_hits : hits in all posts that were read.
    n_posts, n_posts_read : posts with a hit, and posts that were read.
    n_tokens_read : tokens of the posts that were read, punctuation included; the base of `per_million`.
    months : month, hits, tokens, per_million; a post without a date counts under null. Shape (n_months, 4).
    """

    query: str
    n_hits: int
    n_posts: int
    n_posts_read: int
    n_tokens_read: int
    lines: tuple[Line, ...]
    months: pa.Table = field(repr=False)

    @property
    def per_million(self) -> float:
        """Hits in a million tokens."""
        return 1e6 * self.n_hits / self.n_tokens_read if self.n_tokens_read else 0.0


@dataclass(frozen=True)
class _Read:
    """The posts that are read: a mask, shape (n_posts,), None for all; how many; their tokens by month."""

    mask: NDArray[Any] | None
    n_posts: int
    month_tokens: NDArray[Any]


class Concordancer:
    """Answers queries over the tokens of a corpus. Make one with `open_concordancer`."""

    def __init__(self, corpus: Corpus, index: Index) -> None:
        self.index = index
        self._corpus = corpus
        self._posts = _read_posts(corpus, index)
        self._months, self._month_codes = _number_months(self._posts["published_at"])
        self._read: dict[Subcorpus, _Read] = {}

    def find(
        self,
        query: str,
        subcorpus: Subcorpus | None = None,
        view: View | None = None,
        *,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> Concordance:
        """Answer a query.

        Parameters
        ----------
        query : the subset of CQL of docs/concordance.md.
        subcorpus : which posts are read; by default all, posts that repeat an earlier one left out.
        view : which lines are shown.
        time_limit_s : seconds after which it is given up.

        Raises
        ------
        CqlError : the query is no CQL; the message points at the column.
        QueryLimitError : it takes too long or too much memory.
        DataError : the subcorpus cannot be chosen.
        """
        subcorpus, view = subcorpus or Subcorpus(), view or View()
        parsed = cql.parse_cql(query)
        deadline = Deadline.after(time_limit_s)
        read = self._choose(subcorpus, deadline)
        hits = match_query(self.index, parsed, deadline=deadline, longest=view.longest)
        hits, per_post = self._keep_read(hits, read)
        shown = self._choose_lines(hits, view, deadline)
        return Concordance(
            query=query,
            n_hits=len(hits.starts),
            n_posts=int(np.count_nonzero(per_post)),
            n_posts_read=read.n_posts,
            n_tokens_read=int(read.month_tokens.sum()),
            lines=tuple(self._make_lines(shown, view.context)),
            months=self._count_months(per_post, read),
        )

    # ---- which hits

    def _choose(self, subcorpus: Subcorpus, deadline: Deadline) -> _Read:
        """Return the posts that are read; remembered, because one query follows the other."""
        if subcorpus not in self._read:
            chosen = choose_posts(self._corpus, subcorpus, deadline=deadline)
            n_posts, n_tokens, mask = self.index.meta.n_posts, self.index.tokens_per_post, None
            if chosen is not None:
                mask = np.fromiter((post_id in chosen for post_id in self._posts["post_id"]), bool, n_posts)
                n_posts, n_tokens = int(mask.sum()), np.where(mask, n_tokens, 0)
            months = np.bincount(self._month_codes, weights=n_tokens, minlength=len(self._months)).astype(np.int64)
            self._read[subcorpus] = _Read(None if mask is None or mask.all() else mask, n_posts, months)
        return self._read[subcorpus]

    def _keep_read(self, hits: Hits, read: _Read) -> tuple[Hits, NDArray[Any]]:
        """Drop hits in posts that are not read; return the rest and how many each post has."""
        posts, n_posts = self.index.posts, self.index.meta.n_posts
        if len(hits.starts) < n_posts:  # look up the fewer in the more
            per_post = np.bincount(np.searchsorted(posts, hits.starts, "right") - 1, minlength=n_posts)
        else:
            per_post = np.diff(np.searchsorted(hits.starts, posts), append=len(hits.starts))
        if read.mask is not None:
            kept = np.repeat(read.mask, per_post)
            hits, per_post = Hits(hits.starts[kept], hits.ends[kept]), np.where(read.mask, per_post, 0)
        return hits, per_post

    def _choose_lines(self, hits: Hits, view: View, deadline: Deadline) -> Hits:
        starts, ends = hits.starts, hits.ends
        if view.sample is not None and view.sample < len(starts):
            drawn = np.random.default_rng(view.seed).choice(len(starts), view.sample, replace=False)
            drawn.sort()
            starts, ends = starts[drawn], ends[drawn]
        last = view.offset + view.limit
        if view.sort is not Sort.TEXT:
            order = _smallest(self._sort_keys(starts, ends, view.sort), len(starts), last)
            starts, ends = starts[order], ends[order]
        deadline.check()
        return Hits(starts[view.offset : last], ends[view.offset : last])

    def _sort_keys(self, starts: NDArray[Any], ends: NDArray[Any], sort: Sort) -> list[_Key]:
        """Return functions of hits that give the first key, the second and so on: later ones are seldom needed."""
        published, posts = self._posts["when"], self.index.posts

        def date(at: NDArray[Any]) -> NDArray[Any]:
            when: NDArray[Any] = published[np.searchsorted(posts, starts[at], "right") - 1]
            return when

        def node(k: int, at: NDArray[Any]) -> NDArray[Any]:
            return np.where(starts[at] + k < ends[at], self._words(starts[at] + k), -1)

        def left(k: int, at: NDArray[Any]) -> NDArray[Any]:
            return self._words_inside(starts[at], starts[at] - 1 - k)

        def right(k: int, at: NDArray[Any]) -> NDArray[Any]:
            return self._words_inside(starts[at], ends[at] + k)

        if sort is Sort.DATE:
            return [date]
        key = {Sort.NODE: node, Sort.LEFT: left, Sort.RIGHT: right}[sort]
        return [partial(key, k) for k in range(SORT_TOKENS)]

    def _words(self, places: NDArray[Any]) -> NDArray[Any]:
        """Return the rank of the words at some places in alphabetical order; -1 outside the corpus."""
        inside = (places >= 0) & (places < self.index.n_tokens)
        ranks: NDArray[Any] = self.index.type_codes["lower"][self.index.types[np.where(inside, places, 0)]]
        return np.where(inside, ranks, -1)

    def _words_inside(self, starts: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
        """The same, -1 also where a place lies in another post than the hit."""
        posts = self.index.posts
        same = np.searchsorted(posts, starts, "right") == np.searchsorted(posts, places, "right")
        return np.where(same, self._words(places), -1)

    def _count_months(self, per_post: NDArray[Any], read: _Read) -> pa.Table:
        import pyarrow as pa

        tokens = read.month_tokens
        hits = np.bincount(self._month_codes, weights=per_post, minlength=len(tokens)).astype(np.int64)
        kept = np.flatnonzero(tokens)
        months = pa.array([self._months[number] for number in kept.tolist()], pa.string())
        hits, tokens = hits[kept], tokens[kept]
        return pa.table({"month": months, "hits": hits, "tokens": tokens, "per_million": 1e6 * hits / tokens})

    # ---- what they look like

    def _make_lines(self, hits: Hits, context: int | None) -> list[Line]:
        index, lines = self.index, []
        posts = np.searchsorted(index.posts, hits.starts, "right") - 1
        post_starts, post_ends = index.posts[posts], np.append(index.posts, index.n_tokens)[posts + 1]
        sentences = np.searchsorted(index.sentences, hits.starts, "right") - 1
        if context is None:
            firsts = index.sentences[sentences]
            following = np.searchsorted(index.sentences, hits.ends - 1, "right")
            ends = np.append(index.sentences, index.n_tokens)[following]
        else:
            firsts = np.maximum(post_starts, hits.starts - context)
            ends = np.minimum(post_ends, hits.ends + context)
        first_sentences = np.searchsorted(index.sentences, post_starts, "right") - 1
        pieces = self._read_text(firsts, ends)
        columns = (firsts, hits.starts, hits.ends, posts, post_starts, sentences - first_sentences)
        names = ("post_id", "title", "author", "url", "published_at")
        ids, titles, authors, urls, dates = (self._posts[name] for name in names)
        for piece, (first, start, end, post, post_start, sentence) in zip(
            pieces, zip(*(column.tolist() for column in columns), strict=True), strict=True
        ):
            left, node, right = ("".join(part) for part in _cut(piece, start - first, end - first))
            lines.append(
                Line(
                    left.strip(),
                    node.strip(),
                    right.rstrip(),
                    ids[post],
                    sentence,
                    start - post_start,
                    end - start,
                    titles[post],
                    authors[post],
                    urls[post],
                    dates[post],
                )
            )
        return lines

    def _read_text(self, firsts: NDArray[Any], ends: NDArray[Any]) -> list[list[str]]:
        """Return the forms of some stretches, with a space where white space follows."""
        index, forms = self.index, self.index.forms
        places = expand_ranges(firsts.astype(np.int64), ends.astype(np.int64))
        codes = index.type_codes["form"][index.types[places]].tolist()
        spaced = index.token_codes["space"][places].tolist()
        words = [forms[code] + " " if space else forms[code] for code, space in zip(codes, spaced, strict=True)]
        bounds = np.concatenate(([0], np.cumsum(ends - firsts))).tolist()
        return [words[bounds[i] : bounds[i + 1]] for i in range(len(firsts))]


def _cut(piece: list[str], start: int, end: int) -> tuple[list[str], list[str], list[str]]:
    return piece[:start], piece[start:end], piece[end:]


def open_concordancer(corpus: Corpus, *, announce: Callable[[str], None] = lambda text: None) -> Concordancer:
    """Open the index of a corpus, and build it first where the table `tokens` has changed.

    Raises
    ------
    DataError : there are no tokens.
    """
    return Concordancer(corpus, open_index(corpus, announce=announce))


def find_concordance(
    corpus: Corpus,
    query: str,
    subcorpus: Subcorpus | None = None,
    view: View | None = None,
    *,
    time_limit_s: float = TIME_LIMIT_S,
    announce: Callable[[str], None] = lambda text: None,
) -> Concordance:
    """Answer one query; see `Concordancer.find`."""
    return open_concordancer(corpus, announce=announce).find(query, subcorpus, view, time_limit_s=time_limit_s)


def _smallest(keys: list[_Key], n_items: int, n: int) -> NDArray[Any]:
    """Return the order of the `n` smallest items under several keys, ties in the order that they have.

    Only items that can be among the `n` smallest by the first key are compared by the others.
    """
    candidates: NDArray[Any] = np.arange(n_items)
    first = keys[0](candidates)
    if n < len(first):
        candidates = np.flatnonzero(first <= np.partition(first, n - 1)[n - 1]) if n else candidates[:0]
    columns = [key(candidates) for key in reversed(keys[1:])]
    order: NDArray[Any] = candidates[np.lexsort((*columns, first[candidates]))][:n]
    return order


def _read_posts(corpus: Corpus, index: Index) -> dict[str, Any]:
    """Return what lines show of the posts, in the order of the index; posts that are gone from the table stay nameless."""
    ids = index.post_ids.to_pylist()
    columns = "post_id, title, author, url, published_at"
    rows = {row["post_id"]: row for row in corpus.fetch(f"SELECT {columns} FROM posts").to_pylist()}
    found = [rows.get(post_id, {}) for post_id in ids]
    posts: dict[str, Any] = {name: [row.get(name) for row in found] for name in columns.split(", ")[1:]}
    posts["post_id"] = ids
    if any(not row for row in found):
        raise DataError("the table tokens holds posts that are no longer there", remedy="run `nlp-study parse`")
    never = datetime.max.replace(tzinfo=TIMEZONE)
    posts["when"] = np.array([(when or never).timestamp() for when in posts["published_at"]], np.float64)
    return posts


def _number_months(published: list[datetime | None]) -> tuple[list[str | None], NDArray[Any]]:
    """Return the months of some times in Jakarta, in order, None last, and the place of each post's among them."""
    months = [when.astimezone(TIMEZONE).strftime("%Y-%m") if when else None for when in published]
    known = sorted({month for month in months if month})
    every: list[str | None] = [*known, None]
    numbers = {month: number for number, month in enumerate(every)}
    return every, np.array([numbers[month] for month in months], np.int64)
