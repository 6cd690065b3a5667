"""`read_archive_rows(folder)`: posts from the pages of an archive, in parallel, each page read once per parser version.

What the parsers made of a page is kept in Parquet parts beside the archive, named after the WARC file, the digest of the
parsers' source code and the range of bytes read. A longer archive, or a run that was killed, costs the new pages only; a
changed parser reads all pages again into parts of its own, so that two versions can be compared before one is accepted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.errors import DataError
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.extract.urls import parse_article_url
from nlp_study.extract.workers import Limits, Reading, Workers
from nlp_study.importers import ImportedRow
from nlp_study.schema import DateSource, Failure, Paragraph, ParagraphKind, Post, Repost

if TYPE_CHECKING:
    import pyarrow as pa

STAGE = "extract"
EXTRACTED_FOLDER = "extracted"
ACCEPTED_FILE = "accepted.json"
_PART_PAGES = 2000
"""Pages a part: what a kill can cost, and few enough files."""
_BATCH_PAGES = 32
_LIMITS = Limits(cpu_s=2.0, wall_s=30.0)
"""Of one page. The slowest that parsers let pass takes half a second; a busy machine makes no page slow to the processor."""
_NOT_PARSERS = frozenset(("archive_posts.py", "workers.py"))
_FOREIGN = "de mensen in het dorp verkopen hun groenten op de markt " * 3
"""Text for which the language model is needed."""

_StoredPage = tuple[str, int, Page]
"""File of the archive, offset in it, page."""
_Row = dict[str, Any]
_PART = re.compile(r"(?P<file>.+\.warc\.gz)\.(?P<digest>[0-9a-f]{12})\.(?P<start>\d+)-(?P<end>\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a new parser changes in one field: how many posts, and the first of them."""

    field: str
    n_posts: int
    post_id: str
    before: str
    after: str


def kept_folder(archive: Path) -> Path:
    """Return the folder beside an archive that keeps what the parsers made of its pages."""
    return archive.parent / EXTRACTED_FOLDER


