"""Pages that kill or hold up the process that reads them: one row each, and every other page is read."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nlp_study.crawl.archive import ArchiveWriter
from nlp_study.errors import StudyError
from nlp_study.extract import archive_posts, sites, workers
from nlp_study.extract.archive_posts import extract_archive, read_archive_rows
from nlp_study.extract.page import Page
from nlp_study.extract.workers import Limits, Workers
from nlp_study.importers import ImportedRow
from nlp_study.schema import Failure, Post
from scripts.replica import State, Truth, build_site
from tests.test_archive_posts import store

FAST = Limits(cpu_s=0.3, wall_s=1.0)


def spin() -> None:
    while True:
        pass


def crash() -> None:
    faulthandler.disable()  # the report is of no use here
    os.kill(os.getpid(), signal.SIGSEGV)


ENDS: dict[str, tuple[Callable[[], object], str]] = {
    "exits": (lambda: os._exit(3), "the parser's process ended with status 3"),
    "is killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "the parser's process was ended by SIGKILL"),
    "crashes": (crash, "the parser's process was ended by SIGSEGV"),
    "spins": (spin, "the parser needed more than 0.3 s of processor time"),
    "sleeps": (lambda: time.sleep(60), "the parser gave no answer in 1 s"),
}


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return [truth for truth in build_site(30).posts if truth.state is State.LIVE][:20]


@pytest.fixture
def archive(truths: list[Truth], tmp_path: Path) -> Path:
    site = build_site(30)
    writer = ArchiveWriter(tmp_path / "a")
    for truth in truths:
        store(writer, truth, site.respond(truth.page_path + "?page=all").body)
    writer.close()
    return tmp_path / "a"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_posts, "_BATCH_PAGES", 4)
    monkeypatch.setattr(archive_posts, "_LIMITS", FAST)


def end_at(monkeypatch: pytest.MonkeyPatch, ends: dict[str, Callable[[], object]]) -> None:
    """Let the parser do something else at some posts; processes inherit the change."""
    real = sites.extract_post

    def extract(page: Page) -> Post:
        for post_id, end in ends.items():
            if post_id in page.url:
                end()
        return real(page)

    monkeypatch.setattr(sites, "extract_post", extract)


def read(archive: Path) -> tuple[set[str], dict[str | None, str]]:
    rows = list(read_archive_rows(archive, archive.parent / "k", workers=2))
    posts = {row.post.post_id for row in rows if isinstance(row, ImportedRow)}
    return posts, {row.post_id: row.reason for row in rows if isinstance(row, Failure)}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("how", ENDS)
def test_a_page_that_ends_its_process_is_one_row(
    how: str, archive: Path, truths: list[Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, reason = ENDS[how]
    bad = truths[9].post_id
    end_at(monkeypatch, {bad: end})
    posts, failures = read(archive)
    assert failures == {bad: reason}
    assert posts == {truth.post_id for truth in truths} - {bad}
    assert extract_archive(archive, archive.parent / "k", workers=2) == 0  # it is not tried again


@pytest.mark.usefixtures("small_batches")
def test_several_such_pages_beside_each_other(
    archive: Path, truths: list[Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {truths[at].post_id: ENDS[how] for at, how in ((0, "exits"), (1, "spins"), (2, "crashes"), (19, "is killed"))}
    end_at(monkeypatch, {post_id: end for post_id, (end, _) in bad.items()})
    posts, failures = read(archive)
    assert failures == {post_id: reason for post_id, (_, reason) in bad.items()}
    assert posts == {truth.post_id for truth in truths} - set(bad)


@pytest.mark.usefixtures("small_batches")
def test_kinds_of_lost_pages(archive: Path, truths: list[Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    end_at(monkeypatch, {truths[1].post_id: ENDS["exits"][0], truths[2].post_id: ENDS["spins"][0]})
    extract_archive(archive, archive.parent / "k", workers=1)
    (part,) = (archive.parent / "k").glob("*.parquet")
    kinds = {row["post_id"]: row["kind"] for row in pq.read_table(part).to_pylist() if row["kind"]}
    assert kinds == {truths[1].post_id: "crashed", truths[2].post_id: "damaged"}


@pytest.mark.usefixtures("small_batches")
def test_a_parser_that_always_dies_stops_the_run_with_a_remedy(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_LOST", 6)
    end_at(monkeypatch, {"": ENDS["exits"][0]})
    with pytest.raises(StudyError, match=r"6 pages in a row could not be read, .* status 3") as caught:
        extract_archive(archive, archive.parent / "k", workers=2)
    assert "--workers" in caught.value.remedy


def double(number: int) -> int:
    if number == 13:
        os._exit(1)
    return 2 * number


def lose(number: int, kind: str, reason: str) -> int:
    assert (kind, reason) == ("crashed", "the parser's process ended with status 1")
    return -number


def load_slowly() -> None:
    started = time.process_time()
    while time.process_time() - started < 2 * FAST.cpu_s:
        pass


def test_rows_keep_their_order_and_loading_counts_for_no_item() -> None:
    with Workers(double, lose, prepare=load_slowly, n_workers=2, limits=FAST) as pool:
        readings = [pool.submit(range(at, at + 5)) for at in range(0, 30, 5)]
        rows = [row for reading in readings for row in pool.collect(reading)]
        assert rows == [-13 if number == 13 else 2 * number for number in range(30)]
        assert pool.collect(pool.submit([1, 2])) == [2, 4]  # in the pool that replaced the broken one


def test_limits_are_of_one_item() -> None:
    limits = replace(FAST, cpu_s=0.6)
    with Workers(spin_a_while, lose, prepare=load_slowly, n_workers=1, limits=limits) as pool:
        assert pool.collect(pool.submit(range(4))) == [0, 1, 2, 3]


def spin_a_while(number: int) -> int:
    started = time.process_time()
    while time.process_time() - started < 0.25:
        pass
    return number
