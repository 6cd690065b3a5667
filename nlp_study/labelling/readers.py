"""`compare_readers(...)`: annotators two by two, and what they disagree on side by side."""

from __future__ import annotations

import html
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlp_study.agreement import Agreement, measure_agreement
from nlp_study.labels import ADJUDICATED


@dataclass(frozen=True)
class ReaderPair:
    """Two annotators: pairs that both read, the share read alike, alpha with its 95 % interval, and who said what.

    `confusion[a][b]` counts pairs that the first called a and the second b.
    """

    first: str
    second: str
    n_pairs: int
    share_agreed: float
    alpha: float
    low: float
    high: float
    confusion: dict[str, dict[str, int]]


def compare_readers(
    rows: Sequence[Mapping[str, Any]],
    *,
    annotators: Collection[str] | None = None,
    labels: Sequence[str],
    seed: int = 0,
) -> tuple[Agreement, list[ReaderPair]]:
    """Return the agreement of all annotators and of every two of them that read a pair in common.

    Parameters
    ----------
    rows : rows of the table `labels`.
    annotators : those to compare; None: all but the adjudicator.
    labels : the study's labels, in order.
    seed : of the bootstrap.
    """
    whole = measure_agreement(rows, annotators=annotators, labels=labels, seed=seed)
    readings: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row["annotator"] != ADJUDICATED and (annotators is None or row["annotator"] in annotators):
            readings[row["post_id"], row["target"]][row["annotator"]] = row["stance"]
    pairs = []
    for first, second in itertools.combinations(whole.annotators, 2):
        shared = [found for found in readings.values() if first in found and second in found]
        if not shared:
            continue
        two = measure_agreement(rows, annotators={first, second}, labels=labels, seed=seed)
        counts = Counter((found[first], found[second]) for found in shared)
        pairs.append(
            ReaderPair(
                first,
                second,
                len(shared),
                two.n_agreed / two.n_pairs,
                two.alpha,
                two.low,
                two.high,
                {a: {b: counts[a, b] for b in labels} for a in labels},
            )
        )
    return whole, pairs


def list_agreement(whole: Agreement, pairs: Sequence[ReaderPair]) -> list[dict[str, Any]]:
    """Return one row for all annotators together and one for every two, to print."""
    rows = [
        {
            "annotators": " ".join(whole.annotators),
            "pairs": whole.n_pairs,
            "alike": whole.n_agreed / whole.n_pairs if whole.n_pairs else None,
            "alpha": whole.alpha,
            "low": whole.low,
            "high": whole.high,
        }
    ]
    if len(pairs) > 1:
        rows += [
            {
                "annotators": f"{pair.first} {pair.second}",
                "pairs": pair.n_pairs,
                "alike": pair.share_agreed,
                "alpha": pair.alpha,
                "low": pair.low,
                "high": pair.high,
            }
            for pair in pairs
        ]
    return rows


def list_confusion(pair: ReaderPair) -> list[dict[str, Any]]:
    """Return the confusion of two annotators, to print: rows the first's labels, columns the second's."""
    return [
        {pair.first: label, **{f"{pair.second}: {b}": n for b, n in row.items()}}
        for label, row in pair.confusion.items()
    ]


