"""`write_topic_pages(...)`: one page a topic for those who read closely.

Keywords, concordance, representative and dissenting paragraphs, course over time, authors.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.report.figures import target_name
from nlp_study.report.numbers import LANGUAGES
from nlp_study.report.queries import fetch_rows
from nlp_study.report.shell import Edition, render_page
from nlp_study.report.texts import Texts
from nlp_study.report.themes import N_CHARTED, Quotation, Topic, TopicPeriod, read_quotations
from nlp_study.report.words import CONTENT_WORDS, TopicLines, sample_lines
from nlp_study.schema import COUNTED_ONCE, Stance, TableName

if TYPE_CHECKING:
    from nlp_study.collocation.texts import Pair
    from nlp_study.concordance.search import Concordancer
    from nlp_study.config import Study
    from nlp_study.report.content import ReportContent
    from nlp_study.store import Corpus

SECTIONS = ("topic_time", "topic_keywords", "topic_lines", "topic_paragraphs", "topic_dissent", "topic_authors")
N_LINES = 25
"""Concordance lines of a page."""
N_WORDS = 15
N_AUTHORS = 10
N_DISSENT = 3


@dataclass(frozen=True, slots=True)
class TopicKeyword:
    """A word that the topic's posts use more than the others; `ratio` is a log2 with its 95 % interval."""

    word: str
    n: int
    n_posts: int
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True, slots=True)
class TopicAuthor:
    """Who writes on a topic: posts in it, and how many of each stance toward the first target."""

    name: str | None
    n_posts: int
    stances: dict[Stance, int]


@dataclass(frozen=True, slots=True)
class TopicDetail:
    """Everything on one page. `majority` is the more frequent pole among the topic's posts; `dissent` speaks against it."""

    topic: Topic
    periods: list[TopicPeriod]
    keywords: list[TopicKeyword]
    notes: tuple[Pair, ...]
    lines: TopicLines | None
    majority: Stance | None
    n_majority: int
    n_minority: int
    dissent: list[Quotation]
    authors: list[TopicAuthor]
    n_authors: int


def write_topic_pages(content: ReportContent, corpus: Corpus, report_path: Path) -> dict[int, str]:
    """Write a page for each of the largest topics and return its address, relative to the report, by topic.

    The pages lie in a folder named after the report; pages of an earlier run go.

    Raises
    ------
    StoreError : a file cannot be written.
    """
    from nlp_study.store import open_corpus, write_file

    folder = report_path.with_name(f"{report_path.stem}-topics")
    topics = content.topics.topics[:N_CHARTED]
    fresh = open_corpus(corpus.folder)
    try:
        details = _gather_details(content, fresh, topics)
    finally:
        fresh.close()
    names = {detail.topic.topic_id: f"topic-{detail.topic.topic_id + 1:02d}.html" for detail in details}
    for detail in details:
        page = render_page(
            "topic.html.j2",
            [_make_edition(content, detail, language) for language in LANGUAGES],
            content.study,
            rows={},
            content=content,
            detail=detail,
            report_name=report_path.name,
        )
        write_file(folder / names[detail.topic.topic_id], page)
    _remove_others(folder, set(names.values()))
    return {topic_id: f"{folder.name}/{name}" for topic_id, name in names.items()}


def _remove_others(folder: Path, names: set[str]) -> None:
    if not folder.is_dir():
        return
    for path in folder.glob("topic-*.html"):
        if path.name not in names:
            path.unlink()
    if not names and not any(folder.iterdir()):
        shutil.rmtree(folder)


def _make_edition(content: ReportContent, detail: TopicDetail, language: Any) -> Edition:
    t = Texts(language)
    return Edition(
        language=language,
        t=t,
        title=t.plain("topic_page_title", number=detail.topic.topic_id + 1, label=detail.topic.label),
        figures={},
        target_names=[target_name(target, t) for target in content.targets],
        names_by_target={target.target.id: target_name(target, t) for target in content.targets},
        sections=SECTIONS,
    )


def _gather_details(content: ReportContent, corpus: Corpus, topics: list[Topic]) -> list[TopicDetail]:
    from nlp_study.concordance.search import open_concordancer

    if not topics:
        return []
    concordancer = open_concordancer(corpus) if content.words else None
    return [_gather_detail(content, corpus, topic, concordancer) for topic in topics]


def _gather_detail(
    content: ReportContent, corpus: Corpus, topic: Topic, concordancer: Concordancer | None
) -> TopicDetail:
    study, lines = content.study, None
    keywords, notes = _gather_keywords(corpus, topic.topic_id) if concordancer else ([], ())
    if concordancer and topic.words:
        seed = study.study.seed
        lines = sample_lines(concordancer, topic.topic_id, topic.words[0], n_lines=N_LINES, seed=seed)
    majority, counts = _find_majority(study, corpus, topic.topic_id)
    minority = {Stance.FAVOR: Stance.AGAINST, Stance.AGAINST: Stance.FAVOR}.get(majority) if majority else None
    authors, n_authors = _gather_authors(study, corpus, topic.topic_id)
    return TopicDetail(
        topic=topic,
        periods=[row for row in content.topics.periods if row.topic_id == topic.topic_id],
        keywords=keywords,
        notes=notes,
        lines=lines,
        majority=majority,
        n_majority=counts.get(majority, 0) if majority else 0,
        n_minority=counts.get(minority, 0) if minority else 0,
        dissent=_gather_dissent(study, corpus, topic.topic_id, minority) if minority else [],
        authors=authors,
        n_authors=n_authors,
    )


