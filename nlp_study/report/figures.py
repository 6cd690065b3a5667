"""A chart with everything a reader needs around it: title, note, description in words, and its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nlp_study.report import chart_rows, charts, comparisons, tables
from nlp_study.report.content import ReportContent
from nlp_study.report.corrected import CorrectedFacts
from nlp_study.report.corrected_charts import (
    change_rows,
    half_rows,
    half_spec,
    half_table,
    line_rows,
    line_spec,
    line_table,
)
from nlp_study.report.reliability_charts import (
    class_reliability_spec,
    class_reliability_table,
    reliability_rows,
    reliability_spec,
    reliability_table,
)
from nlp_study.report.stances import TargetFacts
from nlp_study.report.texts import Texts
from nlp_study.report.themes import TopicFacts
from nlp_study.report.word_charts import keyword_rows, keyword_spec, keyword_table
from nlp_study.report.words import StanceKeywords
from nlp_study.schema import Stance


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart of one language; `note` may hold markup, `footnotes` say what was counted and filtered."""

    id: str
    title: str
    note: str
    description: str
    table: tables.Table
    spec: dict[str, Any]
    footnotes: tuple[str, ...] = ()


def target_name(target: TargetFacts, t: Texts) -> str:
    """Return the target's name in the language of the page."""
    return target.target.name if t.language == "id" else (target.target.name_en or target.target.name)


def make_figures(content: ReportContent, t: Texts) -> dict[str, Figure]:
    """Return the charts that the numbers allow, by id, in the order of the page."""
    figures = []
    if content.data.months:
        figures.append(_posts_figure(content, t))
    figures += [_trend_figure(target, t) for target in content.targets if target.has_months]
    for facts in content.corrected.values():
        target = content.targets[facts.target_index]
        if facts.lines and target.has_months:
            figures.append(_line_figure(facts, target, t))
        if facts.is_corrected and len(facts.halves) > 1:
            figures.append(_halves_figure(facts, target, t))
    if content.topics.topics and content.topics.periods:
        figures.append(_topics_figure(content, t))
    figures += [
        _topic_stances_figure(content, target, t)
        for target in content.targets
        if chart_rows.charted_stances(content.topics, target.index)
    ]
    if content.words:
        figures += [_keywords_figure(content, facts, t) for facts in content.words.keywords.values()]
    figures += _quality_figures(content, t)
    figures += _reliability_figures(content, t)
    return {figure.id: figure for figure in figures}


def make_rows(content: ReportContent, texts: list[Texts]) -> dict[str, chart_rows.Rows]:
    """Return the rows of all charts by the name that the specifications call them."""
    topics = content.topics
    starts = sorted({row.start for row in topics.periods})
    rows = {
        "posts": chart_rows.posts_rows(content.data),
        "confusion": chart_rows.confusion_rows(content.quality),
        "reliability": reliability_rows(content.reliability),
    }
    for t in texts:
        names = {start: t.format.period(start, topics.period) for start in starts}
        rows[f"topics-time-{t.language}"] = chart_rows.topics_over_time_rows(topics, names)
        rows[f"scores-{t.language}"] = chart_rows.score_rows(content.quality, t)
    for index, facts in content.corrected.items():
        rows[f"line-{index}"] = line_rows(facts)
        rows[f"changes-{index}"] = change_rows(facts)
        for t in texts:
            rows[f"halves-{index}-{t.language}"] = half_rows(facts, t)
    for target in content.targets:
        rows[f"trend-{target.index}"] = chart_rows.trend_rows(target)
        rows[f"volume-{target.index}"] = chart_rows.volume_rows(target)
        if content.words and target.index in content.words.keywords:
            rows[f"keywords-{target.index}"] = keyword_rows(content.words.keywords[target.index])
        rows[f"topic-stances-{target.index}"] = chart_rows.topic_stances_rows(target, topics)
    return rows


