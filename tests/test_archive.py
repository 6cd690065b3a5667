"""The archive: readable by any WARC tool, torn ends cut, versions kept."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nlp_study.crawl.archive import (
    ArchiveKey,
    ArchiveWriter,
    cut_torn_end,
    list_files,
    read_page,
    read_pages,
    read_record,
    scan_records,
)
from nlp_study.crawl.settings import CrawlError
from nlp_study.crawl.warc import decode_body

MOMENT = datetime(2025, 11, 3, 4, 5, 6, 789000, tzinfo=UTC)
REQUEST = b"GET /sarwono/5f0c0a1bd541df1a2b3c4d5e/warung?page=all HTTP/1.1\r\nHost: www.kompasiana.com\r\n\r\n"
PAGE = "<html><body><p>Warung Bu Sarwono buka sampai larut — kopi dua ribu.</p></body></html>".encode()


def make_url(n: int) -> str:
    return f"https://www.kompasiana.com/sarwono/{0x5F0C0A1B:08x}{n:016x}/warung-{n}?page=all"


def add(
    writer: ArchiveWriter, n: int, body: bytes = PAGE, *, status: str = "200 OK", task: str = "post 0 - x", **headers
):
    pairs = [("Content-Type", "text/html; charset=UTF-8"), *((k.replace("_", "-"), v) for k, v in headers.items())]
    return writer.write_response(
        make_url(n),
        task=task,
        status_line=f"HTTP/1.1 {status}",
        headers=pairs,
        body=body,
        request=REQUEST,
        captured_at=MOMENT + timedelta(seconds=n),
    )


def test_warcio_reads_every_record_with_valid_digests(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    add(writer, 1)
    add(writer, 2, gzip.compress(PAGE), Content_Encoding="gzip")
    writer.close()

    kinds, bodies = [], []
    with (tmp_path / "crawl-000001.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            kinds.append(record.rec_type)
            content = record.content_stream().read()
            if record.rec_type == "response":
                bodies.append(content)
                assert record.http_headers.get_statuscode() == "200"
                assert record.rec_headers.get_header("WARC-Date").startswith("2025-11-03T04:05:")
    assert kinds == ["warcinfo", "response", "request", "response", "request"]
    assert bodies == [PAGE, PAGE]


def test_pages_come_back_with_keys_that_find_them_again(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    keys = [add(writer, 1), add(writer, 2, zlib.compress(PAGE), Content_Encoding="deflate")]
    writer.close()

    found = list(read_pages(tmp_path))
    assert [key for key, _ in found] == keys
    assert [page.body for _, page in found] == [PAGE, PAGE]
    page = found[0][1]
    assert (page.url, page.status, page.content_type) == (make_url(1), 200, "text/html; charset=UTF-8")
    assert page.captured_at == MOMENT + timedelta(seconds=1)
    assert read_page(tmp_path, keys[1]) == found[1][1]
    with pytest.raises(CrawlError, match="no record at byte 7"):
        read_record(tmp_path, ArchiveKey("crawl-000001.warc.gz", 7))


def test_listings_and_refusals_are_no_posts(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    add(writer, 1, task="index 1 2025-11-03 ")
    add(writer, 2, task="robots 0 - ")
    add(writer, 3, task="part 2 - x")
    add(writer, 4, b"sibuk", status="503 Service Unavailable")
    add(writer, 5, b"tidak ada", status="404 Not Found")
    add(writer, 6)
    writer.close()

    assert [page.url for _, page in read_pages(tmp_path)] == [make_url(5), make_url(6)]
    assert len(list(read_pages(tmp_path, posts_only=False))) == 5


@pytest.mark.parametrize("n_bytes", [1, 10, 200])
def test_a_torn_record_is_passed_over_and_cut_off(tmp_path: Path, n_bytes: int) -> None:
    writer = ArchiveWriter(tmp_path)
    add(writer, 1)
    whole = writer.position.offset
    add(writer, 2)
    writer.close()
    path = tmp_path / "crawl-000001.warc.gz"
    path.write_bytes(path.read_bytes()[: whole + n_bytes])

    assert [page.url for _, page in read_pages(tmp_path)] == [make_url(1)]
    assert cut_torn_end(path, whole) == n_bytes
    assert path.stat().st_size == whole
    writer = ArchiveWriter(tmp_path)
    add(writer, 3)
    writer.close()
    assert [page.url for _, page in read_pages(tmp_path)] == [make_url(1), make_url(3)]


def test_a_file_cut_at_any_byte_is_readable(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    offsets = [add(writer, n).offset for n in range(4)]
    writer.close()
    path = tmp_path / "crawl-000001.warc.gz"
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        n_pages = len(list(read_pages(tmp_path)))
        assert n_pages in (sum(offset < size for offset in offsets) - 1, sum(offset < size for offset in offsets)), size


def test_a_damaged_record_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = ArchiveWriter(tmp_path)
    keys = [add(writer, n) for n in range(3)]
    writer.close()
    path = tmp_path / "crawl-000001.warc.gz"
    content = bytearray(path.read_bytes())
    content[keys[1].offset + 100 : keys[1].offset + 130] = b"\x00" * 30
    path.write_bytes(content)

    assert [page.url for _, page in read_pages(tmp_path)] == [make_url(0), make_url(2)]
    assert "damaged bytes" in caplog.text


def test_files_are_rotated_and_continued(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path, rotate_bytes=2_000)
    for n in range(10):
        add(writer, n)
    writer.close()
    assert len(list_files(tmp_path)) > 2
    writer = ArchiveWriter(tmp_path, rotate_bytes=2_000)
    add(writer, 10)
    writer.close()
    assert [page.url for _, page in read_pages(tmp_path)] == [make_url(n) for n in range(11)]
    firsts = [next(scan_records(tmp_path, starts={})).kind]
    assert firsts == ["warcinfo"]


def test_newest_gives_each_post_once_in_its_last_readable_version(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path, rotate_bytes=1_500)
    for n in range(4):
        add(writer, n, PAGE)
    add(writer, 1, PAGE.replace(b"kopi", b"teh"))
    add(writer, 2, b"hilang", status="404 Not Found")
    add(writer, 9, b"tidak pernah ada", status="410 Gone")
    writer.close()

    newest = {page.url: page for _, page in read_pages(tmp_path, newest=True)}
    assert len(newest) == len(list(read_pages(tmp_path, newest=True))) == 5
    assert b"teh" in newest[make_url(1)].body
    assert newest[make_url(2)].status == 200
    assert newest[make_url(9)].status == 410
    assert len(list(read_pages(tmp_path))) == 7


def test_an_unchanged_page_is_a_revisit_and_no_page(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    key = add(writer, 1)
    earlier = read_record(tmp_path, key)
    writer.write_unchanged(
        make_url(1),
        task="post 0 - x",
        status_line="HTTP/1.1 304 Not Modified",
        headers=[("ETag", '"a"')],
        request=REQUEST,
        captured_at=MOMENT,
        earlier=earlier,
    )
    writer.close()

    assert len(list(read_pages(tmp_path))) == 1
    with (tmp_path / "crawl-000001.warc.gz").open("rb") as file:
        revisit = next(record for record in ArchiveIterator(file) if record.rec_type == "revisit").rec_headers
    assert revisit.get_header("WARC-Profile").endswith("server-not-modified")
    assert revisit.get_header("WARC-Refers-To-Target-URI") == make_url(1)
    assert revisit.get_header("WARC-Payload-Digest") == earlier.digest


def test_a_joined_page_is_the_newest_version(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    add(writer, 1)
    writer.write_joined(make_url(1), task="post 0 - x", body=PAGE * 2, captured_at=MOMENT, parts=["<urn:uuid:1>"])
    writer.close()
    assert [page.body for _, page in read_pages(tmp_path, newest=True)] == [PAGE * 2]


# warcio leaves the temporary file of a record that has no length to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_programs_archives_are_read_and_whole_compression_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lain.warc.gz"
    with path.open("wb") as file:
        other = WARCWriter(file, gzip=True)
        headers = StatusAndHeaders(
            "200 OK", [("Content-Type", "text/html"), ("Transfer-Encoding", "chunked")], protocol="HTTP/1.1"
        )
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
        other.write_record(
            other.create_warc_record(make_url(1), "response", payload=BytesIO(chunked), http_headers=headers)
        )
        other.write_record(other.create_warc_record(make_url(2), "metadata", payload=BytesIO(b"x: y")))
    assert [page.body for _, page in read_pages(tmp_path)] == [PAGE]

    records = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(records))
    with pytest.raises(CrawlError, match="record by record") as caught:
        list(read_pages(tmp_path))
    assert "recompress" in caught.value.remedy


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_broken_or_unknown_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(CrawlError):
        decode_body(b"bukan gzip", encoding)


def test_a_decompression_bomb_is_refused() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packed.compress(b"\0" * 1_000_000) for _ in range(201)) + packed.flush()
    with pytest.raises(CrawlError, match="200 MB"):
        decode_body(bomb, "gzip")
