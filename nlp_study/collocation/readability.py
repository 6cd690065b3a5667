"""`measure_readability(...)`: length of sentences and words, LIX, type-token ratios, by group of posts.

Which formula holds for Indonesian? Flesch, Gunning Fog and their kin weigh syllables by American school texts, and
Indonesian words are long by affixes that every reader knows. Tests of comprehension exist for a few school texts: there
such formulas and one made for Indonesian did equally well (Yasa, Kecermatan formula keterbacaan: five texts, 324 pupils of
2012/13). Nothing ties their grades to opinion articles for adults. LIX only counts words per sentence and long words:
there is no coefficient to adapt, a difference between groups of one corpus is a difference in just these two, and both
are shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nlp_study.collocation.measures import count_first_in_windows, lix
from nlp_study.collocation.subcorpora import IS_WORD, Selection, Subcorpus, select_posts, target_condition
from nlp_study.collocation.texts import note
from nlp_study.collocation.word_table import WordTable, column, fetch
from nlp_study.errors import DataError
from nlp_study.schema import OUTLIER_TOPIC

if TYPE_CHECKING:
    import numpy as np

    from nlp_study.collocation.word_table import Tables

    Array = np.ndarray[Any, Any]

LONG_WORD = 6
"""Letters that a word must exceed to be long (Björnsson 1968)."""
MATTR_WINDOW = 100
"""As quanteda and koRpus have it; a post of opinion often has no 500 words."""


class Group(StrEnum):
    """How posts are grouped."""

    ALL = "all"
    STANCE = "stance"
    TOPIC = "topic"
    MONTH = "month"
    YEAR = "year"
    CATEGORY = "category"
    AUTHOR = "author"


_GROUP_SQL = {
    Group.ALL: "SELECT post_id, 'all' AS name FROM posts",
    Group.MONTH: "SELECT post_id, month AS name FROM posts WHERE month IS NOT NULL",
    Group.YEAR: "SELECT post_id, month[1:4] AS name FROM posts WHERE month IS NOT NULL",
    Group.CATEGORY: "SELECT post_id, category AS name FROM posts WHERE category IS NOT NULL",
    Group.AUTHOR: "SELECT post_id, coalesce(author_id, author) AS name FROM posts "
    "WHERE coalesce(author_id, author) IS NOT NULL",
}


def measure_readability(
    tables: Tables,
    subcorpus: Subcorpus | None = None,
    *,
    group: Group = Group.ALL,
    window: int = MATTR_WINDOW,
    min_posts: int = 2,
) -> WordTable:
    """Measure how hard and how varied the posts of each group are.

    Parameters
    ----------
    group : how posts are grouped; stance needs a target where the study has several.
    window : words of a MATTR window.
    min_posts : posts a group must have to be shown.

    Returns
    -------
    WordTable, one row a group in the order of its name: `n_posts`, `n_words` and `n_sentences` of the bodies,
    `words_per_sentence`, `share_long`, `lix` with `lix_low` and `lix_high` (95 %), `n_types`, `ttr`, `mattr`, `mattr_low`,
    `mattr_high`. Means are over posts; `ttr` is of the group's text as a whole.

    Raises
    ------
    DataError : the subcorpus has no words, or the window is too small.

    References
    ----------
    Björnsson (1968), Läsbarhet; Covington & McFall (2010), J. Quantitative Linguistics 17(2).
    """
    import numpy as np
    import pyarrow as pa

    if window < 2:
        raise DataError(f"a window of {window} words has no variety", remedy="use 20 words or more")
    selection = select_posts(tables, subcorpus)
    bodies = _measure_bodies(tables, selection, window)
    groups = fetch(tables, _group_sql(tables, group, subcorpus))
    types = _count_types(tables, selection, _group_sql(tables, group, subcorpus))
    members: dict[str, list[int]] = {}
    place = {post_id: row for row, post_id in enumerate(bodies.post_ids)}
    for post_id, name in zip(groups["post_id"].to_pylist(), groups["name"].to_pylist(), strict=True):
        if post_id in place:
            members.setdefault(str(name), []).append(place[post_id])
    hardness = lix(bodies.n_words, bodies.n_sentences, bodies.n_long)
    rows = []
    for name in sorted(members, key=_natural):
        inside = np.array(members[name])
        if len(inside) < min_posts:
            continue
        words, sentences, long = (counts[inside] for counts in (bodies.n_words, bodies.n_sentences, bodies.n_long))
        middle, low, high = _mean_interval(hardness[inside])
        varied, varied_low, varied_high = _mean_interval(bodies.mattr[inside])
        n_types, n_tokens = types[name]
        rows.append(
            {
                "group": name,
                "n_posts": len(inside),
                "n_words": int(words.sum()),
                "n_sentences": int(sentences.sum()),
                "words_per_sentence": float(np.mean(words / sentences)),
                "share_long": float(np.mean(long / words)),
                "lix": middle,
                "lix_low": low,
                "lix_high": high,
                "n_types": n_types,
                "ttr": n_types / n_tokens,
                "mattr": varied,
                "mattr_low": varied_low,
                "mattr_high": varied_high,
            }
        )
    n_small = sum(len(rows) < min_posts for rows in members.values())
    grouped = {row for rows in members.values() for row in rows}
    notes = [*selection.notes(), note("body"), note("orthographic"), note("lix")]
    notes.append(note("mattr", window=window, n=int(np.isnan(bodies.mattr).sum())))
    if len(bodies.post_ids) > len(grouped):
        notes.append(note("ungrouped", n=len(bodies.post_ids) - len(grouped)))
    if group is Group.TOPIC:
        notes.append(note("many_groups"))
    if n_small:
        notes.append(note("small_groups", n=n_small, least=min_posts))
    return WordTable(pa.Table.from_pylist(rows, schema=_schema()), tuple(notes))


@dataclass(frozen=True)
class _Bodies:
    """What is counted of each body; arrays of shape (n_posts,). `mattr` is NaN where a body is shorter than a window."""

    post_ids: list[str]
    n_words: Array
    n_sentences: Array
    n_long: Array
    mattr: Array


def _measure_bodies(tables: Tables, selection: Selection, window: int) -> _Bodies:
    """Count words as spelled, sentences and long words of every body, and its types in moving windows."""
    import numpy as np

    posts = "SELECT post_id, row_number() OVER (ORDER BY post_id) - 1 AS post, length(title) AS title_end FROM posts"
    # types as 64-bit hashes: two of a million words share one with a probability of 3 in 100 million
    query = f"""
        SELECT post::INTEGER AS post, position, sentence, length(form)::INTEGER AS n_letters, {IS_WORD} AS is_word,
            space_after, hash(lower) AS type
        FROM tokens JOIN ({posts}) USING (post_id) WHERE start >= coalesce(title_end, 0) AND {selection.sql}
    """
    rows = fetch(tables, query)
    place = column(rows, "post") << 32 | column(rows, "position")
    # the table is sorted; a query need not keep that
    order = np.argsort(place, kind="stable")
    post, sentence = column(rows, "post")[order], column(rows, "sentence")[order]
    is_word, space_after = (column(rows, name).astype(bool)[order] for name in ("is_word", "space_after"))
    glued = np.zeros(len(post), bool)
    glued[1:] = is_word[:-1] & ~space_after[:-1] & (post[1:] == post[:-1])
    opens = (is_word & ~glued)[is_word]
    letters = np.bincount(np.cumsum(opens) - 1, weights=column(rows, "n_letters")[order][is_word])
    word_post, word_sentence = post[is_word][opens], sentence[is_word][opens]
    starts = np.ones(len(word_post), bool)
    starts[1:] = (word_post[1:] != word_post[:-1]) | (word_sentence[1:] != word_sentence[:-1])
    names = fetch(tables, f"SELECT post_id FROM ({posts}) ORDER BY post")["post_id"].to_pylist()
    found = np.unique(word_post)
    n_posts = len(names)
    mattr = _measure_variety(post[is_word], column(rows, "type")[order][is_word], n_posts, window)
    return _Bodies(
        post_ids=[names[row] for row in found],
        n_words=np.bincount(word_post, minlength=n_posts)[found],
        n_sentences=np.bincount(word_post[starts], minlength=n_posts)[found],
        n_long=np.bincount(word_post[letters > LONG_WORD], minlength=n_posts)[found],
        mattr=mattr[found],
    )


def _measure_variety(post: Array, types: Array, n_posts: int, window: int) -> Array:
    """Return the MATTR of every post, NaN below one window; words are in the order of the text."""
    import numpy as np

    lengths = np.bincount(post, minlength=n_posts)
    place = np.arange(len(post)) - (np.cumsum(lengths) - lengths)[post]
    same = np.lexsort((types, post))
    previous = np.full(len(post), -1, np.int64)
    repeats = (types[same[1:]] == types[same[:-1]]) & (post[same[1:]] == post[same[:-1]])
    previous[same[1:][repeats]] = place[same[:-1][repeats]]
    firsts = count_first_in_windows(place, previous, lengths[post], window)
    n_windows = lengths - window + 1
    sums = np.bincount(post, weights=firsts, minlength=n_posts)
    return np.where(n_windows > 0, sums / (np.maximum(n_windows, 1) * window), np.nan)


def _count_types(tables: Tables, selection: Selection, groups: str) -> dict[str, tuple[int, int]]:
    """Return distinct words and words of each group's bodies."""
    query = f"""
        SELECT name, count(DISTINCT lower) AS n_types, count(*) AS n_tokens
        FROM tokens JOIN (SELECT post_id, coalesce(length(title), 0) AS title_end FROM posts) USING (post_id)
        JOIN ({groups}) USING (post_id)
        WHERE start >= title_end AND {IS_WORD} AND {selection.sql} GROUP BY name
    """
    rows = fetch(tables, query).to_pylist()
    return {str(row["name"]): (row["n_types"], row["n_tokens"]) for row in rows}


