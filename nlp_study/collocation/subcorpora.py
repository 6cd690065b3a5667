"""Which tokens count: posts chosen by fields, stance, topic, month or SQL; the node; what a word is.

A subcorpus is written as one line, conditions joined by commas: `stance=favor, month=2023`, `topic=3`,
`where n_words > 300`. Posts that repeat one another count once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from nlp_study.collocation.texts import Pair, join_pairs, note
from nlp_study.collocation.word_table import fetch, quote
from nlp_study.errors import DataError
from nlp_study.schema import COUNTED_ONCE, Stance

if TYPE_CHECKING:
    from nlp_study.collocation.word_table import Tables

IS_WORD = "upos NOT IN ('PUNCT', 'SYM', 'SPACE')"
"""SQL condition: the token is a word."""
ATTRIBUTES = ("form", "lower", "root", "lemma", "upos", "feats", "deprel", "ent")
"""Columns of `tokens` a node may be given by."""
COUNTED_BY = ("lower", "lemma", "root", "form")
"""Columns of `tokens` that words may be counted by."""
_MONTH = r"\d{4}(-(0[1-9]|1[0-2]))?"
_MONTHS = re.compile(rf"{_MONTH}|{_MONTH}\.\.({_MONTH})?|\.\.{_MONTH}")


@dataclass(frozen=True)
class Subcorpus:
    """Conditions on posts; empty ones do not restrict.

    Attributes
    ----------
    stance, target : posts that the model found to have this stance toward the target; undecided ones have none. The
        target may be left out where the study has only one.
    topic : posts with a segment in this topic.
    month : a year (`2023`), a month (`2023-05`), or a range of either, open or closed (`2023..2024-06`), Asia/Jakarta.
    category, author, tag, source : values of the post's fields; the author is the account, `author_id`.
    where : SQL condition on the columns of `posts`.
    """

    stance: str = ""
    target: str = ""
    topic: int | None = None
    month: str = ""
    category: str = ""
    author: str = ""
    tag: str = ""
    source: str = ""
    where: str = ""


@dataclass(frozen=True)
class Selection:
    """Posts that were chosen, as an SQL condition on `post_id`, and how many."""

    sql: str
    label: Pair
    n_posts: int
    """Posts that count and have tokens."""
    n_repeated: int
    """Posts left out because they repeat another one."""
    n_unparsed: int
    """Posts that would count and have no tokens."""
    n_words: int

    def notes(self) -> tuple[Pair, ...]:
        """Return the footnotes on posts and words."""
        found = [note("posts", n_words=self.n_words, n_posts=self.n_posts, selection=self.label)]
        if self.n_repeated:
            found.append(note("repeated", n=self.n_repeated))
        if self.n_unparsed:
            found.append(note("unparsed", n=self.n_unparsed))
        return tuple(found)


@dataclass(frozen=True)
class Node:
    """The word a query is about: conditions `attribute = value` on one token."""

    conditions: tuple[tuple[str, str], ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        return ", ".join(f"{attribute}={value}" for attribute, value in self.conditions)

    def sql(self, alias: str = "") -> str:
        """Return the SQL condition on `tokens`."""
        prefix = f"{alias}." if alias else ""
        return " AND ".join(f"{prefix}{attribute} = {quote(value)}" for attribute, value in self.conditions)


def parse_node(text: str) -> Node:
    """Read a node: `lemma=ekonomi`, `root=dukung, upos=VERB`, `root:dukung`, or a bare word, which means `lower=`.

    Raises
    ------
    DataError : the attribute is unknown, or a value is missing.
    """
    conditions = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = re.match(r"(\w+)\s*[=:]\s*(.*)", part)
        attribute, value = (found[1], found[2].strip().strip('"')) if found else ("lower", part)
        if attribute not in ATTRIBUTES:
            raise DataError(
                f"tokens have no attribute {attribute!r} (in {text!r})", remedy=f"use one of {', '.join(ATTRIBUTES)}"
            )
        if not value or (not found and " " in value):
            raise DataError(f"{text!r} names no single word", remedy="for example: ekonomi, or lemma=ekonomi")
        conditions.append((attribute, value.lower() if attribute in ("lower", "root") else value))
    if not conditions:
        raise DataError("no word was given", remedy="for example: ekonomi, or lemma=ekonomi")
    return Node(tuple(conditions))


def parse_subcorpus(text: str) -> Subcorpus:
    """Read a subcorpus from a line: `stance=favor, month=2023`; `where` and SQL may stand last.

    Raises
    ------
    DataError : a condition is no KEY=VALUE, or its key or value is unknown.
    """
    line, _, where = _split_where(text)
    keys = [item.name for item in fields(Subcorpus) if item.name != "where"]
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in line.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in keys or not value:
            raise DataError(
                f"{part!r} does not choose posts",
                remedy=f"write KEY=VALUE with a key of {', '.join(keys)}; SQL goes after `where`",
            )
        found[key] = value
    topic = found.pop("topic", "")
    if topic and not re.fullmatch(r"-?\d+", topic):
        raise DataError(f"topic={topic} is no number", remedy="`nlp-study topics` lists topics and their numbers")
    chosen = Subcorpus(**found, topic=int(topic) if topic else None, where=where.strip())
    _check(chosen)
    return chosen


def select_posts(tables: Tables, subcorpus: Subcorpus | None = None, *, exclude: Subcorpus | None = None) -> Selection:
    """Find the posts of a subcorpus and count their words.

    Parameters
    ----------
    exclude : posts to leave out; with an empty `subcorpus`, the rest of the corpus.

    Raises
    ------
    DataError : no word is left, a condition does not parse, or a stance is asked for and the study has several targets.
    """
    chosen = subcorpus or Subcorpus()
    condition = _condition(tables, chosen)
    labels = _describe(chosen)
    if exclude is not None:
        condition += f" AND NOT ({_condition(tables, exclude)})"
        named = join_pairs(_describe(exclude))
        labels.append((f"bukan ({named[0]})", f"not ({named[1]})"))
    once = f"({condition}) AND {COUNTED_ONCE}"
    sql = f"post_id IN (SELECT post_id FROM posts WHERE {once})"
    query = (
        f"SELECT (SELECT count(*) FROM posts WHERE {condition}) AS n_all, "
        f"(SELECT count(*) FROM posts WHERE {once}) AS n_once, "
        f"count(*) FILTER ({IS_WORD}) AS n_words, count(DISTINCT post_id) AS n_posts FROM tokens WHERE {sql}"
    )
    row = fetch(tables, query).to_pylist()[0]
    label = join_pairs(labels) if labels else ("seluruh korpus", "the whole corpus")
    if not row["n_words"]:
        raise DataError(
            f"no words to count in {row['n_once']:,} posts ({label[1]})",
            remedy="loosen the conditions; where no post has tokens, run `nlp-study parse`",
        )
    return Selection(
        sql=sql,
        label=label,
        n_posts=row["n_posts"],
        n_repeated=row["n_all"] - row["n_once"],
        n_unparsed=row["n_once"] - row["n_posts"],
        n_words=row["n_words"],
    )


def target_condition(tables: Tables, target: str) -> str:
    """Return the SQL condition on `predictions` for decided stances toward a target; it may be empty if there is only one.

    Raises
    ------
    DataError : there are no predictions, several targets and none named, or no prediction for the named one.
    """
    targets = fetch(tables, "SELECT DISTINCT target FROM predictions ORDER BY 1")["target"].to_pylist()
    columns = fetch(tables, "SELECT * FROM predictions LIMIT 0").column_names
    if not targets:
        raise DataError("no post has a stance yet", remedy="run `nlp-study classify`")
    if target and target not in targets:
        raise DataError(f"no predictions for the target {target!r}", remedy=f"choose one of {', '.join(targets)}")
    if not target and len(targets) > 1:
        raise DataError(
            "stance is of a post and a target, and this study has several",
            remedy=f"add target= with one of {', '.join(targets)}",
        )
    # tables made before stances could be left undecided lack the column
    undecided = " AND NOT coalesce(abstained, false)" if "abstained" in columns else ""
    return f"target = {quote(target or targets[0])}{undecided}"


def check_attribute(by: str) -> str:
    """Return the column that words are counted by.

    Raises
    ------
    DataError : it is none of `COUNTED_BY`.
    """
    if by not in COUNTED_BY:
        raise DataError(f"words cannot be counted by {by!r}", remedy=f"choose one of {', '.join(COUNTED_BY)}")
    return by


def show_stop_words(words: Sequence[str]) -> set[str]:
    """Return those of `words` that are stop words."""
    from nlp_study.topics import read_stop_words

    return set(words) & set(read_stop_words())


def _split_where(text: str) -> tuple[str, str, str]:
    found = re.search(r"(^|[,\s])where\s", text, re.IGNORECASE)
    return (text[: found.start()], "where", text[found.end() :]) if found else (text, "", "")


def _check(chosen: Subcorpus) -> None:
    if chosen.stance and chosen.stance not in set(Stance):
        raise DataError(f"there is no stance {chosen.stance!r}", remedy=f"choose one of {', '.join(Stance)}")
    if chosen.month and not _MONTHS.fullmatch(chosen.month):
        raise DataError(f"month={chosen.month} is no month", remedy="write 2023, 2023-05 or 2023-01..2023-06")


def _condition(tables: Tables, chosen: Subcorpus) -> str:
    _check(chosen)
    parts = []
    if chosen.stance or chosen.target:
        target = target_condition(tables, chosen.target)
        stance = f" AND stance = {quote(chosen.stance)}" if chosen.stance else ""
        parts.append(f"post_id IN (SELECT post_id FROM predictions WHERE {target}{stance})")
    if chosen.topic is not None:
        parts.append(f"post_id IN (SELECT post_id FROM topic_assignments WHERE topic_id = {chosen.topic})")
    if chosen.month:
        first, dots, last = chosen.month.partition("..")
        # '2023' is before '2023-01', and '2023~' after '2023-12': months compare as text
        last = (last if dots else first) + "~"
        parts.append(f"coalesce(month >= {quote(first)} AND month <= {quote(last)}, false)")
    for name, sql in (("category", "category"), ("author", "author_id"), ("source", "source")):
        if value := getattr(chosen, name):
            parts.append(f"coalesce({sql} = {quote(value)}, false)")
    if chosen.tag:
        parts.append(f"coalesce(list_contains(tags, {quote(chosen.tag)}), false)")
    if chosen.where:
        # on a line of its own, so that a comment at its end does not take the bracket along
        parts.append(f"coalesce(({chosen.where}\n), false)")
    return " AND ".join(parts) or "true"


def _describe(chosen: Subcorpus) -> list[Pair]:
    names = {
        "stance": ("sikap", "stance"),
        "target": ("sasaran", "target"),
        "topic": ("topik", "topic"),
        "month": ("bulan", "month"),
        "category": ("kategori", "category"),
        "author": ("penulis", "author"),
        "tag": ("tag", "tag"),
        "source": ("sumber", "source"),
        "where": ("syarat", "where"),
    }
    found = []
    for key, (indonesian, english) in names.items():
        value = getattr(chosen, key)
        if value not in ("", None):
            found.append((f"{indonesian} {value}", f"{english} {value}"))
    return found
