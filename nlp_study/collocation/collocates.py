"""`find_collocates(...)`: the words near a node, or linked to it by a dependency, with measures of association."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlp_study.collocation.measures import (
    adjust_p,
    chi2_p,
    expect_together,
    log_dice,
    log_likelihood_table,
    mutual_information,
    t_score,
)
from nlp_study.collocation.neighbours import count_nodes_in_reach, count_nodes_linked, read_neighbourhood
from nlp_study.collocation.subcorpora import (
    IS_WORD,
    Node,
    Selection,
    Subcorpus,
    check_attribute,
    parse_node,
    select_posts,
)
from nlp_study.collocation.texts import Pair, note
from nlp_study.collocation.word_table import WordTable, column, fetch, quote_all, select_rows
from nlp_study.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.neighbours import Neighbourhood
    from nlp_study.collocation.word_table import Tables

SPAN = 5
"""Words to either side; the span that Sinclair and most studies after him take."""


def find_collocates(
    tables: Tables,
    node: Node | str,
    subcorpus: Subcorpus | None = None,
    *,
    by: str = "lower",
    left: int = SPAN,
    right: int = SPAN,
    across_sentences: bool = False,
    dependency: bool = False,
    relations: tuple[str, ...] = (),
    count_pairs: bool = False,
    min_together: int = 3,
    min_posts: int = 2,
    stop_words: bool = True,
    upos: tuple[str, ...] = (),
    max_q: float | None = None,
    rarer: bool = False,
    sort: str = "log_dice",
    limit: int = 50,
) -> WordTable:
    """List the words that keep company with a node.

    Every word of the subcorpus is either within reach of a node or not, and either the collocate or not; the measures
    read that table of two by two. So a word between two nodes counts once, and sums agree with the corpus. The node
    itself can be its own collocate, where it stands near another occurrence.

    Parameters
    ----------
    node : as `parse_node` reads it.
    by : column that collocates are counted by: lower, lemma, root or form.
    left, right : reach of the window in words; punctuation takes no place.
    across_sentences : let windows cross sentence boundaries.
    dependency : instead of a window, take the words that depend on the node or that it depends on.
    relations : with `dependency`, the labels that count; `nsubj*` includes subtypes.
    count_pairs : count a word once for every node that reaches it, as some tools do; then there is no log-likelihood.
    min_together, min_posts : occurrences within reach, and posts with one, that a collocate must have.
    stop_words : show stop words.
    upos : show only collocates that are mostly of these parts of speech.
    max_q : highest adjusted p.
    rarer : also show words that are rarer near the node than by chance.
    sort : column to sort by, highest first.
    limit : rows at most; 0 for all.

    Returns
    -------
    WordTable with `collocate`, `n_together`, `n_posts` (posts with one within reach), `n_collocate` (in the whole
    subcorpus), `expected`, `log_dice`, `mi`, `t`, `log_likelihood` (negative where rarer than by chance) and `q`.

    Raises
    ------
    DataError : the node does not occur, or an option has no meaning.

    References
    ----------
    Evert (2008), Corpora and collocations; the measures name their own (`measures`).
    """
    import numpy as np

    chosen = parse_node(node) if isinstance(node, str) else node
    check_attribute(by)
    _check_options(left, right, dependency, relations)
    selection = select_posts(tables, subcorpus)
    words = read_neighbourhood(
        tables, chosen, selection, by=by, across_sentences=across_sentences and not dependency, heads=dependency
    )
    window = {"left": left, "right": right}
    reached = count_nodes_linked(words, relations) if dependency else count_nodes_in_reach(words, **window)
    together, posts, n_reached = _count(words, reached, pairs=count_pairs)
    names = words.words.astype(str)
    totals = count_words(tables, selection, by)
    n_collocate = np.array([totals.get(name, 0) for name in names], np.int64)
    expected = expect_together(n_reached, n_collocate, selection.n_words)
    tested = (together >= min_together) & (posts >= min_posts) & (together > 0)
    likelihood, q = np.full(len(names), np.nan), np.full(len(names), np.nan)
    if not count_pairs:
        likelihood[tested] = log_likelihood_table(
            together[tested], n_reached, n_collocate[tested], selection.n_words, signed=True
        )
        q[tested] = adjust_p(chi2_p(likelihood[tested]))
    notes = [*selection.notes(), note("node", node=str(chosen), n=words.n_nodes)]
    notes += _span_notes(dependency, relations, left, right, across_sentences)
    notes += [
        note("pairs" if count_pairs else "once"),
        note("punctuation"),
        note("min_together", n=min_together, n_posts=min_posts),
    ]
    keep = tested.copy()
    if not count_pairs:
        notes.append(note("q", n=int(tested.sum())))
        if max_q is not None:
            keep &= q <= max_q
            notes.append(note("max_q", q=max_q, n=int(tested.sum())))
    keep, more = drop_words(tables, names, keep, selection, by=by, stop_words=stop_words, upos=upos)
    notes += more
    if not rarer:
        rare = keep & (together <= expected)
        keep &= ~rare
        if rare.any():
            notes.append(note("positive", n=int(rare.sum())))
    columns: dict[str, Any] = {
        "collocate": names,
        "n_together": together,
        "n_posts": posts,
        "n_collocate": n_collocate,
        "expected": expected,
        "log_dice": log_dice(together, words.n_nodes, n_collocate),
        "mi": mutual_information(together, np.where(expected > 0, expected, np.nan)),
        "t": t_score(together, expected),
        "log_likelihood": likelihood,
        "q": q,
    }
    table, order = select_rows(columns, keep, sort=sort, limit=limit, ascending=sort == "q")
    return WordTable(table, (*notes, *order))


def count_words(tables: Tables, selection: Selection, by: str) -> dict[str, int]:
    """Return how often every word occurs in the subcorpus."""
    query = f"SELECT {by} AS word, count(*) AS n FROM tokens WHERE {IS_WORD} AND {selection.sql} GROUP BY {by}"
    rows = fetch(tables, query)
    return dict(zip(rows["word"].to_pylist(), rows["n"].to_pylist(), strict=True))


def drop_words(
    tables: Tables,
    names: np.ndarray[Any, Any],
    keep: np.ndarray[Any, Any],
    selection: Selection,
    *,
    by: str,
    stop_words: bool,
    upos: tuple[str, ...],
) -> tuple[np.ndarray[Any, Any], list[Pair]]:
    """Return `keep` without stop words and other parts of speech, with the footnotes on it.

    A word's part of speech is the one it has most often in the subcorpus.
    """
    import numpy as np

    from nlp_study.collocation.subcorpora import show_stop_words

    notes: list[Pair] = []
    kept = keep.copy()
    if not stop_words:
        stops = show_stop_words([str(name).lower() for name in names[kept]])
        is_stop = np.array([str(name).lower() in stops for name in names], bool)
        notes.append(note("stop_words", n=int((kept & is_stop).sum())))
        kept &= ~is_stop
    if upos:
        wanted = {part.upper() for part in upos}
        if kept.any():
            listed = quote_all([str(name) for name in names[kept]])
            query = f"""
                SELECT word, arg_max(upos, (n, upos)) AS upos FROM (
                    SELECT {by} AS word, upos, count(*) AS n FROM tokens
                    WHERE {by} IN {listed} AND {IS_WORD} AND {selection.sql} GROUP BY ALL
                ) GROUP BY word
            """
            rows = fetch(tables, query)
            fits = {
                word for word, part in zip(column(rows, "word"), column(rows, "upos"), strict=True) if part in wanted
            }
            kept &= np.array([name in fits for name in names], bool)
        notes.append(note("upos", upos=", ".join(sorted(wanted))))
    return kept, notes


def _count(words: Neighbourhood, reached: Any, *, pairs: bool) -> tuple[Any, Any, int]:
    """Return occurrences within reach and posts with one, by word, and the sum of the first."""
    import numpy as np

    n_words = len(words.words)
    weights = reached if pairs else (reached > 0).astype(np.int64)
    together = np.bincount(words.word, weights=weights, minlength=n_words).astype(np.int64)
    inside = reached > 0
    seen = np.sort(words.word[inside] << 32 | words.post[inside])
    # np.unique hashes, which takes several times longer on these
    posts = np.bincount(seen[np.diff(seen, prepend=-1) != 0] >> 32, minlength=n_words)
    return together, posts, int(weights.sum())


def _check_options(left: int, right: int, dependency: bool, relations: tuple[str, ...]) -> None:
    if left < 0 or right < 0 or left + right == 0:
        raise DataError(f"a span of {left} words left and {right} right is empty", remedy="use 1 or more on one side")
    if relations and not dependency:
        raise DataError("relations choose among dependencies, not within a window", remedy="add --dependency")


def _span_notes(
    dependency: bool, relations: tuple[str, ...], left: int, right: int, across_sentences: bool
) -> list[Pair]:
    if dependency:
        return [note("dependency", relations=", ".join(relations) if relations else note("all_relations"))]
    scope = note("within_post" if across_sentences else "within_sentence")
    return [note("span", left=left, right=right, scope=scope)]
