"""Axes, legends and tooltips that the charts share, and how a specification refers to the page it stands on.

A specification leaves to the page what only the page knows. `"$width"` and `"$panel"` stand for the space in pixels,
`"$ink"` and the like for a colour of the scheme in force, and `{"$wide": a, "$narrow": b}` for a choice by space.

Months are UTC midnights on a UTC scale: on a local one a reader west of Greenwich would see every month a month early.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nlp_study.report.texts import Texts

Spec = dict[str, Any]

TEXT_SIZE = 12
TITLE_WIDTH = 310
"""Room for titles beside bars."""
ROW_HEIGHT: Spec = {"$wide": 30, "$narrow": 46}
BAR_OFFSET: Spec = {"$wide": 0, "$narrow": 9}
"""Where titles stand above the bars, both share the row."""

_LEFT, _RIGHT = 44, 14
"""Room for the labels of the y axis, and for half a label at the end of the x axis."""
_MONTH_WIDTH = 120
"""A bar for a month gets no wider; a single month across the page would look like a wall."""
_UNITS = {"month": "utcyearmonth", "quarter": "utcyearquarter", "year": "utcyear"}


def choose(wide: Any, narrow: Any) -> Spec:
    """Return a value that depends on the width of the page."""
    return {"$wide": wide, "$narrow": narrow}


Y_AXIS: Spec = {"minExtent": 36, "maxExtent": 36, "domain": False, "ticks": False, "tickCount": 4}
LEGEND: Spec = {"title": None, "orient": "top", "direction": "horizontal", "offset": 6, "labelLimit": 260}


def month_frame(n_months: int) -> Spec:
    """Return the room around a chart of months, and its greatest width."""
    return {"frame": [_LEFT, _RIGHT], "max_width": _LEFT + _RIGHT + _MONTH_WIDTH * n_months}


def month_x(n_months: int, *, labels: bool = True) -> Spec:
    """The x axis of months, with the year below each January and below the first label."""
    return {
        "field": "month",
        "type": "temporal",
        "timeUnit": "utcyearmonth",
        "title": None,
        "scale": {"type": "utc"},
        "axis": {
            **_month_labels(_month_step(n_months, 15), _month_step(n_months, 6)),
            "labels": labels,
            "ticks": labels,
            "grid": not labels,
            "domain": True,
        },
    }


def period_x(n_periods: int, period: str) -> Spec:
    """The x axis of months, quarters or years in a small panel."""
    n_months = n_periods * {"month": 1, "quarter": 3, "year": 12}[period]
    spec = month_x(n_months)
    axis = {**spec["axis"], **_month_labels(_month_step(n_months, 4), _month_step(n_months, 5))}
    return {**spec, "field": "start", "timeUnit": _UNITS[period], "axis": axis}


def _month_labels(wide: int, narrow: int) -> Spec:
    """Labels every so many months; where they are years, the month would only repeat January."""
    month, year = "utcFormat(datum.value, '%b')", "utcFormat(datum.value, '%Y')"
    both = f"utcmonth(datum.value) == 0 || datum.index == 0 ? [{month}, {year}] : {month}"
    return {
        "tickCount": choose({"interval": "month", "step": wide}, {"interval": "month", "step": narrow}),
        "labelExpr": choose(*(year if step >= 12 else both for step in (wide, narrow))),
        "labelFlush": False,
    }


def _month_step(n_months: int, n_labels: int) -> int:
    """Months between two labels; steps that do not divide a year would leave January out."""
    return next((step for step in (1, 2, 3, 6, 12, 24, 36, 60, 120) if n_months / step <= n_labels), 240)


def count_y(field: str, title: str | None) -> Spec:
    """The y axis of counts, its title lying above it."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "axis": {
            **Y_AXIS,
            "format": ",d",
            "tickMinStep": 1,
            "tickCount": 3,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleAnchor": "end",
            "titleX": -36,
            "titleY": -10,
        },
    }


def titled_rows(field: str) -> Spec:
    """The y axis of bars with long titles, in the order of the rows: beside the bars where there is room for them."""
    axis = {
        "title": None,
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelColor": "$ink",
        "labelPadding": 10,
        "labelLimit": TITLE_WIDTH - 14,
        "minExtent": TITLE_WIDTH - 4,
        "maxExtent": TITLE_WIDTH - 4,
    }
    return {
        "field": field,
        "type": "nominal",
        "sort": None,
        "axis": choose(axis, None),
        "scale": {"paddingInner": 0, "paddingOuter": 0},
    }


def title_above(field: str) -> Spec:
    """The titles of `titled_rows` above the bars, where there is no room beside them."""
    return {
        "mark": {
            "type": "text",
            "align": "left",
            "fontSize": TEXT_SIZE,
            "yOffset": -9,
            "color": "$ink",
            "limit": "$width",
            "opacity": choose(0, 1),
        },
        "encoding": {"x": {"value": 0}, "text": {"field": field}},
    }


def number_tip(field: str, title: str, number_format: str) -> Spec:
    """A line of the tooltip."""
    return {"field": field, "type": "quantitative", "title": title, "format": number_format}


def month_tip(t: Texts) -> Spec:
    """The tooltip's line with the month."""
    return {
        "field": "month",
        "type": "temporal",
        "timeUnit": "utcyearmonth",
        "format": "%B %Y",
        "title": t.plain("month"),
    }


def pick_name(names: Mapping[str, str], value: str = "datum.label") -> str:
    """Return a Vega expression that maps keys to names; JSON is also how Vega writes literals."""
    return f"({json.dumps(names, ensure_ascii=True)})[{value}]"
