from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import uuid
from gzip import compress, decompress
from pathlib import Path

import pyarrow as pa
import pytest

from nlp_study.config import Source, load_study
from nlp_study.deduplicate import mark_duplicates
from nlp_study.errors import DataError
from nlp_study.privacy import (
    KEY_FILE,
    Forgotten,
    PrivacyError,
    export_study,
    forget,
    is_forgotten,
    open_forgotten,
    open_key,
    pseudonymise,
)
from nlp_study.privacy.forgotten import FORGOTTEN_FILE
from nlp_study.schema import MODEL_EVALUATIONS, Failure, TableName, table_specs
from nlp_study.sources import import_source, import_study_sources
from nlp_study.store import RunRecord, dump_parquet, open_corpus

SITE = "https://www.kompasiana.com"
USER = "penulis1"
"""The author that most tests forget: posts 1, 9 and 17 of the study."""
STRAY = "6500aaaabbbbccccddddeeee"
"""A post of theirs that was fetched but never extracted."""


def record(stage="import"):
    return RunRecord(stage=stage, fingerprint={"code": "x"})


def post_ids(study):
    rows = [json.loads(line) for line in (study.root / "posts.jsonl").read_text().splitlines()]
    return [row["post_id"] for row in rows], [row["post_id"] for row in rows if row["author_id"] == USER]


def warc_record(kind, url, block, *, refers=()):
    """Return (id, bytes) of one record; warcio's own writer leaves temporary files open, which is an error here."""
    record_id = f"<urn:uuid:{uuid.uuid4()}>"
    digest = base64.b32encode(hashlib.sha1(block).digest()).decode()
    heads = [
        ("WARC-Type", kind),
        ("WARC-Record-ID", record_id),
        *([("WARC-Target-URI", url)] if url else []),
        ("WARC-Date", "2024-01-02T00:00:00Z"),
        *refers,
        ("WARC-Block-Digest", f"sha1:{digest}"),
        ("Content-Type", "application/warc-fields" if kind == "warcinfo" else f"application/http; msgtype={kind}"),
        ("Content-Length", str(len(block))),
    ]
    head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in heads) + "\r\n"
    return record_id, head.encode() + block + b"\r\n\r\n"


def write_warc(path: Path, records, *, gzip=True):
    """Write (url, body, headers) triples as response and request, one gzip member a record."""
    parts = [warc_record("warcinfo", None, b"software: test\r\n")[1]]
    for url, body, headers in records:
        head = "HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        response_id, raw = warc_record("response", url, head.encode() + body)
        asked = b"GET / HTTP/1.1\r\nHost: www.kompasiana.com\r\n\r\n"
        parts += [raw, warc_record("request", url, asked, refers=[("WARC-Concurrent-To", response_id)])[1]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(compress(part) if gzip else part for part in parts))


def read_warc(folder: Path):
    """Return (type, url, body) of every record, read with warcio, digests checked."""
    from warcio.archiveiterator import ArchiveIterator

    found = []
    for path in sorted(folder.glob("*.warc*")):
        with path.open("rb") as handle:
            for item in ArchiveIterator(handle, check_digests="raise"):
                url = item.rec_headers.get_header("WARC-Target-URI")
                found.append((item.rec_type, url, item.content_stream().read()))
    return found


HTML = [("Content-Type", "text/html; charset=utf-8")]


def page(user, post_id, *, links=""):
    return f"<html><body><h1>Pos {post_id}</h1><a href='/{user}'>{user}</a>{links}</body></html>".encode()


def card(user, post_id):
    return f'<div class="artikel"><a href="{SITE}/{user}/{post_id}/judul">judul</a></div>'


