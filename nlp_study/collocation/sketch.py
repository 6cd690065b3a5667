"""`sketch_word(...)`: a word's collocates by grammatical relation: what it does, what is done to it, what modifies it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.collocates import drop_words
from nlp_study.collocation.measures import adjust_p, chi2_p, log_dice, log_likelihood_table
from nlp_study.collocation.neighbours import name_relations, read_neighbourhood
from nlp_study.collocation.subcorpora import (
    IS_WORD,
    Node,
    Selection,
    Subcorpus,
    check_attribute,
    parse_node,
    select_posts,
)
from nlp_study.collocation.texts import RELATIONS, note
from nlp_study.collocation.word_table import WordTable, fetch, quote_all, select_rows
from nlp_study.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.neighbours import Neighbourhood
    from nlp_study.collocation.word_table import Tables

OF = " of"
"""Ends the name of a relation in which the node is the dependent: `subject of` lists the verbs whose subject it is."""


def sketch_word(
    tables: Tables,
    node: Node | str,
    subcorpus: Subcorpus | None = None,
    *,
    by: str = "lemma",
    relations: tuple[str, ...] = (),
    min_together: int = 2,
    min_posts: int = 2,
    stop_words: bool = True,
    upos: tuple[str, ...] = (),
    max_q: float | None = None,
    each: int = 10,
) -> WordTable:
    """List the words a node is linked to, by relation and direction, best first.

    `subject` lists the subjects of the node, `subject of` the words whose subject the node is. Scores compare within a
    relation: of all pairs in it, how many have the node, the word, or both.

    Parameters
    ----------
    relations : names to show (`subject`, `subject of`, …); all but `other` where there is none.
    each : rows a relation at most; 0 for all.
    by, min_together, min_posts, stop_words, upos, max_q : as in `find_collocates`.

    Returns
    -------
    WordTable with `relation`, `collocate`, `n_together`, `n_posts`, `n_node` (pairs of the relation with the node),
    `n_collocate` (with the word, whatever its partner), `log_dice`, `log_likelihood` and `q`. Pairs
    rarer than by chance are left out.

    Raises
    ------
    DataError : the node does not occur, or a relation is unknown.

    References
    ----------
    Kilgarriff, Rychlý, Smrž & Tugwell (2004), The Sketch Engine, EURALEX; Rychlý (2008) for logDice within relations.
    """
    import numpy as np

    chosen = parse_node(node) if isinstance(node, str) else node
    check_attribute(by)
    known = [name + end for name in RELATIONS for end in ("", OF)]
    for name in relations:
        if name not in known:
            raise DataError(f"there is no relation {name!r}", remedy=f"choose among {', '.join(known)}")
    selection = select_posts(tables, subcorpus)
    words = read_neighbourhood(tables, chosen, selection, by=by, heads=True)
    wanted = list(relations) or [name for name in known if not name.startswith("other")]
    pairs = _list_pairs(words, wanted)
    names = words.words.astype(str)
    relation, word, together, posts = _count_pairs(pairs, wanted)
    marginal, total = _read_marginals(tables, selection, by, wanted, relation, names[word])
    n_node = np.bincount(pairs[0], minlength=len(wanted))[relation]
    tested = (together >= min_together) & (posts >= min_posts)
    likelihood, q = np.full(len(word), np.nan), np.full(len(word), np.nan)
    for index in np.unique(relation[tested]):
        rows = tested & (relation == index)
        likelihood[rows] = log_likelihood_table(
            together[rows], n_node[rows], marginal[rows], float(total[index]), signed=True
        )
    q[tested] = adjust_p(chi2_p(likelihood[tested]))
    notes = [*selection.notes(), note("node", node=str(chosen), n=words.n_nodes), note("punctuation")]
    notes += [note("min_together", n=min_together, n_posts=min_posts), note("relation_scores")]
    notes.append(note("q", n=int(tested.sum())))
    keep = tested.copy()
    if max_q is not None:
        keep &= q <= max_q
        notes.append(note("max_q", q=max_q, n=int(tested.sum())))
    keep, more = drop_words(tables, names[word], keep, selection, by=by, stop_words=stop_words, upos=upos)
    notes += more
    rare = keep & (likelihood < 0)
    if rare.any():
        keep = keep & ~rare
        notes.append(note("positive", n=int(rare.sum())))
    score = log_dice(together, n_node, marginal)
    shown = _best_of_each(relation, score, names[word], keep, each)
    if each:
        notes.append(note("relation_limit", n=each, hidden=int(keep.sum() - shown.sum())))
    columns: dict[str, Any] = {
        "relation": np.array(wanted, object)[relation],
        "collocate": names[word],
        "n_together": together,
        "n_posts": posts,
        "n_node": n_node,
        "n_collocate": marginal,
        "log_dice": score,
        "log_likelihood": likelihood,
        "q": q,
    }
    table, _ = select_rows(columns, shown, sort="log_dice", limit=0)
    order = {name: place for place, name in enumerate(wanted)}
    by_relation = sorted(range(table.num_rows), key=lambda row: order[table["relation"][row].as_py()])
    return WordTable(table.take(np.array(by_relation, np.int64)), tuple(notes))


def _list_pairs(words: Neighbourhood, wanted: list[str]) -> tuple[Any, Any, Any]:
    """Return relation (index in `wanted`), collocate and post of every pair that has the node, shape (n_pairs,)."""
    import numpy as np

    place = {name: index for index, name in enumerate(wanted)}
    kinds = name_relations(words.deprel)
    distinct, codes = np.unique(kinds.astype(str), return_inverse=True)
    forward = np.array([place.get(kind, -1) for kind in distinct], np.int64)[codes]
    backward = np.array([place.get(kind + OF, -1) for kind in distinct], np.int64)[codes]
    linked = np.flatnonzero(words.head >= 0)
    below = linked[words.is_node[words.head[linked]] & (forward[linked] >= 0)]
    above = linked[words.is_node[linked] & (backward[linked] >= 0)]
    relation = np.concatenate([forward[below], backward[above]])
    word = np.concatenate([words.word[below], words.word[words.head[above]]])
    return relation, word, np.concatenate([words.post[below], words.post[above]])


def _count_pairs(pairs: tuple[Any, Any, Any], wanted: list[str]) -> tuple[Any, Any, Any, Any]:
    """Return relation, word, pairs and posts of each distinct (relation, word), shape (n_rows,)."""
    import numpy as np

    relation, word, post = pairs
    key = word * len(wanted) + relation
    found, together = np.unique(key, return_counts=True)
    in_post = np.unique(key << 32 | post) >> 32
    posts = np.bincount(np.searchsorted(found, in_post), minlength=len(found))
    return found % len(wanted), found // len(wanted), together, posts


def _read_marginals(
    tables: Tables, selection: Selection, by: str, wanted: list[str], relation: Any, names: np.ndarray[Any, Any]
) -> tuple[Any, Any]:
    """Return how often each word stands in its relation, shape (n_rows,), and the pairs of each relation.

    The pairs of a relation are the words that depend by it on anything.
    """
    import numpy as np

    labels = fetch(tables, "SELECT DISTINCT deprel FROM tokens")["deprel"].to_pylist()
    kinds = dict(zip(labels, name_relations(np.array(labels, object)).tolist(), strict=True))
    asked = {name.removesuffix(OF) for name in wanted}
    listed = quote_all([label for label, kind in kinds.items() if kind in asked])
    if not len(names):
        return np.zeros(0, np.int64), np.zeros(len(wanted), np.int64)
    dependents = f"head <> position AND deprel IN {listed} AND {IS_WORD} AND {selection.sql}"
    counts: dict[tuple[str, str], int] = defaultdict(int)
    sums: dict[str, int] = defaultdict(int)
    below = f"SELECT deprel, {by} AS word, count(*) AS n FROM tokens WHERE {dependents} GROUP BY ALL"
    for row in fetch(tables, below).to_pylist():
        counts[kinds[row["deprel"]], row["word"]] += row["n"]
        sums[kinds[row["deprel"]]] += row["n"]
    is_above = np.array([name.endswith(OF) for name in wanted], bool)[relation]
    if is_above.any():
        # only the heads that were found: joining every token with its head takes several times longer
        above = f"""
            SELECT d.deprel, h.word, count(*) AS n FROM (SELECT post_id, head, deprel FROM tokens WHERE {dependents}) d
            JOIN (
                SELECT post_id, position, {by} AS word FROM tokens
                WHERE {by} IN (SELECT unnest($words)) AND {IS_WORD} AND {selection.sql}
            ) h ON d.post_id = h.post_id AND d.head = h.position GROUP BY ALL
        """
        for row in fetch(tables, above, {"words": sorted(set(names[is_above].tolist()))}).to_pylist():
            counts[kinds[row["deprel"]] + OF, row["word"]] += row["n"]
    marginal = [counts[wanted[index], name] for index, name in zip(relation, names, strict=True)]
    return np.array(marginal, np.int64), np.array([sums[name.removesuffix(OF)] for name in wanted], np.int64)


def _best_of_each(relation: Any, score: Any, names: Any, keep: Any, each: int) -> Any:
    """Return which of the kept rows are the best `each` of their relation."""
    import numpy as np

    if not each:
        return keep
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((names[rows].astype(str), -score[rows], relation[rows]))]
    starts = np.flatnonzero(np.diff(relation[rows], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    shown = np.zeros_like(keep)
    shown[rows[rank < each]] = True
    return shown
