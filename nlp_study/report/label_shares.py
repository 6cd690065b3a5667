"""The chart and the table of human labels beside predictions, quarter by quarter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlp_study.report.axes import LEGEND, Y_AXIS, Spec, choose, month_frame, number_tip, period_x
from nlp_study.report.label_quarters import KINDS, PERIOD, LabelQuarter
from nlp_study.report.palette import STANCE_MARKS
from nlp_study.report.tables import Column, Table
from nlp_study.report.texts import Texts


def label_rows(quarters: Sequence[LabelQuarter]) -> list[dict[str, Any]]:
    """One row a quarter, stance and kind of share."""
    return [
        {
            "start": quarter.start.isoformat(),
            "stance": str(stance),
            "kind": kind,
            "n": share.n,
            "total": share.total,
            "share": share.share,
            "low": share.low,
            "high": share.high,
        }
        for quarter in quarters
        for kind in KINDS
        for stance, share in getattr(quarter, kind).items()
    ]


def label_table(quarters: Sequence[LabelQuarter], title: str, t: Texts) -> Table:
    """Shares by label with their intervals, and by prediction."""
    columns = [Column(t.plain("period_quarter"), False), Column(t.plain("labelled_on"))]
    for stance in quarters[0].labels:
        columns += [Column(t.stance(stance)), Column(t.plain("interval")), Column(t.plain("labels_predicted"))]
    rows = []
    for quarter in quarters:
        row = [t.format.period(quarter.start, PERIOD), t.format.integer(next(iter(quarter.labels.values())).total)]
        for stance, share in quarter.labels.items():
            row += [t.format.share(share), t.format.interval(share), t.format.share(quarter.predictions[stance])]
        rows.append(row)
    return Table(title, columns, rows)


def label_spec(name: str, quarters: Sequence[LabelQuarter], t: Texts) -> Spec:
    """One panel a stance: the labels' share with its interval, and the predictions' share for the same posts."""
    x = period_x(len(quarters), PERIOD)
    y = {
        "field": "share",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, 1]},
        "axis": {**Y_AXIS, "format": ".0%", "values": [0, 0.5, 1]},
    }
    names = {"labels": t.plain("labels_kind"), "predictions": t.plain("labels_predicted")}
    legend = {
        **LEGEND,
        "symbolType": "stroke",
        "symbolStrokeColor": "$ink",
        "symbolSize": 300,
        "labelExpr": f"datum.label === 'labels' ? '{names['labels']}' : '{names['predictions']}'",
    }
    panels = []
    for stance in quarters[0].labels:
        colour = f"${stance}"
        tips = [
            number_tip("share", t.plain("tip_share", stance=t.stance(stance)), ".0%"),
            number_tip("low", t.plain("tip_low"), ".0%"),
            number_tip("high", t.plain("tip_high"), ".0%"),
            number_tip("total", t.plain("labelled_on"), ",d"),
        ]
        lines = {
            "x": x,
            "y": y,
            "strokeDash": {
                "field": "kind",
                "type": "nominal",
                "title": None,
                "legend": legend,
                "scale": {"domain": list(KINDS), "range": [[1, 0], [3, 3]]},
            },
        }
        panels.append(
            {
                "width": "$width",
                "height": choose(104, 92),
                "title": {
                    "text": t.stance(stance),
                    "color": colour,
                    "anchor": "start",
                    "frame": "group",
                    "offset": 6,
                    "fontSize": 13,
                },
                "transform": [{"filter": f"datum.stance === '{stance}'"}],
                "layer": [
                    {
                        "transform": [{"filter": "datum.kind === 'labels'"}],
                        "mark": {"type": "area", "color": colour, "opacity": 0.2},
                        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
                    },
                    {"mark": {"type": "line", "color": colour, "strokeWidth": 1.75}, "encoding": lines},
                    {
                        "transform": [{"filter": "datum.kind === 'labels'"}],
                        "mark": {
                            "type": "point",
                            "shape": STANCE_MARKS[stance].symbol,
                            "filled": True,
                            "color": colour,
                            "opacity": 1,
                        },
                        "encoding": {"x": x, "y": y, "tooltip": tips},
                    },
                ],
            }
        )
    return {"data": {"name": name}, "usermeta": month_frame(3 * len(quarters)), "spacing": 10, "vconcat": panels}
