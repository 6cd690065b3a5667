"""Charts that compare, as Vega-Lite specifications: stances by topic, models, and where the model errs."""

from __future__ import annotations

from collections.abc import Sequence

from nlp_study.report.axes import (
    BAR_OFFSET,
    LEGEND,
    ROW_HEIGHT,
    TEXT_SIZE,
    TITLE_WIDTH,
    Spec,
    choose,
    number_tip,
    pick_name,
    title_above,
    titled_rows,
)
from nlp_study.report.chart_rows import bar_order, charted_stances
from nlp_study.report.quality import QualityFacts
from nlp_study.report.stances import TargetFacts
from nlp_study.report.texts import Texts
from nlp_study.report.themes import TopicFacts
from nlp_study.schema import Stance

_MIN_INSIDE = 0.12
"""A bar's part gets its percentage written on it from this share on; in a narrower one it would not fit."""


def topic_stances_spec(target: TargetFacts, topics: TopicFacts, t: Texts) -> Spec:
    """Stances in each topic as one bar; with both poles, against to the left of the middle, in favour to the right."""
    order = bar_order(target.stances)
    names = {str(stance): t.stance(stance) for stance in order}
    y = titled_rows(f"title_{t.language}")
    bars: Spec = {
        "mark": {"type": "bar", "height": 17, "yOffset": BAR_OFFSET},
        "encoding": {
            "x": {
                "field": "start",
                "type": "quantitative",
                "title": None,
                "scale": {"nice": False},
                "axis": {
                    "labelExpr": "format(abs(datum.value), '.0%')",
                    "tickCount": choose(7, 5),
                    "grid": choose(True, False),  # in narrow space the lines would cross the titles
                    "domain": False,
                    "ticks": False,
                },
            },
            "x2": {"field": "end"},
            "color": {
                "field": "stance",
                "type": "nominal",
                "scale": {"domain": [str(s) for s in order], "range": [f"${s}" for s in order]},
                "legend": {**LEGEND, "labelExpr": pick_name(names), "symbolType": "square"},
            },
            "tooltip": [
                {"field": "topic", "title": t.plain("topic")},
                {"field": "stance_name", "title": t.plain("stance_word")},
                number_tip("share", t.plain("share"), ".0%"),
                number_tip("n", t.plain("axis_posts"), ",d"),
                number_tip("total", t.plain("tip_n_base_on" if target.on_target else "tip_n_base_all"), ",d"),
            ],
        },
    }
    zero: Spec = {
        "mark": {"type": "rule", "color": "$strong-rule", "opacity": choose(1, 0)},
        "encoding": {"x": {"datum": 0}, "y": None},
    }
    title: Spec = {
        "transform": [{"filter": f"datum.stance === '{order[0]}'"}],
        **title_above(f"title_{t.language}"),
    }
    return {
        "data": {"name": f"topic-stances-{target.index}"},
        "usermeta": {"frame": choose([TITLE_WIDTH, 20], [8, 16])},
        "width": "$width",
        "height": {key: value * len(charted_stances(topics, target.index)) for key, value in ROW_HEIGHT.items()},
        "transform": [{"calculate": pick_name(names, "datum.stance"), "as": "stance_name"}],
        "encoding": {"y": y},
        "layer": [zero, bars, *(_share_inside(stance) for stance in order), title],
    }


def _share_inside(stance: Stance) -> Spec:
    """The percentage on a stance's part of the bars, for those who cannot tell the colours."""
    return {
        "transform": [{"filter": f"datum.stance === '{stance}' && datum.share >= {_MIN_INSIDE}"}],
        "mark": {"type": "text", "fontSize": 11, "fontWeight": 600, "yOffset": BAR_OFFSET, "color": f"$on-{stance}"},
        "encoding": {"x": {"field": "middle", "type": "quantitative"}, "text": {"field": "share", "format": ".0%"}},
    }


