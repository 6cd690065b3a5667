"""The words around a node: sentences or posts that hold it are read once, windows and dependencies are arrays.

A window in SQL needs a sort and a frame for every token; on the arrays of the sentences that hold the node it is two
look-ups in one running sum, which is several times faster for frequent words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.subcorpora import IS_WORD, Node, Selection
from nlp_study.collocation.word_table import column, fetch
from nlp_study.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.word_table import Tables

    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

_POSITION_BITS = 32
"""Positions are int32: a place in the corpus is the stretch's number, shifted, plus the position."""

RELATION_RULES = (
    ("passive subject", ("nsubj:pass", "csubj:pass")),
    ("agent", ("obl:agent",)),
    ("subject", ("nsubj*", "csubj*")),
    ("object", ("obj*", "iobj*")),
    ("oblique", ("obl*",)),
    ("adjective", ("amod*", "nummod*")),
    ("noun", ("nmod*", "compound*", "flat*", "appos*")),
    ("clause", ("acl*",)),
    ("adverb", ("advmod*", "advcl*")),
    ("complement", ("xcomp*", "ccomp*")),
    ("coordination", ("conj*",)),
)
"""Grammatical relations of a sketch and the Universal Dependencies labels they gather; the first that fits counts.
`nsubj*` stands for `nsubj` and every subtype."""


@dataclass(frozen=True)
class Neighbourhood:
    """The words of all stretches (sentences or posts) that hold the node, in order; arrays of shape (n_tokens,).

    `words` lists the distinct values; `word` points into it. `stretch` numbers sentences or posts, `post` posts; `head`
    is the index in these arrays of the token's head, -1 for roots and heads that are no words.
    """

    words: np.ndarray[Any, Any]
    word: Ints
    stretch: Ints
    post: Ints
    is_node: Flags
    head: Ints
    deprel: np.ndarray[Any, Any]

    @property
    def n_nodes(self) -> int:
        """Occurrences of the node."""
        return int(self.is_node.sum())


def read_neighbourhood(
    tables: Tables, node: Node, selection: Selection, *, by: str, across_sentences: bool = False, heads: bool = False
) -> Neighbourhood:
    """Read every sentence (or post) that holds the node.

    Parameters
    ----------
    by : column that words are counted by.
    across_sentences : read whole posts, so that windows may cross sentence boundaries.
    heads : read relations and heads as well.

    Raises
    ------
    DataError : the node does not occur.
    """
    import numpy as np

    keys = "post_id" if across_sentences else "post_id, sentence"
    more = ", t.head, t.deprel" if heads else ""
    query = f"""
        WITH stretches AS MATERIALIZED (
            SELECT *, (row_number() OVER ())::INTEGER AS stretch, (dense_rank() OVER (ORDER BY post_id))::INTEGER AS post
            FROM (SELECT DISTINCT {keys} FROM tokens WHERE {node.sql()} AND {IS_WORD} AND {selection.sql})
        )
        SELECT s.stretch, s.post, t.position, t.{by} AS word, ({node.sql("t")}) AS is_node{more}
        FROM tokens t JOIN stretches s USING ({keys}) WHERE {IS_WORD}
    """
    rows = fetch(tables, query)
    if not rows.num_rows:
        raise DataError(
            f"{node} does not occur in the chosen posts",
            remedy="try another form: a bare word is compared in lower case, lemma= and root= find its inflected forms",
        )
    coded = rows["word"].combine_chunks().dictionary_encode()
    stretch = column(rows, "stretch")
    place = stretch << _POSITION_BITS | column(rows, "position")
    order = np.argsort(place, kind="stable")
    head = np.full(len(order), -1, np.int64)
    deprel = np.full(len(order), "", object)
    if heads:
        place = place[order]
        wanted = stretch[order] << _POSITION_BITS | column(rows, "head")[order]
        found = np.minimum(np.searchsorted(place, wanted), len(place) - 1)
        own = np.arange(len(place))
        head = np.where((place[found] == wanted) & (found != own), found, -1)
        deprel = column(rows, "deprel")[order]
    return Neighbourhood(
        words=coded.dictionary.to_numpy(zero_copy_only=False),
        word=coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)[order],
        stretch=stretch[order],
        post=column(rows, "post")[order],
        is_node=column(rows, "is_node").astype(bool)[order],
        head=head,
        deprel=deprel,
    )


def count_nodes_in_reach(words: Neighbourhood, *, left: int, right: int) -> Ints:
    """Return for every word how many nodes have it within `left` words before or `right` words after, shape (n_tokens,).

    A node does not reach itself. Punctuation takes no place.
    """
    import numpy as np

    n = len(words.word)
    running = np.concatenate([[0], np.cumsum(words.is_node)])
    starts = np.flatnonzero(np.diff(words.stretch, prepend=-1))
    lengths = np.diff(np.append(starts, n))
    first, end = np.repeat(starts, lengths), np.repeat(starts + lengths, lengths)
    here = np.arange(n)
    # a word to the right of a node is reached by `right`, one to its left by `left`
    before = running[here] - running[np.maximum(here - right, first)]
    after = running[np.minimum(here + left + 1, end)] - running[here + 1]
    reached: Ints = (before + after).astype(np.int64)
    return reached


def count_nodes_linked(words: Neighbourhood, relations: tuple[str, ...] = ()) -> Ints:
    """Return for every word how many nodes depend on it or are its head, shape (n_tokens,).

    Parameters
    ----------
    relations : labels that count, `nsubj*` with all subtypes; all where there is none.
    """
    import numpy as np

    linked = words.head >= 0
    if relations:
        labels, codes = np.unique(words.deprel.astype(str), return_inverse=True)
        linked &= np.array([_fits(label, relations) for label in labels])[codes]
    reached = np.zeros(len(words.word), np.int64)
    dependents = np.flatnonzero(linked)
    heads = words.head[dependents]
    reached[dependents] += words.is_node[heads]
    np.add.at(reached, heads, words.is_node[dependents])
    return reached


def name_relations(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the sketch relation of each label, `other` where no rule fits, shape (n_tokens,)."""
    import numpy as np

    distinct, codes = np.unique(labels.astype(str), return_inverse=True)
    names = [next((name for name, rules in RELATION_RULES if _fits(label, rules)), "other") for label in distinct]
    return np.array(names, object)[codes]


def _fits(label: str, rules: tuple[str, ...]) -> bool:
    return any(label.partition(":")[0] == rule[:-1] if rule.endswith("*") else label == rule for rule in rules)
