"""The archive: every response in WARC 1.1 files, compressed record by record, so that a kill costs the last one at most.

A response and its request are handed to the system in one write. What a kill leaves half-written at the end of the last
file is cut off when the next crawl starts, and skipped by readers until then. Any WARC tool reads the files; they hold
one field that the standard does not know, `Nlp-Study-Task`, from which the frontier can be made again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nlp_study import __version__
from nlp_study.crawl.settings import CrawlError
from nlp_study.crawl.warc import (
    TASK_FIELD,
    ArchiveKey,
    Headers,
    Record,
    compress,
    digest_block,
    format_head,
    format_record,
    new_record_id,
    scan_file,
)
from nlp_study.extract.page import Page
from nlp_study.extract.urls import parse_article_url

logger = logging.getLogger(__name__)

__all__ = ["ArchiveKey", "ArchiveWriter", "Record", "read_page", "read_pages", "read_record", "scan_records"]

PATTERN = "*.warc.gz"
_NAME = re.compile(r"crawl-(\d{6,})\.warc\.gz")
TAIL_BYTES = 32
"""Bytes before a position by which an archive file is known again: digests and lengths of the last record."""
_LEVEL = 3
"""zlib level: on pages of 38 kB level 1 takes 0.19 ms for 6.0 kB, 3 0.20 ms for 5.4, 6 0.53 ms for 4.8, 9 0.96 for 4.7."""
_LEVEL_COMPRESSED = 1
_GONE = frozenset((404, 410))
_NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
_SAME_PAYLOAD = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"


class ArchiveWriter:
    """The one writer of an archive's folder; the crawl's lock makes sure that there is no second.

    Parameters
    ----------
    folder : made if it is missing; the last file in it is continued.
    rotate_bytes : size at which the next file begins.
    software : name of the program, for the record that opens each file.
    """

    def __init__(self, folder: Path, *, rotate_bytes: int = 256_000_000, software: str = "") -> None:
        self.folder = folder
        self.rotate_bytes = rotate_bytes
        self.software = software or f"nlp-study/{__version__}"
        folder.mkdir(parents=True, exist_ok=True)
        names = list_files(folder)
        ours = [match for name in names if (match := _NAME.fullmatch(name))]
        self._number = int(ours[-1][1]) if ours else 0
        self._handle = -1
        self.tail = b""
        if self._number:
            self._open(ours[-1][0])
        else:
            self._rotate()

    @property
    def position(self) -> ArchiveKey:
        """Where the next record goes."""
        return ArchiveKey(self._name, self._size)

    def write_response(
        self,
        url: str,
        *,
        task: str,
        status_line: str,
        headers: Headers,
        body: bytes,
        request: bytes,
        captured_at: datetime,
        address: str = "",
        withhold: bool = False,
    ) -> ArchiveKey:
        """Store a response as it came, with its request.

        Parameters
        ----------
        body : payload with its content encoding; the transfer encoding was undone, so `headers` must not name one.
        request : head of the request as it was sent.
        address : IP address of the server.
        withhold : store that it came, without its content.
        """
        body = b"" if withhold else body
        head = format_head(status_line, [*headers, ("Content-Length", str(len(body)))])
        fields = [("WARC-Payload-Digest", digest_block(body)), *_optional("WARC-IP-Address", address)]
        fields += _optional("WARC-Truncated", "unspecified" if withhold else "")
        encoded = any(name.lower() == "content-encoding" for name, _ in headers)
        level = _LEVEL_COMPRESSED if encoded else _LEVEL
        return self._write_pair(url, "response", task, fields, head + body, request, captured_at, level)

    def write_unchanged(
        self,
        url: str,
        *,
        task: str,
        status_line: str,
        headers: Headers,
        request: bytes,
        captured_at: datetime,
        earlier: Record,
    ) -> ArchiveKey:
        """Store that the page is what `earlier` holds: the server said so (304), or sent the same bytes (200)."""
        profile = _NOT_MODIFIED if " 304" in status_line else _SAME_PAYLOAD
        fields = [
            ("WARC-Profile", profile),
            ("WARC-Payload-Digest", earlier.digest),
            ("WARC-Refers-To", earlier.fields.get("warc-record-id", "")),
            ("WARC-Refers-To-Target-URI", earlier.url),
            ("WARC-Refers-To-Date", earlier.fields.get("warc-date", "")),
        ]
        return self._write_pair(
            url, "revisit", task, fields, format_head(status_line, headers), request, captured_at, _LEVEL
        )

    def write_joined(
        self, url: str, *, task: str, body: bytes, captured_at: datetime, parts: Sequence[str]
    ) -> ArchiveKey:
        """Store a page put together from several responses, whose record ids are `parts`, as a conversion of them."""
        fields = [("WARC-Payload-Digest", digest_block(body)), *(("WARC-Refers-To", part) for part in parts[:1])]
        content_type = "text/html; charset=utf-8"
        record = format_record(
            "conversion", new_record_id(), url, captured_at, content_type, [*fields, (TASK_FIELD, task)], body
        )
        return self._append(compress(record, _LEVEL))

    def sync(self) -> None:
        """Ask the system to put everything on the disk: a kill needs no such thing, a power cut does."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Sync and close; the folder may be written again by another writer."""
        if self._handle >= 0:
            self.sync()
            os.close(self._handle)
            self._handle = -1

    def _write_pair(
        self,
        url: str,
        kind: str,
        task: str,
        fields: Headers,
        block: bytes,
        request: bytes,
        captured_at: datetime,
        level: int,
    ) -> ArchiveKey:
        main_id = new_record_id()
        content_type = "application/http;msgtype=response"
        main = format_record(kind, main_id, url, captured_at, content_type, [*fields, (TASK_FIELD, task)], block)
        asked = format_record(
            "request",
            new_record_id(),
            url,
            captured_at,
            "application/http;msgtype=request",
            [("WARC-Concurrent-To", main_id)],
            request,
        )
        return self._append(compress(main, level) + compress(asked, _LEVEL_COMPRESSED))

    def _append(self, packed: bytes) -> ArchiveKey:
        if self._size >= self.rotate_bytes:
            self._rotate()
        key = self.position
        try:
            written = os.write(self._handle, packed)
            while written < len(packed):
                written += os.write(self._handle, packed[written:])
        except OSError as error:
            os.ftruncate(self._handle, self._size)
            raise CrawlError(
                f"{self.folder / self._name} cannot be written: {error.strerror}",
                remedy="make room on the disk and run the same command again; what is stored is kept",
            ) from error
        self._size += len(packed)
        self.tail = packed[-TAIL_BYTES:]
        return key

    def _rotate(self) -> None:
        self.close()
        self._number += 1
        self._open(f"crawl-{self._number:06}.warc.gz")

    def _open(self, name: str) -> None:
        self._name = name
        self._handle = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._size = os.fstat(self._handle).st_size
        if not self._size:
            about = f"software: {self.software}\r\nformat: WARC File Format 1.1\r\n".encode()
            now = datetime.now(UTC)
            fields = [("WARC-Filename", name)]
            opening = format_record("warcinfo", new_record_id(), "", now, "application/warc-fields", fields, about)
            self._append(compress(opening, _LEVEL))


