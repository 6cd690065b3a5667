"""Charts and tables of `reliability.py`: dots on a diagonal for the most probable label, and a small panel for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlp_study.report.axes import Y_AXIS, Spec, choose, count_y, number_tip, pick_name
from nlp_study.report.palette import STANCE_MARKS
from nlp_study.report.reliability import ReliabilityFacts, ReliabilityPart
from nlp_study.report.tables import Column, Table
from nlp_study.report.texts import Texts
from nlp_study.schema import Stance

_COLUMNS_NARROW = 2


def reliability_rows(facts: ReliabilityFacts | None) -> list[dict[str, Any]]:
    """One row a part; `stance` is empty for the most probable label."""
    if facts is None:
        return []
    groups = [("", facts.parts), *((str(stance), parts) for stance, parts in facts.by_stance.items())]
    return [
        {
            "stance": stance,
            "order": order,
            "start": part.start,
            "end": part.end,
            "n": part.n,
            "confidence": round(part.confidence, 5),
            "share": round(part.share, 5),
            "low": round(part.low, 5),
            "high": round(part.high, 5),
        }
        for order, (stance, parts) in enumerate(groups)
        for part in parts
    ]


def reliability_table(facts: ReliabilityFacts, t: Texts) -> Table:
    """The parts of the most probable label."""
    rows = [_written(part, t) for part in facts.parts]
    return Table(t.plain("reliability_title"), [Column(t.plain("confidence"), False), *_columns(t)], rows)


def class_reliability_table(facts: ReliabilityFacts, t: Texts) -> Table:
    """The parts of each label."""
    columns = [Column(t.plain("stance_word"), False), Column(t.plain("probability_word"), False), *_columns(t)]
    rows = [[t.stance(stance), *_written(part, t)] for stance, parts in facts.by_stance.items() for part in parts]
    return Table(t.plain("reliability_classes_title"), columns, rows)


def _columns(t: Texts) -> list[Column]:
    keys = ("n_predictions", "mean_probability", "observed", "interval")
    return [Column(t.plain(key)) for key in keys]


def _written(part: ReliabilityPart, t: Texts) -> list[str]:
    f = t.format
    return [
        f"{f.decimal(part.start, 1)}–{f.decimal(part.end, 1)}",
        f.integer(part.n),
        f.percent(part.confidence),
        f.percent(part.share),
        f"{f.decimal(100 * part.low, 1)}–{f.percent(part.high)}",
    ]


def reliability_spec(t: Texts) -> Spec:
    """Observed accuracy against confidence, the diagonal of an honest model, and the predictions behind each point."""
    bars = {
        "x": {"field": "start", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": t.plain("confidence"),
              "axis": _proba_axis()},
        "x2": {"field": "end"},
        "y": count_y("n", None),
        "y2": {"datum": 0},
    }  # fmt: skip
    return {
        "data": {"name": "reliability"},
        "usermeta": {"frame": [44, 14], "max_width": 620},
        "transform": [{"filter": "datum.stance === ''"}],
        "spacing": 14,
        "vconcat": [
            {
                "width": "$width",
                "height": choose(300, 250),
                "title": _title(t.plain("observed")),
                "layer": _layers({"color": {"value": "$accent"}}, t, labels=False),
            },
            {
                "width": "$width",
                "height": choose(84, 76),
                "title": _title(t.plain("n_predictions")),
                "layer": [
                    {
                        "mark": {"type": "rect", "color": "$accent", "stroke": "$paper", "strokeWidth": 2},
                        "encoding": bars,
                    },
                    {
                        "mark": {"type": "text", "dy": -6, "color": "$ink", "fontSize": 11},
                        "transform": [{"calculate": "(datum.start + datum.end) / 2", "as": "middle"}],
                        "encoding": {
                            "x": {"field": "middle", "type": "quantitative"},
                            "y": {"field": "n", "type": "quantitative"},
                            "text": {"field": "n", "type": "quantitative", "format": ",d"},
                        },
                    },
                ],
            },
        ],
    }


def class_reliability_spec(stances: Sequence[Stance], t: Texts) -> Spec:
    """A panel a label: how often it is right, against how probable it was called."""
    names = {str(stance): t.stance(stance) for stance in stances}
    order = list(names)
    marks = {
        "color": {"field": "stance", "type": "nominal", "legend": None,
                  "scale": {"domain": order, "range": [f"${name}" for name in order]}},
        "shape": {"field": "stance", "type": "nominal", "legend": None,
                  "scale": {"domain": order, "range": [STANCE_MARKS[stance].symbol for stance in stances]}},
    }  # fmt: skip
    columns = choose(len(order), _COLUMNS_NARROW)
    return {
        "data": {"name": "reliability"},
        "usermeta": {"frame": [42, 10], "columns": columns, "gap": 10},
        "transform": [{"filter": "datum.stance !== ''"}],
        "facet": {
            "field": "stance",
            "type": "nominal",
            "title": None,
            "sort": {"field": "order", "op": "min"},
            "header": {
                "labelAnchor": "start",
                "labelExpr": pick_name(names),
                "labelFontWeight": 600,
                "labelFontSize": 13,
                "labelColor": "$ink",
                "labelPadding": 6,
            },
        },
        "columns": columns,
        "spacing": {"row": 16, "column": 10},
        "spec": {"width": "$panel", "height": choose(140, 130), "layer": _layers(marks, t, labels=True)},
        "resolve": {"axis": {"x": "independent"}},
    }


def _layers(marks: Spec, t: Texts, *, labels: bool) -> list[Spec]:
    """The diagonal, intervals, and points that are larger where more predictions stand behind them."""
    x = {
        "field": "confidence",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "title": None,
        "axis": {**_proba_axis(), "labels": labels, "grid": True},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "title": None,
        "axis": {**Y_AXIS, "format": ".0%", "values": [0, 0.5, 1] if labels else [0, 0.25, 0.5, 0.75, 1]},
    }
    tips = [
        number_tip("start", t.plain("from_probability"), ".1f"),
        number_tip("confidence", t.plain("mean_probability"), ".1%"),
        number_tip("share", t.plain("observed"), ".1%"),
        number_tip("low", t.plain("tip_low"), ".1%"),
        number_tip("high", t.plain("tip_high"), ".1%"),
        number_tip("n", t.plain("n_predictions"), ",d"),
    ]
    size = {"field": "n", "type": "quantitative", "scale": {"domainMin": 0, "range": [20, 150]}, "legend": None}
    colour = {"color": marks["color"]}
    return [
        {
            "mark": {"type": "rule", "color": "$strong-rule", "strokeDash": [4, 4], "strokeWidth": 1},
            "encoding": {"x": {"datum": 0}, "x2": {"datum": 1}, "y": {"datum": 0}, "y2": {"datum": 1}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.75},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, **colour},
        },
        {
            "mark": {"type": "point", "filled": True, "opacity": 1},
            "encoding": {"x": x, "y": y, "size": size, "tooltip": tips, **marks},
        },
    ]


def _proba_axis() -> Spec:
    return {"format": ".1f", "values": [0, 0.5, 1], "grid": False, "labelFlush": False}


def _title(text: str) -> Spec:
    return {"text": text, "color": "$ink", "anchor": "start", "frame": "group", "offset": 6, "fontSize": 13}
