"""Charts, rows and tables of the corrected shares."""

from __future__ import annotations

from typing import Any

from nlp_study.report.axes import LEGEND, Y_AXIS, Spec, choose, month_frame, month_tip, month_x, number_tip
from nlp_study.report.charts import volume_panel
from nlp_study.report.corrected import METHODS, PREDICTIONS, Component, CorrectedFacts, Estimate, Period
from nlp_study.report.palette import STANCE_MARKS
from nlp_study.report.stances import TargetFacts
from nlp_study.report.tables import Column, Table
from nlp_study.report.texts import Texts
from nlp_study.schema import Stance

Rows = list[dict[str, Any]]
_RULES = {"corrected": [1, 0], "labels": [5, 3], "predictions": [2, 3]}


def line_rows(facts: CorrectedFacts) -> Rows:
    """One row a month and stance: the smoothed share with both bands, and the month's own estimate."""
    own = {part.start: part.estimates.get(facts.method, {}) for part in facts.months}
    rows = []
    for stance, points in facts.lines.items():
        for point in points:
            month = own.get(point.month, {}).get(stance)
            rows.append(
                {
                    "month": point.month.isoformat(),
                    "stance": str(stance),
                    **{name: _round(getattr(point, name)) for name in ("share", "low", "high", "low_all", "high_all")},
                    "own": _round(month.share) if month else None,
                    "own_low": _round(month.low) if month else None,
                    "own_high": _round(month.high) if month else None,
                    "labels": month.n_labels if month else 0,
                    "posts": month.n_posts if month else 0,
                }
            )
    return rows


def change_rows(facts: CorrectedFacts) -> Rows:
    """One row a change: its month and the months that hold it with 95 % probability."""
    return [
        {
            "stance": str(change.stance),
            "month": change.month.isoformat(),
            "first": change.month_low.isoformat(),
            "last": change.month_high.isoformat(),
        }
        for change in facts.changes
    ]


def half_rows(facts: CorrectedFacts, t: Texts) -> Rows:
    """One row a half-year, stance and method."""
    return [
        {
            "half": t.format.half(part.start),
            "order": order,
            "stance": str(stance),
            "method": method,
            "share": _round(one.share),
            "low": _round(one.low),
            "high": _round(one.high),
            "labels": one.n_labels,
            "posts": one.n_posts,
        }
        for order, part in enumerate(facts.halves)
        for method in METHODS
        for stance, one in part.estimates.get(method, {}).items()
        if one.share is not None
    ]


def line_spec(facts: CorrectedFacts, target: TargetFacts, t: Texts) -> Spec:
    """One panel a stance with its smoothed share, both bands, the months' own estimates and changes; below, the posts."""
    months = next(iter(facts.lines.values()))
    panels = [_line_panel(facts, stance, len(months), t) for stance in facts.lines]
    return {
        "data": {"name": f"line-{facts.target_index}"},
        "usermeta": month_frame(len(months)),
        "spacing": 10,
        "vconcat": [*panels, volume_panel(target, len(months), t)],
        "resolve": {"scale": {"color": "independent"}},
    }