def scores_spec(quality: QualityFacts, t: Texts) -> Spec:
    """Macro-F1 of each model, best first, with its spread over seeds."""
    spread = "datum.spread > 0 ? ' ± ' + format(datum.spread, '.2f') : ''"
    bars: Spec = {
        "mark": {"type": "bar", "height": 15, "yOffset": BAR_OFFSET},
        "encoding": {
            "x": {
                "field": "macro_f1",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0, 1]},
                "axis": {"format": ".1f", "tickCount": 5, "domain": False, "ticks": False},
            },
            "color": {"condition": {"test": "datum.tuned", "value": "$accent"}, "value": "$irrelevant"},
            "tooltip": [
                {"field": "model", "title": t.plain("model_word")},
                number_tip("macro_f1", t.plain("macro_f1"), ".3f"),
                number_tip("spread", t.plain("spread"), ".3f"),
                number_tip("accuracy", t.plain("accuracy"), ".1%"),
            ],
        },
    }
    whiskers: Spec = {
        "transform": [{"filter": "datum.spread > 0"}],
        "mark": {"type": "rule", "color": "$ink", "strokeWidth": 1.5, "yOffset": BAR_OFFSET, "y2Offset": BAR_OFFSET},
        "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
    }
    values: Spec = {
        "mark": {
            "type": "text",
            "align": "left",
            "xOffset": 8,
            "yOffset": BAR_OFFSET,
            "fontSize": TEXT_SIZE,
            "fontWeight": 600,
            "color": "$ink",
        },
        "encoding": {"x": {"field": "high", "type": "quantitative"}, "text": {"field": "shown"}},
    }
    return {
        "data": {"name": f"scores-{t.language}"},
        "usermeta": {"frame": choose([TITLE_WIDTH, 96], [8, 96])},
        "width": "$width",
        "height": {key: value * len(quality.scores) for key, value in ROW_HEIGHT.items()},
        "transform": [{"calculate": f"format(datum.macro_f1, '.2f') + ({spread})", "as": "shown"}],
        "encoding": {"y": titled_rows("model")},
        "layer": [bars, whiskers, values, title_above("model")],
    }


def confusion_spec(stances: Sequence[Stance], t: Texts) -> Spec:
    """Counts of gold against predicted labels; the colour is the part of the gold label's row."""
    names = {str(stance): t.stance(stance) for stance in stances}
    order = list(names)
    axis: Spec = {
        "labelExpr": pick_name(names, "datum.value"),
        "domain": False,
        "ticks": False,
        "labelAngle": 0,
        "labelLimit": 120,
    }
    x = {"field": "predicted", "type": "nominal", "sort": order, "title": t.plain("predicted_label")}
    y = {"field": "gold", "type": "nominal", "sort": order, "title": t.plain("gold_label")}
    return {
        "data": {"name": "confusion"},
        "usermeta": {"frame": choose([132, 12], [116, 10]), "max_width": 560},
        "width": "$width",
        "height": 52 * len(order),
        "transform": [
            {"calculate": pick_name(names, "datum.gold"), "as": "gold_name"},
            {"calculate": pick_name(names, "datum.predicted"), "as": "predicted_name"},
        ],
        "encoding": {
            "x": {**x, "axis": {**axis, "orient": "top", "labelFontSize": choose(12, 11)}},
            "y": {**y, "axis": {**axis, "minExtent": choose(84, 66), "titleAnchor": "middle"}},
        },
        "layer": [
            {
                "mark": {"type": "rect", "stroke": "$paper", "strokeWidth": 2},
                "encoding": {
                    "color": {
                        "field": "share",
                        "type": "quantitative",
                        "scale": {"domain": [0, 1], "range": ["$raised", "$heat"]},
                        "legend": None,
                    },
                    "tooltip": [
                        {"field": "gold_name", "title": t.plain("gold_label")},
                        {"field": "predicted_name", "title": t.plain("predicted_label")},
                        number_tip("n", t.plain("pairs_word"), ",d"),
                        number_tip("share", t.plain("tip_of_gold"), ".0%"),
                    ],
                },
            },
            {
                "mark": {"type": "text", "fontSize": 14, "fontWeight": 600, "color": "$ink"},
                "encoding": {"text": {"field": "n", "type": "quantitative", "format": ",d"}},
            },
        ],
    }
