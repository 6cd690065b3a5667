"""Charts over time as Vega-Lite specifications: posts, stances and topics.

Both languages draw the same rows; only axis titles, legends and tooltips are written twice.
"""

from __future__ import annotations

from nlp_study.report.axes import (
    LEGEND,
    TEXT_SIZE,
    Y_AXIS,
    Spec,
    choose,
    count_y,
    month_frame,
    month_tip,
    month_x,
    number_tip,
    period_x,
    pick_name,
)
from nlp_study.report.content import DataFacts
from nlp_study.report.palette import STANCE_MARKS
from nlp_study.report.stances import TargetFacts
from nlp_study.report.texts import Texts
from nlp_study.report.themes import TopicFacts
from nlp_study.schema import Stance


def posts_spec(data: DataFacts, t: Texts) -> Spec:
    """Posts a month, as bars."""
    return {
        "data": {"name": "posts"},
        "usermeta": month_frame(len(data.months)),
        "width": "$width",
        "height": choose(190, 150),
        "mark": {"type": "bar", "color": "$accent", "binSpacing": 1 if len(data.months) < 100 else 0},
        "encoding": {
            "x": month_x(len(data.months)),
            "y": count_y("n", t.plain("axis_posts")),
            "tooltip": [month_tip(t), number_tip("n", t.plain("axis_posts"), ",d")],
        },
    }


def trend_spec(target: TargetFacts, t: Texts) -> Spec:
    """One panel a stance with its monthly share and interval, and the posts below, all on the same months."""
    n_months = len(target.months)
    panels = [_trend_panel(target, stance, n_months, t) for stance in target.stances]
    return {
        "data": {"name": f"trend-{target.index}"},
        "usermeta": month_frame(n_months),
        "spacing": 10,
        "vconcat": [*panels, volume_panel(target, n_months, t)],
        "resolve": {"scale": {"color": "independent", "size": "shared"}},
    }


def _trend_panel(target: TargetFacts, stance: Stance, n_months: int, t: Texts) -> Spec:
    mark, colour, name = STANCE_MARKS[stance], f"${stance}", t.stance(stance)
    x = month_x(n_months, labels=False)
    middle = {**x, "bandPosition": 0.5}
    y = {
        "field": "share",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, 1]},
        "axis": {**Y_AXIS, "format": ".0%", "values": [0, 0.5, 1]},
    }
    tips = [
        month_tip(t),
        number_tip("share", t.plain("tip_share", stance=name), ".0%"),
        number_tip("low", t.plain("tip_low"), ".0%"),
        number_tip("high", t.plain("tip_high"), ".0%"),
        number_tip("n", t.plain("tip_n_stance", stance=name), ",d"),
        number_tip("total", t.plain("tip_n_base_on" if target.on_target else "tip_n_base_all"), ",d"),
    ]
    return {
        "width": "$width",
        "height": choose(104, 92),
        "title": {"text": name, "color": colour, "anchor": "start", "frame": "group", "offset": 6, "fontSize": 13},
        "transform": [{"filter": f"datum.stance === '{stance}'"}],
        "layer": [
            {
                "mark": {"type": "bar", "color": colour, "opacity": 0.2, "binSpacing": 0},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {
                    "type": "line",
                    "color": colour,
                    "strokeWidth": 1.75,
                    "strokeDash": list(mark.dash),
                    "invalid": "break-paths-show-path-domains",
                },
                "encoding": {"x": middle, "y": y},
            },
            {
                "mark": {"type": "point", "shape": mark.symbol, "filled": True, "color": colour, "opacity": 1},
                "encoding": {
                    "x": middle,
                    "y": y,
                    "size": {
                        "field": "total",
                        "type": "quantitative",
                        "scale": {"domainMin": 0, "range": [3, 60 if n_months <= 60 else 24]},
                        "legend": None,
                    },
                },
            },
            {
                "mark": {"type": "bar", "opacity": 0, "binSpacing": 0},
                "encoding": {"x": x, "y": {"datum": 0}, "y2": {"datum": 1}, "tooltip": tips},
            },
        ],
    }


def volume_panel(target: TargetFacts, n_months: int, t: Texts) -> Spec:
    """Posts a month, those on the target below the others."""
    kinds = ["on", "off"] if target.on_target else ["on"]
    names = {"on": t.plain("volume_on" if target.on_target else "volume_all"), "off": t.plain("volume_off")}
    legend = {**LEGEND, "labelExpr": pick_name(names), "symbolType": "square"} if target.on_target else None
    return {
        "data": {"name": f"volume-{target.index}"},
        "width": "$width",
        "height": choose(84, 76),
        "title": {
            "text": t.plain("volume_title"),
            "color": "$ink",
            "anchor": "start",
            "frame": "group",
            "offset": 6,
            "fontSize": 13,
        },
        "mark": {"type": "bar", "binSpacing": 1 if n_months < 100 else 0},
        "transform": [{"calculate": pick_name(names, "datum.kind"), "as": "kind_name"}],
        "encoding": {
            "x": month_x(n_months),
            "y": {**count_y("n", None), "stack": "zero"},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": ["$accent", "$irrelevant"][: len(kinds)]},
                "legend": legend,
            },
            "order": {"field": "kind", "sort": "descending"},
            "tooltip": [
                month_tip(t),
                {"field": "kind_name", "title": t.plain("tip_kind")},
                number_tip("n", t.plain("axis_posts"), ",d"),
            ],
        },
    }


def topics_over_time_spec(topics: TopicFacts, t: Texts) -> Spec:
    """A small panel a topic: its part of the posts of each period, all on one scale."""
    n_periods = len({row.start for row in topics.periods})
    x = period_x(n_periods, topics.period)
    return {
        "data": {"name": f"topics-time-{t.language}"},
        "usermeta": {"frame": choose([34, 8], [44, 18]), "columns": choose(3, 1), "gap": 12},
        "facet": {
            "field": "topic",
            "type": "nominal",
            "title": None,
            "sort": {"field": "order", "op": "min"},
            "header": {
                "labelAnchor": "start",
                "labelFontWeight": 600,
                "labelFontSize": TEXT_SIZE,
                "labelColor": "$ink",
                "labelPadding": 4,
                "labelLimit": "$panel",
            },
        },
        "columns": choose(3, 1),
        "spacing": {"row": 14, "column": 12},
        "spec": {
            "width": "$panel",
            "height": choose(72, 60),
            "mark": {"type": "bar", "color": "$accent", "binSpacing": 1 if n_periods < 60 else 0},
            "encoding": {
                "x": x,
                "y": {
                    "field": "share",
                    "type": "quantitative",
                    "title": None,
                    "axis": {**Y_AXIS, "format": ".0%", "tickCount": 2, "minExtent": 30, "maxExtent": 30},
                },
                "tooltip": [
                    {"field": "topic", "title": t.plain("topic")},
                    {"field": "period", "title": t.plain(f"period_{topics.period}")},
                    number_tip("share", t.plain("tip_topic_share"), ".1%"),
                    number_tip("n", t.plain("tip_topic_n"), ",d"),
                    number_tip("total", t.plain("tip_topic_total"), ",d"),
                ],
            },
        },
        "resolve": {"axis": {"x": "independent"}},
    }
