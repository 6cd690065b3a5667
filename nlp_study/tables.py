"""Print an Arrow table as an aligned table, CSV, JSON or Parquet: the `--format` of every command."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.store import dump_parquet, write_file

if TYPE_CHECKING:
    import pyarrow as pa

_CELL = 60
"""Characters of a cell in a terminal table; CSV, JSON and Parquet are never shortened."""


PIPE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where there is no terminal to ask."""


class TableFormat(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def print_table(
    table: pa.Table, format: TableFormat = TableFormat.TABLE, *, output: Path | None = None, title: str | None = None
) -> None:
    """Print a table on stdout, or write it to `output` atomically.

    Parameters
    ----------
    table : rows to print, any columns.
    format : `table` for people, `csv`, `json` (a list of objects) or `parquet` (needs `output` or a pipe).
    title : line above a terminal table.

    Raises
    ------
    DataError : Parquet would go to a terminal.
    """
    if format is TableFormat.PARQUET:
        raw = dump_parquet(table)
        if output:
            write_file(output, raw)
        elif sys.stdout.isatty():
            raise DataError("Parquet is binary and no sight on a terminal", remedy="add --output FILE.parquet")
        else:
            sys.stdout.buffer.write(raw)
        return
    if format is TableFormat.TABLE and not output:
        _print_aligned(table, title)
        return
    text = _dump_csv(table) if format is TableFormat.CSV else _dump_json(table)
    if format is TableFormat.TABLE:
        text = _dump_csv(table)
    if output:
        write_file(output, text)
    else:
        sys.stdout.write(text)


def _dump_csv(table: pa.Table) -> str:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_flat(value) for value in row.values()])
    return buffer.getvalue()


def _dump_json(table: pa.Table) -> str:
    rows = table.to_pylist()
    return json.dumps(rows, ensure_ascii=False, indent=1, default=_plain) + "\n"


def _print_aligned(table: pa.Table, title: str | None) -> None:
    import pyarrow as pa
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False)
    view = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False)
    for field in table.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        view.add_column(field.name, justify="right" if number else "left", overflow="fold")
    for row in table.to_pylist():
        view.add_row(*(_cell(value) for value in row.values()))
    console.print(view)
    console.print(f"{table.num_rows:,} rows" if table.num_rows != 1 else "1 row")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}"
    text = " ".join(str(_flat(value)).split())
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _flat(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return "" if value is None else value


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
