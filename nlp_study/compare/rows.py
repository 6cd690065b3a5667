"""`compare_rows(a, b, …)`: two tables by key: what was added, removed and changed, and by how much."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RowChanges:
    """Keys of rows in b only, in a only, and in both with another value; `columns` counts changed values by column, `largest`
    holds the largest absolute difference of each numeric column."""

    n_same: int
    added: list[tuple[Any, ...]] = field(default_factory=list)
    removed: list[tuple[Any, ...]] = field(default_factory=list)
    changed: list[tuple[Any, ...]] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)

    @property
    def is_close(self) -> bool:
        """Whether the same rows are there and only numbers differ."""
        return not (self.added or self.removed) and set(self.columns) == set(self.largest)


def compare_rows(
    before: Iterable[Mapping[str, Any]],
    after: Iterable[Mapping[str, Any]],
    key: Sequence[str],
    *,
    ignore: Collection[str] = (),
) -> RowChanges:
    """Compare two tables.

    Columns that only one of them has do not count. Rows of one key are told apart by the order of their contents.

    Parameters
    ----------
    key : columns that name a row.
    ignore : columns that may differ.
    """
    rows_a, rows_b = _index(before, key, ignore), _index(after, key, ignore)
    columns: Counter[str] = Counter()
    largest: dict[str, float] = defaultdict(float)
    changed, n_same = [], 0
    for name in sorted(rows_a.keys() & rows_b.keys(), key=str):
        row_a, row_b = rows_a[name], rows_b[name]
        differing = [c for c in row_a.keys() & row_b.keys() if not _is_same(row_a[c], row_b[c])]
        for column in differing:
            columns[column] += 1
            gap = _gap(row_a[column], row_b[column])
            if gap is not None:
                largest[column] = max(largest[column], gap)
        if differing:
            changed.append(name)
        else:
            n_same += 1
    return RowChanges(
        n_same,
        added=sorted(rows_b.keys() - rows_a.keys(), key=str),
        removed=sorted(rows_a.keys() - rows_b.keys(), key=str),
        changed=changed,
        columns=dict(columns.most_common()),
        largest=dict(largest),
    )


def _index(
    rows: Iterable[Mapping[str, Any]], key: Sequence[str], ignore: Collection[str]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kept = {name: value for name, value in row.items() if name not in ignore}
        found[tuple(row.get(name) for name in key)].append(kept)
    unique = {}
    for name, same in found.items():
        for i, row in enumerate(sorted(same, key=str)):
            unique[(*name, i) if len(same) > 1 else name] = row
    return unique


def _is_same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def _gap(a: Any, b: Any) -> float | None:
    """The difference of two numbers, or the largest one of two lists of numbers of one length; None for anything else."""
    if isinstance(a, bool) or isinstance(b, bool):
        return None
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        gaps = [_gap(x, y) for x, y in zip(a, b, strict=True)]
        if gaps and all(gap is not None for gap in gaps):
            return max(gap for gap in gaps if gap is not None)
    return None