@pytest.fixture
def make_kept(make_study):
    """Return a function that makes a study with every place in which a post can lie."""

    def make():
        study = load_study(make_study())
        everyone, mine = post_ids(study)
        other = next(i for i in everyone if i not in mine)
        lines = [json.loads(line) for line in (study.root / "posts.jsonl").read_text().splitlines()]
        copy = {**lines[1], "post_id": "6500" + "f" * 20, "author": "Orang Lain", "author_id": "lain"}
        copy["reposted_url"] = f"{SITE}/{USER}/{mine[0]}/judul"
        with (study.root / "posts.jsonl").open("a") as handle:
            handle.write(json.dumps(copy) + "\n")
        corpus = open_corpus(study.data_dir)
        import_study_sources(study, corpus, record())
        posts = corpus.read(TableName.POSTS).to_pylist()
        for row in posts:
            if row["author_id"] == "lain":
                row |= {"reposted_url": copy["reposted_url"], "reposted_author": "Penulis 1", "reposted_title": "Judul"}
        fill(corpus, TableName.POSTS, posts)
        mark_duplicates(study, corpus, record("deduplicate"))
        fill_rest(study, corpus, mine, other)
        archive = study.root / "crawl" / "archive"
        write_warc(
            archive / "crawl-00001.warc.gz",
            [
                (f"{SITE}/robots.txt", b"User-agent: *\nAllow: /", [("Content-Type", "text/plain")]),
                (f"{SITE}/indeks?page=1&date=2024-01-02", (card(USER, mine[0]) + card("ani", other)).encode(), HTML),
                (f"{SITE}/indeks?page=2&date=2024-01-02", card("ani", other).encode(), HTML),
                (f"{SITE}/{USER}/{mine[0]}/judul?page=all", page(USER, mine[0]), HTML),
                (f"{SITE}/ani/{other}/judul?page=all", page("ani", other, links=card(USER, mine[0])), HTML),
                (f"{SITE}/penulis10/{'a' * 24}/judul", page("penulis10", "a" * 24), HTML),
            ],
        )
        write_warc(
            archive / "crawl-00002.warc.gz",
            [
                (f"{SITE}/{USER.upper()}/{STRAY}/judul", page(USER, STRAY), HTML),
                (f"{SITE}/amp/{USER}/{mine[1]}/judul", page(USER, mine[1]), HTML),
                (f"{SITE}/{USER}?page=2", b"profil", HTML),
                (
                    "http://politik.kompasiana.com/2013/01/02/judul-1.html",
                    b"",
                    [("Location", f"{SITE}/{USER}/{mine[2]}/x")],
                ),
            ],
        )
        write_warc(archive / "crawl-00003.warc.gz", [(f"{SITE}/budi/{'b' * 24}/judul", page("budi", "b" * 24), HTML)])
        make_frontier(archive.parent / "frontier.sqlite", mine, other)
        extracted = archive.parent / "extracted"
        extracted.mkdir()
        for n, body in ((1, mine[0]), (2, STRAY), (3, "b" * 24)):
            part = pa.table({"key": [body], "post": [body]})
            (extracted / f"crawl-0000{n}.warc.gz.{'0' * 12}.0-99.parquet").write_bytes(dump_parquet(part))
        return study, corpus, archive, mine

    return make


def fill(corpus, name, rows):
    schema = table_specs()[name].schema
    corpus.write(name, pa.Table.from_pylist(rows, schema=schema), corpus.record(name) or record(str(name)))


def fill_rest(study, corpus, mine, other):
    segments = [
        {"segment_id": f"{i}:{n}", "post_id": i, "index": n, "text": f"segmen {i}", "vector": [0.5, 0.5]}
        for i in (*mine, other)
        for n in range(2)
    ]
    fill(corpus, TableName.SEGMENTS, segments)
    fill(
        corpus,
        TableName.TOPIC_ASSIGNMENTS,
        [{"segment_id": s["segment_id"], "post_id": s["post_id"], "topic_id": 0, "proba": 1.0} for s in segments],
    )
    best = [f"{mine[0]}:0", f"{other}:1"]
    fill(corpus, TableName.TOPICS, [{"topic_id": 0, "label": "kios", "representative_segments": best}])
    evaluations = [{"model": "m", "seed": 1, "post_id": i, "target": "pasar daring"} for i in (*mine, other)]
    fill(corpus, TableName.EVALUATIONS, evaluations)
    fill(corpus, TableName.PREDICTIONS, [{"post_id": i, "target": "pasar daring"} for i in (*mine, other)])
    corpus.write_failures(
        "extract",
        [
            Failure("extract", f"{SITE}/{USER}/{STRAY}/judul", "no body"),
            Failure("extract", f"{SITE}/ani/{other}/judul", "no body", other),
            Failure("extract", "file:3", "x", mine[2]),
        ],
    )
    model = study.models_dir / "m"
    model.mkdir(parents=True)
    table = pa.Table.from_pylist(evaluations, schema=table_specs()[TableName.EVALUATIONS].schema)
    (model / MODEL_EVALUATIONS).write_bytes(dump_parquet(table))
    study.report_path.write_text(f"<p>Penulis 1: {mine[0]}</p>")


