"""`find_ngrams(...)`: runs of words, all or those that hold a node (clusters), with their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlp_study.collocation.counts import Part, count_ngram_spread
from nlp_study.collocation.measures import normalise_dp
from nlp_study.collocation.subcorpora import Node, Subcorpus, check_attribute, parse_node, select_posts
from nlp_study.collocation.texts import PARTS, note
from nlp_study.collocation.word_table import WordTable, select_rows
from nlp_study.errors import DataError

if TYPE_CHECKING:
    from nlp_study.collocation.word_table import Tables

MAX_SIZE = 8


def find_ngrams(
    tables: Tables,
    subcorpus: Subcorpus | None = None,
    *,
    size: int = 3,
    node: Node | str | None = None,
    by: str = "lower",
    part: Part = Part.POST,
    min_count: int = 5,
    min_range: int = 2,
    stop_words: bool = True,
    sort: str = "n",
    limit: int = 50,
) -> WordTable:
    """List runs of `size` words within a sentence; punctuation ends a run.

    Parameters
    ----------
    node : only runs with such a word in them.
    by, part : as in `measure_dispersion`.
    min_range : parts a run must stand in.
    stop_words : show runs that are made of stop words only.

    Returns
    -------
    WordTable with `ngram`, `n`, `per_million` (of all words), `range`, `dp` and `dp_norm`.

    Raises
    ------
    DataError : the size is out of range, or the subcorpus has no words.
    """
    import numpy as np

    if not 2 <= size <= MAX_SIZE:
        raise DataError(f"runs of {size} words are not counted", remedy=f"choose a size from 2 to {MAX_SIZE}")
    check_attribute(by)
    chosen = parse_node(node) if isinstance(node, str) else node
    selection = select_posts(tables, subcorpus)
    condition = chosen.sql() if chosen else "true"
    counts = count_ngram_spread(tables, selection, by=by, size=size, part=part, min_count=min_count, node_sql=condition)
    keep = counts.n_parts >= min_range
    notes = [*selection.notes(), note("ngrams", sizes=size), note("min_count", n=min_count)]
    if chosen:
        notes.append(note("with_node", node=str(chosen)))
    notes.append(note("min_range", n=min_range, parts=PARTS[part], side=note("whole")))
    notes.append(note("dispersion", n=counts.parts.n_parts, parts=PARTS[part]))
    if not stop_words:
        empty = keep & np.array(_only_stop_words(counts.words.tolist()), bool)
        notes.append(note("stop_runs", n=int(empty.sum())))
        keep = keep & ~empty
    columns: dict[str, Any] = {
        "ngram": counts.words,
        "n": counts.n,
        "per_million": counts.n / selection.n_words * 1e6,
        "range": counts.n_parts,
        "dp": counts.dp,
        "dp_norm": normalise_dp(counts.dp, counts.parts.smallest_share),
    }
    table, order = select_rows(columns, keep, sort=sort, limit=limit, ascending=sort in ("dp", "dp_norm"))
    return WordTable(table, (*notes, *order))


def _only_stop_words(ngrams: list[str]) -> list[bool]:
    from nlp_study.topics import read_stop_words

    stops = set(read_stop_words())
    return [all(word in stops for word in ngram.lower().split(" ")) for ngram in ngrams]
