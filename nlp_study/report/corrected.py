"""Shares corrected with labelled posts: the whole, months, halves, topics, the smoothed trend and where it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from nlp_study.report.queries import fetch_rows
from nlp_study.report.stances import choose_stances
from nlp_study.report.themes import TopicFacts, TopicStances
from nlp_study.schema import COUNTED_ONCE, Stance, TableName

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

CORRECTED, LABELS, PREDICTIONS = "corrected", "labels", "predictions"
METHODS = (CORRECTED, LABELS, PREDICTIONS)
N_CHANGES = 4
N_BEHIND = 3
"""Posts that are quoted behind a change."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval, and one that holds for all stances of the period at once; None where nothing is known."""

    share: float | None
    low: float | None
    high: float | None
    low_all: float | None
    high_all: float | None
    n_posts: int
    n_labels: int
    note: str


Estimates = dict[str, dict[Stance, Estimate]]
"""By method and stance."""


@dataclass(frozen=True, slots=True)
class Period:
    """Estimates of one period, by its first day, by method and stance."""

    start: date
    estimates: Estimates


@dataclass(frozen=True, slots=True)
class LinePoint:
    """The smoothed share of one month; `low_all` and `high_all` bound a band for all months at once."""

    month: date
    share: float
    low: float
    high: float
    low_all: float
    high_all: float