def make_frontier(path, mine, other):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE pages (id24 TEXT PRIMARY KEY, url TEXT, state TEXT)")
    connection.execute("CREATE TABLE seeds (kind TEXT, account TEXT)")
    rows = [(i, f"{SITE}/{USER}/{i}/judul", "done") for i in mine] + [(other, f"{SITE}/ani/{other}/judul", "done")]
    connection.executemany("INSERT INTO pages VALUES (?, ?, ?)", rows)
    connection.executemany("INSERT INTO seeds VALUES ('author', ?)", [(USER,), ("ani",)])
    connection.commit()
    connection.close()


def traces(root: Path, needles):
    """Return files under a folder that still hold one of the texts, compressed content included."""
    import pyarrow.parquet as pq

    found = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        if path.suffix == ".parquet" or path.name.startswith(".rows"):
            raw = repr(pq.read_table(path).to_pylist()).encode()
        elif ".warc.gz" in path.name:
            raw = decompress(raw)
        if any(needle.encode() in raw.lower() for needle in needles):
            found.append(path.relative_to(root).as_posix())
    return found


# What may still hold the post: the user's own source file, and the page of somebody else that links to it.
MAY_REMAIN = ["crawl/archive/crawl-00001.warc.gz", "posts.jsonl"]


# ---- forget ----------------------------------------------------------------------------------------------------------


def test_a_person_is_removed_from_every_place(make_kept):
    study, corpus, archive, mine = make_kept()
    before = read_warc(archive)
    counts = forget(study, corpus, archive, author=USER)
    assert counts.posts == 3 and counts.label_rows == 3
    assert counts.rows == {
        "posts": 3, "labels": 3, "segments": 6, "topic_assignments": 6, "evaluations": 3, "predictions": 3, "failures": 2,
        "duplicates": 2,
    }  # fmt: skip
    assert counts.archive_files == 2 and counts.frontier_rows == 4 and counts.mentions == 1
    assert counts.copies == ("6500" + "f" * 20,)
    assert counts.sources == ("posts.jsonl",)
    assert counts.report_removed and not study.report_path.exists()
    assert traces(study.root, [USER + "/", USER + '"', *mine, STRAY, "penulis 1'"]) == MAY_REMAIN
    after = read_warc(archive)
    assert [(kind, url) for kind, url, _ in after if kind == "response"] == [
        ("response", f"{SITE}/robots.txt"),
        ("response", f"{SITE}/indeks?page=2&date=2024-01-02"),
        ("response", f"{SITE}/ani/{json_other(study)}/judul?page=all"),
        ("response", f"{SITE}/penulis10/{'a' * 24}/judul"),
        ("response", f"{SITE}/budi/{'b' * 24}/judul"),
    ]
    assert sum(kind == "request" for kind, _, _ in after) == 5
    assert counts.archive_records == len(before) - len(after) == 12
    assert set(after) <= set(before)
    (row,) = [r for r in corpus.read(TableName.POSTS).to_pylist() if r["author_id"] == "lain"]
    assert row["reposted_url"] is row["reposted_author"] is row["reposted_title"] is None
    assert [path.name[:11] for path in (archive.parent / "extracted").iterdir()] == ["crawl-00003"]
    (topic,) = corpus.read(TableName.TOPICS).to_pylist()
    assert topic["representative_segments"] == [f"{json_other(study)}:1"]


def json_other(study):
    everyone, mine = post_ids(study)
    return next(i for i in everyone if i not in mine)