def list_files(folder: Path) -> list[str]:
    """Return the names of the archive's files, oldest first."""
    return sorted(path.name for path in folder.glob(PATTERN))


def scan_records(folder: Path, *, starts: Mapping[str, int] | None = None) -> Iterator[Record]:
    """Stream every record of the archive in the order in which it was written.

    Parameters
    ----------
    starts : offset at which to begin in a file, for files that are known up to there; others are read whole.
    """
    for name in list_files(folder):
        yield from scan_file(folder / name, start=(starts or {}).get(name, 0))


def read_tail(path: Path, size: int) -> bytes:
    """Return the bytes before an offset; fewer, or none, where the file is shorter."""
    if not path.is_file() or path.stat().st_size < size:
        return b""
    with path.open("rb") as file:
        file.seek(max(0, size - TAIL_BYTES))
        return file.read(min(TAIL_BYTES, size))


def cut_torn_end(path: Path, end: int) -> int:
    """Cut off what a kill left half-written after `end`, where the last whole record ends; return the bytes cut."""
    torn = path.stat().st_size - end
    if torn > 0:
        os.truncate(path, end)
        logger.warning("%s: a half-written record of %d bytes was cut off", path.name, torn)
    return torn


def read_record(folder: Path, key: ArchiveKey) -> Record:
    """Read the record at a key.

    Raises
    ------
    CrawlError : no record begins there; the archive was changed.
    """
    path = folder / key.file
    record = next(scan_file(path, start=key.offset), None) if path.is_file() else None
    if record is None or record.key != key:
        raise CrawlError(f"{path} holds no record at byte {key.offset}", remedy="read the archive again from its start")
    return record


