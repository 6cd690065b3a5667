"""`print_concordance(...)`: a concordance for people (aligned, coloured), as CSV, JSON, or one HTML page."""

from __future__ import annotations

import csv
import html
import io
import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.concordance.search import Concordance, Line
from nlp_study.store import write_file
from nlp_study.tables import PIPE_WIDTH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ID_WIDTH = 24
"""Characters of an id on the terminal; those of the site have as many. `nlp-study show` takes the first characters too."""
_DATE_WIDTH = 10
_MONTH_BAR = 30
TEXTS = {
    "id": {
        "title": "Konkordansi", "hits": "kemunculan", "per_million": "per sejuta token", "posts": "pos", "of": "dari",
        "tokens": "token", "shown": "baris ditampilkan", "month": "bulan", "no_date": "tanpa tanggal",
    },
    "en": {
        "title": "Concordance", "hits": "hits", "per_million": "per million tokens", "posts": "posts", "of": "of",
        "tokens": "tokens", "shown": "lines shown", "month": "month", "no_date": "no date",
    },
}  # fmt: skip
"""Words of the HTML page, in Indonesian and English."""


class KwicFormat(StrEnum):
    """How a concordance is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


def print_concordance(
    found: Concordance,
    format: KwicFormat = KwicFormat.TABLE,
    *,
    output: Path | None = None,
    by_month: bool = False,
    language: str = "id",
) -> None:
    """Print a concordance on stdout, or write it to `output` atomically.

    Parameters
    ----------
    format : `table` for people; in a file it is CSV.
    by_month : print the hits of each month instead of the lines; JSON and HTML have both in any case.
    language : of the HTML page, `id` or `en`.
    """
    if format is KwicFormat.TABLE and not output:
        from rich.console import Console

        width = None if sys.stdout.isatty() else PIPE_WIDTH
        console = Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
        _print_summary(console, found)
        (_print_months if by_month else _print_lines)(console, found)
        return
    if format is KwicFormat.JSON:
        text = dump_json(found)
    elif format is KwicFormat.HTML:
        text = dump_html(found, language=language)
    else:
        text = dump_months_csv(found) if by_month else dump_csv(found)
    if output:
        write_file(output, text)
    else:
        sys.stdout.write(text)


# ---- terminal --------------------------------------------------------------------------------------------------------


def _print_summary(console: Console, found: Concordance) -> None:
    from rich.text import Text

    console.print(
        Text.assemble(
            (f"{found.n_hits:,} hits", "bold"),
            f", {found.per_million:,.1f} per million tokens, in {found.n_posts:,} of {found.n_posts_read:,} posts "
            f"({found.n_tokens_read:,} tokens)",
        )
    )


def _print_lines(console: Console, found: Concordance) -> None:
    side = max(10, (console.width - ID_WIDTH - _DATE_WIDTH - 4 - _node_width(found.lines)) // 2)
    for line in found.lines:
        console.print(_make_row(line, side, _node_width(found.lines)), soft_wrap=True)
    if len(found.lines) < found.n_hits:
        console.print(
            f"{len(found.lines):,} of {found.n_hits:,} lines: --limit shows more, --sample draws some; "
            "nlp-study show ID shows a post",
            style="dim",
        )


def _node_width(lines: tuple[Line, ...]) -> int:
    from rich.cells import cell_len

    return min(30, max((cell_len(_flat(line.node)) for line in lines), default=0))


def _make_row(line: Line, side: int, node_width: int) -> Text:
    from rich.style import Style
    from rich.text import Text

    left, node, right = Text(_flat(line.left)), Text(_flat(line.node), style="bold red"), Text(_flat(line.right))
    while left.cell_len > side:  # the words nearest to the node stay
        left = left[left.cell_len - side :] if left.cell_len == len(left.plain) else left[1:]
    node.truncate(node_width, overflow="ellipsis")
    right.truncate(side, overflow="crop")
    date = f"{line.published_at:%Y-%m-%d}" if line.published_at else " " * _DATE_WIDTH
    link = Style(link=line.url, dim=True) if line.url else Style(dim=True)
    row = Text(line.post_id[:ID_WIDTH].ljust(ID_WIDTH), style=link)
    gap = " " * (node_width - node.cell_len)
    row.append(f" {date} ", style="dim")
    row.append(" " * (side - left.cell_len)).append(left)
    row.append(" ").append(node).append(" " + gap).append(right)
    row.rstrip()
    return row


def _print_months(console: Console, found: Concordance) -> None:
    rows = found.months.to_pylist()
    most = max((row["per_million"] for row in rows), default=0.0) or 1.0
    console.print(f"{'month':<8}{'hits':>10}{'tokens':>14}{'per million':>13}", style="bold")
    for row in rows:
        bar = "█" * round(_MONTH_BAR * row["per_million"] / most)
        month = row["month"] or "no date"
        console.print(f"{month:<8}{row['hits']:>10,}{row['tokens']:>14,}{row['per_million']:>13,.1f}  {bar}")


def _flat(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


# ---- files -----------------------------------------------------------------------------------------------------------


def dump_csv(found: Concordance) -> str:
    """Return the lines as CSV, one row a hit, columns as the fields of `Line`."""
    rows = [_make_dict(line) for line in found.lines]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(Line.__slots__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def dump_months_csv(found: Concordance) -> str:
    """Return the hits of each month as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, found.months.column_names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found.months.to_pylist())
    return buffer.getvalue()