def _posts_figure(content: ReportContent, t: Texts) -> Figure:
    data = content.data
    top = max(data.months, key=lambda month: month.n_posts)
    description = t.plain(
        "posts_description",
        first=t.format.month(data.months[0].month),
        last=t.format.month(data.months[-1].month),
        top=t.format.integer(top.n_posts),
        top_month=t.format.month(top.month),
    )
    table = tables.posts_table(data, t)
    return Figure("posts", t.plain("posts_title"), t("posts_note"), description, table, charts.posts_spec(data, t))


def _trend_figure(target: TargetFacts, t: Texts) -> Figure:
    name = target_name(target, t)
    description = t.plain(
        "trends_description",
        first=t.format.month(target.months[0].month),
        last=t.format.month(target.months[-1].month),
        stances=t.join([t.stance(stance).lower() for stance in target.stances]),
        shares=", ".join(f"{t.stance(s).lower()} {t.format.share(target.share(s))}" for s in target.stances),
    )
    note = t("trends_note", methods="; ".join(map(t.method, target.methods)) or t.format.missing)
    if target.on_target:
        note += " " + t("trends_share_note")
    n_undated = target.n_predicted - target.n_predicted_dated
    if n_undated:
        note += " " + t("trends_undated", posts=t.count("post", n_undated))
    return Figure(
        f"trend-{target.index}",
        t.plain("trends_title", target=name),
        note,
        description,
        tables.trend_table(target, name, t),
        charts.trend_spec(target, t),
    )


def _line_figure(facts: CorrectedFacts, target: TargetFacts, t: Texts) -> Figure:
    name, f = target_name(target, t), t.format
    title = t.plain("line_title" if facts.is_corrected else "line_title_plain", target=name)
    points = facts.lines.get(target.main_stance) or next(iter(facts.lines.values()))
    high, low = max(points, key=lambda point: point.share), min(points, key=lambda point: point.share)
    description = t.plain(
        "line_description",
        stance=t.stance(target.main_stance).lower(),
        high=f.percent(high.share, 0),
        high_month=f.month(high.month),
        low=f.percent(low.share, 0),
        low_month=f.month(low.month),
        changes=f.integer(len(facts.changes)),
    )
    note = t("line_note", labels=t.count("label", facts.n_labels)) if facts.is_corrected else t("line_note_plain")
    table = line_table(facts, title, t)
    return Figure(f"line-{facts.target_index}", title, note, description, table, line_spec(facts, target, t))


def _halves_figure(facts: CorrectedFacts, target: TargetFacts, t: Texts) -> Figure:
    title = t.plain("halves_title", target=target_name(target, t))
    wide = [part.estimates[facts.method][target.main_stance] for part in facts.halves]
    description = t.plain(
        "halves_description",
        stance=t.stance(target.main_stance).lower(),
        shares=", ".join(
            f"{t.format.half(part.start)} {t.format.percent(one.share, 0)}"
            for part, one in zip(facts.halves, wide, strict=True)
        ),
    )
    name = f"halves-{facts.target_index}"
    return Figure(name, title, t("halves_note"), description, half_table(facts, title, t), half_spec(facts, t))


def _topics_figure(content: ReportContent, t: Texts) -> Figure:
    topics = content.topics
    period = t.plain(f"period_{topics.period}_word")
    n_topics = t.count("topic", len(topics.charted))
    return Figure(
        "topics-time",
        t.plain("topics_title"),
        t("topics_note", topics=n_topics, period=period) + unstable_note(topics, t),
        t.plain("topics_description", period=period, labels="; ".join(topic.marked for topic in topics.charted)),
        tables.topics_over_time_table(topics, t),
        charts.topics_over_time_spec(topics, t),
    )


def unstable_note(topics: TopicFacts, t: Texts) -> str:
    """Say what the dagger means; empty where no topic has one."""
    n_unstable = sum(topic.is_stable is False for topic in topics.topics)
    return " " + t("unstable_note", topics=t.count("topic", n_unstable)) if n_unstable else ""


