"""The crawler against the replica: what it finds and stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from nlp_study.crawl.archive import read_pages, scan_records
from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.crawl import crawl_posts, describe_counts, read_failures
from nlp_study.crawl.settings import CrawlSettings, check_ready
from nlp_study.crawl.whole import check_whole
from nlp_study.errors import ConfigError
from nlp_study.extract.urls import parse_article_url
from scripts.replica import Era, Faults, Replica, State, start_replica
from tests.crawl_site import CONTACT, asked_for, crawled_site, live_ids, make_settings, running_site, stored_ids  # noqa: F401 - fixtures


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


def test_a_crawl_needs_seeds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no seed"):
        check_ready(CrawlSettings(folder=tmp_path, contact=CONTACT))
    with pytest.raises(ValidationError, match="after until"):
        CrawlSettings(folder=tmp_path, contact=CONTACT, since="2025-02-01", until="2025-01-01")
    with pytest.raises(ValidationError, match="origin of a site"):
        CrawlSettings(folder=tmp_path, contact=CONTACT, base_url="https://www.kompasiana.com/tag/kopi")


def test_limit_counts_posts(site: Replica, tmp_path: Path) -> None:
    settings = make_settings(site, tmp_path, limit=7)
    counts = crawl_posts(settings)
    assert (counts.n_stored, len(stored_ids(settings))) == (7, 7)
    assert "limit" in counts.stop_reason
    assert crawl_posts(settings).n_stored == 7
    assert len(stored_ids(settings)) == 14


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


def test_progress_tells_how_much_time_is_left(site: Replica, tmp_path: Path) -> None:
    seen: list[CrawlCounts] = []
    crawl_posts(make_settings(site, tmp_path, delay_s=0.05), on_progress=seen.append)
    assert seen
    estimates: Sequence[float] = [counts.time_left_s for counts in seen if counts.time_left_s is not None]
    assert estimates
    assert estimates[-1] <= estimates[0] + 1
    assert seen[-1].n_bytes > 0
