"""`measure_dispersion(...)`: how evenly words are spread over posts, authors, months or categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.collocates import drop_words
from nlp_study.collocation.counts import Part, count_spread
from nlp_study.collocation.measures import normalise_dp
from nlp_study.collocation.subcorpora import Subcorpus, check_attribute, select_posts
from nlp_study.collocation.texts import PARTS, note
from nlp_study.collocation.word_table import WordTable, select_rows

if TYPE_CHECKING:
    from nlp_study.collocation.word_table import Tables


def measure_dispersion(
    tables: Tables,
    words: Sequence[str] = (),
    subcorpus: Subcorpus | None = None,
    *,
    by: str = "lower",
    part: Part = Part.POST,
    min_count: int = 5,
    stop_words: bool = True,
    upos: tuple[str, ...] = (),
    sort: str = "n",
    limit: int = 50,
) -> WordTable:
    """Say of words how often they occur, in how many parts, and how evenly.

    A frequency may come from one post that says the word a hundred times; range and DP tell.

    Parameters
    ----------
    words : these words, whatever their frequency; all words with `min_count` occurrences where there is none.
    by, stop_words, upos : as in `find_collocates`.
    part : what the corpus is cut into.

    Returns
    -------
    WordTable with `word`, `n`, `per_million`, `range` (parts with the word), `share_range` (of all parts), `dp` and
    `dp_norm`, both in [0, 1], 0 even.

    Raises
    ------
    DataError : the subcorpus has no words.

    References
    ----------
    Gries (2008), IJCL 13(4); Lijffijt & Gries (2012), IJCL 17(1).
    """
    import numpy as np

    check_attribute(by)
    selection = select_posts(tables, subcorpus)
    wanted = [word.lower() if by in ("lower", "root") else word for word in words]
    least = 1 if wanted else min_count
    counts = count_spread(tables, selection, by=by, part=part, min_count=least, words=wanted)
    keep = np.ones(len(counts.words), bool)
    notes = [*selection.notes(), note("punctuation"), note("dispersion", n=counts.parts.n_parts, parts=PARTS[part])]
    if wanted:
        missing = sorted(set(wanted) - set(counts.words.tolist()))
        if missing:
            notes.append(note("missing_words", words=", ".join(missing)))
    else:
        notes.append(note("min_count", n=min_count))
    keep, more = drop_words(tables, counts.words, keep, selection, by=by, stop_words=stop_words, upos=upos)
    notes += more
    columns: dict[str, Any] = {
        "word": counts.words,
        "n": counts.n,
        "per_million": counts.n / selection.n_words * 1e6,
        "range": counts.n_parts,
        "share_range": counts.n_parts / counts.parts.n_parts,
        "dp": counts.dp,
        "dp_norm": normalise_dp(counts.dp, counts.parts.smallest_share),
    }
    table, order = select_rows(columns, keep, sort=sort, limit=limit, ascending=sort in ("dp", "dp_norm"))
    return WordTable(table, (*notes, *order))
