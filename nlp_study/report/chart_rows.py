"""The rows that the charts draw; both languages share them unless a row holds words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from nlp_study.metrics import BASELINES
from nlp_study.report.content import DataFacts
from nlp_study.report.quality import QualityFacts
from nlp_study.report.stances import TargetFacts
from nlp_study.report.texts import Texts
from nlp_study.report.themes import TopicFacts, TopicStances
from nlp_study.schema import OUTLIER_TOPIC, Stance

Rows = list[dict[str, Any]]


def posts_rows(data: DataFacts) -> Rows:
    """One row a month."""
    return [{"month": _iso(month.month), "n": month.n_posts} for month in data.months]


def trend_rows(target: TargetFacts) -> Rows:
    """One row a month and stance; the share of an empty month is null."""
    return [
        {
            "month": _iso(month.month),
            "stance": str(stance),
            "n": share.n,
            "total": share.total,
            "share": _round(share.share),
            "low": _round(share.low),
            "high": _round(share.high),
        }
        for month in target.months
        for stance, share in month.shares.items()
    ]


def volume_rows(target: TargetFacts) -> Rows:
    """Posts of each month that the shares are of, and the others."""
    rows = []
    for month in target.months:
        rows.append({"month": _iso(month.month), "kind": "on", "n": month.n_base})
        if target.on_target:
            rows.append({"month": _iso(month.month), "kind": "off", "n": max(0, month.n_posts - month.n_base)})
    return rows


def topics_over_time_rows(topics: TopicFacts, period_names: Mapping[date, str]) -> Rows:
    """One row a charted topic and period."""
    order = {topic.topic_id: rank for rank, topic in enumerate(topics.charted)}
    return [
        {
            "topic": topic_title(topics, row.topic_id),
            "order": order[row.topic_id],
            "start": _iso(row.start),
            "period": period_names[row.start],
            "n": row.share.n,
            "total": row.share.total,
            "share": _round(row.share.share),
        }
        for row in topics.periods
        if row.topic_id in order
    ]


def topic_stances_rows(target: TargetFacts, topics: TopicFacts) -> Rows:
    """One row a charted topic and stance, with the ends of its part of the bar."""
    order = bar_order(target.stances)
    rows = []
    for rank, topic in enumerate(charted_stances(topics, target.index)):
        start = _bar_start(topic.shares)
        for stance in order:
            share = topic.shares[stance]
            end = start + (share.share or 0.0)
            name = topic_title(topics, topic.topic_id)
            rows.append(
                {
                    "topic": name,
                    "title_id": f"{name} · {topic.n_base} tulisan",
                    "title_en": f"{name} · {topic.n_base} {'post' if topic.n_base == 1 else 'posts'}",
                    "order": rank,
                    "stance": str(stance),
                    "n": share.n,
                    "total": share.total,
                    "share": _round(share.share),
                    "start": _round(start),
                    "end": _round(end),
                    "middle": _round((start + end) / 2),
                }
            )
            start = end
    return rows


def score_rows(quality: QualityFacts, t: Texts) -> Rows:
    """One row a model, best first."""
    return [
        {
            "model": t.model(score.model),
            "tuned": score.model not in BASELINES,
            "macro_f1": _round(score.macro_f1),
            "spread": _round(score.macro_f1_spread),
            "low": _round(max(0.0, score.macro_f1 - score.macro_f1_spread)),
            "high": _round(min(1.0, score.macro_f1 + score.macro_f1_spread)),
            "accuracy": _round(score.accuracy),
        }
        for score in quality.scores
    ]


def confusion_rows(quality: QualityFacts) -> Rows:
    """One row a cell; `share` is the part of the gold label's pairs."""
    if quality.tuned is None:
        return []
    return [
        {
            "gold": gold,
            "predicted": predicted,
            "n": n,
            "share": _round(n / total if (total := sum(row.values())) else 0.0),
        }
        for gold, row in quality.tuned.confusion.items()
        for predicted, n in row.items()
    ]


def charted_stances(topics: TopicFacts, target_index: int) -> list[TopicStances]:
    """Return the stances of the largest topics that have a post to count."""
    charted = {topic.topic_id for topic in topics.charted}
    found = topics.stances.get(target_index, [])
    return [topic for topic in found if topic.topic_id in charted and topic.n_base and topic.topic_id != OUTLIER_TOPIC]


def topic_title(topics: TopicFacts, topic_id: int) -> str:
    """Return a topic's number, counted from 1 as readers do, and its label."""
    return f"{topic_id + 1}. {topics.label(topic_id)}"


def bar_order(stances: Sequence[Stance]) -> list[Stance]:
    """Return stances from left to right: against, neutral, in favour, then what is off the target."""
    order = (Stance.AGAINST, Stance.NEUTRAL, Stance.FAVOR, Stance.IRRELEVANT)
    return [stance for stance in order if stance in stances]


def _bar_start(shares: Mapping[Stance, Any]) -> float:
    if Stance.AGAINST not in shares or Stance.FAVOR not in shares:
        return 0.0
    neutral = shares[Stance.NEUTRAL].share or 0.0 if Stance.NEUTRAL in shares else 0.0
    return -((shares[Stance.AGAINST].share or 0.0) + neutral / 2)


def _iso(day: date) -> str:
    return day.isoformat()


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
