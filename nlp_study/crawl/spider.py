"""Scrapy's part: it sends one request after the other, throttles, times out, and breaks off pages that are too large.

Scrapy's scheduler, retry, redirect, robots.txt and compression components are left out: the frontier is the queue, what
is tried again has to survive a kill, redirects must stay with the post, and the archive keeps bodies as they came.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

import scrapy
from scrapy import signals
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response
from twisted.python.failure import Failure

from nlp_study.crawl.frontier import TaskKind
from nlp_study.crawl.politeness import ForbiddenError
from nlp_study.crawl.run import Answer, CrawlRun, Errand, Stored, place_on_base
from nlp_study.crawl.settings import CrawlError, CrawlSettings
from nlp_study.crawl.warc import BrokenBodyError

logger = logging.getLogger(__name__)

_NAP_S = 0.2
_HOP_BY_HOP = frozenset((b"content-length", b"transfer-encoding", b"connection", b"keep-alive"))


class NotSentError(IgnoreRequest):
    """A request that the gate kept back."""

    def __init__(self, error: CrawlError | None) -> None:
        super().__init__(error.what if error else "the run stops")
        self.error = error


def make_scrapy_settings(settings: CrawlSettings) -> dict[str, Any]:
    """Return Scrapy's settings for a run."""
    return {
        "SCHEDULER": FrontierScheduler,
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "DOWNLOADER_MIDDLEWARES": {ArchiveMiddleware: 1},
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {"scrapy.extensions.throttle.AutoThrottle": 0},
        "TELNETCONSOLE_ENABLED": False,
        "ROBOTSTXT_OBEY": False,  # ours is stricter, see `politeness`
        "COOKIES_ENABLED": False,
        "CONCURRENT_REQUESTS": 1,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "CONCURRENT_ITEMS": 1,  # Scrapy starts so many tasks for each response, 100 by default: a quarter of its time
        "DOWNLOAD_DELAY": settings.delay_s,
        "DOWNLOAD_DELAY_JITTER": 0,
        "AUTOTHROTTLE_ENABLED": settings.autothrottle,
        "AUTOTHROTTLE_START_DELAY": settings.delay_s,
        "AUTOTHROTTLE_MAX_DELAY": max(settings.max_delay_s, settings.delay_s),
        "DOWNLOAD_MAXSIZE": int(settings.max_page_mb * 1e6),
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
        "STATS_DUMP": False,
    }


class PostSpider(scrapy.Spider):
    """Gives every response back to the run."""

    name = "posts"
    run: CrawlRun

    async def start(self) -> AsyncIterator[Any]:
        """Begin with nothing: the scheduler asks the frontier."""
        return
        yield

    def parse(self, response: Response, **kwargs: Any) -> Iterator[Any]:
        """Draw the conclusions from a stored response."""
        request = response.request
        if request is not None:
            stored: Stored = request.meta["stored"]
            run = _find_run(self.crawler)
            try:
                run.conclude(request.meta["errand"], stored)
            except sqlite3.Error as error:
                run.fail(_describe_disk(error))
        return iter(())

    def note_failure(self, failure: Failure) -> None:
        """Note why no response was stored."""
        request: Request = failure.request  # type: ignore[attr-defined]
        run, errand = _find_run(self.crawler), request.meta["errand"]
        error = failure.value
        if isinstance(error, NotSentError):
            if error.error is None:
                run.put_back(errand)
            else:
                run.conclude_refusal(errand, error.error)
            return
        if isinstance(error, CrawlError) and not isinstance(error, BrokenBodyError):  # the archive cannot be written
            run.put_back(errand)
            run.fail(error)
            return
        if isinstance(error, sqlite3.Error):
            run.put_back(errand)
            run.fail(_describe_disk(error))
            return
        reason, is_final = _describe(error, run.settings)
        run.conclude_failure(errand, reason, is_final=is_final)


