"""Counts of words (or n-grams) over the parts of a corpus: what dispersion, keyness and n-grams share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.subcorpora import IS_WORD, Selection
from nlp_study.collocation.word_table import column, fetch

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.word_table import Tables

    Array = np.ndarray[Any, Any]


class Part(StrEnum):
    """What a corpus is cut into to see how widely a word is used."""

    POST = "post"
    AUTHOR = "author"
    MONTH = "month"
    CATEGORY = "category"


_PART_SQL = {
    Part.AUTHOR: "coalesce(author_id, author, post_id)",
    Part.MONTH: "coalesce(month, '')",
    Part.CATEGORY: "coalesce(category, '')",
}


@dataclass(frozen=True)
class PartSizes:
    """The parts of a corpus: how many, their words together and squared, and the share of the smallest."""

    n_parts: int
    n_words: int
    squares: float
    smallest_share: float


@dataclass(frozen=True)
class SpreadCounts:
    """Counts of words with what their spread over parts amounts to; arrays of shape (n_words,).

    n : occurrences. n_parts : parts with the word. squares : Σ c² over parts. products : Σ c · words of the part.
    dp : Gries' DP over all parts.
    """

    words: Array
    n: Array
    n_parts: Array
    squares: Array
    products: Array
    dp: Array
    parts: PartSizes


def count_spread(
    tables: Tables,
    selection: Selection,
    *,
    by: str = "lower",
    part: Part = Part.POST,
    min_count: int = 1,
    words: Sequence[str] = (),
) -> SpreadCounts:
    """Count words by part of the corpus.

    Parameters
    ----------
    by : column that words are counted by.
    min_count : occurrences a word must have.
    words : only these; all where there is none.
    """
    only = " WHERE word IN (SELECT unnest($words))" if words else ""
    query = f"""
        WITH tokens_by_part AS (
            SELECT {by} AS word, {_part_column(part)} FROM {_tokens_with_parts(part)} WHERE {IS_WORD} AND {selection.sql}
        ), cells AS MATERIALIZED (
            SELECT part, word, count(*) AS c FROM tokens_by_part{only} GROUP BY ALL
        )
        {_spread_sql("cells", selection.n_words, f"sizes AS MATERIALIZED ({_sizes_sql(selection, part)})")}
    """
    rows = fetch(tables, query, {"min_count": min_count, **({"words": list(words)} if words else {})})
    return _read_spread(rows, read_part_sizes(tables, selection, part))


def count_ngram_spread(
    tables: Tables, selection: Selection, *, by: str, size: int, part: Part, min_count: int, node_sql: str
) -> SpreadCounts:
    """Count runs of `size` words within sentences, by part; `words` of the result are joined by spaces.

    Parameters
    ----------
    node_sql : SQL condition on `tokens` that one word of the run must meet; `true` for all.
    """
    places = range(2, size + 1)
    leads = ", ".join(f"lead(word, {k - 1}) OVER run AS w{k}, lead(is_node, {k - 1}) OVER run AS h{k}" for k in places)
    holding = f"SELECT post_id, sentence FROM tokens WHERE {IS_WORD} AND {node_sql} AND {selection.sql}"
    inside = "" if node_sql == "true" else f" AND (post_id, sentence) IN ({holding})"
    # punctuation is left out but keeps its position, so that a run across it shows a gap
    query = f"""
        WITH marked AS (
            SELECT post_id, sentence, position, {by} AS word, {_part_column(part)}, ({node_sql}) AS is_node
            FROM {_tokens_with_parts(part)} WHERE {IS_WORD} AND {selection.sql}{inside}
        ), runs AS (
            SELECT part, word AS w1, is_node AS h1, {leads}, lead(position, {size - 1}) OVER run - position AS reach
            FROM marked WINDOW run AS (PARTITION BY post_id, sentence ORDER BY position)
        ), cells AS MATERIALIZED (
            SELECT part, concat_ws(' ', {", ".join(f"w{k}" for k in range(1, size + 1))}) AS word, count(*) AS c
            FROM runs WHERE reach = {size - 1} AND ({" OR ".join(f"h{k}" for k in range(1, size + 1))}) GROUP BY ALL
        )
        {_spread_sql("cells", selection.n_words, f"sizes AS MATERIALIZED ({_sizes_sql(selection, part)})")}
    """
    rows = fetch(tables, query, {"min_count": min_count})
    return _read_spread(rows, read_part_sizes(tables, selection, part))


def read_part_sizes(tables: Tables, selection: Selection, part: Part) -> PartSizes:
    """Count the parts of a subcorpus and their words."""
    query = f"""
        SELECT count(*) AS n_parts, sum(n)::BIGINT AS n_words, sum(n * n)::DOUBLE AS squares, min(n) AS smallest
        FROM ({_sizes_sql(selection, part)})
    """
    row = fetch(tables, query).to_pylist()[0]
    return PartSizes(row["n_parts"], row["n_words"], row["squares"], row["smallest"] / row["n_words"])


def _tokens_with_parts(part: Part) -> str:
    if part is Part.POST:
        return "tokens"
    return f"tokens JOIN (SELECT post_id, {_PART_SQL[part]} AS part FROM posts) USING (post_id)"


def _part_column(part: Part) -> str:
    return "post_id AS part" if part is Part.POST else "part"


def _sizes_sql(selection: Selection, part: Part) -> str:
    return f"""
        SELECT part, sum(n)::BIGINT AS n FROM (
            SELECT {_part_column(part)}, n FROM (
                SELECT post_id, count(*) AS n FROM tokens WHERE {IS_WORD} AND {selection.sql} GROUP BY post_id
            ) AS tokens {"" if part is Part.POST else _tokens_with_parts(part).removeprefix("tokens ")}
        ) GROUP BY part
    """


def _spread_sql(cells: str, n_words: int, sizes: str) -> str:
    """Return the rest of a query that has a table of cells (part, word, c): sums and deviations by word.

    DP is half of Σ |c/f - n/N| over all parts. Parts without the word add n/N each, and those n/N are what the parts
    with the word leave of 1: so it is enough to read the parts with the word.
    """
    return f"""
        , {sizes}, totals AS MATERIALIZED (
            SELECT word, sum(c)::DOUBLE AS f FROM {cells} GROUP BY word HAVING sum(c) >= $min_count
        )
        SELECT word, any_value(f)::BIGINT AS n, count(*) AS n_parts, sum(c * c)::DOUBLE AS squares,
            sum(c * n)::DOUBLE AS products, sum(abs(c / f - n / {n_words}::DOUBLE) - n / {n_words}::DOUBLE) AS deviation
        FROM {cells} JOIN totals USING (word) JOIN sizes USING (part) GROUP BY word
    """


def _read_spread(rows: Any, parts: PartSizes) -> SpreadCounts:
    import numpy as np

    deviation = column(rows, "deviation").astype(np.float64)
    return SpreadCounts(
        words=column(rows, "word").astype(str),
        n=column(rows, "n"),
        n_parts=column(rows, "n_parts"),
        squares=column(rows, "squares").astype(np.float64),
        products=column(rows, "products").astype(np.float64),
        dp=np.maximum((1 + deviation) / 2, 0),
        parts=parts,
    )
