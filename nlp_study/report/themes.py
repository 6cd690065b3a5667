"""Topics: their words, their size over time, the stances in them, and paragraphs in their authors' words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from nlp_study.report.numbers import Share, make_share
from nlp_study.report.queries import fetch_rows, month_range
from nlp_study.report.stances import choose_stances
from nlp_study.schema import COUNTED_ONCE, OUTLIER_TOPIC, Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

N_CHARTED = 12
"""Topics drawn in charts, largest first; the tables hold all."""
N_PARAGRAPHS = 3
"""Representative paragraphs of a topic."""
N_QUOTED_TOPICS = 40
"""Topics with representative paragraphs; beyond that the file would grow without anybody reading on."""
MAX_QUOTED_WORDS = 220
"""Longer segments are cut for reading; a segment is at most 180 words unless one paragraph is longer."""

_MAX_MONTH_BARS = 18
_MAX_QUARTER_BARS = 96


@dataclass(frozen=True, slots=True)
class Verdict:
    """The stance that was predicted for a post toward one target, and its probability; a best guess where undecided."""

    target_index: int
    stance: Stance
    proba: float | None
    is_abstained: bool = False


@dataclass(frozen=True, slots=True)
class Quotation:
    """A representative segment of a topic with the post it stands in."""

    paragraphs: list[str]
    is_shortened: bool
    title: str
    author: str | None
    published_at: datetime | None
    url: str | None
    verdicts: list[Verdict]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; `weights` are relative to its first word, in [0, 1], and so is `stability`, None where it is not known."""

    topic_id: int
    label: str
    words: list[str]
    weights: list[float]
    n_segments: int
    n_posts: int
    quotations: list[Quotation]
    stability: float | None = None
    is_stable: bool | None = None

    @property
    def marked(self) -> str:
        """The label, with a dagger where the topic does not hold when it is found again."""
        return f"{self.label} †" if self.is_stable is False else self.label


@dataclass(frozen=True, slots=True)
class TopicPeriod:
    """A topic's part of the posts of one month, quarter or year."""

    topic_id: int
    start: date
    share: Share


@dataclass(frozen=True, slots=True)
class TopicStances:
    """Stances, toward one target, of the posts with a segment in one topic; `is_corrected` with labelled posts."""

    topic_id: int
    n_posts: int
    shares: dict[Stance, Share]
    n_base: int
    is_corrected: bool = False


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """All topics without the outliers; `stances` by index of the target, outliers last."""

    topics: list[Topic]
    n_segments: int
    n_outliers: int
    period: str
    periods: list[TopicPeriod]
    stances: dict[int, list[TopicStances]]

    @property
    def n_stable(self) -> int | None:
        """Topics that hold when they are found again; None where that was not tried."""
        known = [topic.is_stable for topic in self.topics if topic.is_stable is not None]
        return sum(known) if known else None

    @property
    def charted(self) -> list[Topic]:
        """The largest topics."""
        return self.topics[:N_CHARTED]

    def label(self, topic_id: int) -> str:
        """Return a topic's label with the mark of unstable ones; empty for the outliers."""
        return next((topic.marked for topic in self.topics if topic.topic_id == topic_id), "")


def gather_topics(study: Study, corpus: Corpus) -> TopicFacts:
    """Return the topics with their course over time, stances and paragraphs."""
    rows = [row for row in corpus.read(TableName.TOPICS).to_pylist() if row["topic_id"] is not None]
    n_outliers = sum(row["n_segments"] or 0 for row in rows if row["topic_id"] == OUTLIER_TOPIC)
    real = sorted(
        (row for row in rows if row["topic_id"] >= 0), key=lambda row: (-(row["n_segments"] or 0), row["topic_id"])
    )
    quotations = _gather_quotations(study, corpus, real[:N_QUOTED_TOPICS])
    topics = [_make_topic(row, quotations.get(row["topic_id"], [])) for row in real]
    period, periods = _gather_periods(corpus, [topic.topic_id for topic in topics])
    return TopicFacts(
        topics=topics,
        n_segments=n_outliers + sum(topic.n_segments for topic in topics),
        n_outliers=n_outliers,
        period=period,
        periods=periods,
        stances=_gather_stances(study, corpus, [topic.topic_id for topic in topics]),
    )


def _make_topic(row: Mapping[str, Any], quotations: list[Quotation]) -> Topic:
    words, weights = row["words"] or [], row["weights"] or []
    top = max(weights, default=0.0)
    return Topic(
        topic_id=row["topic_id"],
        label=row.get("name") or row["label"] or ", ".join(words[:3]) or str(row["topic_id"]),
        words=words,
        weights=[max(0.0, weight / top) if top > 0 else 0.0 for weight in weights],
        n_segments=row["n_segments"] or 0,
        n_posts=row["n_posts"] or 0,
        quotations=quotations,
        stability=row.get("stability"),
        is_stable=row.get("is_stable"),
    )


