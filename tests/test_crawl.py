"""The crawler against the replica: what it finds, how gently, and what a kill costs."""

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
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nlp_study.crawl.archive import read_pages, scan_records
from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.crawl import crawl_posts, describe_counts, read_failures
from nlp_study.crawl.politeness import ForbiddenError, RobotsRules, check_address, read_retry_after
from nlp_study.crawl.settings import CrawlError, CrawlSettings, check_ready
from nlp_study.crawl.whole import check_whole
from nlp_study.errors import ConfigError
from nlp_study.extract.urls import parse_article_url
from scripts.replica import Era, Faults, Replica, Request, State, start_replica

CONTACT = "peneliti@kampus.ac.id"


@pytest.fixture(scope="module")
def running() -> Iterator[Replica]:
    with start_replica(60, source="generated", eras=(Era.INSTAGRAM_2025,)) as site:
        yield site


@pytest.fixture
def site(running: Replica) -> Iterator[Replica]:
    robots = running.robots_txt
    running.reset_log()
    yield running
    running.set_faults()
    running.robots_txt, running.robots_status = robots, 200


def make_settings(site: Replica, folder: Path, **changes: object) -> CrawlSettings:
    values: dict[str, object] = {
        "folder": folder,
        "contact": CONTACT,
        "base_url": site.base_url,
        "since": site.days[0],
        "until": site.days[-1],
        "delay_s": 0,
        "autothrottle": False,
        "backoff_s": 0.01,
    }
    return CrawlSettings.model_validate(values | changes)


def stored_ids(settings: CrawlSettings) -> list[str]:
    pages = (page for _, page in read_pages(settings.archive_folder, newest=True))
    articles = (parse_article_url(page.url) for page in pages if page.status == 200 and not check_whole(page).problem)
    return sorted(article.id24 for article in articles if article)


def live_ids(site: Replica) -> list[str]:
    return sorted(truth.post_id for truth in site.posts if truth.state is not State.DELETED)


def asked_for(site: Replica, part: str = "") -> list[Request]:
    return [request for request in site.requests if part in request.path]


def test_the_date_road_finds_every_post_once(site: Replica, tmp_path: Path) -> None:
    settings = make_settings(site, tmp_path)
    seen: list[CrawlCounts] = []
    counts = crawl_posts(settings, on_progress=seen.append)

    assert counts.is_finished, counts
    assert stored_ids(settings) == live_ids(site)
    deleted = sorted(truth.post_id for truth in site.posts if truth.state is State.DELETED)
    assert deleted
    assert sorted(failure.post_id or "" for failure in read_failures(tmp_path)) == deleted
    assert (counts.n_stored, counts.n_gone, counts.n_days_done) == (len(live_ids(site)), len(deleted), len(site.days))
    asked = Counter(request.path for request in site.requests)
    assert max(asked.values()) == 1
    assert counts.n_requests == len(site.requests)
    assert all("?page=all" in path for path in asked if parse_article_url(f"https://www.kompasiana.com{path}"))
    assert "finished" in describe_counts(counts)

    site.reset_log()
    again = crawl_posts(settings)  # in the same process: every crawl has its own reactor
    assert (again.n_stored, again.is_finished) == (0, True)
    assert [request.path for request in site.requests] == ["/robots.txt"]


def test_the_user_agent_names_project_and_contact_over_one_connection(site: Replica, tmp_path: Path) -> None:
    crawl_posts(make_settings(site, tmp_path, until=site.days[0], project_url="https://kampus.ac.id/nlp"))
    agents = {request.user_agent for request in site.requests}
    assert len(agents) == 1
    agent = agents.pop()
    assert agent.startswith("nlp-study/")
    assert agent.endswith(f"(+https://kampus.ac.id/nlp; contact: {CONTACT})")
    assert len({request.connection for request in site.requests}) == 1


@pytest.mark.parametrize("contact", ["", "  ", "nama", "me@example.com", "https://example.org/me", "http://x"])
def test_without_a_contact_nothing_is_fetched(site: Replica, tmp_path: Path, contact: str) -> None:
    with pytest.raises(ConfigError, match="contact") as caught:
        crawl_posts(make_settings(site, tmp_path, contact=contact))
    assert "contact = " in caught.value.remedy
    assert site.requests == []


def test_a_crawl_needs_seeds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no seed"):
        check_ready(CrawlSettings(folder=tmp_path, contact=CONTACT))
    with pytest.raises(ValidationError, match="after until"):
        CrawlSettings(folder=tmp_path, contact=CONTACT, since="2025-02-01", until="2025-01-01")
    with pytest.raises(ValidationError, match="origin of a site"):
        CrawlSettings(folder=tmp_path, contact=CONTACT, base_url="https://www.kompasiana.com/tag/kopi")