class FrontierScheduler(BaseScheduler):
    """The frontier as Scrapy's queue."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._run = _find_run(crawler)
        self._is_done = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the scheduler."""
        return cls(crawler)

    def has_pending_requests(self) -> bool:
        """Whether the crawl goes on."""
        return not self._is_done

    def enqueue_request(self, request: Request) -> bool:
        """Refuse requests that do not come from the frontier."""
        return False

    def next_request(self) -> Request | None:
        """Return the next request of the frontier."""
        errand = self._run.next_errand()
        if errand is None:
            self._is_done = not self._run.is_busy
            return None
        spider = self._crawler.spider
        settings = self._run.settings
        headers = {
            "User-Agent": settings.user_agent,
            "Accept-Language": "id,en;q=0.5",
            "Accept-Encoding": "gzip, deflate",
            **dict(errand.headers),
        }
        return Request(
            place_on_base(errand.url, settings.base_url),
            callback=getattr(spider, "parse", None),
            errback=getattr(spider, "note_failure", None),
            headers=headers,
            dont_filter=True,
            meta={"errand": errand, "download_timeout": settings.timeout_s},
        )


class ArchiveMiddleware:
    """Stands between every request and the network: the gate before it, the archive behind it."""

    def __init__(self, crawler: Crawler) -> None:
        self._run = _find_run(crawler)
        crawler.signals.connect(self._count_bytes, signal=signals.bytes_received)
        self._n_bytes = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the middleware."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Wait as long as the site asked for, then let the request out if every rule allows it."""
        run, errand = self._run, request.meta["errand"]
        gate, loop = run.gate, asyncio.get_running_loop()
        until = loop.time() + errand.wait_s
        while (left := max(until - loop.time(), gate.read_wait())) > 0 and not run.stop_reason:
            await asyncio.sleep(min(left, _NAP_S))
        if not run.stop_reason and (reason := gate.find_stop()):
            run.stop(reason)
        if run.stop_reason:
            raise NotSentError(None)
        try:
            gate.check(request.url, request.method, is_robots=errand.task.kind is TaskKind.ROBOTS)
        except ForbiddenError as error:
            raise NotSentError(error) from error
        gate.count_request()

    def process_response(self, request: Request, response: Response) -> Response:
        """Store the response before anything else happens."""
        self._spend()
        errand: Errand = request.meta["errand"]
        request.meta["stored"] = self._run.store(errand, _read_answer(request, response))
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Count what was received before a download failed."""
        self._spend()

    def _count_bytes(self, data: bytes) -> None:
        self._n_bytes += len(data)

    def _spend(self) -> None:
        if self._n_bytes:
            self._run.gate.count_bytes(self._n_bytes)
            self._n_bytes = 0


def make_spider(run: CrawlRun) -> type[PostSpider]:
    """Return a spider class that holds the run: Scrapy copies its settings, so a run cannot stand there."""
    return type("RunSpider", (PostSpider,), {"run": run})


def _find_run(crawler: Crawler) -> CrawlRun:
    run: CrawlRun = crawler.spidercls.run  # type: ignore[attr-defined]
    return run


def _read_answer(request: Request, response: Response) -> Answer:
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in response.headers.items()
        if name.lower() not in _HOP_BY_HOP
        for value in values
    ]
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}"]
    asked += [f"{k.decode('latin-1')}: {v.decode('latin-1')}" for k, values in request.headers.items() for v in values]
    try:
        reason = HTTPStatus(response.status).phrase
    except ValueError:
        reason = ""
    return Answer(
        response.status,
        reason,
        headers,
        response.body,
        ("\r\n".join(asked) + "\r\n\r\n").encode("latin-1"),
        str(response.ip_address or ""),
    )


def _describe_disk(error: sqlite3.Error) -> CrawlError:
    return CrawlError(
        f"the frontier cannot be written: {error}",
        remedy="make room on the disk and run the same command again; what is stored is kept",
    )


def _describe(error: BaseException | None, settings: CrawlSettings) -> tuple[str, bool]:
    """Return why a download failed, in words, and whether trying again would not help."""
    name = type(error).__name__
    text = str(error)
    if "max size" in text or (name == "DownloadCancelledError"):
        return f"the page is larger than {settings.max_page_mb:g} MB and was broken off", True
    if isinstance(error, BrokenBodyError):
        return error.what, False
    words = {
        "DownloadTimeoutError": f"no whole answer within {settings.timeout_s:g} s",
        "DownloadConnectionRefusedError": "the server refuses connections",
        "CannotResolveHostError": "the host's name cannot be resolved",
        "DownloadFailedError": "the connection broke",
        "ResponseDataLossError": "the answer broke off",
    }
    return words.get(name, f"{name}: {text}"[:200]), False