def _gather_periods(corpus: Corpus, topic_ids: Sequence[int]) -> tuple[str, list[TopicPeriod]]:
    """Count, in each period, the dated posts that touch a topic, of all dated posts with a segment."""
    rows = fetch_rows(
        corpus,
        f"""
        WITH touched AS (
            SELECT post_id, topic_id, month FROM topic_assignments JOIN posts USING (post_id)
            WHERE month IS NOT NULL AND {COUNTED_ONCE})
        SELECT month, topic_id, count(*) AS n FROM (
            SELECT DISTINCT post_id, topic_id, month FROM touched
            UNION ALL SELECT DISTINCT post_id, NULL, month FROM touched)
        GROUP BY ALL
        """,
    )
    months = month_range({date.fromisoformat(f"{row['month']}-01") for row in rows})
    n_quarters = len({period_start(month, "quarter") for month in months})
    long = "quarter" if n_quarters <= _MAX_QUARTER_BARS else "year"
    period = "month" if len(months) <= _MAX_MONTH_BARS else long
    totals: dict[date, int] = defaultdict(int)
    counts: dict[tuple[int, date], int] = defaultdict(int)
    for row in rows:
        start = period_start(date.fromisoformat(f"{row['month']}-01"), period)
        # a post belongs to one month, so months add up to quarters without counting a post twice
        if row["topic_id"] is None:
            totals[start] += row["n"]
        else:
            counts[row["topic_id"], start] += row["n"]
    starts = sorted({period_start(month, period) for month in months})
    return period, [
        TopicPeriod(topic, start, make_share(counts.get((topic, start), 0), totals.get(start, 0)))
        for topic in topic_ids
        for start in starts
    ]


def period_start(month: date, period: str) -> date:
    """Return the first day of the month, quarter or year that holds `month`."""
    if period == "year":
        return date(month.year, 1, 1)
    return date(month.year, month.month - (month.month - 1) % 3, 1) if period == "quarter" else month


def _gather_stances(study: Study, corpus: Corpus, topic_ids: Sequence[int]) -> dict[int, list[TopicStances]]:
    _, shown = choose_stances(study.study.stances)
    counts: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    rows = fetch_rows(
        corpus,
        f"""
        SELECT target, topic_id, stance, count(*) AS n
        FROM (SELECT DISTINCT post_id, topic_id FROM topic_assignments) JOIN predictions USING (post_id)
        WHERE {COUNTED_ONCE} AND abstained IS NOT TRUE
        GROUP BY ALL
        """,
    )
    for row in rows:
        if row["stance"] in study.study.stances:
            counts[row["target"], row["topic_id"]][row["stance"]] = row["n"]
    found = {}
    for index, target in enumerate(study.targets):
        topics = []
        for topic in (*topic_ids, OUTLIER_TOPIC):
            by_stance = counts.get((target.id, topic), {})
            n_base = sum(by_stance.get(stance, 0) for stance in shown)
            shares = {stance: make_share(by_stance.get(stance, 0), n_base) for stance in shown}
            if by_stance:
                topics.append(TopicStances(topic, sum(by_stance.values()), shares, n_base))
        if any(topic.topic_id != OUTLIER_TOPIC for topic in topics):
            found[index] = topics
    return found


def _gather_quotations(study: Study, corpus: Corpus, rows: Sequence[Mapping[str, Any]]) -> dict[int, list[Quotation]]:
    wanted = {
        segment: row["topic_id"] for row in rows for segment in (row["representative_segments"] or [])[:N_PARAGRAPHS]
    }
    return read_quotations(study, corpus, wanted)


def read_quotations(study: Study, corpus: Corpus, wanted: Mapping[str, int]) -> dict[int, list[Quotation]]:
    """Return segments with the posts they stand in, by the topic that each is `wanted` for, in that order."""
    segments = fetch_rows(
        corpus,
        """
        SELECT segment_id, segments.text AS text, post_id, title, author, published_at, url
        FROM segments JOIN posts USING (post_id) WHERE list_contains(?, segment_id)
        """,
        [list(wanted)],
    )
    verdicts = _gather_verdicts(study, corpus, [row["post_id"] for row in segments])
    by_id = {row["segment_id"]: row for row in segments}
    quotations: dict[int, list[Quotation]] = defaultdict(list)
    for segment_id, topic_id in wanted.items():
        row = by_id.get(segment_id)
        if row is None:
            continue
        paragraphs, is_shortened = shorten(row["text"] or "")
        quotations[topic_id].append(
            Quotation(
                paragraphs=paragraphs,
                is_shortened=is_shortened,
                title=row["title"] or "",
                author=row["author"],
                published_at=row["published_at"],
                url=row["url"] if (row["url"] or "").startswith(("https://", "http://")) else None,
                verdicts=verdicts.get(row["post_id"], []),
            )
        )
    return quotations


def _gather_verdicts(study: Study, corpus: Corpus, post_ids: Sequence[str]) -> dict[str, list[Verdict]]:
    order = {target.id: index for index, target in enumerate(study.targets)}
    found: dict[str, list[Verdict]] = defaultdict(list)
    rows = fetch_rows(corpus, "SELECT * FROM predictions WHERE list_contains(?, post_id)", [list(post_ids)])
    for row in rows:
        if row["target"] in order and row["stance"] in study.study.stances:
            proba = row[f"proba_{row['stance']}"]
            found[row["post_id"]].append(
                Verdict(order[row["target"]], Stance(row["stance"]), proba, bool(row["abstained"]))
            )
    return {post_id: sorted(verdicts, key=lambda verdict: verdict.target_index) for post_id, verdicts in found.items()}


def shorten(text: str, max_words: int = MAX_QUOTED_WORDS) -> tuple[list[str], bool]:
    """Return the paragraphs of a segment up to `max_words` words, and whether any were left out."""
    paragraphs: list[str] = []
    left = max_words
    for paragraph in text.split("\n\n"):
        words = paragraph.split()
        if not words:
            continue
        if len(words) > left:
            if left:
                paragraphs.append(" ".join(words[:left]) + " …")
            return paragraphs, True
        paragraphs.append(" ".join(words))
        left -= len(words)
    return paragraphs, False