def test_robots_txt_is_obeyed(site: Replica, tmp_path: Path) -> None:
    truth = next(truth for truth in site.posts if truth.state is State.LIVE)
    site.robots_txt = f"User-agent: *\nDisallow: /{truth.author_id}/\n"
    settings = make_settings(site, tmp_path)
    counts = crawl_posts(settings)
    assert site.requests[0].path == "/robots.txt"
    assert not asked_for(site, f"/{truth.author_id}/")
    assert counts.n_blocked >= 1
    assert truth.post_id not in stored_ids(settings)
    reasons = {failure.post_id: failure.reason for failure in read_failures(tmp_path)}
    assert "robots.txt does not allow" in reasons[truth.post_id]

    site.robots_txt = "User-agent: *\nDisallow:\n"
    crawl_posts(settings)  # what was not allowed once is asked for again when it is
    assert stored_ids(settings) == live_ids(site)


def test_robots_txt_may_forbid_everything_to_us_alone(site: Replica, tmp_path: Path) -> None:
    site.robots_txt = "User-agent: nlp-study\nDisallow: /\n\nUser-agent: *\nDisallow:\n"
    counts = crawl_posts(make_settings(site, tmp_path))
    assert [request.path for request in site.requests] == ["/robots.txt"]
    assert (counts.n_stored, counts.n_blocked) == (0, len(site.days))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_robots_txt_that_cannot_be_read_stops_the_crawl(site: Replica, tmp_path: Path, status: int) -> None:
    site.robots_status = status
    with pytest.raises(CrawlError, match=r"robots\.txt could not be read"):
        crawl_posts(make_settings(site, tmp_path))
    assert {request.path for request in site.requests} == {"/robots.txt"}


def test_no_robots_txt_allows_everything(site: Replica, tmp_path: Path) -> None:
    site.robots_status = 404
    assert crawl_posts(make_settings(site, tmp_path, limit=2)).n_stored == 2


def test_a_site_that_cannot_be_reached_stops_the_crawl(site: Replica, tmp_path: Path) -> None:
    with pytest.raises(CrawlError, match=r"robots\.txt could not be read \(the server refuses connections\)"):
        crawl_posts(make_settings(site, tmp_path, base_url="http://127.0.0.1:9"))


def test_rules_of_robots_txt() -> None:
    rules = RobotsRules(200, b"\xef\xbb\xbfUser-agent: nlp-study\nCrawl-delay: 7\nDisallow: /komentar/\nAllow: /\n")
    assert rules.delay_s == 7
    assert not rules.allows("https://www.kompasiana.com/komentar/a/b/c")
    assert rules.allows("https://www.kompasiana.com/a/b/c")
    assert RobotsRules(410).allows("https://www.kompasiana.com/a")
    with pytest.raises(CrawlError):
        RobotsRules(502)


def test_retry_after_is_honoured(site: Replica, tmp_path: Path) -> None:
    site.set_faults(Faults(share_429=1.0, most_per_address=1, retry_after_s=1))  # every address refuses once
    truth = next(truth for truth in site.posts if truth.state is State.LIVE)
    counts = crawl_posts(make_settings(site, tmp_path, since=None, until=None, urls=[truth.url]))
    log = site.requests
    pairs = [(a, b) for a, b in pairwise(log) if a.status == 429]
    assert len(pairs) == 2
    assert all(b.at - a.at >= 0.98 for a, b in pairs), [b.at - a.at for a, b in pairs]
    assert counts.n_stored == 1


def test_a_wait_beyond_the_bound_stops_the_crawl_and_outlives_it(site: Replica, tmp_path: Path) -> None:
    site.set_faults(Faults(paths={"/indeks*": "429"}, retry_after_s=5_000))
    settings = make_settings(site, tmp_path, max_wait_s=60)
    counts = crawl_posts(settings)
    assert "asks to wait" in counts.stop_reason
    assert [request.status for request in site.requests] == [200, 429]
    site.set_faults()
    site.reset_log()
    assert "asks to wait" in crawl_posts(settings).stop_reason
    assert site.requests == []


def test_retry_after_in_all_its_forms() -> None:
    assert read_retry_after("120", now=0) == 120
    assert read_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=20) == 40
    assert read_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=99) == 0
    assert read_retry_after("besok", now=0) is None
    assert read_retry_after(None, now=0) is None


def test_the_daily_budget_of_requests_is_kept_over_runs(site: Replica, tmp_path: Path) -> None:
    settings = make_settings(site, tmp_path, daily_requests=9)
    first = crawl_posts(settings)
    assert (first.n_requests, len(site.requests)) == (9, 9)
    assert "budget of 9 requests" in first.stop_reason
    second = crawl_posts(settings)
    assert (second.n_requests, len(site.requests)) == (0, 9)
    more = crawl_posts(settings.model_copy(update={"daily_requests": 12}))
    assert more.n_requests == 3