def test_a_post_is_removed_and_its_author_stays(make_kept):
    study, corpus, archive, mine = make_kept()
    counts = forget(study, corpus, archive, post=f"http://kompasiana.com/{USER}/judul_{mine[0]}?page=all")
    assert counts.posts == 1 and counts.label_rows == 1 and counts.frontier_rows == 1
    left = corpus.fetch("SELECT post_id FROM posts WHERE author_id = $1", [USER])["post_id"].to_pylist()
    assert sorted(left) == sorted(mine[1:])
    assert traces(study.root, [mine[0]]) == MAY_REMAIN
    urls = [url for kind, url, _ in read_warc(archive) if kind == "response"]
    assert f"{SITE}/{USER}?page=2" in urls and f"{SITE}/amp/{USER}/{mine[1]}/judul" in urls


def test_records_that_stay_are_copied_byte_for_byte(make_kept):
    study, corpus, archive, _ = make_kept()
    untouched = (archive / "crawl-00003.warc.gz").read_bytes()
    before = (archive / "crawl-00001.warc.gz").read_bytes()
    forget(study, corpus, archive, author=USER)
    after = (archive / "crawl-00001.warc.gz").read_bytes()
    assert (archive / "crawl-00003.warc.gz").read_bytes() == untouched
    members = split_members(before)
    assert len(after) < len(before) and all(member in members for member in split_members(after))


def split_members(raw):
    import zlib

    found = []
    while raw:
        unzip = zlib.decompressobj(31)
        unzip.decompress(raw)
        found.append(raw[: len(raw) - len(unzip.unused_data)])
        raw = unzip.unused_data
    return found


def test_only_hashes_are_remembered(make_kept):
    study, corpus, archive, mine = make_kept()
    forget(study, corpus, archive, author=USER)
    lines = (corpus.folder / FORGOTTEN_FILE).read_text().split()
    assert len(lines) == 7  # account, as a name too, printed name, three posts, and the one that only the archive knew
    assert all(len(line) == 64 and set(line) <= set("0123456789abcdef") for line in lines)
    assert not {hashlib.sha256(text.encode()).hexdigest() for text in (USER, *mine)} & set(lines)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"author_id": USER}, True),
        ({"author_id": "PENULIS1 "}, True),
        ({"author_id": "penulis10"}, False),
        ({"author": "Penulis 1"}, True),
        ({"author": "penulis  1", "author_id": "Penulis 1"}, True),
        ({"author": "Penulis 1", "author_id": "namesake"}, False),
        ({"url": f"{SITE}/{USER}/{'c' * 24}/baru"}, True),
        ({"url": f"http://kompasiana.com/amp/lain/{STRAY}/x?page=all"}, True),
        ({"post_id": STRAY.upper()}, True),
        ({"post_id": "c" * 24, "url": f"{SITE}/ani/{'c' * 24}/baru", "author": "Ani"}, False),
        ({}, False),
    ],
)
def test_is_forgotten(make_kept, known, expected):
    study, corpus, archive, _ = make_kept()
    assert not is_forgotten(corpus.folder, **known)
    forget(study, corpus, archive, author=USER)
    assert is_forgotten(corpus.folder, **known) is expected


def test_listings_that_mention_a_forgotten_person_are_recognised(make_kept):
    study, corpus, archive, mine = make_kept()
    forget(study, corpus, archive, author=USER)
    forgotten = open_forgotten(corpus.folder)
    for text in (card(USER, "c" * 24), f"<a href='/{USER}'>", f"{SITE}/x/judul_{mine[0]} ", f"/lain/{STRAY}/y"):
        assert forgotten.is_mentioned(text), text
    for text in (card("ani", "c" * 24), "<a href='/penulis10'>", USER, ""):
        assert not forgotten.is_mentioned(text), text
    assert not Forgotten().is_mentioned(card(USER, STRAY)) and not Forgotten()


def test_an_import_does_not_bring_them_back(make_kept, tmp_path):
    study, corpus, archive, mine = make_kept()
    (study.root / "labels.csv").write_text(
        (study.root / "labels.csv").read_text() + f"{mine[0]},pasar daring,favor,a2\n"
    )
    forget(study, corpus, archive, author=USER, label_paths=[])
    counts = import_study_sources(study, corpus, record())
    assert counts["sources"]["posts"]["forgotten_posts"] == 3
    assert counts["posts"] == 22 and counts["labels"] == 21
    failures = corpus.read(TableName.FAILURES).to_pylist()
    assert not any(i in str(row) for row in failures for i in mine)
    assert corpus.read(TableName.LABELS).num_rows == 21
    extra = tmp_path / "extra.jsonl"
    rows = [
        {"post_id": "n1", "author": "Penulis 1", "text": "Isi pos tanpa akun."},
        {"post_id": "n2", "author": "Ani", "text": "Isi pos lain."},
        {"post_id": mine[0], "author": "Siapa", "text": "Isi pos ketiga."},
    ]
    extra.write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = Source(name="extra", path=str(extra), format="jsonl")
    assert import_source(study, corpus, entry, record())["sources"]["extra"]["forgotten_posts"] == 2
    assert set(corpus.read(TableName.POSTS)["post_id"].to_pylist()) >= {"n2"}


