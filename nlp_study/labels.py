"""Human labels: read from text files, and resolved to one decision per (post, target)."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nlp_study.errors import DataError
from nlp_study.schema import TIMEZONE, Failure, Label, Stance

ADJUDICATED = "adjudicated"
"""Annotator id of decisions taken after discussion; they outrank all others."""

LABEL_COLUMNS = ("post_id", "target", "stance", "annotator", "guideline", "labelled_at", "sampling_proba")
_REQUIRED = ("post_id", "target", "stance", "annotator")


@dataclass(frozen=True, slots=True)
class GoldLabel:
    """The decision that training and evaluation use for a (post, target) pair."""

    post_id: str
    target: str
    stance: Stance
    n_annotators: int


def read_label_file(path: Path, *, stances: Collection[Stance] = tuple(Stance)) -> Iterator[Label | Failure]:
    """Read labels from a CSV file with the columns of `LABEL_COLUMNS`; further columns are ignored.

    A row that cannot be used is yielded as a `Failure` naming its line, and reading goes on.

    Raises
    ------
    DataError : the file is missing, is no UTF-8, or lacks a required column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"no label file at {path}", remedy="correct `path` under [[labels]], or remove the entry"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8 and import again"
        ) from None
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in _REQUIRED if name not in (reader.fieldnames or [])]
    if missing:
        raise DataError(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has {reader.fieldnames}",
            remedy=f"a label file needs {', '.join(_REQUIRED)}",
        )
    for row in reader:
        where = f"{path.name}:{reader.line_num}"
        try:
            yield parse_label(row, stances=stances)
        except ValueError as error:
            yield Failure(stage="import", where=where, reason=str(error), post_id=row.get("post_id") or None)


def parse_label(row: Mapping[str, Any], *, stances: Collection[Stance]) -> Label:
    """Make a label of a row of strings.

    Raises
    ------
    ValueError : a required value is empty, the label is outside the set, or a date or probability cannot be read.
    """
    empty = [name for name in _REQUIRED if not (row.get(name) or "").strip()]
    if empty:
        raise ValueError(f"{', '.join(empty)} is empty")
    stance = row["stance"].strip().lower()
    if stance not in set(stances):
        raise ValueError(f"label «{row['stance']}» is outside the set {', '.join(stances)}")
    proba = float(row["sampling_proba"]) if row.get("sampling_proba") else None
    if proba is not None and not 0 < proba <= 1:
        raise ValueError(f"sampling_proba {proba} is outside (0, 1]")
    when = datetime.fromisoformat(row["labelled_at"]) if row.get("labelled_at") else None
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=TIMEZONE)
    return Label(
        post_id=row["post_id"].strip(),
        target=row["target"].strip(),
        stance=Stance(stance),
        annotator=row["annotator"].strip(),
        guideline=row.get("guideline") or None,
        labelled_at=when,
        sampling_proba=proba,
    )


def resolve_labels(
    rows: Iterable[Mapping[str, Any]], *, targets: Collection[str], stances: Collection[Stance]
) -> tuple[list[GoldLabel], int]:
    """Return one label for each (post, target), and how many pairs were left out because annotators tied.

    Of several rows by one annotator for a pair the last counts: label files are append-only. An adjudicated decision
    wins; otherwise the majority. A tie without adjudication is no gold label: guessing one would hide the disagreement.

    Parameters
    ----------
    rows : rows of the table `labels`.
    targets, stances : those of the study; other rows are ignored.
    """
    by_pair: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row["target"] in targets and row["stance"] in set(stances):
            by_pair[row["post_id"], row["target"]][row["annotator"]] = row["stance"]
    gold, n_tied = [], 0
    for (post_id, target), decisions in sorted(by_pair.items()):
        final = decisions.get(ADJUDICATED)
        counts = Counter([final] if final else decisions.values()).most_common(2)
        if len(counts) == 2 and counts[0][1] == counts[1][1]:
            n_tied += 1
            continue
        gold.append(GoldLabel(post_id, target, Stance(counts[0][0]), len(decisions)))
    return gold, n_tied