def _topic_stances_figure(content: ReportContent, target: TargetFacts, t: Texts) -> Figure:
    topics = content.topics
    name, main = target_name(target, t), target.main_stance
    charted = chart_rows.charted_stances(topics, target.index)
    ordered = sorted(charted, key=lambda topic: topic.shares[main].share or 0.0)
    has_poles = {Stance.FAVOR, Stance.AGAINST} <= set(target.stances)
    description = t.plain(
        "topic_stances_description",
        topics=t.count("topic", len(charted)),
        stance=t.stance(main).lower(),
        high=topics.label(ordered[-1].topic_id),
        high_share=t.format.share(ordered[-1].shares[main]),
        low=topics.label(ordered[0].topic_id),
        low_share=t.format.share(ordered[0].shares[main]),
    )
    return Figure(
        f"topic-stances-{target.index}",
        t.plain("topic_stances_title", target=name),
        t("topic_stances_note_poles" if has_poles else "topic_stances_note_plain")
        + (" " + t("topic_stances_corrected") if charted[0].is_corrected else "")
        + unstable_note(topics, t),
        description,
        tables.topic_stances_table(target, topics, name, t),
        comparisons.topic_stances_spec(target, topics, t),
    )


def _keywords_figure(content: ReportContent, facts: StanceKeywords, t: Texts) -> Figure:
    title = t.plain("keywords_title", target=target_name(content.targets[facts.target_index], t))
    first = {
        stance: ", ".join(word.word for word in facts.keywords if word.stance is stance)
        for stance in (Stance.FAVOR, Stance.AGAINST)
    }
    return Figure(
        f"keywords-{facts.target_index}",
        title,
        t("keywords_note"),
        t.plain(
            "keywords_description",
            n=t.format.integer(len(facts.keywords)),
            favor=first[Stance.FAVOR] or t.format.missing,
            against=first[Stance.AGAINST] or t.format.missing,
        ),
        keyword_table(facts, title, t),
        keyword_spec(facts, t),
        t.notes(facts.notes),
    )


def _quality_figures(content: ReportContent, t: Texts) -> list[Figure]:
    quality = content.quality
    if not quality.scores:
        return []
    scores = "; ".join(f"{t.model(score.model)} {t.format.decimal(score.macro_f1)}" for score in quality.scores)
    figures = [
        Figure(
            "scores",
            t.plain("scores_title"),
            t("scores_note"),
            t.plain("scores_description", scores=scores),
            tables.scores_table(quality, t),
            comparisons.scores_spec(quality, t),
        )
    ]
    if quality.tuned is not None:
        confusion = quality.tuned.confusion
        right = sum(row[gold] for gold, row in confusion.items())
        total = sum(n for row in confusion.values() for n in row.values())
        figures.append(
            Figure(
                "confusion",
                t.plain("confusion_title", model=t.model(quality.tuned.model)),
                t("confusion_note"),
                t.plain("confusion_description", right=t.format.integer(right), total=t.format.integer(total)),
                tables.confusion_table(quality.tuned, t),
                comparisons.confusion_spec(content.study.study.stances, t),
            )
        )
    return figures


def _reliability_figures(content: ReportContent, t: Texts) -> list[Figure]:
    facts = content.reliability
    if facts is None:
        return []
    f = t.format
    parts = "; ".join(f"{f.percent(part.confidence, 0)}: {f.percent(part.share, 0)}" for part in facts.parts)
    errors = {"error": f.decimal(facts.error, 3), "expected": f.decimal(facts.expected_error, 3)}
    counts = {"predictions": t.count("prediction", facts.n_predictions), "pairs": t.count("pair", facts.n_pairs)}
    stances = list(facts.by_stance)
    return [
        Figure(
            "reliability",
            t.plain("reliability_title"),
            t("reliability_note", **errors, **counts),
            t.plain("reliability_description", parts=parts),
            reliability_table(facts, t),
            reliability_spec(t),
        ),
        Figure(
            "reliability-classes",
            t.plain("reliability_classes_title"),
            t("reliability_classes_note"),
            t.plain("reliability_classes_description", stances=t.join([t.stance(s).lower() for s in stances])),
            class_reliability_table(facts, t),
            class_reliability_spec(stances, t),
        ),
    ]
