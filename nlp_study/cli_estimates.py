"""Commands for shares and trends: trends, estimate, changes, decompose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp_study.cli_options import (
    DEFAULT_STUDY,
    ForceOption,
    FormatOption,
    OutputOption,
    StudyOption,
    open_study,
    run_up_to,
)
from nlp_study.errors import ConfigError
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.estimate.tables import Estimator
    from nlp_study.store import Corpus

_GRAINS = ("all", "year", "half", "quarter", "month")
_GROUPS = ("topic", "category", "badge", "prolific")
_METHODS = ("corrected", "labels", "predictions", "all")
_DECOMPOSE_BY = ("author", "prolific", "topic", "category", "badge")

TargetOption = Annotated[str, typer.Option(help="Target, an id from the study file; by default all.")]
StanceOption = Annotated[str, typer.Option(help="Only this stance.")]
OnTargetOption = Annotated[
    bool, typer.Option("--on-target", help="Shares of the posts on the target: irrelevant ones left out.")
]
MethodOption = Annotated[str, typer.Option(help="corrected, labels, predictions, or all side by side.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Examples:  nlp-study trends   ·   nlp-study trends --topic 3 --format csv")(trends)
    app.command(
        epilog="Examples:  nlp-study estimate   ·   nlp-study estimate --by half --method all   ·   "
        "nlp-study estimate --by quarter --group topic --stance favor   ·   "
        "nlp-study estimate --compare 2023-07..2023-09,2023-10..2023-12 --on-target"
    )(estimate)
    app.command(epilog="Examples:  nlp-study changes   ·   nlp-study changes --format json")(changes)
    app.command(
        epilog="Examples:  nlp-study decompose 2023-H1 2023-H2   ·   "
        "nlp-study decompose 2023 2025 --by topic --stance favor --format csv"
    )(decompose)


def trends(
    study: StudyOption = DEFAULT_STUDY,
    topic: Annotated[int | None, typer.Option(help="Only posts with a segment in this topic.")] = None,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Count posts and stance shares per month, beside shares corrected with labelled posts and the smoothed line.

    share counts the predictions as they are; corrected repairs the classifier's errors; trend smooths the corrected months.
    """
    from nlp_study.schema import ALL_TOPICS

    opened, corpus = open_study(study)
    run_up_to("trends", opened, corpus, force=force)
    _say_notes(opened, corpus)
    query = (
        "SELECT strftime(t.month, '%Y-%m') AS month, t.target, t.stance, t.n_stance, t.n_posts, t.share, t.share_low, "
        "t.share_high, e.n_labels, e.share AS corrected, e.low AS corrected_low, e.high AS corrected_high, "
        "l.share AS trend, l.low AS trend_low, l.high AS trend_high FROM trends t "
        "LEFT JOIN estimates e ON e.target = t.target AND e.stance = t.stance AND e.period = t.month AND e.grain = 'month' "
        "AND e.method = 'corrected' AND e.group_kind = $kind AND e.\"group\" = $group "
        "LEFT JOIN trend_lines l ON l.target = t.target AND l.stance = t.stance AND l.month = t.month "
        "AND l.method = 'corrected' AND $kind = 'all' "
        "WHERE t.topic_id = $topic ORDER BY t.target, t.month, t.stance"
    )
    where = {"topic": ALL_TOPICS, "kind": "all", "group": ""}
    if topic is not None:
        where = {"topic": topic, "kind": "topic", "group": str(topic)}
    _print(corpus.fetch(query, where), opened, format, output)