def parser_digest() -> str:
    """Return a digest of the extractors' source code: it changes whenever a page may be read otherwise."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in _NOT_PARSERS:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def extract_archive(
    archive: Path,
    kept: Path,
    *,
    workers: int | None = None,
    progress: Callable[[int], Any] | None = None,
) -> int:
    """Read every page of the archive that the current parsers have not read; return how many.

    Parameters
    ----------
    archive : folder of WARC files.
    kept : folder of the parts; it can be removed at any time, and costs reading all pages again.
    workers : processes; by default one a core.
    progress : called with the number of pages read since the last call.

    Raises
    ------
    DataError : the folder holds no archive.
    StudyError : one page after another ends the process that reads it. A single one is a row of its own.
    """
    from nlp_study.crawl.archive import list_files

    names = list_files(archive) if archive.is_dir() else []
    if not names:
        raise DataError(f"no archive in {archive}", remedy="crawl first: `nlp-study crawl --since 2024-01-01`")
    digest = parser_digest()
    kept.mkdir(parents=True, exist_ok=True)
    n_read = 0
    n_workers = workers or os.cpu_count() or 1
    with Workers(_read_page, _lose_page, prepare=_load_parsers, n_workers=n_workers, limits=_LIMITS) as pool:
        for name in names:
            start = _covered(_list_parts(kept, digest, name))
            for part in _read_parts(archive / name, start, pool):
                end, rows = part
                _write_part(kept / f"{name}.{digest}.{start}-{end}.parquet", rows)
                start, n_read = end, n_read + len(rows)
                if progress:
                    progress(len(rows))
    return n_read


def read_archive_rows(
    archive: Path, kept: Path, *, workers: int | None = None, progress: Callable[[int], Any] | None = None
) -> Iterator[ImportedRow | Failure]:
    """Yield the posts of an archive, the newest version of each that could be read, and what gave no post.

    A post that was deleted later stays, with the last version that held it, and its deletion is a failure row. When all
    rows were taken, the present parsers are the accepted ones.
    """
    from nlp_study.store import write_file

    extract_archive(archive, kept, workers=workers, progress=progress)
    digest = parser_digest()
    if not _list_parts(kept, digest):
        raise DataError(
            f"the archive in {archive} holds no page of a post yet",
            remedy="crawl some: `nlp-study crawl --since 2024-01-01`; what failed is in its counts",
        )
    for row in _newest_rows(kept, digest):
        if row["post"] is not None:
            yield ImportedRow(load_post(row["post"]))
        if row["reason"] is not None:
            yield Failure(STAGE, row["url"], row["reason"], row["post_id"])
    write_file(kept / ACCEPTED_FILE, json.dumps({"parser": digest}) + "\n")
    for path in kept.glob("*.parquet"):  # of parsers that nobody will compare with any more
        match = _PART.fullmatch(path.name)
        if match and match["digest"] != digest:
            path.unlink(missing_ok=True)


def compare_parsers(
    archive: Path, kept: Path, *, workers: int | None = None, progress: Any = None
) -> list[FieldChange]:
    """Read the archive with the current parsers and return what they change against the accepted ones, field by field.

    Raises
    ------
    DataError : nothing was accepted yet, or its parts are gone.
    """
    try:
        accepted = json.loads((kept / ACCEPTED_FILE).read_text(encoding="utf-8"))["parser"]
    except (OSError, ValueError, KeyError):
        raise DataError("no parser version was accepted yet", remedy="run `nlp-study extract` first") from None
    if accepted == parser_digest():
        return []
    extract_archive(archive, kept, workers=workers, progress=progress)
    before = {row["key"]: row for row in _newest_rows(kept, accepted)}
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in _newest_rows(kept, parser_digest()):
        old = before.pop(row["key"], None)
        for name, was, now in _changed_fields(old, row):
            found.setdefault(name, []).append((row["post_id"] or row["url"], was, now))
    for key, row in before.items():
        found.setdefault("post", []).append((row["post_id"] or key, "read", "gone"))
    return [FieldChange(name, len(changes), *changes[0]) for name, changes in sorted(found.items())]


def dump_post(post: Post) -> str:
    """Return a post as JSON; `load_post` gives it back."""
    return json.dumps(asdict(post), ensure_ascii=False, default=lambda value: value.isoformat())


def load_post(text: str) -> Post:
    """Return the post that `dump_post` wrote."""
    row = json.loads(text)
    row["paragraphs"] = tuple(Paragraph(part["text"], ParagraphKind(part["kind"])) for part in row["paragraphs"])
    row["tags"] = tuple(row["tags"])
    row["date_source"] = DateSource(row["date_source"])
    for name in ("published_at", "updated_at", "captured_at"):
        row[name] = datetime.fromisoformat(row[name]) if row[name] else None
    row["reposted_from"] = Repost(**row["reposted_from"]) if row["reposted_from"] else None
    return Post(**row)


def _list_parts(kept: Path, digest: str, file: str | None = None) -> list[tuple[Path, int, int]]:
    found = []
    for path in kept.glob(f"*.{digest}.*.parquet"):
        match = _PART.fullmatch(path.name)
        if match and (file is None or match["file"] == file):
            found.append((path, int(match["start"]), int(match["end"])))
    return sorted(found, key=lambda part: (part[0].name.split(".warc.gz")[0], part[1]))


def _covered(parts: list[tuple[Path, int, int]]) -> int:
    """Offset up to which the parts of a file leave no gap."""
    covered = 0
    for _, start, end in parts:
        if start > covered:
            break
        covered = max(covered, end)
    return covered


def _read_parts(path: Path, start: int, pool: Workers[_StoredPage, _Row]) -> Iterator[tuple[int, list[_Row]]]:
    """Yield (end offset, rows) a part, in the order of the file; pages are read ahead of the workers, not far."""
    from nlp_study.crawl.archive import read_file_pages

    rows: list[_Row] = []
    batch: list[_StoredPage] = []
    waiting: list[Reading[_StoredPage, _Row]] = []
    last = start
    for record_end, offset, page in read_file_pages(path, start=start):
        last = record_end
        if page is not None:
            batch.append((path.name, offset, page))
        if len(batch) == _BATCH_PAGES:
            waiting.append(pool.submit(batch))
            batch = []
            while len(waiting) > 16:
                rows += pool.collect(waiting.pop(0))
            if len(rows) + _BATCH_PAGES * len(waiting) >= _PART_PAGES:
                for reading in waiting:
                    rows += pool.collect(reading)
                yield last, rows
                rows, waiting = [], []
    if batch:
        waiting.append(pool.submit(batch))
    for reading in waiting:
        rows += pool.collect(reading)
    if last > start and rows:
        yield last, rows


def _read_page(stored: _StoredPage) -> _Row:
    from nlp_study.extract import extract_post

    try:
        post = extract_post(stored[2])
        return _make_row(stored, post_id=post.post_id, post=dump_post(post))
    except ExtractionError as error:
        return _make_row(stored, kind=error.kind, reason=error.what)
    except Exception as error:  # noqa: BLE001 - one hostile page must not end a crawl of millions; its row says why
        return _lose_page(stored, "crashed", f"the parser failed: {type(error).__name__}: {error}")


def _lose_page(stored: _StoredPage, kind: str, reason: str) -> _Row:
    return _make_row(stored, kind=kind, reason=reason)


def _make_row(stored: _StoredPage, **values: str) -> _Row:
    file, offset, page = stored
    article = parse_article_url(page.url)
    row: _Row = {"file": file, "offset": offset, "url": page.url, "captured_at": page.captured_at}
    row |= {"post_id": article.id24 if article else None, "post": None, "kind": None, "reason": None} | values
    return row | {"key": row["post_id"] or page.url}


def _load_parsers() -> None:
    """Load what the parsers load at the first page that needs it, which takes as long as the slowest page."""
    import ftfy  # noqa: F401
    import trafilatura  # noqa: F401

    from nlp_study.extract import sites  # noqa: F401
    from nlp_study.extract.language import identify_language

    identify_language(_FOREIGN)


def _schema() -> pa.Schema:
    import pyarrow as pa

    text = pa.string()
    names = [("key", text), ("post_id", text), ("file", text), ("offset", pa.int64()), ("url", text)]
    names += [("captured_at", pa.timestamp("us", tz="UTC")), ("post", text), ("kind", text), ("reason", text)]
    return pa.schema(names)


def _write_part(path: Path, rows: list[_Row]) -> None:
    import pyarrow as pa

    from nlp_study.store import dump_parquet, write_file

    write_file(path, dump_parquet(pa.Table.from_pylist(rows, schema=_schema())))


def _newest_rows(kept: Path, digest: str) -> Iterator[dict[str, Any]]:
    """Yield one row a key: its newest post, and the reason of a later failure or of the only one."""
    import duckdb

    parts = [str(path) for path, _, _ in _list_parts(kept, digest)]
    if not parts:
        raise DataError(f"nothing that parser {digest} made is left in {kept}", remedy="run `nlp-study extract`")
    query = """
        WITH ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY key ORDER BY (post IS NOT NULL) DESC, captured_at DESC, file DESC, "offset" DESC) AS rank,
                arg_max(reason, captured_at) FILTER (kind = 'deleted') OVER (PARTITION BY key) AS deleted,
                max(captured_at) FILTER (kind = 'deleted') OVER (PARTITION BY key) AS deleted_at
            FROM read_parquet(?))
        SELECT key, post_id, url, post,
            CASE WHEN post IS NULL THEN reason WHEN deleted_at > captured_at THEN deleted END AS reason
        FROM ranked WHERE rank = 1 ORDER BY file, "offset"
    """
    with duckdb.connect() as connection:
        reader: Any = connection.sql(query, params=[parts]).to_arrow_reader(1000)
        for batch in reader:
            yield from batch.to_pylist()


def _changed_fields(old: dict[str, Any] | None, new: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    if old is None or (old["post"] is None) != (new["post"] is None):
        yield (
            "post",
            "read" if old and old["post"] else "not read",
            "read" if new["post"] else f"not read: {new['reason']}",
        )
        return
    if new["post"] is None:
        if old["reason"] != new["reason"]:
            yield "reason", str(old["reason"]), str(new["reason"])
        return
    before, after = json.loads(old["post"]), json.loads(new["post"])
    for name in (field.name for field in fields(Post)):
        if before.get(name) != after.get(name):
            yield name, _show(before.get(name)), _show(after.get(name))


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
