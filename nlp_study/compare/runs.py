"""`open_run(path)`: a study's data folder, its study file, or a bundle, as something that can be compared."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.store import RECORD_FILE, RunRecord

if TYPE_CHECKING:
    import pyarrow as pa

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Run:
    """One run: its settings (None where no study file is known), records by table, stage outcomes and tables.

    `packages` holds all installed packages where a bundle tells them, else those in the run records.
    """

    name: str
    settings: dict[str, Any] | None
    records: Mapping[str, RunRecord]
    packages: Mapping[str, str]
    load: Callable[[str], pa.Table | None] = field(repr=False)
    is_bundle: bool = False

    def rows(self, name: str) -> list[dict[str, Any]] | None:
        """Return the rows of a table; None where the run does not have it."""
        table = self.load(name)
        return None if table is None else table.to_pylist()


def open_run(path: Path) -> Run:
    """Open a run for comparison.

    Parameters
    ----------
    path : a bundle (zip), a study file, the folder of one, or a data folder with tables.

    Raises
    ------
    DataError : it is none of these, or damaged.
    ConfigError : the study file is wrong.
    """
    if path.is_file() and path.suffix == ".zip":
        return _open_bundle(path)
    if path.suffix == ".toml" or (path / "study.toml").is_file():
        from nlp_study.config import load_study

        study = load_study(path)
        return _open_folder(study.data_dir, str(path), study.model_dump(mode="json"))
    if path.is_dir() and any(path.glob(f"*/{RECORD_FILE}")):
        return _open_folder(path, str(path), None)
    raise DataError(
        f"{path} is no run of a study", remedy="name a bundle (.zip), a study file, or a data folder with tables"
    )


def _open_folder(folder: Path, name: str, settings: dict[str, Any] | None) -> Run:
    records = {
        path.parent.name: record
        for path in sorted(folder.glob(f"*/{RECORD_FILE}"))
        if (record := RunRecord.from_file(path)) is not None
    }
    if not records:
        raise DataError(f"{name} has no tables yet", remedy="run `nlp-study run` first")

    def load(table: str) -> pa.Table | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        record = records.get(table)
        if record is None or not record.files:
            return None
        try:
            parts = [pq.read_table(folder / table / file) for file in record.files]
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"table {table} of {name} is missing or damaged: {error}", remedy="run `nlp-study run` to rebuild it"
            ) from None
        return pa.concat_tables(parts)

    return Run(name, settings, records, _merge_versions(records), load)


def _open_bundle(path: Path) -> Run:
    from nlp_study.bundle.pack import ENVIRONMENT, SETTINGS, read_bundle

    files = read_bundle(path)
    records = {
        Path(name).stem: RunRecord(**json.loads(content))
        for name, content in files.items()
        if name.startswith("records/")
    }
    environment = json.loads(files[ENVIRONMENT])

    def load(table: str) -> pa.Table | None:
        import pyarrow.parquet as pq

        content = files.get(f"tables/{table}.parquet")
        return None if content is None else pq.read_table(io.BytesIO(content))

    # not the study file: another version may not know its keys
    return Run(str(path), json.loads(files[SETTINGS]), records, environment["packages"], load, is_bundle=True)


def _merge_versions(records: Mapping[str, RunRecord]) -> dict[str, str]:
    """The versions of the records; the latest run's where they differ."""
    merged: dict[str, str] = {}
    for record in sorted(records.values(), key=lambda record: record.started_at):
        merged |= record.versions
    return dict(sorted(merged.items()))