def read_page(folder: Path, key: ArchiveKey) -> Page:
    """Read the page at a key that `read_pages` gave; raises `CrawlError` where none begins there."""
    return read_record(folder, key).read_page()


def read_pages(folder: Path, *, newest: bool = False, posts_only: bool = True) -> Iterator[tuple[ArchiveKey, Page]]:
    """Stream the captured pages with their keys, one in memory at a time.

    Parameters
    ----------
    folder : an archive's folder, `CrawlSettings.archive_folder`; other programs' `.warc.gz` are read as well.
    newest : give each post (or address) once: its last page that was there, or its last 404 if it never was. The newest
        file then comes first. Otherwise every version comes, in the order of capture.
    posts_only : leave out listings and robots.txt, and the single pages of a post that were joined.

    Yields
    ------
    Key and page; of answers other than 2xx only 404 and 410 (posts that are gone). A torn last record is passed over.
    """
    if not newest:
        for record in scan_records(folder):
            status = _page_status(record, posts_only=posts_only)
            if status and (page := _try_page(record)):
                yield record.key, page
        return
    given: set[bytes] = set()
    gone: dict[bytes, ArchiveKey] = {}
    for name in reversed(list_files(folder)):
        last: dict[bytes, int] = {}
        last_gone: dict[bytes, ArchiveKey] = {}
        for record in scan_file(folder / name):
            status = _page_status(record, posts_only=posts_only)
            if not status:
                continue
            mark = _mark_address(record.url)
            if status in _GONE:
                last_gone[mark] = record.key
            elif mark not in given:
                last[mark] = record.key.offset
        for mark, key in last_gone.items():
            gone.setdefault(mark, key)
        for mark, offset in sorted(last.items(), key=lambda item: item[1]):
            record = read_record(folder, ArchiveKey(name, offset))
            if page := _try_page(record):
                given.add(mark)
                yield record.key, page
    for mark, key in gone.items():
        if mark not in given and (page := _try_page(read_record(folder, key))):
            yield key, page


def _page_status(record: Record, *, posts_only: bool) -> int:
    """Return the status of a record that is a page to read, 0 for the others."""
    if record.kind not in ("response", "conversion"):
        return 0
    if posts_only and record.task and record.task.split(" ", 1)[0] != "post":
        return 0
    if record.kind == "response" and not record.block.startswith(b"HTTP/"):
        return 0  # the resource records of other programs: DNS answers and the like
    status, headers = record.read_head()
    is_page = record.kind == "conversion" or "html" in dict(headers).get("content-type", "html")
    if posts_only and not is_page:
        return 0
    return status if 200 <= status < 300 or status in _GONE else 0


def _try_page(record: Record) -> Page | None:
    try:
        return record.read_page()
    except CrawlError as error:
        logger.warning(
            "%s at byte %d (%s) is passed over: %s", record.key.file, record.key.offset, record.url, error.what
        )
        return None


def _mark_address(url: str) -> bytes:
    """Return 8 bytes for a post's id or, where there is none, its address: a set of millions has to fit in memory."""
    article = parse_article_url(url)
    return hashlib.blake2b((article.id24 if article else url).encode(), digest_size=8).digest()


def _optional(name: str, value: str) -> Headers:
    return [(name, value)] if value else []


def read_file_pages(path: Path, *, start: int = 0) -> Iterator[tuple[int, int, Page | None]]:
    """Stream one file's records from an offset on as (offset of the end, offset, page); None where it is no post's page."""
    for record in scan_file(path, start=start):
        status = _page_status(record, posts_only=True)
        yield record.end, record.key.offset, _try_page(record) if status else None
