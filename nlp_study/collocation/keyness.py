"""`find_keywords(...)`: words that tell one subcorpus from another, with effect size, interval and spread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.collocates import drop_words
from nlp_study.collocation.counts import Part, SpreadCounts, count_spread
from nlp_study.collocation.measures import (
    adjust_p,
    chi2_p,
    cluster_variance,
    log_likelihood_keyness,
    log_ratio,
    log_ratio_interval,
    percent_difference,
)
from nlp_study.collocation.subcorpora import Selection, Subcorpus, check_attribute, select_posts
from nlp_study.collocation.texts import PARTS, Pair, join_pairs, note
from nlp_study.collocation.word_table import WordTable, select_rows

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.word_table import Tables


def find_keywords(
    tables: Tables,
    focus: Subcorpus,
    reference: Subcorpus | None = None,
    *,
    by: str = "lower",
    part: Part = Part.POST,
    min_count: int = 5,
    min_range: int = 3,
    max_dp: float | None = None,
    stop_words: bool = True,
    upos: tuple[str, ...] = (),
    max_q: float | None = 0.01,
    rarer: bool = False,
    sort: str = "log_likelihood",
    limit: int = 50,
) -> WordTable:
    """Compare the words of two subcorpora.

    Parameters
    ----------
    focus, reference : the subcorpora; the reference is the rest of the corpus where there is none.
    by, stop_words, upos : as in `find_collocates`.
    part : what counts for range and DP, and what words are taken to recur in for the interval.
    min_count : occurrences a word must have in both together.
    min_range : parts it must stand in, on the side where it is more frequent.
    max_dp : highest DP there.
    max_q : highest adjusted p of the log-likelihood.
    rarer : also show words that are rarer in the focus.

    Returns
    -------
    WordTable with `word`, `n_focus`, `n_reference`, `per_million_focus`, `per_million_reference`, `range_focus`,
    `range_reference`, `dp_focus`, `dp_reference`, `log_likelihood`, `q`, `log_ratio` with `log_ratio_low` and
    `log_ratio_high` (95 %), and `percent_diff`. A word in both subcorpora counts in both.

    Raises
    ------
    DataError : a subcorpus has no words.

    References
    ----------
    Rayson & Garside (2000); Hardie (2014); Gabrielatos & Marchi (2012); Gries (2008); see `measures`.
    """
    import numpy as np

    check_attribute(by)
    sides = (select_posts(tables, focus), _select_reference(tables, focus, reference))
    counts = tuple(count_spread(tables, side, by=by, part=part) for side in sides)
    names = np.union1d(counts[0].words, counts[1].words)
    first, second = (_align(one, names) for one in counts)
    sizes = (sides[0].n_words, sides[1].n_words)
    ratio = log_ratio(first.n, second.n, *sizes)
    low, high = log_ratio_interval(ratio, _variance(first), _variance(second))
    likelihood = log_likelihood_keyness(first.n, second.n, *sizes)
    more_in_focus = first.n / sizes[0] > second.n / sizes[1]
    spread = np.where(more_in_focus, first.n_parts, second.n_parts)
    tested = (first.n + second.n >= min_count) & (spread >= min_range)
    if max_dp is not None:
        tested &= np.where(more_in_focus, first.dp, second.dp) <= max_dp
    q = np.full(len(names), np.nan)
    q[tested] = adjust_p(chi2_p(likelihood[tested]))
    keep = tested if max_q is None else tested & (q <= max_q)
    notes = [*_side_notes("focus", sides[0]), *_side_notes("reference", sides[1]), note("punctuation")]
    notes += _filter_notes(part, min_count, min_range, max_dp, rarer)
    notes.append(note("q", n=int(tested.sum())))
    if max_q is not None:
        notes.append(note("max_q", q=max_q, n=int(tested.sum())))
    both = replace(sides[0], sql=f"({sides[0].sql} OR {sides[1].sql})")
    keep, more = drop_words(tables, names, keep, both, by=by, stop_words=stop_words, upos=upos)
    notes += [*more, note("interval", parts=PARTS[part]), note("percent")]
    if not rarer:
        less = keep & ~more_in_focus
        keep = keep & ~less
        if less.any():
            notes.append(note("positive_keys", n=int(less.sum())))
    columns: dict[str, Any] = {
        "word": names,
        "n_focus": first.n,
        "n_reference": second.n,
        "per_million_focus": first.n / sizes[0] * 1e6,
        "per_million_reference": second.n / sizes[1] * 1e6,
        "range_focus": first.n_parts,
        "range_reference": second.n_parts,
        "dp_focus": np.where(first.n > 0, first.dp, np.nan),
        "dp_reference": np.where(second.n > 0, second.dp, np.nan),
        "log_likelihood": likelihood,
        "q": q,
        "log_ratio": ratio,
        "log_ratio_low": low,
        "log_ratio_high": high,
        "percent_diff": percent_difference(first.n, second.n, *sizes),
    }
    table, order = select_rows(columns, keep, sort=sort, limit=limit, ascending=sort == "q")
    return WordTable(table, (*notes, *order))


def _select_reference(tables: Tables, focus: Subcorpus, reference: Subcorpus | None) -> Selection:
    return select_posts(tables, None, exclude=focus) if reference is None else select_posts(tables, reference)


def _align(counts: SpreadCounts, names: np.ndarray[Any, Any]) -> SpreadCounts:
    """Return the counts in the order of `names`, 0 where a word does not occur."""
    import numpy as np

    place = np.searchsorted(names, counts.words)

    def spread_out(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        full = np.zeros(len(names), values.dtype)
        full[place] = values
        return full

    return SpreadCounts(
        words=names,
        n=spread_out(counts.n),
        n_parts=spread_out(counts.n_parts),
        squares=spread_out(counts.squares),
        products=spread_out(counts.products),
        dp=spread_out(counts.dp),
        parts=counts.parts,
    )


def _variance(counts: SpreadCounts) -> np.ndarray[Any, Any]:
    parts = counts.parts
    return cluster_variance(
        counts.n,
        counts.squares,
        counts.products,
        size=parts.n_words,
        size_squares=parts.squares,
        n_parts=parts.n_parts,
    )


def _side_notes(side: str, selection: Selection) -> tuple[Pair, ...]:
    name = note(side)
    label = join_pairs([(f"{name[0]} ({selection.label[0]})", f"{name[1]} ({selection.label[1]})")])
    return replace(selection, label=label).notes()


def _filter_notes(part: Part, min_count: int, min_range: int, max_dp: float | None, rarer: bool) -> list[Pair]:
    side = note("more_frequent_side" if rarer else "focus")
    notes = [note("min_count_both", n=min_count), note("min_range", n=min_range, parts=PARTS[part], side=side)]
    if max_dp is not None:
        notes.append(note("max_dp", dp=max_dp, side=side))
    return notes