def test_forgetting_twice_changes_nothing(make_kept):
    study, corpus, archive, _ = make_kept()
    forget(study, corpus, archive, author=USER)
    before = snapshot(study.root)
    counts = forget(study, corpus, archive, author=USER)
    assert counts.rows == {} and counts.archive_records == counts.remembered == counts.label_rows == 0
    assert snapshot(study.root) == before


def snapshot(root):
    """Every file and its content; SQLite aside, whose pages may differ, and its rows instead."""
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if "frontier" in name:
            continue
        found[name] = json.loads(path.read_text()) if path.name == "run.json" else path.read_bytes()
    rows = sqlite3.connect(root / "crawl/frontier.sqlite")
    found["frontier"] = [rows.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in ("pages", "seeds")]
    rows.close()
    return found


KILLED = """
import os, sys
from pathlib import Path
from nlp_study.config import load_study
from nlp_study.store import open_corpus
from nlp_study import privacy
left = int(sys.argv[2])
def deadly(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left == 0 and sys.argv[3] == "before":
            os._exit(9)
        done = function(*arguments, **options)
        if left == 0:
            os._exit(9)
        return done
    return call
Path.replace, Path.unlink, Path.hardlink_to = deadly(Path.replace), deadly(Path.unlink), deadly(Path.hardlink_to)
study = load_study(Path(sys.argv[1]))
privacy.forget(study, open_corpus(study.data_dir), study.root / "crawl/archive", author="penulis1")
print(left)
"""


def run_killed(root, n_steps, moment="after"):
    command = [sys.executable, "-c", KILLED, str(root / "study.toml"), str(n_steps), moment]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run_killed_anywhere_finishes_when_repeated(make_kept, tmp_path):
    """The process ends, as by kill -9, right before or after each n-th rename or deletion."""
    study, _, _, mine = make_kept()
    whole = tmp_path / "whole"
    shutil.copytree(study.root, whole)
    done = run_killed(whole, 10_000)
    assert done.returncode == 0, done.stderr
    n_steps = 10_000 - int(done.stdout)
    assert n_steps > 20
    expected = snapshot(whole)
    hidden = {f"data/{KEY_FILE}", f"data/{FORGOTTEN_FILE}"}  # another key, other hashes
    for n in [1, 2, 3, *range(4, n_steps, 7), n_steps]:
        root = tmp_path / f"killed{n}"
        shutil.copytree(study.root, root)
        assert run_killed(root, n, "before" if n % 2 else "after").returncode == 9
        assert n == 1 or read_warc(root / "crawl/archive")
        again = load_study(root / "study.toml")
        forget(again, open_corpus(again.data_dir), root / "crawl/archive", author=USER)
        left = snapshot(root)
        assert left.keys() == expected.keys(), n
        assert all(left[name] == expected[name] for name in expected if name not in hidden), n
        assert traces(root, [*mine, STRAY]) == MAY_REMAIN
        shutil.rmtree(root)


def test_a_post_of_another_site_is_found_by_its_address(make_kept):
    study, corpus, archive, _ = make_kept()
    url = "https://blog.contoh.id/2024/05/warung-kopi/"
    rows = corpus.read(TableName.POSTS).to_pylist()
    fill(
        corpus,
        TableName.POSTS,
        [*rows, {**rows[0], "post_id": "sha-1", "url": url, "author": "Wati", "author_id": "Wati"}],
    )
    write_warc(archive / "crawl-00004.warc.gz", [(url, b"<p>kopi</p>", HTML), (url + "komentar", b"<p>x</p>", HTML)])
    counts = forget(study, corpus, archive, post="sha-1")
    assert counts.posts == 1 and counts.archive_records == 2
    assert is_forgotten(corpus.folder, url="http://www.blog.contoh.id/2024/05/warung-kopi?utm=1")