@dataclass(frozen=True, slots=True)
class Behind:
    """A post after a change, on the side that grew, and the sentence that moved its decision most."""

    title: str
    author: str | None
    published_at: datetime | None
    url: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Change:
    """A month from which a share is another one; `grown` is the side that the quoted posts are of."""

    stance: Stance
    month: date
    month_low: date
    month_high: date
    before: float
    after: float
    difference: float
    low: float
    high: float
    p_value: float
    grown: Stance
    behind: list[Behind]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the change of a share between two periods, authors held apart, with its interval."""

    stance: Stance
    period_a: str
    period_b: str
    component: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CorrectedFacts:
    """Everything estimated for one target. `is_corrected` is False where no labels were drawn with known probability."""

    target_index: int
    stances: tuple[Stance, ...]
    is_corrected: bool
    n_labels: int
    power: float | None
    whole: Period
    halves: list[Period]
    months: list[Period]
    topics: dict[int, Estimates]
    lines: dict[Stance, list[LinePoint]]
    changes: list[Change]
    components: list[Component]

    @property
    def method(self) -> str:
        """The best method there is."""
        return CORRECTED if self.is_corrected else PREDICTIONS

    def share(self, stance: Stance) -> Estimate:
        """Return the share of a stance over all time."""
        return self.whole.estimates[self.method][stance]


def gather_corrected(study: Study, corpus: Corpus) -> dict[int, CorrectedFacts]:
    """Return the estimates of each target that has any, by its index."""
    if not corpus.has(TableName.ESTIMATES):
        return {}
    on_target, shown = choose_stances(study.study.stances)
    found = {}
    for index, target in enumerate(study.targets):
        rows = fetch_rows(
            corpus,
            """
            SELECT * FROM estimates WHERE target = $target AND (group_kind = 'all' OR group_kind = 'topic' AND grain = 'all')
            ORDER BY period, "group"
            """,
            {"target": target.id},
        )
        rows = [row for row in rows if row["stance"] in shown]
        whole = _read_periods(rows, "all", shown, on_target)
        if not whole or not any(shown[0] in by for by in whole[0].estimates.values()):
            continue
        corrected = whole[0].estimates.get(CORRECTED, {})
        found[index] = CorrectedFacts(
            target_index=index,
            stances=shown,
            is_corrected=bool(corrected) and all(one.share is not None for one in corrected.values()),
            n_labels=max((one.n_labels for one in corrected.values()), default=0),
            power=next((r["power"] for r in rows if r["method"] == CORRECTED and r["grain"] == "all"), None),
            whole=whole[0],
            halves=_read_periods(rows, "half", shown, on_target),
            months=_read_periods(rows, "month", shown, on_target),
            topics=_read_topics(rows, on_target),
            lines=_read_lines(corpus, target.id, shown, on_target),
            changes=_read_changes(corpus, target.id, shown),
            components=_read_components(corpus, target.id, shown),
        )
    return found


def _read_periods(rows: list[dict[str, Any]], grain: str, shown: tuple[Stance, ...], on_target: bool) -> list[Period]:
    """Return the periods of one length in which every stance has an estimate."""
    periods: dict[date, Estimates] = {}
    for row in rows:
        if row["grain"] == grain and row["group_kind"] == "all":
            by_method = periods.setdefault(row["period"], {})
            by_method.setdefault(row["method"], {})[Stance(row["stance"])] = _make_estimate(row, on_target)
    full = {start: {m: by for m, by in found.items() if set(by) == set(shown)} for start, found in periods.items()}
    return [Period(start, found) for start, found in sorted(full.items()) if found]


def _read_topics(rows: list[dict[str, Any]], on_target: bool) -> dict[int, Estimates]:
    topics: dict[int, Estimates] = {}
    for row in rows:
        if row["group_kind"] == "topic":
            by_method = topics.setdefault(int(row["group"]), {})
            by_method.setdefault(row["method"], {})[Stance(row["stance"])] = _make_estimate(row, on_target)
    return topics


def correct_topics(topics: TopicFacts, corrected: Mapping[int, CorrectedFacts]) -> TopicFacts:
    """Return the topics with the corrected shares of their posts, where there are any, in the place of the counted ones."""
    stances = {
        index: [_correct_topic(topic, corrected[index]) if index in corrected else topic for topic in found]
        for index, found in topics.stances.items()
    }
    return replace(topics, stances=stances)


def _correct_topic(topic: TopicStances, facts: CorrectedFacts) -> TopicStances:
    found = facts.topics.get(topic.topic_id, {}).get(CORRECTED, {})
    if set(found) != set(topic.shares) or any(one.share is None for one in found.values()) or not topic.n_base:
        return topic
    shares = {
        stance: replace(share, share=found[stance].share, low=found[stance].low, high=found[stance].high)
        for stance, share in topic.shares.items()
    }
    return replace(topic, shares=shares, is_corrected=True)


def _make_estimate(row: dict[str, Any], on_target: bool) -> Estimate:
    end = "_on" if on_target else ""
    return Estimate(
        share=row[f"share{end}"],
        low=row[f"low{end}"],
        high=row[f"high{end}"],
        low_all=row[f"low_all{end}"],
        high_all=row[f"high_all{end}"],
        n_posts=row["n_posts"] or 0,
        n_labels=row["n_labels"] or 0,
        note=row["note"] or "",
    )


def _read_lines(
    corpus: Corpus, target: str, shown: tuple[Stance, ...], on_target: bool
) -> dict[Stance, list[LinePoint]]:
    """Return the smoothed corrected shares; those of predictions where there are no others."""
    end = "_on" if on_target else ""
    rows = fetch_rows(corpus, "SELECT * FROM trend_lines WHERE target = $target ORDER BY month", {"target": target})
    methods = {row["method"] for row in rows}
    method = next((name for name in (CORRECTED, PREDICTIONS) if name in methods), "")
    lines: dict[Stance, list[LinePoint]] = {stance: [] for stance in shown}
    for row in rows:
        values = [row[f"{name}{end}"] for name in ("share", "low", "high", "low_all", "high_all")]
        if row["method"] == method and row["stance"] in shown and None not in values:
            lines[Stance(row["stance"])].append(LinePoint(row["month"], *values))
    return {stance: points for stance, points in lines.items() if points}


def _read_changes(corpus: Corpus, target: str, shown: tuple[Stance, ...]) -> list[Change]:
    query = "SELECT * FROM changes WHERE target = $target ORDER BY rank"
    found = []
    for row in fetch_rows(corpus, query, {"target": target})[:N_CHANGES]:
        if row["stance"] not in shown:
            continue
        stance = Stance(row["stance"])
        grown = stance if row["difference"] > 0 else _opposite(stance, shown)
        found.append(
            Change(
                stance=stance,
                month=row["month"],
                month_low=row["month_low"],
                month_high=row["month_high"],
                before=row["before"],
                after=row["after"],
                difference=row["difference"],
                low=row["low"],
                high=row["high"],
                p_value=row["p_value"],
                grown=grown,
                behind=_read_behind(corpus, target, grown, row["month"], row["until"]),
            )
        )
    return found


def _opposite(stance: Stance, shown: tuple[Stance, ...]) -> Stance:
    poles = {Stance.FAVOR: Stance.AGAINST, Stance.AGAINST: Stance.FAVOR}
    other = poles.get(stance)
    return other if other in shown and other is not None else next(one for one in shown if one is not stance)


def _read_behind(corpus: Corpus, target: str, stance: Stance, first: date, last: date) -> list[Behind]:
    """Return the posts of the first months of a new level that the model is surest of, one an author."""
    rows = fetch_rows(
        corpus,
        f"""
        SELECT title, author, published_at, url, sentence
        FROM predictions JOIN posts USING (post_id)
        JOIN (SELECT * FROM evidence WHERE rank = 0 AND weight > 0) AS best USING (post_id, target)
        WHERE target = $target AND stance = $stance AND abstained IS NOT TRUE AND {COUNTED_ONCE}
            AND published_at::DATE BETWEEN $first AND least($last::DATE + INTERVAL 1 MONTH, $first::DATE + INTERVAL 3 MONTH)
        QUALIFY row_number() OVER (PARTITION BY coalesce(author_id, author) ORDER BY proba_{stance} DESC, post_id) = 1
        ORDER BY proba_{stance} DESC, post_id LIMIT {N_BEHIND}
        """,
        {"target": target, "stance": str(stance), "first": first, "last": last},
    )
    return [
        Behind(
            row["title"] or "",
            row["author"],
            row["published_at"],
            row["url"] if (row["url"] or "").startswith(("https://", "http://")) else None,
            row["sentence"],
        )
        for row in sorted(rows, key=lambda row: row["published_at"])
    ]


def _read_components(corpus: Corpus, target: str, shown: tuple[Stance, ...]) -> list[Component]:
    """Return the changes from year to year; from half to half where there are no two years."""
    query = """SELECT * FROM compositions WHERE target = $target AND "by" = 'author'"""
    rows = fetch_rows(corpus, query, {"target": target})
    years = [row for row in rows if row["period_a"].isdigit()]
    return [
        Component(
            Stance(row["stance"]),
            *(row[name] for name in ("period_a", "period_b", "component", "value", "low", "high")),
        )
        for row in years or rows
        if row["stance"] in shown
    ]
