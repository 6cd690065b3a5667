"""The format of the archive: WARC 1.1 records, each its own gzip member, written and read as bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import logging
import mmap
import os
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nlp_study.crawl.settings import CrawlError
from nlp_study.extract.page import Page

logger = logging.getLogger(__name__)

Headers = Sequence[tuple[str, str]]
TASK_FIELD = "Nlp-Study-Task"
TRUNCATED_FIELD = "warc-truncated"
"""The standard's field, as a reader's key, for a record whose content was left out."""
_VERSION = b"WARC/1.1\r\n"
_SLICE = 1 << 16
_LARGEST_BODY = 200_000_000
"""Bytes that a content encoding may unpack to; more is a decompression bomb."""


class BrokenBodyError(CrawlError):
    """A page whose content encoding cannot be undone; fetching it again may help."""


@dataclass(frozen=True, slots=True, order=True)
class ArchiveKey:
    """Where a record begins: file name in the archive's folder, byte offset in it. Later records compare greater."""

    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `kind` as in WARC-Type, `end` the offset after it, `block` its content as stored."""

    key: ArchiveKey
    end: int
    kind: str
    fields: Mapping[str, str]
    block: bytes

    @property
    def url(self) -> str:
        """Address of the page; "" for the record that opens a file."""
        return self.fields.get("warc-target-uri", "").strip("<>")

    @property
    def task(self) -> str:
        """Why the crawler asked for it, such as `post 5f0c...`; "" in archives of other programs."""
        return self.fields.get(TASK_FIELD.lower(), "")

    @property
    def captured_at(self) -> datetime:
        """When it was captured, aware."""
        return datetime.fromisoformat(self.fields.get("warc-date", "1970-01-01T00:00:00Z"))

    @property
    def digest(self) -> str:
        """Digest of the payload as it came, content encoding included."""
        return self.fields.get("warc-payload-digest", "")

    def read_head(self) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers of the response; (200, []) for a record that is no HTTP response."""
        if not self.block.startswith(b"HTTP/"):
            return 200, []
        lines = self.block.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        pairs = (line.partition(":") for line in lines[1:] if ":" in line)
        return status, [(name.strip().lower(), value.strip()) for name, _, value in pairs]

    def read_page(self) -> Page:
        """Return the page with transfer and content encoding undone.

        Raises
        ------
        BrokenBodyError : the encoding is broken, unknown, or unpacks to more than 200 MB.
        """
        status, pairs = self.read_head()
        headers = dict(pairs)
        body = self.block.partition(b"\r\n\r\n")[2] if self.block.startswith(b"HTTP/") else self.block
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = _join_chunks(body)
        body = decode_body(body, headers.get("content-encoding", ""))
        kind = headers.get("content-type") or (self.fields.get("content-type", "") if self.kind == "conversion" else "")
        return Page(self.url, body, self.captured_at, status, kind)


def scan_file(path: Path, *, start: int = 0) -> Iterator[Record]:
    """Stream the records of one file; a torn end is passed over, a damaged record is skipped with a warning.

    Raises
    ------
    CrawlError : the file is compressed as a whole, so that its records have no offsets.
    """
    for offset, end, content in scan_members(path, start):
        record = _parse_record(ArchiveKey(path.name, offset), end, content, path)
        if record is not None:
            yield record


