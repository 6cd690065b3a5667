"""The numbers behind each chart as tables of written text, for readers who do not see the chart or want the figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nlp_study.metrics import ModelScore
from nlp_study.report.content import DataFacts, FailureCount, RunFacts, SourceCount
from nlp_study.report.quality import QualityFacts
from nlp_study.report.stances import TargetFacts
from nlp_study.report.texts import Texts
from nlp_study.report.themes import TopicFacts
from nlp_study.schema import OUTLIER_TOPIC
from nlp_study.stance.shifts import Drift, Question


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title; numbers are set flush right."""

    title: str
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Written cells, shape (n_rows, n_columns); the first cell of a row names it."""

    caption: str
    columns: list[Column]
    rows: list[list[str]] = field(default_factory=list)


def posts_table(data: DataFacts, t: Texts) -> Table:
    """Posts of each month."""
    rows = [[t.format.month(month.month), t.format.integer(month.n_posts)] for month in data.months]
    return Table(t.plain("posts_title"), [Column(t.plain("month"), False), Column(t.plain("posts"))], rows)


def trend_table(target: TargetFacts, name: str, t: Texts) -> Table:
    """Shares and intervals of each month."""
    columns = [Column(t.plain("month"), False), Column(t.plain("funnel_predicted"))]
    if target.n_abstained:
        columns.append(Column(t.plain("undecided")))
    if target.on_target:
        columns.append(Column(t.plain("volume_on")))
    for stance in target.stances:
        columns += [Column(t.stance(stance)), Column(t.plain("interval"))]
    rows = []
    for month in target.months:
        row = [t.format.month(month.month), t.format.integer(month.n_posts + month.n_abstained)]
        if target.n_abstained:
            row.append(t.format.integer(month.n_abstained))
        if target.on_target:
            row.append(t.format.integer(month.n_base))
        for share in month.shares.values():
            written = f"{t.format.share(share)} ({t.format.integer(share.n)})" if share.total else t.format.missing
            row += [written, t.format.interval(share)]
        rows.append(row)
    return Table(t.plain("trends_title", target=name), columns, rows)


def overview_table(targets: list[TargetFacts], names: list[str], t: Texts) -> Table:
    """Shares of each target over the whole period."""
    columns = [Column(t.plain("target"), False), Column(t.plain("posts"))]
    for stance in targets[0].stances:
        columns += [Column(t.stance(stance)), Column(t.plain("interval"))]
    rows = []
    for target, name in zip(targets, names, strict=True):
        row = [name, t.format.integer(target.n_base)]
        for stance in target.stances:
            row += [t.format.share(target.share(stance)), t.format.interval(target.share(stance))]
        rows.append(row)
    return Table(t.plain("overview_title"), columns, rows)


def topics_over_time_table(topics: TopicFacts, t: Texts) -> Table:
    """Share of posts of each period that touch each charted topic."""
    charted = topics.charted
    starts = sorted({row.start for row in topics.periods})
    shares = {(row.topic_id, row.start): row.share for row in topics.periods}
    columns = [Column(t.plain(f"period_{topics.period}"), False), Column(t.plain("posts"))]
    columns += [Column(topic.marked) for topic in charted]
    rows = []
    for start in starts:
        found = [shares[topic.topic_id, start] for topic in charted]
        written = [f"{t.format.share(s)} ({t.format.integer(s.n)})" if s.total else t.format.missing for s in found]
        rows.append([t.format.period(start, topics.period), t.format.integer(found[0].total), *written])
    return Table(t.plain("topics_title"), columns, rows)


def topic_stances_table(target: TargetFacts, topics: TopicFacts, name: str, t: Texts) -> Table:
    """Shares and intervals of each topic, outliers last."""
    columns = [Column(t.plain("topic"), False), Column(t.plain("funnel_predicted"))]
    if target.on_target:
        columns.append(Column(t.plain("volume_on")))
    for stance in target.stances:
        columns += [Column(t.stance(stance)), Column(t.plain("interval"))]
    rows = []
    for topic in topics.stances.get(target.index, []):
        is_outlier = topic.topic_id == OUTLIER_TOPIC
        label = t.plain("outliers") if is_outlier else f"{topic.topic_id + 1}. {topics.label(topic.topic_id)}"
        row = [label, t.format.integer(topic.n_posts)]
        if target.on_target:
            row.append(t.format.integer(topic.n_base))
        for share in topic.shares.values():
            count = "" if topic.is_corrected else f" ({t.format.integer(share.n)})"
            row += [t.format.share(share) + count if share.total else t.format.missing, t.format.interval(share)]
        rows.append(row)
    return Table(t.plain("topic_stances_title", target=name), columns, rows)


def scores_table(quality: QualityFacts, t: Texts) -> Table:
    """Macro-F1, its spread and accuracy of each model, best first."""
    columns = [
        Column(t.plain("model_word"), False),
        Column(t.plain("macro_f1")),
        Column(t.plain("spread")),
        Column(t.plain("accuracy")),
        Column(t.plain("pairs_word")),
    ]
    rows = [
        [
            t.model(score.model),
            t.format.decimal(score.macro_f1, 3),
            t.format.decimal(score.macro_f1_spread, 3) if score.n_seeds > 1 else t.format.missing,
            t.format.percent(score.accuracy),
            t.format.integer(score.n_pairs),
        ]
        for score in quality.scores
    ]
    return Table(t.plain("scores_title"), columns, rows)


def scores_by_target_table(quality: QualityFacts, names: list[str], t: Texts) -> Table:
    """Macro-F1 of each model on each target."""
    models = [score.model for score in quality.scores]
    columns = [Column(t.plain("target"), False), Column(t.plain("pairs_word")), *(Column(t.model(m)) for m in models)]
    rows = []
    for index, scores in quality.by_target.items():
        by_model = {score.model: score for score in scores}
        written = [t.format.decimal(by_model[m].macro_f1, 3) if m in by_model else t.format.missing for m in models]
        rows.append([names[index], t.format.integer(scores[0].n_pairs), *written])
    return Table(t.plain("scores_targets_title"), columns, rows)


def classes_table(score: ModelScore, t: Texts) -> Table:
    """Precision, recall and F1 of each label."""
    titles = ("precision", "recall", "f1", "support")
    columns = [Column(t.plain("stance_word"), False), *(Column(t.plain(title)) for title in titles)]
    rows = [
        [
            t.stance(stance),
            t.format.decimal(found.precision),
            t.format.decimal(found.recall),
            t.format.decimal(found.f1),
            t.format.integer(found.support),
        ]
        for stance, found in score.per_class.items()
    ]
    return Table(t.plain("classes_title", model=t.model(score.model)), columns, rows)


def confusion_table(score: ModelScore, t: Texts) -> Table:
    """Counts of human labels (rows) against predictions (columns)."""
    stances = list(score.confusion)
    columns = [Column(f"{t.plain('gold_label')} ↓ · {t.plain('predicted_label')} →", False)]
    columns += [*(Column(t.stance(stance)) for stance in stances), Column(t.plain("total"))]
    rows = [
        [t.stance(gold), *(t.format.integer(row[stance]) for stance in stances), t.format.integer(sum(row.values()))]
        for gold, row in score.confusion.items()
    ]
    return Table(t.plain("confusion_title", model=t.model(score.model)), columns, rows)


def labels_table(quality: QualityFacts, names: list[str], t: Texts) -> Table:
    """Human labels of each target and class."""
    stances = list(next(iter(quality.labels.values()), {}))
    columns = [Column(t.plain("target"), False), *(Column(t.stance(s)) for s in stances), Column(t.plain("total"))]
    rows = [
        [
            names[index],
            *(t.format.integer(counts[stance]) for stance in stances),
            t.format.integer(sum(counts.values())),
        ]
        for index, counts in quality.labels.items()
    ]
    return Table(t.plain("labels_title"), columns, rows)


def drift_table(drift: Drift, names: dict[str, str], t: Texts) -> Table:
    """Each comparison of the posts with those that the model learnt from."""
    keys = ("here", "in_training", "difference", "by_chance", "warns_from")
    columns = [Column(t.plain("compared"), False), *(Column(t.plain(key)) for key in keys)]
    columns.append(Column(t.plain("warning_word"), False))
    rows = []
    for shift in drift.shifts:
        write = t.format.decimal if shift.question is Question.VECTORS else t.format.percent
        name = t.plain(f"drift_{shift.question.name.lower()}")
        rows.append(
            [
                f"{name}: {names.get(shift.target, shift.target)}" if shift.target else name,
                *(
                    write(value)
                    for value in (shift.here, shift.training, shift.effect, shift.expected, shift.threshold)
                ),
                t.plain("yes" if shift.is_clear else "no"),
            ]
        )
    return Table(t.plain("drift_title"), columns, rows)


def sources_table(sources: list[SourceCount], t: Texts) -> Table:
    """Posts of each source."""
    columns = [Column(t.plain("source"), False), Column(t.plain("format"), False), Column(t.plain("posts"))]
    rows = [[source.name, source.format or t.format.missing, t.format.integer(source.n_posts)] for source in sources]
    return Table(t.plain("sources_title"), columns, rows)


def failures_table(failures: list[FailureCount], t: Texts) -> Table:
    """The most frequent reasons of failures."""
    columns = [Column(t.plain("stage"), False), Column(t.plain("reason"), False), Column(t.plain("n_failures"))]
    rows = [[failure.stage, failure.reason, t.format.integer(failure.n)] for failure in failures]
    return Table(t.plain("failures_title"), columns, rows)


def records_table(runs: list[RunFacts], t: Texts) -> Table:
    """What was made when, and its digest."""
    columns = [
        Column(t.plain("table_name"), False),
        Column(t.plain("stage"), False),
        Column(t.plain("started"), False),
        Column(t.plain("rows")),
        Column(t.plain("wall_time")),
        Column(t.plain("digest"), False),
    ]
    rows = [
        [
            run.name,
            run.stage or t.format.missing,
            t.format.moment(run.started_at),
            t.format.integer(run.n_rows) if run.name != "model" else t.format.missing,
            t.plain("seconds", n=t.format.decimal(run.wall_s, 1)) if run.wall_s else t.format.missing,
            run.digest[:16] or t.format.missing,
        ]
        for run in runs
    ]
    return Table(t.plain("records_title"), columns, rows)


def model_table(counts: dict[str, Any], t: Texts) -> Table:
    """Whatever the record of the model says, with names where there are any."""
    rows = []
    for key, value in counts.items():
        name = t.plain(f"count_{key}") if t.has(f"count_{key}") else key
        rows.append([name, _write_value(value, t)])
    return Table(t.plain("model_title"), [Column(t.plain("fact"), False), Column(t.plain("value"), False)], rows)


def _write_value(value: object, t: Texts) -> str:
    if isinstance(value, bool):
        return t.plain("yes" if value else "no")
    if isinstance(value, int):
        return t.format.integer(value)
    if isinstance(value, float):
        digits = next((n for n in range(3) if round(value, n) == value), 3)
        return t.format.decimal(value, digits)
    if isinstance(value, list | tuple):
        return ", ".join(_write_value(item, t) for item in value)
    return str(value)