def test_revisits_go_with_the_record_that_they_refer_to(make_kept):
    from warcio.archiveiterator import ArchiveIterator

    study, corpus, archive, _ = make_kept()
    with (archive / "crawl-00001.warc.gz").open("rb") as handle:
        listing = next(
            item.rec_headers.get_header("WARC-Record-ID")
            for item in ArchiveIterator(handle)
            if "page=1" in (item.rec_headers.get_header("WARC-Target-URI") or "")
        )
    stays = f"{SITE}/ani/{'d' * 24}/x"
    revisits = [
        warc_record("revisit", url, b"HTTP/1.1 304 Not Modified\r\n\r\n", refers=[("WARC-Refers-To", refers)])[1]
        for url, refers in ((f"{SITE}/indeks?page=1&date=2024-01-02", listing), (stays, "<urn:uuid:0>"))
    ]
    (archive / "crawl-00004.warc.gz").write_bytes(b"".join(map(compress, revisits)))
    forget(study, corpus, archive, author=USER)
    assert [url for kind, url, _ in read_warc(archive) if kind == "revisit"] == [stays]


def test_bodies_that_are_compressed_and_slashes_that_are_escaped(make_kept):
    study, corpus, archive, mine = make_kept()
    body = compress(card(USER, mine[0]).replace("/", "\\/").encode())
    packed = [*HTML, ("Content-Encoding", "gzip")]
    write_warc(
        archive / "more.warc.gz",
        [(f"{SITE}/ajax/tag/posts?page=1", body, packed), (f"{SITE}/ani/{'e' * 24}/x", page("ani", "e" * 24), HTML)],
    )
    forget(study, corpus, archive, author=USER)
    found = [url for kind, url, _ in read_warc(archive) if kind == "response"]
    assert f"{SITE}/ani/{'e' * 24}/x" in found and f"{SITE}/ajax/tag/posts?page=1" not in found


def test_what_is_damaged_in_a_rewritten_file_is_left_behind(make_kept):
    study, corpus, archive, _ = make_kept()
    path = archive / "crawl-00002.warc.gz"
    members = split_members(path.read_bytes())
    members[5] = members[5][:60] + bytes(20) + members[5][80:]  # one of theirs
    path.write_bytes(b"".join(members) + members[1][:50])  # and the beginning of another, as a kill leaves it
    assert forget(study, corpus, archive, author=USER).posts == 3
    assert split_members(path.read_bytes()) == members[:1]


def test_a_running_crawl_is_an_error_that_says_so(make_kept):
    from filelock import FileLock

    study, corpus, archive, _ = make_kept()
    with FileLock(archive.parent / "crawl.lock"), pytest.raises(PrivacyError, match="a crawl is writing"):
        forget(study, corpus, archive, author=USER)
    assert corpus.read(TableName.POSTS).num_rows == 25 and not is_forgotten(corpus.folder, author_id=USER)


def test_the_crawler_reads_the_archive_and_keeps_the_rest_of_its_frontier(make_kept):
    from nlp_study.crawl.archive import read_pages
    from nlp_study.crawl.frontier import Frontier

    study, corpus, archive, mine = make_kept()
    path = archive.parent / "frontier.sqlite"
    path.unlink()
    frontier = Frontier(path)
    frontier.add_chain("author", USER, "")
    frontier.add_chain("author", "ani", "")
    frontier.close()
    connection = sqlite3.connect(path)
    rows = [
        (mine[0], f"{SITE}/{USER}/{mine[0]}"),
        (STRAY, f"{SITE}/{USER}/{STRAY}"),
        ("d" * 24, f"{SITE}/ani/{'d' * 24}"),
    ]
    connection.executemany("INSERT INTO posts (post_id, url) VALUES (?, ?)", rows)
    connection.executemany("INSERT INTO links VALUES (1, ?)", [(i,) for i, _ in rows])
    connection.commit()
    connection.close()
    assert forget(study, corpus, archive, author=USER).frontier_rows == 5
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT post_id FROM posts").fetchall() == [("d" * 24,)]
    assert connection.execute("SELECT subject FROM chains").fetchall() == [("ani",)]
    connection.close()
    assert USER.encode() not in path.read_bytes()
    Frontier(path).close()
    assert not any(mine[0] in page.url for _, page in read_pages(archive))