def decode_body(body: bytes, encoding: str) -> bytes:
    """Undo a content encoding (gzip and deflate; the crawler asks for no other).

    Raises
    ------
    BrokenBodyError : the encoding is broken, unknown, or unpacks to more than 200 MB.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name == "identity":
            continue
        if name not in ("gzip", "x-gzip", "deflate"):
            raise BrokenBodyError(
                f"content encoding {name!r} is not known", remedy="the crawler asks for gzip and deflate only"
            )
        try:
            body = _inflate(body, is_gzip=name != "deflate")
        except zlib.error as error:
            raise BrokenBodyError(f"the content encoding is broken: {error}", remedy="fetch the page again") from error
    return body


def _inflate(body: bytes, *, is_gzip: bool) -> bytes:
    try:
        packed = zlib.decompressobj(31 if is_gzip else 15)
        content = packed.decompress(body, _LARGEST_BODY)
    except zlib.error:
        packed = zlib.decompressobj(-15 if not is_gzip else 47)  # deflate without its header, as some servers send
        content = packed.decompress(body, _LARGEST_BODY)
    if packed.unconsumed_tail:
        raise BrokenBodyError("the page unpacks to more than 200 MB", remedy="leave it out: no article has that size")
    if not packed.eof:
        raise BrokenBodyError("the content encoding breaks off", remedy="fetch the page again")
    return content


def _join_chunks(body: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    while (line_end := body.find(b"\r\n", at)) >= 0:
        try:
            size = int(body[at:line_end].split(b";")[0], 16)
        except ValueError:
            return body  # the writer undid the chunks and left the header
        if not size:
            return b"".join(pieces)
        pieces.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 4 + size
    return b"".join(pieces)


def scan_members(path: Path, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, offset after it, content) of each gzip member; the torn or damaged give nothing."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if start >= size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            at = start
            while at < size:
                found = _read_member(view, at, size)
                if found is not None:
                    yield at, found[0], found[1]
                    at = found[0]
                    continue
                following = _find_member(view, at + 1, size)
                if following is None:
                    return
                logger.warning("%s: %d damaged bytes at %d were skipped", path.name, following - at, at)
                at = following


def _read_member(view: mmap.mmap, at: int, size: int) -> tuple[int, bytes] | None:
    packed = zlib.decompressobj(31)
    pieces: list[bytes] = []
    end = at
    try:
        while not packed.eof:
            if end >= size:
                return None
            piece = view[end : end + _SLICE]
            pieces.append(packed.decompress(piece))
            end += len(piece)
    except zlib.error:
        return None
    return end - len(packed.unused_data), b"".join(pieces)


def _find_member(view: mmap.mmap, at: int, size: int) -> int | None:
    """Find the next member that is whole and holds a record."""
    while (at := view.find(b"\x1f\x8b\x08", at)) >= 0:
        found = _read_member(view, at, size)
        if found is not None and found[1].startswith(b"WARC/"):
            return at
        at += 1
    return None


def _parse_record(key: ArchiveKey, end: int, content: bytes, path: Path) -> Record | None:
    head, separator, rest = content.partition(b"\r\n\r\n")
    if not head.startswith(b"WARC/") or not separator:
        logger.warning("%s: what stands at byte %d is no WARC record and was skipped", path.name, key.offset)
        return None
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    declared = fields.get("content-length", "")
    length = int(declared) if declared.isdigit() else len(rest)
    if rest[length:].strip(b"\r\n"):
        raise CrawlError(
            f"{path} is compressed as a whole, not record by record",
            remedy=f"rewrite it: warcio recompress {path.name} {path.name}.new",
        )
    return Record(key, end, fields.get("warc-type", ""), fields, rest[:length])


def format_record(
    kind: str, record_id: str, url: str, captured_at: datetime, content_type: str, fields: Headers, block: bytes
) -> bytes:
    when = captured_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [
        f"WARC-Type: {kind}",
        f"WARC-Record-ID: {record_id}",
        *([f"WARC-Target-URI: {url}"] if url else []),
        f"WARC-Date: {when}",
        *(f"{name}: {value}" for name, value in fields if value),
        f"WARC-Block-Digest: {digest_block(block)}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(block)}",
    ]
    head = "\r\n".join(" ".join(line.splitlines()) for line in lines)
    return b"".join((_VERSION, head.encode(), b"\r\n\r\n", block, b"\r\n\r\n"))


def format_head(status_line: str, headers: Headers) -> bytes:
    lines = (status_line, *(f"{name}: {value}" for name, value in headers))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def compress(record: bytes, level: int) -> bytes:
    return gzip.compress(record, level, mtime=0)


def digest_block(block: bytes) -> str:
    """Digest as web archives write it: SHA-1 in base 32; it finds damage and equal pages and protects nothing."""
    return "sha1:" + base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()


def new_record_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"
