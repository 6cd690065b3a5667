"""Take a subject's records out of an archive of WARC files, and its rows out of the crawler's frontier.

Records that stay are copied byte for byte, so their digests and compression are those of the day they were fetched; only
their offsets in a rewritten file change, and the crawler reads that file anew when it starts next.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from nlp_study.crawl.archive import PATTERN, Record
from nlp_study.crawl.settings import CrawlError
from nlp_study.crawl.warc import scan_file
from nlp_study.extract.archive_posts import kept_folder
from nlp_study.extract.urls import parse_article_url
from nlp_study.privacy.keys import PrivacyError, fold_name
from nlp_study.privacy.subject import Subject

logger = logging.getLogger(__name__)

_SQLITE = b"SQLite format 3\0"
_ACCOUNT_COLUMNS = {"account", "author", "author_id", "subject", "user"}
"""Elsewhere an account is looked for in addresses only: it may be called like a state or a kind of page."""
_CRAWL_LOCK = "crawl.lock"
_BODIES = frozenset(("response", "resource", "conversion"))
_RECORD_IDS = re.compile(r"<[^<>]+>")


@dataclass
class _Place:
    """Where a record lies in its file, what it is called and refers to, and whether it goes."""

    start: int
    end: int
    record_id: str
    refers_to: tuple[str, ...]
    goes: bool


@dataclass
class ArchiveFindings:
    """What a search of the archive found: every record, by file, and how many posts of others mention the subject."""

    places: dict[Path, list[_Place]] = field(default_factory=dict)
    n_mentions: int = 0

    @property
    def n_records(self) -> int:
        """Records to remove, requests included."""
        return sum(place.goes for places in self.places.values() for place in places)


@contextmanager
def hold_archive(folder: Path | None) -> Iterator[None]:
    """Keep crawls away from an archive.

    Raises
    ------
    PrivacyError : one is running.
    """
    from filelock import FileLock, Timeout

    if folder is None or not folder.is_dir():
        yield
        return
    try:
        with FileLock(folder.parent / _CRAWL_LOCK, timeout=0):
            yield
    except Timeout:
        raise PrivacyError(f"a crawl is writing to {folder}", remedy="stop it, and run this again") from None


def _scan(folder: Path) -> Iterator[tuple[Path, Record]]:
    for path in sorted(folder.glob(PATTERN)):
        for record in scan_file(path):
            yield path, record


def collect_posts(folder: Path, subject: Subject) -> None:
    """Add to the subject the ids of its posts that only the archive knows: fetched, but not extracted yet."""
    if not subject.accounts:
        return
    for _, record in _scan(folder):
        article = parse_article_url(record.url)
        if article and fold_name(article.user) in subject.accounts:
            subject.post_ids.add(article.id24)


def search_archive(folder: Path, subject: Subject) -> ArchiveFindings:
    """Find the records that belong to the subject.

    These are all records of its addresses (request, response, revisit, conversion), and every page that is no post of
    somebody else but links to the subject: listings, searches, profiles, redirects. Posts of others that link to it stay, and
    are counted.

    Raises
    ------
    CrawlError : a file is compressed as a whole.
    """
    findings = ArchiveFindings()
    for path, record in _scan(folder):
        goes, mentions = _judge(record, subject)
        findings.n_mentions += mentions
        refers = (record.fields.get(name, "") for name in ("warc-concurrent-to", "warc-refers-to"))
        names = tuple(name for value in refers for name in _RECORD_IDS.findall(value))
        place = _Place(record.key.offset, record.end, record.fields.get("warc-record-id", ""), names, goes)
        findings.places.setdefault(path, []).append(place)
    _follow_references(findings)
    return findings


def _judge(record: Record, subject: Subject) -> tuple[bool, bool]:
    """Whether a record goes, and whether it stays though it mentions the subject."""
    location = dict(record.read_head()[1]).get("location", "") if record.kind in ("response", "revisit") else ""
    if any(subject.owns(address) for address in (record.url, location) if address):
        return True, False
    if record.kind not in _BODIES or not subject.is_mentioned(_read_text(record)):
        return False, False
    is_post = parse_article_url(record.url) is not None
    return not is_post, is_post


def _read_text(record: Record) -> str:
    """The record's headers and body as text; a body whose encoding cannot be undone is searched as it is."""
    head, _, body = record.block.partition(b"\r\n\r\n")
    try:
        body = record.read_page().body
    except CrawlError as error:
        logger.debug("%s: %s", record.url, error.what)
    return (head + b"\n" + body).decode("utf-8", "replace").replace("\\/", "/")