def test_a_frontier_in_use_is_an_error_that_says_so(make_kept, monkeypatch):
    study, corpus, archive, _ = make_kept()
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, real=sqlite3.connect, **options: real(path, **{**options, "timeout": 0})
    )
    holder = sqlite3.connect(archive.parent / "frontier.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(PrivacyError, match="locked") as caught:
        forget(study, corpus, archive, author=USER)
    assert "stop the crawl" in caught.value.remedy
    holder.execute("ROLLBACK")
    holder.close()
    assert forget(study, corpus, archive, author=USER).posts == 3


def test_an_account_called_like_a_state_takes_no_other_rows(make_kept):
    study, corpus, archive, _ = make_kept()
    assert forget(study, corpus, archive, author="done").frontier_rows == 0


def test_names(make_kept):
    study, corpus, archive, _ = make_kept()
    rows = corpus.read(TableName.POSTS).to_pylist()
    for row in rows:
        row["author"] = "Siti" if row["author_id"] in ("penulis2", "penulis3") else row["author"]
    fill(corpus, TableName.POSTS, rows)
    with pytest.raises(PrivacyError, match="2 accounts: penulis2, penulis3"):
        forget(study, corpus, archive, author="siti")
    assert not (corpus.folder / FORGOTTEN_FILE).exists()
    assert forget(study, corpus, archive, author=f"{SITE}/{USER}?page=1").posts == 3
    assert forget(study, corpus, archive, author="PENULIS 4").posts == 3
    for wrong in ({}, {"author": "a", "post": "b"}, {"author": " "}):
        with pytest.raises(PrivacyError, match="either an author or a post"):
            forget(study, corpus, archive, **wrong)


def test_without_archive_or_tables(make_study):
    study = load_study(make_study())
    corpus = open_corpus(study.data_dir)
    counts = forget(study, corpus, study.root / "none", author="Penulis 3", label_paths=[study.root / "none.csv"])
    assert counts.posts == counts.archive_records == 0 and counts.remembered == 2
    assert import_study_sources(study, corpus, record())["sources"]["posts"]["forgotten_posts"] == 0
    counts = forget(study, corpus, None, author="penulis3")
    assert counts.posts == 3


def test_label_files_keep_every_other_byte(make_kept):
    study, corpus, archive, mine = make_kept()
    path = study.root / "extra.csv"
    head = "\ufefftarget,post_id,note\r\n"
    kept = 'pasar daring,x1,"dua\r\nbaris, ""kutip"""\r\n'
    path.write_bytes(f'{head}{kept}t,{mine[0]},"a\r\nb"\r\nt,x2,z'.encode())
    assert forget(study, corpus, archive, author=USER, label_paths=[path]).label_rows == 1
    assert path.read_bytes() == f"{head}{kept}t,x2,z".encode()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column post_id"):
        forget(study, corpus, archive, author=USER, label_paths=[path])


# ---- key and pseudonyms ----------------------------------------------------------------------------------------------


def test_the_key_is_its_owners_only(tmp_path, caplog):
    key = open_key(tmp_path / "data")
    path = tmp_path / "data" / KEY_FILE
    assert len(key) == 32 and path.stat().st_mode & 0o777 == 0o600
    assert open_key(tmp_path / "data") == key and list((tmp_path / "data").iterdir()) == [path]
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert open_key(tmp_path / "data") == key
    assert path.stat().st_mode & 0o777 == 0o600 and "could be read by others" in caplog.text
    assert open_key(tmp_path / "else") != key


def test_a_lost_or_damaged_key_is_never_replaced_by_a_new_one(make_kept):
    study, corpus, archive, _ = make_kept()
    forget(study, corpus, archive, author=USER)
    key = (corpus.folder / KEY_FILE).read_text()
    (corpus.folder / KEY_FILE).unlink()
    for act in (
        lambda: is_forgotten(corpus.folder, author_id="ani"),
        lambda: import_study_sources(study, corpus, record()),
        lambda: forget(study, corpus, archive, author="ani"),
    ):
        with pytest.raises(PrivacyError, match="missing"):
            act()
    (corpus.folder / KEY_FILE).write_text(key[:20])
    with pytest.raises(PrivacyError, match="damaged"):
        is_forgotten(corpus.folder, author_id="ani")
    (corpus.folder / KEY_FILE).write_text(key)
    (corpus.folder / FORGOTTEN_FILE).write_text("penulis1\n")
    with pytest.raises(PrivacyError, match=r"forgotten.txt is damaged"):
        is_forgotten(corpus.folder, author_id="ani")


def test_pseudonyms(tmp_path):
    table = pa.table(
        {"author": ["Ani", "ANI ", None, "Budi"], "author_id": ["ani", "ani", "x", "budi"], "n": [1, 2, 3, 4]}
    )
    made = pseudonymise(table, tmp_path)
    first, second, none, other = made["author"].to_pylist()
    assert first == second != other and none is None and made["n"].to_pylist() == [1, 2, 3, 4]
    assert first == hmac.new(open_key(tmp_path), b"pseudonym\0ani", hashlib.sha256).hexdigest()[:16]
    assert made.column_names == table.column_names and made["author_id"].to_pylist()[0] == first
    assert pseudonymise(table, tmp_path / "other")["author"].to_pylist()[0] != first
    with pytest.raises(DataError, match="no column nama"):
        pseudonymise(table, tmp_path, columns=("nama",))


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_an_export_holds_neither_texts_nor_names(make_kept, tmp_path):
    study, corpus, _, mine = make_kept()
    counts = export_study(study, corpus, tmp_path / "out")
    assert counts.rows == {"posts.csv": 25, "labels.csv": 24, "predictions.csv": 4, "duplicates.csv": 2}
    everything = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()).lower()
    texts = corpus.fetch("SELECT title, text, author, author_id FROM posts").to_pylist()
    for row in texts:
        assert not any(part.lower() in everything for part in (row["title"], row["text"][:40], row["author"]))
        assert row["author_id"] == "lain" or row["author_id"] not in everything
    assert SITE not in everything
    posts = {row["post_id"]: row for row in read_csv(tmp_path / "out/posts.csv")}
    assert len({posts[i]["author_id"] for i in mine}) == 1 and posts[mine[0]]["published_at"].endswith("+07:00")
    labels = read_csv(tmp_path / "out/labels.csv")
    assert set(labels[0]) == {"post_id", "target", "annotator", "stance", "guideline", "labelled_at", "sampling_proba"}
    assert "not anonymous" in (tmp_path / "out/README.md").read_text()


