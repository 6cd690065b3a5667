"""The chart and the tables of the linguist's section."""

from __future__ import annotations

from typing import Any

from nlp_study.report.axes import TEXT_SIZE, Spec, choose, number_tip
from nlp_study.report.tables import Column, Table
from nlp_study.report.texts import Texts
from nlp_study.report.words import NodeCollocates, StanceKeywords
from nlp_study.schema import Stance

_ROW = 22
_FARTHEST = 8.0
"""Ends of intervals drawn, in log2: beyond 256 times as frequent nobody tells the difference."""


def keyword_rows(facts: StanceKeywords) -> list[dict[str, Any]]:
    """One row a word; to the right what is more frequent among posts in favour, to the left among those against."""
    rows = []
    for word in facts.keywords:
        sign = 1 if word.stance is Stance.FAVOR else -1
        ends = sorted(max(-_FARTHEST, min(_FARTHEST, sign * end)) for end in (word.ratio_low, word.ratio_high))
        rows.append(
            {
                "word": word.word,
                "stance": str(word.stance),
                "ratio": round(sign * word.ratio, 4),
                "low": round(ends[0], 4),
                "high": round(ends[1], 4),
                "times": round(2**word.ratio, 2),
                "n": word.n,
                "n_other": word.n_other,
                "posts": word.n_posts,
            }
        )
    return sorted(rows, key=lambda row: (-row["ratio"], row["word"]))


def keyword_spec(facts: StanceKeywords, t: Texts) -> Spec:
    """Each word with its interval on a scale of how many times as frequent it is on one side."""
    y: Spec = {
        "field": "word",
        "type": "nominal",
        "title": None,
        "sort": None,
        "axis": {"domain": False, "ticks": False, "labelFontSize": TEXT_SIZE, "labelColor": "$ink", "labelLimit": 120},
    }
    favor, against = t.stance(Stance.FAVOR), t.stance(Stance.AGAINST)
    axis: Spec = {
        "values": choose([-8, -6, -4, -2, 0, 2, 4, 6, 8], [-8, -4, 0, 4, 8]),
        "labelExpr": "datum.value == 0 ? '1×' : format(pow(2, abs(datum.value)), 'd') + '×'",
        "domain": False,
        "ticks": False,
        "titlePadding": 8,
    }
    x: Spec = {
        "type": "quantitative",
        "title": f"← {against}\u2003\u2003\u2003{favor} →",
        "scale": {"domain": [-_FARTHEST, _FARTHEST]},
        "axis": axis,
    }
    colour: Spec = {
        "field": "stance",
        "type": "nominal",
        "scale": {"domain": ["favor", "against"], "range": ["$favor", "$against"]},
        "legend": None,
    }
    shape: Spec = {
        "field": "stance",
        "type": "nominal",
        "scale": {"domain": ["favor", "against"], "range": ["circle", "square"]},
        "legend": None,
    }
    tips = [
        {"field": "word", "title": t.plain("word_word")},
        number_tip("times", t.plain("tip_times"), ".1f"),
        number_tip("n", t.plain("tip_n_here"), ",d"),
        number_tip("n_other", t.plain("tip_n_there"), ",d"),
        number_tip("posts", t.plain("posts"), ",d"),
    ]
    return {
        "data": {"name": f"keywords-{facts.target_index}"},
        "usermeta": {"frame": choose([128, 14], [104, 10]), "max_width": 760},
        "width": "$width",
        "height": _ROW * len(facts.keywords),
        "encoding": {"y": y},
        "layer": [
            {"mark": {"type": "rule", "color": "$strong-rule"}, "encoding": {"x": {"datum": 0}, "y": None}},
            {
                "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.55},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": {"x": {**x, "field": "ratio"}, "color": colour, "shape": shape, "tooltip": tips},
            },
        ],
    }


def keyword_table(facts: StanceKeywords, title: str, t: Texts) -> Table:
    """All figures of the keywords."""
    f = t.format
    columns = [
        Column(t.plain("word_word"), False),
        Column(t.plain("more_in"), False),
        Column(t.plain("tip_n_here")),
        Column(t.plain("tip_n_there")),
        Column(t.plain("per_million_here")),
        Column(t.plain("per_million_there")),
        Column(t.plain("posts")),
        Column(t.plain("log_ratio")),
        Column(t.plain("interval")),
    ]
    rows = [
        [
            word.word,
            t.stance(word.stance),
            f.integer(word.n),
            f.integer(word.n_other),
            f.integer(round(word.per_million)),
            f.integer(round(word.per_million_other)),
            f.integer(word.n_posts),
            f.decimal(word.ratio),
            f"{f.decimal(word.ratio_low)}–{f.decimal(word.ratio_high)}",
        ]
        for word in facts.keywords
    ]
    return Table(title, columns, rows)


def collocates_table(facts: NodeCollocates, t: Texts) -> Table:
    """The company of one word."""
    f = t.format
    columns = [
        Column(t.plain("collocate"), False),
        Column(t.plain("together")),
        Column(t.plain("posts")),
        Column("logDice"),
    ]
    rows = [
        [row.word, f.integer(row.n_together), f.integer(row.n_posts), f.decimal(row.log_dice, 1)]
        for row in facts.collocates
    ]
    return Table(t.plain("collocates_of", word=facts.node, n=f.integer(facts.n)), columns, rows)
