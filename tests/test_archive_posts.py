"""Posts from an archive: exact, read once, newest version, comparable between parser versions."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nlp_study.crawl.archive import ArchiveWriter
from nlp_study.errors import DataError
from nlp_study.extract import archive_posts
from nlp_study.extract.archive_posts import (
    compare_parsers,
    dump_post,
    extract_archive,
    load_post,
    parser_digest,
    read_archive_rows,
)
from nlp_study.importers import ImportedRow
from nlp_study.schema import Failure
from scripts.replica import build_site, start_replica
from scripts.replica.truth import State, Truth

REPOSITORY = Path(__file__).resolve().parents[1]


def store(writer: ArchiveWriter, truth: Truth, body: bytes, *, status: str = "200 OK", later: int = 0) -> None:
    writer.write_response(
        truth.url + "?page=all",
        task=f"post {truth.post_id} - x",
        status_line=f"HTTP/1.1 {status}",
        headers=[("Content-Type", "text/html; charset=UTF-8")],
        body=body,
        request=b"GET / HTTP/1.1\r\nHost: www.kompasiana.com\r\n\r\n",
        captured_at=truth.captured_at + timedelta(days=later),
    )


@pytest.fixture(scope="module")
def site():
    return build_site(60)


def live(site) -> list[Truth]:
    return [truth for truth in site.posts if truth.state is State.LIVE]


def fill(folder: Path, site, truths: list[Truth]) -> ArchiveWriter:
    writer = ArchiveWriter(folder, rotate_bytes=100_000)
    for truth in truths:
        store(writer, truth, site.respond(truth.page_path + "?page=all").body)
    return writer


def read(folder: Path, kept: Path) -> tuple[dict[str, ImportedRow], list[Failure]]:
    rows = list(read_archive_rows(folder, kept, workers=2))
    posts = {row.post.post_id: row for row in rows if isinstance(row, ImportedRow)}
    return posts, [row for row in rows if isinstance(row, Failure)]


def test_every_post_comes_out_as_it_was_written(site, tmp_path):
    truths = live(site)
    fill(tmp_path / "a", site, truths).close()
    posts, failures = read(tmp_path / "a", tmp_path / "k")
    assert not failures and len(posts) == len(truths) and len(list((tmp_path / "a").iterdir())) > 1
    exact = [posts[t.post_id].post.paragraphs == t.as_post().paragraphs for t in truths]
    assert sum(exact) >= 0.98 * len(exact)


def test_pages_are_read_once_and_new_ones_later(site, tmp_path, monkeypatch):
    truths = live(site)
    writer = fill(tmp_path / "a", site, truths[:20])
    assert extract_archive(tmp_path / "a", tmp_path / "k", workers=1) == 20
    assert extract_archive(tmp_path / "a", tmp_path / "k", workers=1) == 0
    for truth in truths[20:25]:
        store(writer, truth, site.respond(truth.page_path + "?page=all").body)
    writer.close()
    assert extract_archive(tmp_path / "a", tmp_path / "k", workers=1) == 5
    assert len(read(tmp_path / "a", tmp_path / "k")[0]) == 25


def test_small_parts_survive_a_kill(site, tmp_path, monkeypatch):
    """A part that was not written is read again; those before it are not."""
    monkeypatch.setattr(archive_posts, "_PART_PAGES", 8)
    monkeypatch.setattr(archive_posts, "_BATCH_PAGES", 4)
    fill(tmp_path / "a", site, live(site)).close()
    total = extract_archive(tmp_path / "a", tmp_path / "k", workers=2)
    parts = sorted((tmp_path / "k").glob("crawl-000001*.parquet"), key=lambda path: path.stat().st_mtime)
    assert len(parts) >= 2
    parts[-1].unlink()
    again = extract_archive(tmp_path / "a", tmp_path / "k", workers=2)
    assert 0 < again <= 8 < total
    assert len(read(tmp_path / "a", tmp_path / "k")[0]) == total


def test_the_newest_version_counts_and_a_deleted_post_stays(site, tmp_path):
    first, second, third, *_ = live(site)
    writer = fill(tmp_path / "a", site, [first, second, third])
    page = site.respond(first.page_path + "?page=all").body
    edited = page.replace(first.title.encode(), b"Judul yang Diperbaiki")
    store(writer, first, edited, later=3)
    store(writer, second, b"", status="404 Not Found", later=3)
    store(writer, third, b"<html><body><p>bukan artikel", later=3)
    writer.close()
    posts, failures = read(tmp_path / "a", tmp_path / "k")
    assert posts[first.post_id].post.title == "Judul yang Diperbaiki"
    assert posts[second.post_id].post.title == second.title and third.post_id in posts
    assert [(f.post_id, "404" in f.reason) for f in failures] == [(second.post_id, True)]


def test_a_new_parser_is_compared_before_it_is_accepted(site, tmp_path, monkeypatch):
    fill(tmp_path / "a", site, live(site)[:6]).close()
    with pytest.raises(DataError, match="accepted"):
        compare_parsers(tmp_path / "a", tmp_path / "k", workers=1)
    read(tmp_path / "a", tmp_path / "k")
    assert compare_parsers(tmp_path / "a", tmp_path / "k", workers=1) == []
    monkeypatch.setattr(archive_posts, "parser_digest", lambda: "0" * 12)
    assert compare_parsers(tmp_path / "a", tmp_path / "k", workers=1) == []  # other source code, same posts
    for part in (tmp_path / "k").glob("*.000000000000.*.parquet"):
        part.unlink()
    real = archive_posts.dump_post
    monkeypatch.setattr(archive_posts, "dump_post", lambda post: real(replace(post, title=post.title.upper())))
    (change,) = compare_parsers(tmp_path / "a", tmp_path / "k")
    assert (change.field, change.n_posts) == ("title", 6) and change.after == change.before.upper()


def test_posts_survive_the_way_through_json(site):
    for truth in list(site.posts)[:30]:
        assert load_post(dump_post(truth.as_post())) == truth.as_post()


def test_an_archive_without_posts_says_so(tmp_path):
    ArchiveWriter(tmp_path / "a").close()
    with pytest.raises(DataError, match="no page of a post yet") as caught:
        read(tmp_path / "a", tmp_path / "k")
    assert "nlp-study crawl" in caught.value.remedy


def test_parts_of_parsers_that_were_replaced_are_removed(site, tmp_path, monkeypatch):
    fill(tmp_path / "a", site, live(site)[:3]).close()
    read(tmp_path / "a", tmp_path / "k")
    monkeypatch.setattr(archive_posts, "parser_digest", lambda: "1" * 12)
    assert len(read(tmp_path / "a", tmp_path / "k")[0]) == 3
    assert {path.name.split(".")[3] for path in (tmp_path / "k").glob("*.parquet")} == {"1" * 12}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crawl", "--urls", "nowhere.txt"), ("nowhere.txt", "one address a line")),
        (("crawl", "--since", "2024-01-01"), ("no contact", "set contact")),
        (("extract",), ("no archive", "nlp-study crawl")),
        (("forget",), ("nobody is named", "--author")),
    ],
)
def test_errors_name_the_remedy(make_study, arguments, words):
    command = [sys.executable, "-m", "nlp_study.cli", *arguments, "--study", str(make_study())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=os.environ, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_no_archive_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no archive") as caught:
        extract_archive(tmp_path / "none", tmp_path / "k")
    assert "nlp-study crawl" in caught.value.remedy
    assert len(parser_digest()) == 12


def test_crawl_extract_forget_and_export_by_command(tmp_path, make_study):
    """The road of a user: fetch, read, forget one person, share the rest."""
    path = make_study()
    days = sorted({truth.published_at.date() for truth in build_site(12).posts if truth.published_at.year >= 2015})
    with start_replica(12) as site:
        config = (
            f'\n[crawl]\ncontact = "a@kampus.ac.id"\nbase_url = "{site.base_url}"\ndelay_s = 0\nautothrottle = false\n'
        )
        path.write_text(path.read_text() + config)

        def program(*arguments: str) -> str:
            command = [sys.executable, "-m", "nlp_study.cli", *arguments, "--study", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=os.environ, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        found = program("crawl", "--since", str(days[0]), "--until", str(days[-1]))
        assert "posts stored" in found and "finished" in found
        assert "posts from the archive" in program("extract")
        assert "change nothing" in program("extract", "--diff")
        program("import", str(path.parent / "posts.jsonl"), "--format", "jsonl")
        count = "SELECT count(*) AS n FROM posts WHERE author_id = '{}'"
        person = next(t.author_id for t in site.posts if t.state is State.LIVE and t.published_at.date() in days)
        assert '"n": 0' not in program("query", count.format(person), "--format", "json")
        program("forget", "--author", person, "--yes")
        assert '"n": 0' in program("query", count.format(person), "--format", "json")
        program("extract")
        assert '"n": 0' in program("query", count.format(person), "--format", "json")
        program("export", str(tmp_path / "shared"))
    assert "paragraphs" not in (tmp_path / "shared/posts.csv").read_text().splitlines()[0]
