"""Small queries over the tables, answered as Python rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlp_study.store import Corpus


def fetch_rows(
    corpus: Corpus, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries.

    Raises
    ------
    DataError : a table is damaged.
    """
    rows: list[dict[str, Any]] = corpus.fetch(query, parameters).to_pylist()
    return rows


def fetch_row(corpus: Corpus, query: str, parameters: Sequence[Any] | None = None) -> dict[str, Any]:
    """Return the one row of an aggregate."""
    return fetch_rows(corpus, query, parameters)[0]


def month_range(months: Iterable[date]) -> list[date]:
    """Return every month from the first to the last of `months`, so that an empty one is a gap and not a joint."""
    found = sorted(months)
    if not found:
        return []
    first, last = found[0].year * 12 + found[0].month - 1, found[-1].year * 12 + found[-1].month - 1
    return [date(index // 12, index % 12 + 1, 1) for index in range(first, last + 1)]