def test_the_daily_budget_of_bytes_and_the_run_s_own_limit(site: Replica, tmp_path: Path) -> None:
    counts = crawl_posts(make_settings(site, tmp_path, daily_mb=0.05))
    assert "budget of 0.05 MB" in counts.stop_reason
    assert 50_000 <= counts.n_bytes < 200_000
    counts = crawl_posts(make_settings(site, tmp_path, max_mb=0.03))
    assert "max_mb" in counts.stop_reason


def test_limit_counts_posts(site: Replica, tmp_path: Path) -> None:
    settings = make_settings(site, tmp_path, limit=7)
    counts = crawl_posts(settings)
    assert (counts.n_stored, len(stored_ids(settings))) == (7, 7)
    assert "limit" in counts.stop_reason
    assert crawl_posts(settings).n_stored == 7
    assert len(stored_ids(settings)) == 14


def assert_spaced(log: list[Any], delay_s: float) -> None:
    """The n-th request after the first does not come before n delays: requests are timed where they arrive, so that one
    that was held up on the way may be followed closely by one that was not."""
    early = [
        (n, request.at - log[0].at) for n, request in enumerate(log) if request.at - log[0].at < 0.95 * delay_s * n
    ]
    assert not early, early


def test_the_delay_is_kept_between_any_two_requests(site: Replica, tmp_path: Path) -> None:
    crawl_posts(make_settings(site, tmp_path, delay_s=0.3, autothrottle=True, limit=4))
    log = site.requests
    assert len(log) >= 6
    assert_spaced(log, 0.3)


def test_the_delay_of_robots_txt_is_kept_where_it_is_longer(site: Replica, tmp_path: Path) -> None:
    site.robots_txt = "User-agent: *\nCrawl-delay: 0.4\n"
    crawl_posts(make_settings(site, tmp_path, limit=2))
    log = site.requests
    assert_spaced(log, 0.4)


def test_a_post_is_fetched_once_however_it_is_linked(site: Replica, tmp_path: Path) -> None:
    truth = next(truth for truth in site.posts if truth.state is State.LIVE)
    urls = [f"https://www.kompasiana.com{path}" for path in truth.addresses]
    urls += [
        site.base_url + truth.page_path,
        "https://www.kompasiana.com/latest",
        "http://sejarah.kompasiana.com/2013/a.html",
    ]
    settings = make_settings(site, tmp_path, since=None, until=None, urls=urls)
    counts = crawl_posts(settings)
    assert counts.n_stored == 1
    assert len(asked_for(site, truth.post_id)) == 1
    assert [failure.where for failure in read_failures(tmp_path)] == urls[-2:]


def test_seeds_beside_the_date_road(site: Replica, tmp_path: Path) -> None:
    truth = next(truth for truth in site.posts if truth.state is State.LIVE and truth.tags)
    tag = truth.tags[0]
    with_tag = {post.post_id for post in site.posts if tag in post.tags and post.state is not State.DELETED}
    none = {"since": None, "until": None}
    settings = make_settings(site, tmp_path / "tag", **none, tags=[tag])
    crawl_posts(settings)
    assert set(stored_ids(settings)) == with_tag
    assert asked_for(site, "/ajax/tag/posts")
    assert not asked_for(site, "/indeks")

    settings = make_settings(site, tmp_path / "author", **none, authors=[truth.author_id])
    crawl_posts(settings)
    assert truth.post_id in stored_ids(settings)
    settings = make_settings(site, tmp_path / "search", **none, searches=[truth.title.split()[0]])
    crawl_posts(settings)
    assert truth.post_id in stored_ids(settings)
    settings = make_settings(site, tmp_path / "category", **none, categories=["ekonomi"], limit=1)
    assert crawl_posts(settings).n_listings == 1


def test_a_tag_is_read_from_its_page_where_the_endpoint_fails(site: Replica, tmp_path: Path) -> None:
    tag = next(truth.tags[0] for truth in site.posts if truth.state is State.LIVE and truth.tags)
    site.robots_txt = "User-agent: *\nDisallow:\n"
    site.set_faults(Faults(paths={"/ajax/*": "503"}))
    settings = make_settings(site, tmp_path, since=None, until=None, tags=[tag], max_tries=2)
    assert crawl_posts(settings).is_finished
    assert asked_for(site, f"/tag/{tag.replace(' ', '-')}")
    assert stored_ids(settings)