def estimate(
    study: StudyOption = DEFAULT_STUDY,
    by: Annotated[str, typer.Option(help="Period: all, year, half, quarter or month.")] = "all",
    group: Annotated[str, typer.Option(help="Apart by topic, category, badge or prolific.")] = "",
    compare: Annotated[
        str, typer.Option(metavar="A,B", help="Difference of period B from A, such as 2023-H1,2023-07..2023-12.")
    ] = "",
    method: MethodOption = "corrected",
    on_target: OnTargetOption = False,
    target: TargetOption = "",
    stance: StanceOption = "",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Estimate shares of each stance, corrected for the classifier's errors, with intervals.

    low and high hold for a stance, low_all and high_all for all stances of the period at once. Methods: docs/estimates.md.
    """
    _check_choice("--by", by, _GRAINS)
    _check_choice("--group", group, ("", *_GROUPS))
    _check_choice("--method", method, _METHODS)
    opened, corpus = open_study(study)
    _check_choice("--target", target, ("", *(entry.id for entry in opened.targets)))
    _check_choice("--stance", stance, ("", *map(str, opened.study.stances)))
    run_up_to("trends", opened, corpus, force=force)
    _say_notes(opened, corpus)
    if compare:
        _print_differences(opened, corpus, compare, group, method, on_target, target, stance, format, output)
        return
    suffix = "_on" if on_target else ""
    columns = ", ".join(f"{name}{suffix} AS {name}" for name in ("share", "low", "high", "low_all", "high_all"))
    shown = '"group", ' if group else ""
    query = (
        f"SELECT target, grain, period, {shown}stance, method, n_posts, n_labels, n_authors, {columns}, power, "
        "n_effective, note FROM estimates WHERE grain = $by AND group_kind = $kind AND ($method = 'all' OR method = $method) "
        "AND ($target = '' OR target = $target) AND ($stance = '' OR stance = $stance) "
        f"AND NOT ({str(on_target).lower()} AND stance = 'irrelevant') "
        'ORDER BY target, "group", period, stance, method'
    )
    values = {"by": by, "kind": group or "all", "method": method, "target": target, "stance": stance}
    found = _named_periods(corpus.fetch(query, values), brief=_is_terminal(format, output))
    _print(found, opened, format, output)


def changes(
    study: StudyOption = DEFAULT_STUDY,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """List the months from which a share is another one, with the chance that there is no change at all.

    Two patterns are looked for: a new level, and a stretch of months unlike those around it.
    """
    opened, corpus = open_study(study)
    run_up_to("trends", opened, corpus, force=force)
    _say_notes(opened, corpus)
    found = corpus.fetch("SELECT * FROM changes ORDER BY target, rank")
    if not found.num_rows:
        typer.echo(
            "no change of any stance beyond chance; `nlp-study estimate --compare` compares periods of your own",
            err=True,
        )
        if _is_terminal(format, output):
            return
    if _is_terminal(format, output):
        found = found.drop_columns(["method", "rank"])
    _print(found, opened, format, output)


def decompose(
    period_a: Annotated[
        str, typer.Argument(help="Earlier period: 2023, 2023-H1, 2023-Q3, 2023-07 or 2023-01..2023-09.")
    ],
    period_b: Annotated[str, typer.Argument(help="Later period.")],
    by: Annotated[str, typer.Option(help="author, prolific, topic, category or badge.")] = "author",
    study: StudyOption = DEFAULT_STUDY,
    target: TargetOption = "",
    stance: StanceOption = "",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Say whether a share moved because writers changed, because some wrote more, or because others wrote.

    within: those who wrote in both periods changed; volume: they wrote more or less; turnover: they wrote in one period only.
    The three add up to the total; intervals are over resampled authors.
    """
    import pyarrow as pa

    from nlp_study.estimate.periods import parse_period
    from nlp_study.trends.decompose import Component, decompose_periods

    _check_choice("--by", by, _DECOMPOSE_BY)
    before, after = parse_period(period_a), parse_period(period_b)
    opened, corpus = open_study(study)
    _check_choice("--target", target, ("", *(entry.id for entry in opened.targets)))
    _check_choice("--stance", stance, ("", *map(str, opened.study.stances)))
    run_up_to("trends", opened, corpus, force=force)
    _say_notes(opened, corpus)
    rows = []
    for estimator in _estimators(opened, corpus, target):
        where = [estimator.positions(period) for period in (before, after)]
        found = decompose_periods(estimator, where[0], where[1], by=by, seed=opened.study.seed)
        typer.echo(
            f"{estimator.posts.target}: {found.n_both} in both periods, {found.n_left} in {before} only, "
            f"{found.n_came} in {after} only ({by})",
            err=True,
        )
        for k, name in enumerate(found.stances):
            for i, component in enumerate(Component):
                if stance in ("", name):
                    row = {"target": estimator.posts.target, "stance": name, "component": str(component)}
                    values = {"value": found.value[i, k], "low": found.low[i, k], "high": found.high[i, k]}
                    rows.append({**row, **{key: float(value) for key, value in values.items()}})
    _print(pa.Table.from_pylist(rows), opened, format, output, f"from {before} to {after}, by {by}")


def _print_differences(
    study: Study,
    corpus: Corpus,
    compare: str,
    kind: str,
    method: str,
    on_target: bool,
    target: str,
    stance: str,
    format: TableFormat,
    output: Any,
) -> None:
    import pyarrow as pa

    from nlp_study.estimate.periods import parse_period

    parts = compare.split(",")
    if len(parts) != 2:
        raise ConfigError(
            f"--compare {compare!r} is no pair of periods", remedy="for example --compare 2023-H1,2023-H2"
        )
    before, after = map(parse_period, parts)
    rows = []
    for estimator in _estimators(study, corpus, target):
        names = list(estimator.posts.groups[kind]) if kind else [""]
        for name in names:
            key = {"target": estimator.posts.target, **({"group": name} if kind else {})}
            rows += _differences(estimator, before, after, kind or "all", name, method, on_target, stance, key)
    _print(pa.Table.from_pylist(rows), study, format, output, f"{after} minus {before}")


def _differences(
    estimator: Estimator,
    before: Any,
    after: Any,
    kind: str,
    group: str,
    method: str,
    on_target: bool,
    stance: str,
    key: dict[str, str],
) -> list[dict[str, Any]]:
    from nlp_study.errors import DataError

    rows = []
    for used in estimator.methods:
        if method not in ("all", str(used)):
            continue
        try:
            found = estimator.compare(before, after, kind=kind, group=group, method=used, on_target=on_target)
        except DataError:
            if kind == "all":
                raise
            continue  # a group that has no posts in one of the periods
        first, second = found.before, found.after
        for k, name in enumerate(found.stances):
            if stance not in ("", name) or (on_target and name == "irrelevant"):
                continue
            row = {**key, "stance": name, "method": str(used), "before": first.share[k], "after": second.share[k]}
            row |= {end: getattr(found, end)[k] for end in ("difference", "low", "high", "low_all", "high_all")}
            row |= {"posts_a": first.n_posts, "posts_b": second.n_posts}
            row |= {"labels_a": first.n_labels, "labels_b": second.n_labels}
            rows.append(row)
    return rows


def _estimators(study: Study, corpus: Corpus, target: str) -> list[Estimator]:
    from nlp_study.trends.tables import open_estimator

    return [open_estimator(study, corpus, entry.id) for entry in study.targets if target in ("", entry.id)]


def _say_notes(study: Study, corpus: Corpus) -> None:
    from nlp_study.schema import TableName

    record = corpus.record(TableName.TRENDS)
    for target, note in (record.counts.get("notes") or {}).items() if record else ():
        typer.echo(f"{target}: {note}", err=True)


def _named_periods(table: Any, *, brief: bool) -> Any:
    """Put the names of periods in place of their first days; on a terminal leave columns out that few look at."""
    import pyarrow as pa

    from nlp_study.estimate.tables import describe_period

    names = [
        describe_period(grain, first)
        for grain, first in zip(table["grain"].to_pylist(), table["period"].to_pylist(), strict=True)
    ]
    place = table.column_names.index("period")
    table = table.set_column(place, "period", pa.array(names, pa.string())).drop_columns(["grain"])
    if brief:
        table = table.drop_columns(["n_authors", "power", "n_effective", "note"])
    return table


def _print(table: Any, study: Study, format: TableFormat, output: Any, title: str | None = None) -> None:
    """Print a table; on a terminal without the target where the study has only one."""
    if _is_terminal(format, output) and len(study.targets) == 1 and "target" in table.column_names:
        table = table.drop_columns(["target"])
    print_table(table, format, output=output, title=title)


def _is_terminal(format: TableFormat, output: Any) -> bool:
    return format is TableFormat.TABLE and not output


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{option} {value!r} is unknown",
            remedy=f"choose one of {', '.join(choice for choice in choices if choice)}",
        )