def _group_sql(tables: Tables, group: Group, subcorpus: Subcorpus | None) -> str:
    if group is Group.STANCE:
        target = target_condition(tables, subcorpus.target if subcorpus else "")
        return f"SELECT post_id, stance AS name FROM predictions WHERE {target}"
    if group is Group.TOPIC:
        return f"SELECT DISTINCT post_id, topic_id AS name FROM topic_assignments WHERE topic_id <> {OUTLIER_TOPIC}"
    return _GROUP_SQL[group]


def _mean_interval(values: Array, *, alpha: float = 0.05) -> tuple[float | None, float | None, float | None]:
    """Return the mean over posts and the ends of its t interval; None where there is nothing to say."""
    import numpy as np
    from scipy.stats import t

    known = values[~np.isnan(values)]
    if not len(known):
        return None, None, None
    middle = float(known.mean())
    if len(known) < 2:
        return middle, None, None
    half = float(t.ppf(1 - alpha / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return middle, middle - half, middle + half


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.lstrip("-").isdigit() else (0, name)


def _schema() -> Any:
    import pyarrow as pa

    whole = ("n_posts", "n_words", "n_sentences", "n_types")
    names = (
        "group", "n_posts", "n_words", "n_sentences", "words_per_sentence", "share_long", "lix", "lix_low", "lix_high",
        "n_types", "ttr", "mattr", "mattr_low", "mattr_high",
    )  # fmt: skip
    kind = {name: pa.int64() if name in whole else pa.float64() for name in names} | {"group": pa.string()}
    return pa.schema([(name, kind[name]) for name in names])
