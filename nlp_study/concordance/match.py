"""`match_query(index, query) -> Hits`: every place where a query matches, exactly.

Conditions become masks over types. The part of the query with the fewest tokens is looked up in the postings; the parts
before and after it are then tested next to those places only. So a query costs what its rarest word costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nlp_study.concordance import cql
from nlp_study.concordance.index import TYPE_ATTRIBUTES, Index
from nlp_study.errors import StudyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIME_LIMIT_S = 20.0
"""Of one query."""
MOST_CANDIDATES = 50_000_000
"""Places under consideration at once, 8 bytes each."""
_SCAN_SHARE = 0.1
"""From this share of all tokens on, reading every token is quicker than gathering and sorting postings: on 10 million tokens
and a class with a tenth of them both take about 40 ms."""


class QueryLimitError(StudyError):
    """A query takes too long or too much memory."""


@dataclass(frozen=True)
class Deadline:
    """The moment at which a query is given up."""

    limit_s: float
    end: float

    @classmethod
    def after(cls, limit_s: float) -> Deadline:
        """Return the deadline `limit_s` seconds from now."""
        return cls(limit_s, time.monotonic() + limit_s)

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.end - time.monotonic())

    def check(self, n_candidates: int = 0) -> None:
        """Raise an error when time is up, or when there is too much to consider."""
        if time.monotonic() > self.end:
            raise QueryLimitError(
                f"the query took more than {self.limit_s:g} s",
                remedy="make one of its words rarer, lower its repetitions, or raise --time-limit",
            )
        if n_candidates > MOST_CANDIDATES:
            raise QueryLimitError(
                f"the query fits more than {MOST_CANDIDATES:,} places", remedy="add a condition, or lower repetitions"
            )


@dataclass(frozen=True)
class Hits:
    """Where a query matches: first token and end (the token after the last), ascending, shape (n_hits,) each."""

    starts: NDArray[Any]
    ends: NDArray[Any]


def match_query(index: Index, query: cql.Query, *, deadline: Deadline, longest: bool = False) -> Hits:
    """Find every place where a query matches.

    A place where a match begins counts once. Of several ends the nearest counts, or with `longest` the farthest. A match
    never runs over the end of a post.

    Raises
    ------
    QueryLimitError : time or memory run out.
    """
    starts, ends = _plan(index, query.pattern).find(deadline)
    if cql.longest(query.pattern) > 1:
        kept = _same_run(index.sentences if query.within_sentence else index.posts, starts, ends)
        if not kept.all():
            starts, ends = starts[kept], ends[kept]
    starts, ends = _one_end(starts, ends, longest)
    deadline.check(len(starts))
    return Hits(starts, ends)


def _same_run(bounds: NDArray[Any], starts: NDArray[Any], ends: NDArray[Any]) -> NDArray[Any]:
    """Say for each match whether no post (or sentence) begins inside it."""
    same: NDArray[Any] = np.searchsorted(bounds, starts, "right") == np.searchsorted(bounds, ends - 1, "right")
    return same


def _one_end(starts: NDArray[Any], ends: NDArray[Any], longest: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    if len(starts) < 2 or bool((starts[1:] > starts[:-1]).all()):
        return starts, ends
    order = np.lexsort((-ends if longest else ends, starts))
    starts, ends = starts[order], ends[order]
    first = np.concatenate(([True], starts[1:] != starts[:-1]))
    return starts[first], ends[first]


# ---- conditions on one token -----------------------------------------------------------------------------------------


class Test(Protocol):
    """A condition made ready for an index."""

    def count(self) -> int:
        """Return how many tokens fulfil it, or more."""

    def find(self) -> NDArray[Any]:
        """Return the places of the tokens that fulfil it, ascending."""

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        """Say for each place whether its token fulfils it."""


@dataclass
class _Types:
    """A condition that the type of a token decides."""

    index: Index
    mask: NDArray[Any]

    @cached_property
    def chosen(self) -> NDArray[Any]:
        return np.flatnonzero(self.mask)

    @cached_property
    def n_tokens(self) -> int:
        return int(self.index.type_counts[self.chosen].sum())

    def count(self) -> int:
        return self.n_tokens

    def find(self) -> NDArray[Any]:
        if self.n_tokens > _SCAN_SHARE * self.index.n_tokens:
            return np.flatnonzero(np.take(self.mask, self.index.types))
        return self.index.places_of(self.chosen)

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        return self.mask[self.index.types[places]]


@dataclass
class _Codes:
    """A condition on an attribute that changes from token to token."""

    index: Index
    attribute: str
    mask: NDArray[Any]

    def count(self) -> int:
        return int(self.index.code_counts[self.attribute][self.mask].sum())

    def find(self) -> NDArray[Any]:
        codes, chosen = self.index.token_codes[self.attribute], np.flatnonzero(self.mask)
        if len(chosen) == 1:
            return np.flatnonzero(codes == codes.dtype.type(chosen[0]))
        return np.flatnonzero(np.take(self.mask, codes))

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        return self.mask[self.index.token_codes[self.attribute][places]]


@dataclass
class _Not:
    index: Index
    part: Test

    def count(self) -> int:
        return self.index.n_tokens

    def find(self) -> NDArray[Any]:
        return np.flatnonzero(self.test(np.arange(self.index.n_tokens)))

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        return ~self.part.test(places)


@dataclass
class _All:
    parts: list[Test]
    """The rarest first."""

    def count(self) -> int:
        return self.parts[0].count()

    def find(self) -> NDArray[Any]:
        places = self.parts[0].find()
        for part in self.parts[1:]:
            places = places[part.test(places)]
        return places

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        fulfilled = self.parts[0].test(places)
        for part in self.parts[1:]:
            fulfilled = fulfilled & part.test(places)
        return fulfilled


@dataclass
class _Either:
    parts: list[Test]

    def count(self) -> int:
        return sum(part.count() for part in self.parts)

    def find(self) -> NDArray[Any]:
        return np.unique(np.concatenate([part.find() for part in self.parts]))

    def test(self, places: NDArray[Any]) -> NDArray[Any]:
        fulfilled = self.parts[0].test(places)
        for part in self.parts[1:]:
            fulfilled = fulfilled | part.test(places)
        return fulfilled


def make_test(index: Index, condition: cql.Condition) -> Test:
    """Make a condition ready; what types decide is decided for all types at once."""
    match condition:
        case cql.Compare():
            return _compare(index, condition)
        case cql.Not(part):
            test = make_test(index, part)
            if isinstance(test, _Types):
                return _Types(index, ~test.mask)
            if isinstance(test, _Codes):
                return _Codes(index, test.attribute, ~test.mask)
            return _Not(index, test)
        case cql.All(parts):
            tests = _fold(index, [make_test(index, part) for part in parts], np.logical_and)
            if not tests:
                return _Types(index, np.ones(index.meta.n_types, bool))
            tests.sort(key=lambda test: test.count())
            return tests[0] if len(tests) == 1 else _All(tests)
        case cql.Either(parts):
            tests = _fold(index, [make_test(index, part) for part in parts], np.logical_or)
            return tests[0] if len(tests) == 1 else _Either(tests)


def _fold(index: Index, tests: list[Test], join: Callable[..., NDArray[Any]]) -> list[Test]:
    """Join the masks of tests that are of one kind."""
    masks: dict[str, NDArray[Any]] = {}
    others: list[Test] = []
    for test in tests:
        name = "" if isinstance(test, _Types) else test.attribute if isinstance(test, _Codes) else None
        if name is None or not isinstance(test, _Types | _Codes):
            others.append(test)
        else:
            masks[name] = join(masks[name], test.mask) if name in masks else test.mask
    joined: list[Test] = [_Codes(index, name, mask) if name else _Types(index, mask) for name, mask in masks.items()]
    return joined + others


def _compare(index: Index, compare: cql.Compare) -> Test:
    name, values = compare.attribute, index.values[compare.attribute]
    if compare.is_regex or compare.ignore_case:
        import re

        import pyarrow.compute as pc

        pattern = compare.value if compare.is_regex else re.escape(compare.value)
        found = pc.match_substring_regex(values, cql.whole_regex(pattern, ignore_case=compare.ignore_case))
        codes = np.flatnonzero(found.to_numpy(zero_copy_only=False))
    else:
        code = index.find_value(name, compare.value)
        codes = np.asarray([code] if code >= 0 else [], np.int64)
    if name not in TYPE_ATTRIBUTES:
        mask = np.zeros(len(values), bool)
        mask[codes] = True
        return _Codes(index, name, mask)
    mask = np.zeros(index.meta.n_types, bool)
    mask[index.types_with(name, codes)] = True
    return _Types(index, mask)


# ---- patterns --------------------------------------------------------------------------------------------------------

_Pairs = tuple["NDArray[Any]", "NDArray[Any]"]
"""Starts and ends of matches, or of parts of them."""


class _Plan(Protocol):
    """A pattern made ready for an index."""

    @property
    def is_variable(self) -> bool:
        """Whether its matches differ in length."""

    def cost(self) -> int:
        """Return about how many places `find` considers."""

    def find(self, deadline: Deadline) -> _Pairs:
        """Return all matches."""

    def extend(self, pairs: _Pairs, deadline: Deadline, *, forward: bool) -> _Pairs:
        """Return the matches that go on from the ends of `pairs`, or back from their starts, joined with them."""


def _plan(index: Index, pattern: cql.Pattern) -> _Plan:
    match pattern:
        case cql.Token(condition):
            return _TokenPlan(index, make_test(index, condition))
        case cql.Sequence(parts):
            return _SequencePlan([_plan(index, part) for part in parts], [cql.shortest(part) for part in parts])
        case cql.Branch(parts):
            lengths = {length for part in parts for length in (cql.shortest(part), cql.longest(part))}
            return _BranchPlan([_plan(index, part) for part in parts], len(lengths) > 1)
        case cql.Repeat(part, least, most):
            return _RepeatPlan(_plan(index, part), least, most)


@dataclass
class _TokenPlan:
    index: Index
    test: Test

    @property
    def is_variable(self) -> bool:
        return False

    def cost(self) -> int:
        return self.test.count()

    def find(self, deadline: Deadline) -> _Pairs:
        deadline.check(self.cost() if not isinstance(self.test, _Not | _Either) else 0)
        starts = self.test.find()
        return starts, starts + 1

    def extend(self, pairs: _Pairs, deadline: Deadline, *, forward: bool) -> _Pairs:
        starts, ends = pairs
        deadline.check(len(starts))
        if forward:
            inside = ends < self.index.n_tokens
            if not inside.all():
                starts, ends = starts[inside], ends[inside]
            kept = self.test.test(ends)
            return starts[kept], ends[kept] + 1
        inside = starts > 0
        if not inside.all():
            starts, ends = starts[inside], ends[inside]
        kept = self.test.test(starts - 1)
        return starts[kept] - 1, ends[kept]


@dataclass
class _SequencePlan:
    parts: list[_Plan]
    lengths: list[int]

    @cached_property
    def anchor(self) -> int:
        """The part with the fewest matches, among those that are not empty."""
        return min((i for i, length in enumerate(self.lengths) if length), key=lambda i: self.parts[i].cost())

    @property
    def is_variable(self) -> bool:
        return any(part.is_variable for part in self.parts)

    def cost(self) -> int:
        return self.parts[self.anchor].cost() if any(self.lengths) else 0

    def find(self, deadline: Deadline) -> _Pairs:
        pairs = self.parts[self.anchor].find(deadline)
        for part in reversed(self.parts[: self.anchor]):
            pairs = part.extend(pairs, deadline, forward=False)
        for part in self.parts[self.anchor + 1 :]:
            pairs = part.extend(pairs, deadline, forward=True)
        return pairs

    def extend(self, pairs: _Pairs, deadline: Deadline, *, forward: bool) -> _Pairs:
        for part in self.parts if forward else reversed(self.parts):
            pairs = part.extend(pairs, deadline, forward=forward)
        return pairs


@dataclass
class _BranchPlan:
    parts: list[_Plan]
    differs: bool

    @property
    def is_variable(self) -> bool:
        return self.differs

    def cost(self) -> int:
        return sum(part.cost() for part in self.parts)

    def find(self, deadline: Deadline) -> _Pairs:
        return _join([part.find(deadline) for part in self.parts], deadline)

    def extend(self, pairs: _Pairs, deadline: Deadline, *, forward: bool) -> _Pairs:
        return _join([part.extend(pairs, deadline, forward=forward) for part in self.parts], deadline)


@dataclass
class _RepeatPlan:
    part: _Plan
    least: int
    most: int

    @property
    def is_variable(self) -> bool:
        return self.least != self.most or self.part.is_variable

    def cost(self) -> int:
        return self.part.cost()

    def find(self, deadline: Deadline) -> _Pairs:
        """Find one repetition and go on from there; only asked where `least` is 1 or more."""
        return self._go_on(self.part.find(deadline), 1, deadline, forward=True)

    def extend(self, pairs: _Pairs, deadline: Deadline, *, forward: bool) -> _Pairs:
        return self._go_on(pairs, 0, deadline, forward=forward)

    def _go_on(self, pairs: _Pairs, done: int, deadline: Deadline, *, forward: bool) -> _Pairs:
        found = [pairs] if done >= self.least else []
        while done < self.most and len(pairs[0]):
            pairs = self.part.extend(pairs, deadline, forward=forward)
            done += 1
            if self.part.is_variable:
                pairs = _join([pairs], deadline)
            if done >= self.least:
                found.append(pairs)
        return _join(found, deadline) if found else (pairs[0][:0], pairs[1][:0])


def _join(found: list[_Pairs], deadline: Deadline) -> _Pairs:
    """Put matches together, each once."""
    deadline.check(sum(len(starts) for starts, _ in found))
    starts = np.concatenate([starts for starts, _ in found]).astype(np.int64, copy=False)
    ends = np.concatenate([ends for _, ends in found]).astype(np.int64, copy=False)
    lengths = ends - starts
    keys = np.unique((starts << 16) | lengths)
    return keys >> 16, (keys >> 16) + (keys & 0xFFFF)