def test_an_export_with_texts_and_names_when_asked(make_kept, tmp_path):
    study, corpus, _, mine = make_kept()
    export_study(study, corpus, tmp_path / "out", with_texts=True, with_names=True)
    posts = {row["post_id"]: row for row in read_csv(tmp_path / "out/posts.csv")}
    assert posts[mine[0]]["author_id"] == USER and posts[mine[0]]["text"] and "url" in posts[mine[0]]
    assert "author_bio" not in posts[mine[0]]
    assert not (corpus.folder / KEY_FILE).exists()


def test_an_export_of_nothing(make_study, tmp_path):
    study = load_study(make_study())
    with pytest.raises(DataError, match="no posts to export"):
        export_study(study, open_corpus(study.data_dir), tmp_path / "out")


def test_crawled_posts_stay_away_after_a_new_extraction(make_kept):
    """Archive, extraction and import as the study runs them; the parts that were read before must not bring posts back."""
    from nlp_study.extract.archive_posts import read_archive_rows

    study, corpus, archive, mine = make_kept()
    shutil.rmtree(archive.parent / "extracted")
    kept = archive.parent / "extracted"
    before = list(read_archive_rows(archive, kept, workers=1))
    assert any(mine[0] in str(row) for row in before)
    forget(study, corpus, archive, author=USER)
    after = list(read_archive_rows(archive, kept, workers=1))
    assert 0 < len(after) < len(before)
    assert not any(i in repr(getattr(row, "where", row)) for row in after for i in (*mine[1:], STRAY))
