"""The crawler in a process of its own: what a kill, an interrupt or a second crawl costs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from nlp_study.crawl.archive import scan_records
from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.crawl import crawl_posts
from nlp_study.crawl.settings import CrawlError, CrawlSettings
from scripts.replica import Faults, Replica
from tests.crawl_site import crawled_site, live_ids, make_settings, running_site, stored_ids  # noqa: F401 - fixtures


def test_two_crawls_of_one_folder_do_not_mix(site: Replica, tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / "crawl.lock"), pytest.raises(CrawlError, match="another crawl"):
        crawl_posts(make_settings(site, tmp_path))


def start_worker(settings: CrawlSettings) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "nlp_study.crawl.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdin
    worker.stdin.write(json.dumps({"settings": settings.model_dump(mode="json"), "log_level": 40}) + "\n")
    worker.stdin.flush()
    return worker


def wait_for_pages(site: Replica, n: int, worker: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 20
    while len(site.requests) < n and worker.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


def end(worker: subprocess.Popen[str], how: signal.Signals) -> None:
    if worker.poll() is None:
        os.kill(worker.pid, how)
    worker.wait(20)  # before its standard input is closed, which would end it too
    worker.communicate()


def test_kills_lose_nothing_and_repeat_nothing(site: Replica, tmp_path: Path) -> None:
    faults = Faults(
        share_503=0.05, share_reset=0.05, share_truncated=0.05, share_first_page=0.05, retry_after_s=0, seed=2
    )
    site.set_faults(faults)
    settings = make_settings(site, tmp_path)
    rng = random.Random(4)
    n_kills = 0
    for _ in range(6):
        worker = start_worker(settings)
        wait_for_pages(site, len(site.requests) + rng.randrange(3, 12), worker)
        time.sleep(rng.uniform(0, 0.01))
        n_kills += worker.poll() is None
        end(worker, signal.SIGKILL)
        ids = [record.task for record in scan_records(settings.archive_folder)]  # readable at any time
        assert ids
    assert n_kills >= 4
    counts = crawl_posts(settings)

    assert counts.is_finished
    assert stored_ids(settings) == live_ids(site)
    responses = Counter(
        record.task
        for record in scan_records(settings.archive_folder)
        if record.kind == "response" and record.task.startswith("post ") and record.read_head()[0] == 200
    )
    assert max(responses.values()) == 1
    well = [request.path for request in site.requests if request.status == 200 and not request.fault]
    answered = Counter(path for path in well if path != "/robots.txt")
    assert sum(n - 1 for n in answered.values()) <= n_kills


def test_an_interrupt_stores_the_page_under_way(site: Replica, tmp_path: Path) -> None:
    settings = make_settings(site, tmp_path, delay_s=0.05)
    worker = start_worker(settings)
    wait_for_pages(site, 8, worker)
    end(worker, signal.SIGINT)
    assert worker.returncode == 0
    n_records = sum(record.kind == "response" for record in scan_records(settings.archive_folder))
    assert n_records == len(site.requests)


def test_the_crawl_ends_with_the_process_that_wanted_it(site: Replica, tmp_path: Path) -> None:
    worker = start_worker(make_settings(site, tmp_path, delay_s=0.2))
    wait_for_pages(site, 3, worker)
    assert worker.stdin
    worker.stdin.close()
    assert worker.wait(10) == 1


def test_a_crawl_runs_from_a_thread_too(site: Replica, tmp_path: Path) -> None:
    found: list[CrawlCounts] = []
    thread = threading.Thread(target=lambda: found.append(crawl_posts(make_settings(site, tmp_path, limit=1))))
    thread.start()
    thread.join(60)
    assert found[0].n_stored == 1
