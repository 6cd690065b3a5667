"""The crawler against the replica: who it says it is, what it may ask for, how often and how much."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nlp_study.crawl.crawl import crawl_posts, read_failures
from nlp_study.crawl.politeness import ForbiddenError, RobotsRules, check_address, read_retry_after
from nlp_study.crawl.settings import CrawlError
from nlp_study.errors import ConfigError
from scripts.replica import Faults, Replica, State
from tests.crawl_site import CONTACT, asked_for, crawled_site, live_ids, make_settings, running_site, stored_ids  # noqa: F401 - fixtures


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
