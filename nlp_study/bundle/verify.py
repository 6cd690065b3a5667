"""`verify_bundle(...)`: whether a rerun of a study gave what its bundle says, and if not, what differs and by how much."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.bundle.dehydrate import PSEUDONYMS, make_dehydrated
from nlp_study.bundle.environment import list_packages
from nlp_study.bundle.pack import DIGESTS, ENVIRONMENT, collect_digests, read_bundle
from nlp_study.compare.rows import RowChanges, compare_rows
from nlp_study.compare.runs import open_run
from nlp_study.schema import TableName, table_specs

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

TOLERANCE = 1e-3
"""Largest difference of a number that still counts as close: what other processors and versions of the same library move a
probability by. On one machine reruns are equal."""
_KEYS = {"labels": ("post_id", "target", "stance", "guideline", "labelled_at")}
"""Labels are told apart without their annotator, whose pseudonym differs from folder to folder."""


class Verdict(StrEnum):
    """How an outcome of the rerun compares with the bundle's."""

    EQUAL = "equal"
    """The same bytes, or the same rows."""
    CLOSE = "close"
    """The same rows; numbers differ by at most TOLERANCE."""
    DIFFERENT = "different"
    MISSING = "missing"
    """The rerun does not have it."""


@dataclass(frozen=True)
class Check:
    """One input, setting, or outcome: what was compared, the verdict, and what differs."""

    kind: str
    name: str
    verdict: Verdict
    note: str = ""


def verify_bundle(path: Path, study: Study, corpus: Corpus) -> list[Check]:
    """Compare a study's present tables with a bundle.

    Outcomes with equal digests are equal; of others the rows are compared, pseudonyms aside. Inputs, code and versions are
    compared to explain a difference, and do not decide the verdict.

    Parameters
    ----------
    path : the bundle.
    study, corpus : the rerun.

    Raises
    ------
    DataError : the bundle is damaged, or the rerun has no posts.
    """
    files = read_bundle(path)
    bundle = open_run(path)
    tables = make_dehydrated(study, corpus)
    names = (*map(str, TableName), "model", "report")
    records = {name: record for name in names if (record := corpus.record(name)) is not None}
    theirs: dict[str, Any] = json.loads(files[DIGESTS])
    ours = collect_digests(records, tables)
    checks = [
        _check_digest("input", name, digest, ours["inputs"].get(name)) for name, digest in theirs["inputs"].items()
    ]
    checks += [_check_digest("setting", n, digest, ours["settings"].get(n)) for n, digest in theirs["settings"].items()]
    checks += [_check_digest("code", name, digest, ours["code"].get(name)) for name, digest in theirs["code"].items()]
    checks += _check_versions(json.loads(files[ENVIRONMENT]))
    for name, outcome in theirs["outcomes"].items():
        mine = ours["outcomes"].get(name)
        if mine is None:
            checks.append(Check("outcome", name, Verdict.MISSING, f"run `nlp-study run --only {outcome['stage']}`"))
        elif mine["digest"] == outcome["digest"]:
            checks.append(Check("outcome", name, Verdict.EQUAL))
        elif name in tables and (before := bundle.load(name)) is not None:
            checks.append(_check_rows(name, before.to_pylist(), tables[name].to_pylist()))
        elif name == "report":
            checks.append(
                Check("outcome", name, Verdict.DIFFERENT, "names the time it was made; figures are in the tables")
            )
        else:
            note = f"{outcome['n_rows']:,} rows there, {mine['n_rows']:,} here" if outcome["n_rows"] else "other digest"
            checks.append(Check("outcome", name, Verdict.DIFFERENT, note))
    return checks


def is_reproduced(checks: list[Check]) -> bool:
    """Say whether every table of figures is equal or close; the model's bytes, the report and texts do not decide."""
    decisive = {"posts", "labels", "predictions", "topic_assignments", "evaluations", "trends", "estimates", "changes"}
    found = [check for check in checks if check.kind == "outcome" and check.name in decisive]
    return bool(found) and all(check.verdict in (Verdict.EQUAL, Verdict.CLOSE) for check in found)


def _check_digest(kind: str, name: str, theirs: str, ours: str | None) -> Check:
    if ours is None:
        return Check(kind, name, Verdict.MISSING)
    return Check(kind, name, Verdict.EQUAL if ours == theirs else Verdict.DIFFERENT)


def _check_versions(environment: dict[str, Any]) -> list[Check]:
    """One check for each package that has another version here; packages that are not here are not named."""
    here = list_packages()
    found = [
        Check("version", name, Verdict.DIFFERENT, f"{version} there, {here[name]} here")
        for name, version in environment["packages"].items()
        if name in here and here[name] != version
    ]
    n_same = sum(here.get(name) == version for name, version in environment["packages"].items())
    return [Check("version", f"{n_same} packages", Verdict.EQUAL), *found]


def _check_rows(name: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Check:
    key = _KEYS.get(name, table_specs()[TableName(name)].key)
    found = compare_rows(before, after, key, ignore=PSEUDONYMS.get(name, ()))
    if found.is_equal:
        return Check("outcome", name, Verdict.EQUAL, "the same rows")
    largest = max(found.largest.values(), default=0.0)
    if found.is_close and largest <= TOLERANCE:
        return Check("outcome", name, Verdict.CLOSE, f"numbers differ by at most {largest:.2g}")
    return Check("outcome", name, Verdict.DIFFERENT, describe_changes(found))


def describe_changes(found: RowChanges) -> str:
    """Return the changes of a table in a line."""
    parts = [
        f"{len(found.added):,} rows added" if found.added else "",
        f"{len(found.removed):,} removed" if found.removed else "",
    ]
    columns = ", ".join(
        f"{column} ({n:,}{f', by at most {found.largest[column]:.2g}' if column in found.largest else ''})"
        for column, n in found.columns.items()
    )
    parts.append(f"{len(found.changed):,} changed: {columns}" if found.changed else "")
    return "; ".join(part for part in parts if part)