def list_disagreements(whole: Agreement, posts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each pair read differently: post, title, each annotator's label, the adjudicated one.

    Parameters
    ----------
    posts : rows of `posts` with `title` and `url`, by id.
    """
    rows = []
    for found in whole.disagreements:
        given = dict(found.readings)
        rows.append(
            {
                "post_id": found.post_id,
                "title": posts.get(found.post_id, {}).get("title"),
                "target": found.target,
                **{name: given.get(name) for name in whole.annotators},
                ADJUDICATED: found.adjudicated,
            }
        )
    return rows


def dump_agreement(whole: Agreement, pairs: Sequence[ReaderPair], disagreements: Sequence[Mapping[str, Any]]) -> str:
    """Return everything as one JSON object; a figure that cannot be computed is null."""
    content = {
        "annotators": list(whole.annotators),
        "pairs": whole.n_pairs,
        "agreed": whole.n_agreed,
        "alpha": _number(whole.alpha),
        "low": _number(whole.low),
        "high": _number(whole.high),
        "alpha_by_label": {label: _number(alpha) for label, alpha in whole.by_label.items()},
        "two_by_two": [
            {
                "annotators": [pair.first, pair.second],
                "pairs": pair.n_pairs,
                "share_agreed": pair.share_agreed,
                "alpha": _number(pair.alpha),
                "low": _number(pair.low),
                "high": _number(pair.high),
                "confusion": pair.confusion,
            }
            for pair in pairs
        ],
        "disagreements": list(disagreements),
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _number(value: float) -> float | None:
    return None if value != value else value


def render_agreement(
    whole: Agreement,
    pairs: Sequence[ReaderPair],
    disagreements: Sequence[Mapping[str, Any]],
    posts: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return one HTML page in Indonesian, for the meeting of the annotators: figures, then the posts to talk about."""
    alphas = "".join(
        f"<tr><th scope='row'>{html.escape(label)}</th><td>{_shown(alpha)}</td></tr>"
        for label, alpha in whole.by_label.items()
    )
    figures = "".join(
        f"<tr><th scope='row'>{html.escape(row['annotators'])}</th><td>{row['pairs']}</td><td>{_shown(row['alike'])}</td>"
        f"<td>{_shown(row['alpha'])}</td><td>{_shown(row['low'])} – {_shown(row['high'])}</td></tr>"
        for row in list_agreement(whole, pairs)
    )
    confusions = "".join(_render_confusion(pair) for pair in pairs)
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in (*whole.annotators, "keputusan"))
    body = "".join(
        f"<tr><th scope='row'>{_render_post(row, posts)}</th>"
        + "".join(f"<td>{html.escape(str(row[name] or '–'))}</td>" for name in (*whole.annotators, ADJUDICATED))
        + "</tr>"
        for row in disagreements
    )
    return f"""<!doctype html>
<html lang="id">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kesepakatan anotator</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ padding: .3rem .7rem; border-top: 1px solid #8884; text-align: left; vertical-align: top; }}
td {{ font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
small {{ color: light-dark(#555, #aaa); font-weight: 400; }}
</style>
</head>
<body>
<h1>Kesepakatan anotator</h1>
<p>Alfa Krippendorff: 1 sepakat penuh, 0 seperti kebetulan; selang 95 % dari bootstrap atas pos. {whole.n_agreed} dari
{whole.n_pairs} pasangan dibaca sama.</p>
<div class="scroll"><table><caption>Semua dan berdua-dua</caption>
<tr><th scope="col">anotator</th><th scope="col">pasangan</th><th scope="col">sama</th><th scope="col">alfa</th>
<th scope="col">95 %</th></tr>{figures}</table></div>
<div class="scroll"><table><caption>Tiap label lawan yang lain</caption>
<tr><th scope="col">label</th><th scope="col">alfa</th></tr>{alphas}</table></div>
{confusions}
<h2>Yang dibaca berbeda ({len(disagreements)})</h2>
<div class="scroll"><table><tr><th scope="col">pos</th>{head}</tr>{body}</table></div>
</body>
</html>
"""


def _render_confusion(pair: ReaderPair) -> str:
    labels = list(pair.confusion)
    head = "".join(f"<th scope='col'>{html.escape(label)}</th>" for label in labels)
    body = "".join(
        f"<tr><th scope='row'>{html.escape(a)}</th>"
        + "".join(f"<td>{pair.confusion[a][b]}</td>" for b in labels)
        + "</tr>"
        for a in labels
    )
    title = f"{html.escape(pair.first)} (baris) dan {html.escape(pair.second)} (lajur)"
    return f"<div class='scroll'><table><caption>{title}</caption><tr><th></th>{head}</tr>{body}</table></div>"


def _render_post(row: Mapping[str, Any], posts: Mapping[str, Mapping[str, Any]]) -> str:
    title, post_id = html.escape(str(row["title"] or "")), html.escape(str(row["post_id"]))
    url = posts.get(row["post_id"], {}).get("url") or ""
    # only web addresses become links: a page must run nothing that a post's address says
    if url.startswith(("https://", "http://")):
        title = f'<a href="{html.escape(url, quote=True)}">{title}</a>'
    return f"{title}<br><small>{post_id} · {html.escape(str(row['target']))}</small>"


def _shown(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.2f}".replace(".", ",")
