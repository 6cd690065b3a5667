"""`read_annotations(path)`: what annotation tools give back, as decisions with the place that each one stands at.

Read are Label Studio's JSON and JSON-MIN exports, doccano's JSONL (one file an annotator, or its zip), and CSV.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from nlp_study.errors import DataError
from nlp_study.labelling.tasks import CONTROL
from nlp_study.schema import TIMEZONE

_SHARED_FILES = {"all", "unknown"}
"""Names of doccano's files that say nothing of who labelled."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One decision as a tool wrote it; `label` is empty where nothing was decided, `annotator` where nobody is named.

    `where` is the file and the row or task, counted from 1; `problem` says what cannot be read, if anything.
    """

    where: str
    post_id: str = ""
    target: str = ""
    label: str = ""
    annotator: str = ""
    labelled_at: datetime | None = None
    problem: str = ""


def read_annotations(path: Path) -> Iterator[Annotation]:
    """Yield the decisions in a file, in its order; a row that cannot be read is yielded with its `problem`.

    Raises
    ------
    DataError : the file is missing, is no UTF-8, or is none of the known formats.
    """
    if not path.is_file():
        raise DataError(f"no file at {path}", remedy="name the file that the annotation tool exported")
    if path.suffix == ".zip":
        yield from _read_zip(path)
        return
    yield from _read_text(path.name, _decode(path.name, path.read_bytes()))


def _read_zip(path: Path) -> Iterator[Annotation]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith((".jsonl", ".json", ".csv")):
                    yield from _read_text(PurePosixPath(name).name, _decode(name, archive.read(name)))
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is no zip file: {error}", remedy="export it again") from None


def _decode(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8 and import again"
        ) from None


def _read_text(name: str, text: str) -> Iterator[Annotation]:
    if name.endswith(".csv"):
        yield from _read_csv(name, text)
    elif text.lstrip().startswith("["):
        yield from _read_label_studio(name, text)
    else:
        yield from _read_doccano(name, text)


# ---- Label Studio ------------------------------------------------------------------------------------------------------


def _read_label_studio(name: str, text: str) -> Iterator[Annotation]:
    try:
        tasks = json.loads(text)
    except ValueError as error:
        raise DataError(f"{name} is no JSON: {error}", remedy="export it from Label Studio as JSON again") from None
    for number, task in enumerate(tasks, 1):
        where = f"{name}:task {number}"
        if not isinstance(task, dict):
            yield Annotation(where, problem="is no task")
        elif "data" in task:
            try:
                yield from list(_read_task(where, task))
            except (AttributeError, TypeError):
                yield Annotation(where, problem="is no task as Label Studio exports it")
        elif "label" in task:
            yield _read_doccano_row(where, task, _name_file(name))
        else:
            yield _read_small_task(where, task)


def _read_task(where: str, task: Mapping[str, Any]) -> Iterator[Annotation]:
    """A task of the JSON export, with any number of annotations by different people."""
    content = task.get("data") or {}
    post_id, target = str(content.get("post_id") or ""), str(content.get("target") or "")
    for given in task.get("annotations") or task.get("completions") or []:
        if given.get("was_cancelled"):
            continue  # skipped by the annotator: nothing was decided
        chosen = [
            str(choice)
            for part in given.get("result") or []
            if part.get("from_name") == CONTROL
            for choice in (part.get("value") or {}).get("choices") or []
        ]
        problem = f"has {len(chosen)} labels: {', '.join(chosen)}" if len(chosen) > 1 else ""
        annotator = _name_person(given.get("completed_by"))
        label = chosen[0] if chosen else ""
        yield Annotation(where, post_id, target, label, annotator, _read_time(given), problem)


def _read_small_task(where: str, task: Mapping[str, Any]) -> Annotation:
    """A task of the JSON-MIN export: one flat object."""
    value = task.get(CONTROL)
    problem = "" if value is None or isinstance(value, str) else f"has {CONTROL} {json.dumps(value)[:80]}"
    return Annotation(
        where,
        str(task.get("post_id") or ""),
        str(task.get("target") or ""),
        value if isinstance(value, str) else "",
        _name_person(task.get("annotator")),
        _read_time(task),
        problem,
    )


def _name_person(person: Any) -> str:
    """A user of Label Studio as `ls-7`; the number and not the mail address, for labels are tracked and shared."""
    if isinstance(person, Mapping):
        person = person.get("id") if person.get("id") is not None else person.get("email")
    return f"ls-{person}" if person not in (None, "") else ""


def _read_time(row: Mapping[str, Any]) -> datetime | None:
    for name in ("updated_at", "created_at", "labelled_at"):
        if row.get(name):
            try:
                when = datetime.fromisoformat(str(row[name]).replace("Z", "+00:00"))
            except ValueError:
                continue
            return (when if when.tzinfo else when.replace(tzinfo=TIMEZONE)).replace(microsecond=0)
    return None


# ---- doccano -----------------------------------------------------------------------------------------------------------


def _read_doccano(name: str, text: str) -> Iterator[Annotation]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            yield Annotation(where, problem=f"is no JSON ({error})")
            continue
        if not isinstance(row, dict):
            yield Annotation(where, problem="is no JSON object")
            continue
        yield _read_doccano_row(where, row, _name_file(name))


def _name_file(name: str) -> str:
    """The annotator whose name a file of doccano bears; empty for files of a whole project."""
    stem = PurePosixPath(name).stem
    return "" if stem.casefold() in _SHARED_FILES else stem


def _read_doccano_row(where: str, row: Mapping[str, Any], annotator: str) -> Annotation:
    content = {**(row["meta"] if isinstance(row.get("meta"), dict) else {}), **row}
    if "annotations" in row and "label" not in row:
        return Annotation(where, problem="holds numbers instead of labels; export it from doccano as JSONL with labels")
    labels = row.get("label", row.get("labels", []))
    chosen = [labels] if isinstance(labels, str) else labels
    odd = not isinstance(chosen, list) or not all(isinstance(label, str) for label in chosen) or len(chosen) > 1
    return Annotation(
        where,
        str(content.get("post_id") or ""),
        str(content.get("target") or ""),
        "" if odd or not chosen else chosen[0],
        str(content.get("annotator") or content.get("username") or annotator),
        _read_time(content),
        f"has the label {json.dumps(labels, ensure_ascii=False)[:80]}; one is wanted" if odd else "",
    )


# ---- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(name: str, text: str) -> Iterator[Annotation]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    known = reader.fieldnames or []
    label = CONTROL if CONTROL in known or "label" not in known else "label"  # doccano's own CSV
    missing = [column for column in ("post_id", label) if column not in known]
    if missing:
        raise DataError(
            f"{name} lacks the column {', '.join(missing)}; it has {reader.fieldnames}",
            remedy=f"a sheet needs post_id and {CONTROL}; target and annotator if there are several",
        )
    for row in reader:
        yield Annotation(
            f"{name}:{reader.line_num}",
            (row.get("post_id") or "").strip(),
            (row.get("target") or "").strip(),
            (row.get(label) or "").strip(),
            (row.get("annotator") or "").strip(),
            _read_time(row),
        )