def _follow_references(findings: ArchiveFindings) -> None:
    """A request goes with its response, and a revisit with the response it refers to, whichever file they are in."""
    everything = [place for places in findings.places.values() for place in places]
    while True:
        gone = {place.record_id for place in everything if place.goes}
        named = {name for place in everything if place.goes for name in place.refers_to}
        more = [p for p in everything if not p.goes and (p.record_id in named or gone.intersection(p.refers_to))]
        if not more:
            return
        for place in more:
            place.goes = True


def drop_extracted(folder: Path, findings: ArchiveFindings) -> int:
    """Delete what parsers made of the files that are to be rewritten, kept beside the archive; return how many parts.

    They hold the subject's posts, and the bytes of the file that they stand for are others afterwards. The next import reads
    those files anew.
    """
    changed = {path.name for path, places in findings.places.items() if any(place.goes for place in places)}
    kept = kept_folder(folder)
    parts = [path for path in kept.glob("*.parquet") if path.name.partition(".warc.gz")[0] + ".warc.gz" in changed]
    for path in [*parts, *kept.glob(".*.tmp-*")]:
        path.unlink(missing_ok=True)
    return len(parts)


def rewrite_archive(findings: ArchiveFindings) -> int:
    """Write every file that holds such records anew without them, each in one rename; return how many files changed.

    What is damaged or half-written in such a file is left behind: nobody can say whose it is.

    Raises
    ------
    PrivacyError : a file cannot be written; it is unchanged, those before it are done. Run it again.
    """
    n_files = 0
    for path, places in findings.places.items():
        if any(place.goes for place in places):
            try:
                _rewrite(path, [place for place in places if not place.goes])
            except OSError as error:
                raise PrivacyError(
                    f"cannot rewrite {path}: {error.strerror or error}",
                    remedy="make room for a copy of it, and run it again",
                ) from error
            n_files += 1
    return n_files


def _rewrite(path: Path, kept: list[_Place]) -> None:
    staged = path.with_name(f".{path.name}.tmp-{uuid.uuid4().hex[:8]}")
    try:
        with path.open("rb") as source, staged.open("wb") as target:
            for place in kept:
                source.seek(place.start)
                _copy(source, target, place.end - place.start)
            target.flush()
            os.fsync(target.fileno())
        staged.chmod(path.stat().st_mode & 0o7777)
        if kept:
            staged.replace(path)
        else:
            path.unlink()
    finally:
        staged.unlink(missing_ok=True)


def _copy(source: IO[bytes], target: IO[bytes], length: int) -> None:
    while length and (chunk := source.read(min(length, 2**20))):
        target.write(chunk)
        length -= len(chunk)


# ---- frontier --------------------------------------------------------------------------------------------------------


def clean_frontier(folder: Path, subject: Subject) -> int:
    """Delete the subject's rows from SQLite files in the archive, and from `frontier*` beside it; return how many.

    Deleted rows are overwritten and the file is packed, so that they cannot be read from its free pages or its log.

    Raises
    ------
    PrivacyError : a crawl holds the file.
    """
    files = [*folder.glob("*"), *folder.parent.glob("frontier*")] if folder.is_dir() else []
    n_rows = 0
    for path in sorted({path for path in files if path.is_file() and _is_sqlite(path)}):
        try:
            n_rows += _clean_database(path, subject)
        except sqlite3.Error as error:
            raise PrivacyError(f"cannot change {path}: {error}", remedy="stop the crawl, and run it again") from error
    return n_rows


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(len(_SQLITE)) == _SQLITE


def _clean_database(path: Path, subject: Subject) -> int:
    def belongs(column: str, value: object) -> bool:
        if not isinstance(value, str):
            return False
        is_account = column.lower() in _ACCOUNT_COLUMNS and fold_name(value) in subject.accounts | subject.names
        return is_account or subject.owns(value) or subject.is_mentioned(value) or value.lower() in subject.post_ids

    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        connection.create_function("belongs", 2, belongs, deterministic=True)
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        n_rows = 0
        for (table,) in tables.fetchall():
            if table.startswith("sqlite_"):
                continue
            quoted = _quote(table, mark=chr(34))
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({quoted})")]
            tests = " OR ".join(f"belongs({_quote(column)}, {_quote(column, mark=chr(34))})" for column in columns)
            n_rows += connection.execute(f"DELETE FROM {quoted} WHERE {tests}").rowcount
        connection.execute("COMMIT")
        if n_rows:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return n_rows


def _quote(name: str, *, mark: str = "'") -> str:
    """Quote a text, or with `"` the name of a table or column, for SQL."""
    return mark + name.replace(mark, 2 * mark) + mark
