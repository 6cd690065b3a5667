"""The replica that tests of the crawler crawl, and what they ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp_study.crawl.archive import read_pages
from nlp_study.crawl.settings import CrawlSettings
from nlp_study.crawl.whole import check_whole
from nlp_study.extract.urls import parse_article_url
from scripts.replica import Era, Replica, Request, State, start_replica

CONTACT = "peneliti@kampus.ac.id"


@pytest.fixture(scope="module", name="running")
def running_site() -> Iterator[Replica]:
    with start_replica(60, source="generated", eras=(Era.INSTAGRAM_2025,)) as site:
        yield site


@pytest.fixture(name="site")
def crawled_site(running: Replica) -> Iterator[Replica]:
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