def _line_panel(facts: CorrectedFacts, stance: Stance, n_months: int, t: Texts) -> Spec:
    mark, colour, name = STANCE_MARKS[stance], f"${stance}", t.stance(stance)
    x: Spec = {**month_x(n_months, labels=False), "bandPosition": 0.5}
    y: Spec = {
        "field": "share",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, 1], "clamp": True},
        "axis": {**Y_AXIS, "format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]},
    }
    mine: Spec = {"filter": f"datum.stance === '{stance}'"}
    tips = [
        month_tip(t),
        number_tip("share", t.plain("tip_smoothed", stance=name), ".0%"),
        number_tip("low", t.plain("tip_low"), ".0%"),
        number_tip("high", t.plain("tip_high"), ".0%"),
        number_tip("own", t.plain("tip_own"), ".0%"),
        number_tip("labels", t.plain("tip_labels"), ",d"),
        number_tip("posts", t.plain("axis_posts"), ",d"),
    ]
    changes: Spec = {
        "data": {"name": f"changes-{facts.target_index}"},
        "transform": [mine],
        "encoding": {"y": None},
        "layer": [
            {
                "mark": {"type": "rect", "color": "$ink", "opacity": 0.08},
                "encoding": {
                    "x": {**x, "field": "first", "bandPosition": 0},
                    "x2": {"field": "last", "bandPosition": 1},
                },
            },
            {
                "mark": {"type": "rule", "color": "$ink", "strokeWidth": 1.25},
                "encoding": {"x": {**x, "bandPosition": 0}},
            },
        ],
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "color": colour, "opacity": 0.12},
            "encoding": {"x": x, "y": {**y, "field": "low_all"}, "y2": {"field": "high_all"}},
        },
        {
            "mark": {"type": "area", "color": colour, "opacity": 0.24},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "shape": mark.symbol, "size": 22, "color": colour, "opacity": 0.75},
            "encoding": {"x": x, "y": {**y, "field": "own"}},
        },
        {
            "mark": {"type": "line", "color": colour, "strokeWidth": 2.25, "strokeDash": list(mark.dash)},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "bar", "opacity": 0, "binSpacing": 0},
            "encoding": {"x": month_x(n_months, labels=False), "y": {"datum": 0}, "y2": {"datum": 1}, "tooltip": tips},
        },
    ]
    return {
        "width": "$width",
        "height": choose(150, 120),
        "title": {"text": name, "color": colour, "anchor": "start", "frame": "group", "offset": 6, "fontSize": 13},
        "layer": [*([changes] if facts.changes else []), {"transform": [mine], "layer": layers}],
    }


def half_spec(facts: CorrectedFacts, t: Texts) -> Spec:
    """One panel a stance: each half-year by labels and predictions together, by labels only, by predictions only."""
    names = {method: t.plain(f"by_{method}") for method in METHODS}
    label = " : ".join(f"datum.label === '{method}' ? '{name}'" for method, name in names.items()) + " : ''"
    method: Spec = {"field": "method", "type": "nominal", "sort": list(METHODS)}
    panels = []
    for stance in facts.stances:
        tips = [
            {"field": "half", "title": t.plain("half_year")},
            number_tip("share", t.plain("share"), ".0%"),
            number_tip("low", t.plain("tip_low"), ".0%"),
            number_tip("high", t.plain("tip_high"), ".0%"),
            number_tip("labels", t.plain("tip_labels"), ",d"),
            number_tip("posts", t.plain("axis_posts"), ",d"),
        ]
        x: Spec = {
            "field": "half",
            "type": "nominal",
            "sort": {"field": "order"},
            "title": None,
            "axis": {"labelAngle": 0, "ticks": False, "domain": True, "labelLimit": 90, "labelOverlap": True},
        }
        y: Spec = {
            "type": "quantitative",
            "title": None,
            "scale": {"domain": [0, 1]},
            "axis": {**Y_AXIS, "format": ".0%", "values": [0, 0.5, 1]},
        }
        shared: Spec = {"x": x, "xOffset": method, "color": {"value": f"${stance}"}}
        shape: Spec = {
            **method,
            "scale": {"domain": list(METHODS), "range": ["circle", "square", "triangle-up"]},
            "legend": {**LEGEND, "labelExpr": label, "symbolFillColor": "$ink", "symbolStrokeColor": "$ink"},
        }
        panels.append(
            {
                "width": "$width",
                "height": choose(120, 104),
                "title": {
                    "text": t.stance(stance),
                    "color": f"${stance}",
                    "anchor": "start",
                    "frame": "group",
                    "offset": 6,
                    "fontSize": 13,
                },
                "transform": [{"filter": f"datum.stance === '{stance}'"}],
                "layer": [
                    {
                        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.6},
                        "encoding": {**shared, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
                    },
                    {
                        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                        "encoding": {**shared, "y": {**y, "field": "share"}, "shape": shape, "tooltip": tips},
                    },
                ],
            }
        )
    return {
        "data": {"name": f"halves-{facts.target_index}-{t.language}"},
        "usermeta": month_frame(max(12, 6 * len(facts.halves))),
        "spacing": 12,
        "vconcat": panels,
    }