def test_faults_cost_retries_and_no_posts(site: Replica, tmp_path: Path) -> None:
    faults = Faults(
        share_503=0.1,
        share_reset=0.1,
        share_truncated=0.1,
        share_redirect_loop=0.05,
        share_first_page=0.1,
        share_wrong_charset=0.1,
        retry_after_s=0,
        seed=1,
    )
    site.set_faults(faults)
    settings = make_settings(site, tmp_path)
    counts = crawl_posts(settings)
    assert counts.is_finished, counts
    assert stored_ids(settings) == live_ids(site)
    assert counts.n_retries > 5
    for _, page in read_pages(settings.archive_folder, newest=True):
        assert check_whole(page).is_whole


def test_an_endless_index_ends(site: Replica, tmp_path: Path) -> None:
    site.set_faults(Faults(infinite_index=True))
    settings = make_settings(site, tmp_path)
    assert crawl_posts(settings).is_finished
    assert stored_ids(settings) == live_ids(site)
    assert len(asked_for(site, "/indeks")) <= 3 * len(site.days) + 6


def test_a_page_that_never_works_becomes_a_failure(site: Replica, tmp_path: Path) -> None:
    truth = next(truth for truth in site.posts if truth.state is State.LIVE)
    address = f"*{truth.post_id}*"
    reasons = {
        "huge": "larger than 1 MB",
        "redirect_loop": "redirects more than 5 times",
        "truncated": "broke",
        "slow": "within 0.5 s",
    }
    for fault, reason in reasons.items():
        site.reset_log()
        site.set_faults(Faults(paths={address: fault}, slow_bytes_per_s=100))
        settings = make_settings(
            site,
            tmp_path / fault,
            since=None,
            until=None,
            urls=[truth.url],
            max_page_mb=1,
            max_tries=2,
            timeout_s=0.5 if fault == "slow" else 20,
        )
        counts = crawl_posts(settings)
        assert counts.is_finished, fault
        failures = [failure.reason for failure in read_failures(tmp_path / fault)]
        assert len(failures) == 1
        assert reason in failures[0]
        assert len(site.requests) < 20
        assert counts.n_bytes < 5_000_000


def test_many_failures_in_a_row_stop_the_run(site: Replica, tmp_path: Path) -> None:
    site.set_faults(Faults(paths={"/indeks*": "503"}))
    settings = make_settings(site, tmp_path, max_failures_in_a_row=4)
    counts = crawl_posts(settings)
    assert "4 requests failed in a row" in counts.stop_reason
    assert len(site.requests) == 5


def test_addresses_that_are_never_asked_for() -> None:
    base = "https://www.kompasiana.com"
    check_address(f"{base}/ajax/tag/posts?per_page=20&tags=kopi&page=1", "GET", base)
    for url in (
        f"{base}/ajax/follow",
        f"{base}//AJAX/load_more_comments/",
        f"{base}/xajax/x",
        "https://sso.kompas.com/login",
    ):
        with pytest.raises(ForbiddenError):
            check_address(url, "GET", base)
    with pytest.raises(ForbiddenError):
        check_address(f"{base}/indeks", "POST", base)


def test_refresh_keeps_both_versions(tmp_path: Path) -> None:
    with start_replica(12, source="generated", eras=(Era.INSTAGRAM_2025,)) as site:
        settings = make_settings(site, tmp_path)
        crawl_posts(settings)
        live = live_ids(site)
        edited = site.edit(live[0])
        site.reset_log()
        counts = crawl_posts(make_settings(site, tmp_path, refresh=True))
        assert (counts.n_changed, counts.n_unchanged) == (1, len(live) - 1)
        articles = [request for request in site.requests if "page=all" in request.path]
        assert all(request.headers.get("if-none-match") for request in articles)
        assert Counter(request.status for request in articles) == {200: 1, 304: len(live) - 1}

    versions = [page.body for _, page in read_pages(settings.archive_folder) if edited.post_id in page.url]
    assert len(versions) == 2
    assert versions[0] != versions[1]
    newest = {page.url: page.body for _, page in read_pages(settings.archive_folder, newest=True)}
    assert versions[1] in newest.values()
    assert sum(record.kind == "revisit" for record in scan_records(settings.archive_folder)) == len(live) - 1


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


def test_progress_tells_how_much_time_is_left(site: Replica, tmp_path: Path) -> None:
    seen: list[CrawlCounts] = []
    crawl_posts(make_settings(site, tmp_path, delay_s=0.05), on_progress=seen.append)
    assert seen
    estimates: Sequence[float] = [counts.time_left_s for counts in seen if counts.time_left_s is not None]
    assert estimates
    assert estimates[-1] <= estimates[0] + 1
    assert seen[-1].n_bytes > 0
