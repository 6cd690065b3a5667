"""The linguist's section: keywords of each stance, collocates of the target's terms, concordance lines of each topic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlp_study.report.queries import fetch_rows
from nlp_study.report.themes import Topic
from nlp_study.schema import Stance, TableName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nlp_study.collocation.texts import Pair
    from nlp_study.collocation.word_table import WordTable
    from nlp_study.concordance.search import Concordancer
    from nlp_study.config import Study, Target
    from nlp_study.store import Corpus

N_KEYWORDS = 12
"""Keywords of each stance."""
N_NODES = 4
"""Terms of the target whose company is shown."""
N_COLLOCATES = 8
N_LINES = 4
"""Concordance lines of a topic."""
MIN_POSTS = 5
"""Posts that must have a keyword: one that few use tells of its writers, not of the stance."""
CONTENT_WORDS = ("NOUN", "VERB", "ADJ", "ADV", "PROPN")
_CONTEXT = 9
_MIN_NODE = 20
_MIN_LETTERS = 3
"""Shorter ones are what is left of numbered lists."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word that one side uses more; `ratio` is the log2 of the relative frequencies, with its 95 % interval."""

    word: str
    stance: Stance
    n: int
    n_other: int
    per_million: float
    per_million_other: float
    n_posts: int
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True, slots=True)
class StanceKeywords:
    """What tells the posts in favour from those against, for one target."""

    target_index: int
    keywords: list[Keyword]
    notes: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Collocate:
    """A word near the node: how often together, in how many posts, and how strongly (logDice, 14 at most)."""

    word: str
    n_together: int
    n_posts: int
    log_dice: float


@dataclass(frozen=True, slots=True)
class NodeCollocates:
    """The company of one term of the target."""

    node: str
    n: int
    collocates: list[Collocate]


@dataclass(frozen=True, slots=True)
class KeywordLine:
    """One line of a concordance and the post it stands in."""

    left: str
    node: str
    right: str
    post_id: str
    title: str
    author: str | None
    published_at: datetime | None
    url: str | None


@dataclass(frozen=True, slots=True)
class TopicLines:
    """A random sample of the lines of a topic's first word, with the counts of all of them."""

    topic_id: int
    word: str
    n_hits: int
    n_posts: int
    per_million: float
    lines: list[KeywordLine]


@dataclass(frozen=True, slots=True)
class WordFacts:
    """Everything of the section; `notes` say what the collocates were counted in and how filtered."""

    n_tokens: int
    keywords: dict[int, StanceKeywords]
    collocates: list[NodeCollocates]
    collocate_notes: tuple[Pair, ...]
    topics: list[TopicLines]


def gather_words(study: Study, corpus: Corpus, topics: Sequence[Topic]) -> WordFacts | None:
    """Return the section's facts; None where the posts have not been parsed.

    Parameters
    ----------
    topics : those whose lines are shown.
    """
    record = corpus.record(TableName.TOKENS)
    if record is None or not record.n_rows:
        return None
    collocates, notes = _gather_collocates(study, corpus)
    keywords = {
        index: found for index in range(len(study.targets)) if (found := _gather_keywords(study, corpus, index))
    }
    return WordFacts(record.n_rows, keywords, collocates, notes, _gather_lines(study, corpus, topics))


def _gather_keywords(study: Study, corpus: Corpus, index: int) -> StanceKeywords | None:
    from nlp_study.collocation.keyness import find_keywords
    from nlp_study.collocation.subcorpora import Subcorpus
    from nlp_study.errors import DataError

    if not {Stance.FAVOR, Stance.AGAINST} <= set(study.study.stances):
        return None
    target = study.targets[index].id
    sides = {stance: Subcorpus(stance=str(stance), target=target) for stance in (Stance.FAVOR, Stance.AGAINST)}
    found: list[Keyword] = []
    notes: tuple[Pair, ...] = ()
    for stance, other in ((Stance.FAVOR, Stance.AGAINST), (Stance.AGAINST, Stance.FAVOR)):
        try:
            table = find_keywords(
                corpus,
                sides[stance],
                sides[other],
                min_range=MIN_POSTS,
                stop_words=False,
                upos=CONTENT_WORDS,
                limit=2 * N_KEYWORDS,
            )
        except DataError:  # a side without posts has no words
            return None
        rows = [row for row in table.table.to_pylist() if len(row["word"]) >= _MIN_LETTERS]
        found += [_make_keyword(row, stance) for row in rows[:N_KEYWORDS]]
        notes = notes or table.footnotes
    return StanceKeywords(index, found, notes) if found else None


