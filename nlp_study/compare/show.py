"""`print_comparison(...)`: what changed between two runs, on a terminal, as JSON, Markdown, or one HTML page."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from nlp_study.compare.parts import Part
from nlp_study.store import write_file
from nlp_study.tables import TableFormat, print_table


class DiffFormat(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def print_comparison(
    parts: Sequence[Part], format: DiffFormat, *, first: str, second: str, output: Path | None = None
) -> None:
    """Print a comparison on stdout, or write it to `output` atomically.

    Parameters
    ----------
    first, second : names of the runs.
    format : `table` for people; in a file it is Markdown.
    """
    if format is DiffFormat.TABLE and not output:
        _print(parts)
        return
    if format is DiffFormat.JSON:
        text = dump_comparison(parts, first=first, second=second)
    elif format is DiffFormat.HTML:
        text = render_comparison(parts, first=first, second=second)
    else:
        text = write_markdown(parts, first=first, second=second)
    if output:
        write_file(output, text)
    else:
        sys.stdout.write(text)


def _print(parts: Sequence[Part]) -> None:
    import pyarrow as pa

    for part in parts:
        sys.stdout.write(f"{part.name}: {part.missing or part.summary}\n\n")
        if part.rows:
            print_table(pa.Table.from_pylist(part.rows), TableFormat.TABLE)
            sys.stdout.write("\n")


def dump_comparison(parts: Sequence[Part], *, first: str, second: str) -> str:
    """Return everything as one JSON object, all changed ids included."""
    content = {
        "first": first,
        "second": second,
        "parts": {
            part.name: {
                "changed": part.is_changed,
                "summary": part.summary,
                "missing": part.missing,
                "rows": part.rows,
                "details": part.details,
            }
            for part in parts
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def write_markdown(parts: Sequence[Part], *, first: str, second: str) -> str:
    """Return a comparison as Markdown."""
    lines = [f"# {first} and {second}", ""]
    for part in parts:
        lines += [f"## {part.name}", "", _sentence(part), ""]
        if part.rows:
            names = list(part.rows[0])
            lines += [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
            lines += [f"| {' | '.join(_cell(row[name]).replace('|', '/') for name in names)} |" for row in part.rows]
            lines.append("")
    return "\n".join(lines)


def render_comparison(parts: Sequence[Part], *, first: str, second: str) -> str:
    """Return a comparison as one HTML page that needs nothing else."""
    body = []
    for part in parts:
        body.append(f"<h2>{html.escape(part.name)}</h2>\n<p>{html.escape(_sentence(part))}</p>")
        if part.rows:
            names = list(part.rows[0])
            head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
            rows = "\n".join(
                "<tr>" + "".join(f"<td>{html.escape(_cell(row[name]))}</td>" for name in names) + "</tr>"
                for row in part.rows
            )
            body.append(f'<div class="scroll"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>')
    title = f"{html.escape(first)} and {html.escape(second)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .25rem .7rem; border-top: 1px solid #8884; text-align: left; vertical-align: top; }}
td {{ font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
{chr(10).join(body)}
</body>
</html>
"""


def _sentence(part: Part) -> str:
    return f"Not compared: {part.missing}." if part.missing else f"{part.summary}."


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)