def dump_json(found: Concordance) -> str:
    """Return query, counts, months and lines as one JSON object."""
    content = {
        "query": found.query,
        "hits": found.n_hits,
        "per_million": found.per_million,
        "posts": found.n_posts,
        "posts_read": found.n_posts_read,
        "tokens_read": found.n_tokens_read,
        "months": found.months.to_pylist(),
        "lines": [_make_dict(line) for line in found.lines],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _make_dict(line: Line) -> dict[str, Any]:
    row = asdict(line)
    row["published_at"] = line.published_at.isoformat() if line.published_at else None
    return row


def dump_html(found: Concordance, *, language: str = "id") -> str:
    """Return one page that needs nothing else: counts, a table of lines that lead to their posts, hits by month."""
    words = {name: html.escape(text) for name, text in TEXTS[language].items()}

    def number(value: float, digits: int = 0) -> str:
        shown = f"{value:,.{digits}f}"
        return shown.translate(str.maketrans(",.", ".,")) if language == "id" else shown

    lines = "\n".join(_make_html_row(line) for line in found.lines)
    most = max(found.months["per_million"].to_pylist(), default=0.0) or 1.0
    months = "\n".join(
        f'<tr><th scope="row">{row["month"] or words["no_date"]}</th><td>{number(row["hits"])}</td>'
        f"<td>{number(row['tokens'])}</td><td>{number(row['per_million'], 1)}</td>"
        f'<td><meter value="{row["per_million"] / most:.3f}"></meter></td></tr>'
        for row in found.months.to_pylist()
    )
    summary = (
        f"<strong>{number(found.n_hits)} {words['hits']}</strong>, {number(found.per_million, 1)} {words['per_million']}; "
        f"{number(found.n_posts)} {words['of']} {number(found.n_posts_read)} {words['posts']}, "
        f"{number(found.n_tokens_read)} {words['tokens']}; {number(len(found.lines))} {words['shown']}"
    )
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words["title"]}: {html.escape(found.query)}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }}
code {{ font-size: 1.1em; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
.lines {{ width: 100%; }}
.lines td {{ padding: .15rem .4rem; vertical-align: top; border-top: 1px solid #8884; }}
.lines .left {{ text-align: right; width: 45%; }}
.lines .right {{ width: 45%; }}
.lines b {{ color: light-dark(#a3121f, #ff8f8f); }}
.months td {{ text-align: right; padding: 0 .6rem; font-variant-numeric: tabular-nums; }}
.months th {{ text-align: right; padding: 0 .6rem; }}
.months th:first-child {{ text-align: left; }}
.post {{ white-space: nowrap; font-size: .85em; }}
</style>
</head>
<body>
<h1>{words["title"]}: <code>{html.escape(found.query)}</code></h1>
<p>{summary}</p>
<div class="scroll"><table class="lines">
{lines}
</table></div>
<h2>{words["month"].capitalize()}</h2>
<div class="scroll"><table class="months">
<tr><th>{words["month"]}</th><th>{words["hits"]}</th><th>{words["tokens"]}</th><th>{words["per_million"]}</th><th></th></tr>
{months}
</table></div>
</body>
</html>
"""


def _make_html_row(line: Line) -> str:
    title = html.escape(line.title or line.post_id, quote=True)
    date = f"{line.published_at:%Y-%m-%d}" if line.published_at else ""
    post = html.escape(line.post_id)
    # only web addresses become links: a page must run nothing that a post's address says
    if line.url and line.url.startswith(("https://", "http://")):
        post = f'<a href="{html.escape(line.url, quote=True)}" title="{title}">{date or post}</a>'
    else:
        post = f'<span title="{title}">{date} {post}</span>'
    return (
        f'<tr><td class="post">{post}</td><td class="left">{html.escape(line.left)}</td>'
        f'<td><b>{html.escape(line.node)}</b></td><td class="right">{html.escape(line.right)}</td></tr>'
    )