def _make_keyword(row: dict[str, Any], stance: Stance) -> Keyword:
    return Keyword(
        word=row["word"],
        stance=stance,
        n=row["n_focus"],
        n_other=row["n_reference"],
        per_million=row["per_million_focus"],
        per_million_other=row["per_million_reference"],
        n_posts=row["range_focus"],
        ratio=row["log_ratio"],
        ratio_low=row["log_ratio_low"],
        ratio_high=row["log_ratio_high"],
    )


def _gather_collocates(study: Study, corpus: Corpus) -> tuple[list[NodeCollocates], tuple[Pair, ...]]:
    from nlp_study.collocation.collocates import find_collocates

    found: list[NodeCollocates] = []
    notes: tuple[Pair, ...] = ()
    for node, n in _choose_nodes(corpus, study.targets):
        table: WordTable = find_collocates(
            corpus,
            node,
            min_together=5,
            min_posts=3,
            stop_words=False,
            upos=CONTENT_WORDS,
            limit=N_COLLOCATES,
        )
        rows = table.table.to_pylist()
        if rows:
            found.append(
                NodeCollocates(
                    node,
                    n,
                    [Collocate(row["collocate"], row["n_together"], row["n_posts"], row["log_dice"]) for row in rows],
                )
            )
            notes = notes or table.footnotes
    return found, notes


def _choose_nodes(corpus: Corpus, targets: Sequence[Target]) -> list[tuple[str, int]]:
    """Return the most frequent single words among the targets' names, aliases and keywords, and how often they occur."""
    terms = [term for target in targets for term in (target.name, *target.aliases, *target.keywords)]
    words = sorted({word.lower() for term in terms for word in re.findall(r"[^\W\d_]{3,}", term)})
    rows = fetch_rows(
        corpus,
        f"""
        SELECT lower AS word, count(*) AS n FROM tokens WHERE list_contains(?, lower)
        GROUP BY lower HAVING n >= {_MIN_NODE} ORDER BY n DESC, word LIMIT {N_NODES}
        """,
        [words],
    )
    return [(row["word"], row["n"]) for row in rows]


def _gather_lines(study: Study, corpus: Corpus, topics: Sequence[Topic]) -> list[TopicLines]:
    from nlp_study.concordance.search import open_concordancer

    if not topics:
        return []
    concordancer = open_concordancer(corpus)
    return [
        lines
        for topic in topics
        if topic.words
        and (
            lines := sample_lines(concordancer, topic.topic_id, topic.words[0], n_lines=N_LINES, seed=study.study.seed)
        )
    ]


def sample_lines(concordancer: Concordancer, topic_id: int, word: str, *, n_lines: int, seed: int) -> TopicLines | None:
    """Return a random sample of the lines with a word in the posts of a topic, by date; None where it has none."""
    from nlp_study.concordance.search import Sort, View
    from nlp_study.concordance.subcorpus import Subcorpus

    found = concordancer.find(
        f'[lower="{re.escape(word)}"]',
        Subcorpus(topic=topic_id),
        View(limit=n_lines, context=_CONTEXT, sort=Sort.DATE, sample=n_lines, seed=seed),
    )
    if not found.n_hits:
        return None
    lines = [
        KeywordLine(
            line.left,
            line.node,
            line.right,
            line.post_id,
            line.title or "",
            line.author,
            line.published_at,
            line.url if (line.url or "").startswith(("https://", "http://")) else None,
        )
        for line in found.lines
    ]
    return TopicLines(topic_id, word, found.n_hits, found.n_posts, found.per_million, lines)