def _gather_keywords(corpus: Corpus, topic_id: int) -> tuple[list[TopicKeyword], tuple[Pair, ...]]:
    from nlp_study.collocation.keyness import find_keywords
    from nlp_study.collocation.subcorpora import Subcorpus
    from nlp_study.errors import DataError

    try:
        found = find_keywords(
            corpus, Subcorpus(topic=topic_id), min_range=3, stop_words=False, upos=CONTENT_WORDS, limit=N_WORDS
        )
    except DataError:  # the topic holds every post, or none that was parsed
        return [], ()
    rows = [
        TopicKeyword(
            row["word"],
            row["n_focus"],
            row["range_focus"],
            row["log_ratio"],
            row["log_ratio_low"],
            row["log_ratio_high"],
        )
        for row in found.table.to_pylist()
    ]
    return rows, found.footnotes


_IN_TOPIC = "post_id IN (SELECT post_id FROM topic_assignments WHERE topic_id = $topic)"


def _find_majority(study: Study, corpus: Corpus, topic_id: int) -> tuple[Stance | None, dict[Stance, int]]:
    """Return the more frequent of the two poles toward the first target, None if they are equal, and all counts."""
    rows = fetch_rows(
        corpus,
        f"""
        SELECT stance, count(*) AS n FROM predictions
        WHERE target = $target AND {_IN_TOPIC} AND {COUNTED_ONCE} AND abstained IS NOT TRUE GROUP BY stance
        """,
        {"target": study.targets[0].id, "topic": topic_id},
    )
    counts = {Stance(row["stance"]): row["n"] for row in rows}
    favor, against = counts.get(Stance.FAVOR, 0), counts.get(Stance.AGAINST, 0)
    if favor == against:
        return None, counts
    return (Stance.FAVOR if favor > against else Stance.AGAINST), counts


def _gather_dissent(study: Study, corpus: Corpus, topic_id: int, stance: Stance) -> list[Quotation]:
    """Return segments of the topic, nearest to its centre and one a post, of posts that the model gives the other pole."""
    import numpy as np

    rows = corpus.read(TableName.TOPIC_ASSIGNMENTS, columns=["segment_id", "topic_id"]).to_pydict()
    order = corpus.read(TableName.SEGMENTS, columns=["segment_id", "post_id"]).to_pydict()
    topic_of = dict(zip(rows["segment_id"], rows["topic_id"], strict=True))
    members = [i for i, segment in enumerate(order["segment_id"]) if topic_of.get(segment) == topic_id]
    if not members:
        return []
    other = fetch_rows(
        corpus,
        f"""
        SELECT post_id FROM predictions
        WHERE target = $target AND stance = $stance AND {_IN_TOPIC} AND {COUNTED_ONCE} AND abstained IS NOT TRUE
        """,
        {"target": study.targets[0].id, "stance": str(stance), "topic": topic_id},
    )
    wanted = {row["post_id"] for row in other}
    vectors = corpus.read_vectors()[members]
    nearness = vectors @ vectors.mean(0)
    chosen: dict[str, str] = {}
    for place in np.argsort(-nearness, kind="stable").tolist():
        post_id = order["post_id"][members[place]]
        if post_id in wanted and post_id not in chosen:
            chosen[post_id] = order["segment_id"][members[place]]
        if len(chosen) == N_DISSENT:
            break
    return read_quotations(study, corpus, dict.fromkeys(chosen.values(), topic_id)).get(topic_id, [])


def _gather_authors(study: Study, corpus: Corpus, topic_id: int) -> tuple[list[TopicAuthor], int]:
    """Return the authors with the most posts in the topic, and how many authors there are."""
    rows = fetch_rows(
        corpus,
        f"""
        WITH mine AS (
            SELECT post_id, coalesce(author_id, author) AS account, author FROM posts WHERE {_IN_TOPIC} AND {COUNTED_ONCE}
        ), decided AS (
            SELECT post_id, stance FROM predictions WHERE target = $target AND abstained IS NOT TRUE
        )
        SELECT account, any_value(author) AS name, count(DISTINCT post_id) AS n_posts,
            {", ".join(f"count(*) FILTER (stance = '{stance}') AS n_{stance}" for stance in Stance)}
        FROM mine LEFT JOIN decided USING (post_id) WHERE account IS NOT NULL
        GROUP BY account ORDER BY n_posts DESC, account
        """,
        {"target": study.targets[0].id, "topic": topic_id},
    )
    shown = [Stance(stance) for stance in study.study.stances]
    found = [
        TopicAuthor(row["name"], row["n_posts"], {stance: row[f"n_{stance}"] for stance in shown})
        for row in rows[:N_AUTHORS]
    ]
    return found, len(rows)