def line_table(facts: CorrectedFacts, title: str, t: Texts) -> Table:
    """Smoothed and own shares of each month, stance by stance."""
    f = t.format
    columns = [Column(t.plain("month"), False)]
    for stance in facts.lines:
        columns += [Column(t.stance(stance)), Column(t.plain("interval")), Column(t.plain("tip_own"))]
    own = {part.start: part.estimates.get(facts.method, {}) for part in facts.months}
    rows = []
    for places in zip(*facts.lines.values(), strict=True):
        row = [f.month(places[0].month)]
        for stance, point in zip(facts.lines, places, strict=True):
            month = own.get(point.month, {}).get(stance)
            row += [f.percent(point.share, 0), f.range(point.low, point.high), estimate(month, t)]
        rows.append(row)
    return Table(title, columns, rows)


def half_table(facts: CorrectedFacts, title: str, t: Texts) -> Table:
    """The three estimates of each half-year."""
    return _method_table(
        [(t.format.half(part.start), part) for part in facts.halves], facts, title, t.plain("half_year"), t
    )


def whole_table(facts: CorrectedFacts, t: Texts) -> Table:
    """The three estimates of the whole."""
    title = t.plain("whole_title")
    return _method_table([(t.plain("whole_period"), facts.whole)], facts, title, t.plain("period"), t)


def _method_table(parts: list[tuple[str, Period]], facts: CorrectedFacts, title: str, first: str, t: Texts) -> Table:
    columns = [Column(first, False), Column(t.plain("method"), False), Column(t.plain("tip_labels"))]
    columns += [Column(t.stance(stance)) for stance in facts.stances]
    rows = []
    for name, part in parts:
        for method in METHODS:
            found = part.estimates.get(method)
            if found:
                n_labels = next(iter(found.values())).n_labels
                labels = t.format.missing if method == PREDICTIONS else t.format.integer(n_labels)
                cells = [estimate(found.get(stance), t) for stance in facts.stances]
                rows.append([name, t.plain(f"by_{method}"), labels, *cells])
    return Table(title, columns, rows)


def changes_table(facts: CorrectedFacts, title: str, t: Texts) -> Table:
    """Each change with its month, the months that may hold it, and what it is."""
    f = t.format
    columns = [
        Column(t.plain("stance_word"), False),
        Column(t.plain("change_month"), False),
        Column(t.plain("change_range"), False),
        Column(t.plain("before")),
        Column(t.plain("after")),
        Column(t.plain("difference")),
        Column(t.plain("interval")),
        Column("p"),
    ]
    rows = [
        [
            t.stance(change.stance),
            f.month(change.month),
            f"{f.month(change.month_low)} – {f.month(change.month_high)}",
            f.percent(change.before, 0),
            f.percent(change.after, 0),
            f.signed_points(change.difference),
            f"{f.signed_points(change.low)} … {f.signed_points(change.high)}",
            f.decimal(change.p_value, 3),
        ]
        for change in facts.changes
    ]
    return Table(title, columns, rows)


def components_table(components: list[Component], t: Texts) -> Table:
    """What a change between two periods is made of: a row a stance and pair of periods."""
    f = t.format
    parts = list(dict.fromkeys(one.component for one in components))
    columns = [Column(t.plain("stance_word"), False), Column(t.plain("periods_compared"), False)]
    columns += [Column(t.plain(f"component_{part}") if t.has(f"component_{part}") else part) for part in parts]
    cells: dict[tuple[Stance, str], dict[str, str]] = {}
    for one in components:
        row = cells.setdefault((one.stance, f"{one.period_a} → {one.period_b}"), {})
        row[one.component] = f"{f.signed_points(one.value)} ({f.signed_points(one.low)} … {f.signed_points(one.high)})"
    rows = [
        [t.stance(stance), periods, *(row.get(p, f.missing) for p in parts)] for (stance, periods), row in cells.items()
    ]
    return Table(t.plain("components_title"), columns, rows)


def estimate(one: Estimate | None, t: Texts) -> str:
    """Write a share with its interval."""
    if one is None or one.share is None:
        return t.format.missing
    return f"{t.format.percent(one.share, 0)} ({t.format.range(one.low, one.high)})"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
