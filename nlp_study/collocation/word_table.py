"""`WordTable`: a table of words with footnotes; how the functions here read tables and put rows together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.texts import Language, Pair, note
from nlp_study.errors import DataError
from nlp_study.store import Corpus

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

    Tables = Corpus | duckdb.DuckDBPyConnection
    """Where the views `tokens`, `posts`, … are: a study's corpus, or any DuckDB connection that has them."""


@dataclass(frozen=True)
class WordTable:
    """Rows and what a reader must know of them.

    `table` has one row a word (pair, n-gram, group); `footnotes` say in Indonesian and English what was counted and
    filtered.
    """

    table: pa.Table
    footnotes: tuple[Pair, ...]

    def notes(self, language: Language = "en") -> tuple[str, ...]:
        """Return the footnotes in one language."""
        return tuple(pair[0 if language == "id" else 1] for pair in self.footnotes)


def fetch(tables: Tables, query: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """Run one query over the views and return all rows.

    Raises
    ------
    DataError : a table or column is missing, or a condition given by the user does not parse.
    """
    import duckdb

    if isinstance(tables, Corpus):
        return tables.fetch(query, parameters)
    try:
        return tables.sql(query, params=parameters or None).to_arrow_table()
    except duckdb.Error as error:
        raise DataError(str(error), remedy="check conditions and columns; they are DuckDB's SQL") from None


def column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """Return a column without missing values as an array; counts and sums become float64 or int64."""
    import numpy as np
    import pyarrow as pa

    values = table[name].combine_chunks()
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    found = values.to_numpy(zero_copy_only=False)
    return found.astype(np.int64) if found.dtype.kind == "i" else found


def select_rows(
    columns: Mapping[str, Any], keep: np.ndarray[Any, Any], *, sort: str, limit: int, ascending: bool = False
) -> tuple[pa.Table, tuple[Pair, ...]]:
    """Return the kept rows in the order of `sort`, ties by the first column, and the footnote on their number.

    NaN becomes missing.

    Parameters
    ----------
    columns : arrays of equal shape (n_words,), by name.
    keep : rows to keep, bool, shape (n_words,).
    limit : rows at most; 0 for all.

    Raises
    ------
    DataError : there is no column `sort`, or it is no number.
    """
    import numpy as np
    import pyarrow as pa

    numbers = [name for name, values in columns.items() if np.asarray(values).dtype.kind in "if"]
    if sort not in numbers:
        raise DataError(f"the table cannot be sorted by {sort!r}", remedy=f"choose one of {', '.join(numbers)}")
    rows = np.flatnonzero(keep)
    value = np.asarray(columns[sort], np.float64)[rows]
    words = np.asarray(next(iter(columns.values())))[rows].astype(str)
    value = np.where(np.isnan(value), -np.inf, value if not ascending else -value)
    rows = rows[np.lexsort((words, -value))]
    total = len(rows)
    rows = rows[:limit] if limit else rows
    table = pa.table({name: _to_arrow(np.asarray(values)[rows]) for name, values in columns.items()})
    key = "limit" if limit and total > limit else "order"
    return table, (note(key, n=len(rows), total=total, sort=sort),)


def quote(value: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_all(values: Sequence[str]) -> str:
    """Return strings as an SQL list in brackets."""
    return "(" + ", ".join(quote(value) for value in values) + ")"


def _to_arrow(values: np.ndarray[Any, Any]) -> pa.Array:
    import pyarrow as pa

    if values.dtype.kind == "f":
        return pa.array(values, from_pandas=True)
    if values.dtype.kind in "OU":
        return pa.array([str(value) for value in values], pa.string())
    return pa.array(values)
