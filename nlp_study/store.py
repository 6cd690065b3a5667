"""`open_corpus(dir) -> Corpus`: tables as Parquet, written atomically, with a record of the run that made them.

A table is a folder with `run.json` and the Parquet files it names. A write puts new files beside the old ones and then
replaces `run.json` in one rename: a reader sees the old table or the new one, never half, whatever interrupts the write.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError, StoreError
from nlp_study.schema import TIMEZONE, TIMEZONE_NAME, Failure, TableName, table_specs

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

RECORD_FILE = "run.json"
_COMPRESSION = "zstd"
_ROW_GROUP = 4096
"""Rows that a reader has in memory at least; a table of long texts that is streamed stays within some MB."""


@dataclass(frozen=True)
class RunRecord:
    """Where a table (or model, or report) came from.

    `fingerprint` maps what the stage depends on (`config`, `code`, `input:TABLE`, `file:PATH`) to digests: a stage whose
    fingerprint is unchanged is skipped, and a changed entry is the reason why it is stale.
    """

    stage: str
    fingerprint: dict[str, str]
    digest: str = ""
    n_rows: int = 0
    files: list[str] = field(default_factory=list)
    seed: int | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started_at: str = ""
    wall_s: float = 0.0

    @classmethod
    def from_file(cls, path: Path) -> RunRecord | None:
        """Read a record; None when there is none."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{path} is damaged: {error}",
                remedy=f"delete the folder {path.parent} and run `nlp-study run` to rebuild it",
            ) from None


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file atomically: temporary file, fsync, rename.

    Raises
    ------
    StoreError : the disk is full or the folder cannot be written; the old file is untouched.
    """
    raw = content.encode("utf-8") if isinstance(content, str) else content
    staged = path.with_name(f".{path.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as handle:
            handle.write(raw)
            handle.flush()
            os.fsync(handle.fileno())
        staged.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _store_error(path, error) from error
    finally:
        staged.unlink(missing_ok=True)


def dump_parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=_COMPRESSION)
    return sink.getvalue().to_pybytes()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_path(path: Path) -> str:
    """Return a digest of a file, or of every file below a folder with its name; `missing` where there is nothing."""
    if path.is_file():
        return digest_file(path)[:16]
    if not path.is_dir():
        return "missing"
    sha = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
        sha.update(f"{file.relative_to(path).as_posix()}\0{digest_file(file)}\n".encode())
    return sha.hexdigest()[:16]


class Corpus:
    """The tables of one study. Make one with `open_corpus`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._damaged: dict[str, DataError] = {}

    def __repr__(self) -> str:
        counts = [f"{name} {record.n_rows:,}" for name in TableName if (record := self.record(name))]
        return f"Corpus({str(self.folder)!r}: {', '.join(counts) or 'empty'})"

    # ---- records -------------------------------------------------------------------------------------------------

    def record(self, name: TableName | str) -> RunRecord | None:
        """Return the record of a table, or of `model` and `report`; None when it was never made."""
        return RunRecord.from_file(self.folder / str(name) / RECORD_FILE)

    def write_record(self, name: str, record: RunRecord) -> None:
        """Record the run that made something that is no table (`model`, `report`)."""
        write_file(self.folder / name / RECORD_FILE, _dump(record))

    # ---- tables --------------------------------------------------------------------------------------------------

    def has(self, name: TableName) -> bool:
        """Say whether the table has been made."""
        return self.record(name) is not None

    def files(self, name: TableName) -> list[Path]:
        """Return the Parquet files of a table, in order; empty when it was never made."""
        record = self.record(name)
        return [self.folder / name / file for file in record.files] if record else []

    def n_rows(self, name: TableName) -> int:
        """Return the number of rows of a table, from its record."""
        record = self.record(name)
        return record.n_rows or 0 if record else 0

    def read(self, name: TableName, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table; one that was never made is empty, with the right columns.

        Raises
        ------
        DataError : a file is missing or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = table_specs()[name].schema
        parts = []
        for file in self.files(name):
            try:
                parts.append(pq.read_table(file, columns=list(columns) if columns else None))
            except (OSError, pa.ArrowException) as error:
                raise _damaged(name, file, error) from None
        if not parts:
            return schema.empty_table().select(list(columns or schema.names))
        return pa.concat_tables(parts)

    def read_vectors(self) -> np.ndarray:
        """Return the segments' vectors as float32, shape (n_segments, hidden), in the order of the table."""
        import numpy as np

        column = self.read(TableName.SEGMENTS, columns=["vector"])["vector"].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        return flat.reshape(len(column), -1) if len(column) else np.zeros((0, 0), np.float32)

    def write(self, name: TableName, rows: pa.Table | Iterable[pa.RecordBatch], record: RunRecord) -> RunRecord:
        """Replace a table atomically and return its completed record.

        Parameters
        ----------
        rows : a table with the columns of the schema, or batches of one (then memory stays flat).
        record : its `digest`, `n_rows` and `files` are filled in here.

        Raises
        ------
        StoreError : the disk is full or the folder cannot be written; the old table is still in place.
        DataError : the rows do not fit the table's schema.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = table_specs()[name].schema
        folder = self.folder / name
        staged = folder / f".rows.tmp-{uuid.uuid4().hex[:8]}"
        # one chunk, so that equal rows give equal bytes however the table was put together
        batches = rows.combine_chunks().to_batches() if isinstance(rows, pa.Table) else rows
        n_rows = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(staged, schema, compression=_COMPRESSION) as writer:
                for batch in batches:
                    if not batch.num_rows:
                        continue
                    writer.write_batch(batch.cast(schema), row_group_size=_ROW_GROUP)
                    n_rows += batch.num_rows
            with staged.open("rb+") as handle:
                os.fsync(handle.fileno())
            digest = digest_file(staged)
            file = f"part-{digest[:12]}.parquet"
            staged.replace(folder / file)
            done = RunRecord(**{**asdict(record), "digest": digest[:16], "n_rows": n_rows, "files": [file]})
            write_file(folder / RECORD_FILE, _dump(done))
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, KeyError) as error:
            raise DataError(f"rows do not fit the table {name}: {error}", remedy="report this as a bug") from error
        except OSError as error:
            raise _store_error(folder, error) from error
        finally:
            staged.unlink(missing_ok=True)
        self.close()  # the views of an open connection name the files that go now
        for old in folder.iterdir():
            if old.name not in (file, RECORD_FILE):
                old.unlink(missing_ok=True)
        return done

    def write_failures(self, stage: str, failures: Iterable[Failure]) -> int:
        """Replace the failures of one stage, those of other stages stay; return how many there are now."""
        import pyarrow as pa

        spec = table_specs()[TableName.FAILURES]
        now = datetime.now(TIMEZONE)
        kept = [row for row in self.read(TableName.FAILURES).to_pylist() if row["stage"] != stage]
        fresh = [{**asdict(failure), "failed_at": now} for failure in failures]
        if not fresh and (not self.has(TableName.FAILURES) or len(kept) == self.read(TableName.FAILURES).num_rows):
            return 0
        table = pa.Table.from_pylist(kept + fresh, schema=spec.schema)
        self.write(TableName.FAILURES, table, RunRecord(stage="all", fingerprint={}, started_at=now_iso()))
        return len(fresh)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the corpus for writing; a second writer gets an error at once instead of a mixture of two runs."""
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=0):
                yield
        except Timeout:
            raise StoreError(
                f"another nlp-study is writing to {self.folder}", remedy="wait until it is done, or stop it"
            ) from None
        except OSError as error:
            raise _store_error(self.folder, error) from error

    # ---- reading for analysts ------------------------------------------------------------------------------------

    def sql(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Run one read-only query over the tables and return DuckDB's relation (`.df()`, `.fetchall()`, `.show()`).

        Raises
        ------
        DataError : the query is no single SELECT, does not parse, names something unknown, or reads a damaged file.
        """
        import duckdb

        connection = self._connect()
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type not in (
                duckdb.StatementType.SELECT,
                duckdb.StatementType.EXPLAIN,
            ):
                raise DataError(
                    "only one SELECT at a time: tables are read-only",
                    remedy="to keep a result, use --format csv or parquet with --output",
                )
            return connection.sql(query, params=parameters)
        except duckdb.Error as error:
            raise self._query_error(error, query) from None

    def fetch(
        self,
        query: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        time_limit_s: float | None = None,
    ) -> pa.Table:
        """Run one read-only query and return all rows as an Arrow table; errors as in `sql`.

        Parameters
        ----------
        time_limit_s : seconds after which it is given up with a DataError; None: never.
        """
        import duckdb

        timer = Timer(time_limit_s or 0, self._connect().interrupt) if time_limit_s is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            return self.sql(query, parameters).to_arrow_table()
        except duckdb.InterruptException:
            raise DataError(
                f"the query took more than {time_limit_s:g} s", remedy="narrow it, or raise the time limit"
            ) from None
        except duckdb.Error as error:
            raise self._query_error(error, query) from None
        finally:
            if timer:
                timer.cancel()

    def to_datasets(self, *names: TableName | str) -> dict[str, Dataset]:
        """Return tables as Hugging Face datasets, by name; all that exist by default. The rows are not copied."""
        from datasets import Dataset

        wanted = [TableName(name) for name in names] or [name for name in TableName if self.has(name)]
        return {str(name): Dataset(self.read(name)) for name in wanted}

    def close(self) -> None:
        """Close the connection behind `sql`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection, self._damaged = _connect_views(self)
        return self._connection

    def _query_error(self, error: Exception, query: str) -> DataError:
        import duckdb

        if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
            for name, damage in self._damaged.items():
                if name in query:
                    return damage
            return DataError(str(error), remedy="`nlp-study query --schema` lists tables and columns")
        if isinstance(error, duckdb.PermissionException):
            return DataError(str(error), remedy="queries see the study's tables only")
        return DataError(str(error), remedy="check the query; it is DuckDB's SQL")


def open_corpus(folder: Path | str) -> Corpus:
    """Open the tables in a study's data folder (`data/` by default); it need not exist yet."""
    return Corpus(Path(folder))


_VIEWS = {
    TableName.POSTS: "SELECT *, strftime(published_at, '%Y-%m') AS month, "
    "array_to_string(list_transform(paragraphs, lambda part: part.text), chr(10) || chr(10)) AS text FROM {rows}",
    TableName.SEGMENTS: "SELECT * EXCLUDE (vector) FROM {rows}",
}


def _connect_views(corpus: Corpus) -> tuple[duckdb.DuckDBPyConnection, dict[str, DataError]]:
    """Open an in-memory DuckDB with a view per table that can read these files and nothing else.

    A damaged table gets no view, so that the others can still be queried; what is wrong with it is returned by name.
    """
    import duckdb

    damaged: dict[str, DataError] = {}

    connection = duckdb.connect(":memory:")
    connection.execute(f"SET TimeZone = '{TIMEZONE_NAME}'")
    connection.execute("SET enable_progress_bar = false")
    allowed = []
    for name, spec in table_specs().items():
        files = [str(file) for file in corpus.files(name)]
        allowed += files
        if files:
            listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
            rows = f"read_parquet([{listed}])"
        else:
            connection.register(f"_{name}", spec.schema.empty_table())
            rows = f"_{name}"
        try:
            connection.execute(f"CREATE VIEW {name} AS {_VIEWS.get(name, 'SELECT * FROM {rows}').format(rows=rows)}")
        except duckdb.Error as error:
            damaged[str(name)] = _damaged(name, Path(files[0] if files else str(name)), error)
    connection.execute("SET allowed_paths = ?", [allowed])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection, damaged


def _damaged(name: str, file: Path, error: Exception) -> DataError:
    return DataError(
        f"table {name}: {file} is missing or damaged ({str(error).splitlines()[0]})",
        remedy=f"delete the folder {file.parent} and run `nlp-study run`; it rebuilds what is missing",
    )


def _store_error(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {path}: {error.strerror or error}",
        remedy="free some space or choose another folder under [paths]; what was there before is unchanged",
    )


def _dump(record: RunRecord) -> str:
    return json.dumps(asdict(record), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; some file systems refuse to sync a folder, and then the rename is all there is."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def now_iso() -> str:
    """Return the present moment in UTC, to the second, for records."""
    return datetime.now(UTC).isoformat(timespec="seconds")
