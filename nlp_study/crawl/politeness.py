"""The rules that every request has to pass: contact, robots.txt, allowed addresses, waits and the daily budget.

Scrapy's own robots.txt middleware takes an unreachable file for permission; RFC 9309 (section 2.3.1.4) takes it for a
complete ban. So the rules are ours, and each has a test that fails without it.
"""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from protego import Protego

from nlp_study.crawl.frontier import Frontier
from nlp_study.crawl.settings import ROBOTS_TOKEN, CrawlError, CrawlSettings
from nlp_study.schema import TIMEZONE

ROBOTS_PATH = "/robots.txt"
ROBOTS_TRIES = 3
ROBOTS_MAX_REDIRECTS = 5
ROBOTS_LIFETIME_S = 24 * 3600
"""RFC 9309, 2.4: a copy is not to be used for longer."""
_ROBOTS_LARGEST = 500 * 1024
"""Bytes that are read of robots.txt; RFC 9309, 2.5 asks for at least these."""
TAG_ENDPOINT = "/ajax/tag/posts"
_ENDPOINTS = ("/ajax", "/xajax")
_WAITS = frozenset((429, 503))
_PAUSED_UNTIL = "paused_until"


class ForbiddenError(CrawlError):
    """An address that the crawler may not ask for; `what` says why."""


class RobotsRules:
    """What robots.txt allows us.

    Parameters
    ----------
    status : of the last response, redirects followed.
    body : its content.

    Raises
    ------
    CrawlError : the file could not be had (5xx, 429), so that nothing may be fetched.
    """

    def __init__(self, status: int, body: bytes = b"") -> None:
        if status == 429 or status >= 500 or status < 200:
            raise CrawlError(
                f"robots.txt could not be read: status {status}, which means that nothing may be fetched (RFC 9309)",
                remedy="try again later; the crawl continues where it stopped",
            )
        text = body[:_ROBOTS_LARGEST].decode("utf-8", "replace") if status < 300 else ""
        self._rules = Protego.parse(text.lstrip("\ufeff"))
        self.read_at = time.time()

    @property
    def is_fresh(self) -> bool:
        """Whether the copy may still be used."""
        return time.time() - self.read_at < ROBOTS_LIFETIME_S

    @property
    def delay_s(self) -> float:
        """The delay that the file asks of us, 0 if none."""
        return float(self._rules.crawl_delay(ROBOTS_TOKEN) or 0)

    def allows(self, url: str) -> bool:
        """Whether an address may be fetched."""
        return bool(self._rules.can_fetch(url, ROBOTS_TOKEN))


def check_address(url: str, method: str, base_url: str) -> None:
    """Refuse what the crawler never asks for: other hosts (logins live there), anything but GET, other endpoints.

    Of the site's endpoints only the one that lists a tag's posts is read; the others count readers, follow accounts or
    hand out readers' comments.

    Raises
    ------
    ForbiddenError
    """
    parts, base = urlsplit(url), urlsplit(base_url)
    if (parts.scheme, parts.netloc) != (base.scheme, base.netloc):
        raise ForbiddenError(f"it leads to another site: {parts.scheme}://{parts.netloc}")
    if method != "GET":
        raise ForbiddenError(f"it needs a {method} request")
    path = "/" + parts.path.lstrip("/").lower()
    is_endpoint = path in _ENDPOINTS or path.startswith(tuple(f"{endpoint}/" for endpoint in _ENDPOINTS))
    if is_endpoint and path != TAG_ENDPOINT:
        raise ForbiddenError("it is an endpoint that the crawler never calls")


def read_retry_after(value: str | None, *, now: float) -> float | None:
    """Read a Retry-After header: seconds, or a date; return the seconds to wait, `None` where there is no usable one."""
    if not value:
        return None
    value = value.strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, moment.timestamp() - now)


@dataclass
class Gate:
    """Decides when the next request may go out, and when none may any more.

    It lives as long as a run; what has to outlive one (a wait that the site asked for, the day's budget) is in the
    frontier.
    """

    settings: CrawlSettings
    frontier: Frontier
    robots: RobotsRules | None = None
    paused_until: float = 0.0
    n_failures_in_a_row: int = 0
    n_bytes: int = 0
    """Bytes received in this run."""
    n_requests: int = 0
    last_request_at: float = 0.0

    def __post_init__(self) -> None:
        self.paused_until = float(self.frontier.read_meta(_PAUSED_UNTIL) or 0)

    def check(self, url: str, method: str, *, is_robots: bool) -> None:
        """Refuse an address that may not be fetched.

        Raises
        ------
        ForbiddenError : it leaves the site, is an endpoint, or robots.txt does not allow it.
        CrawlError : robots.txt was not read; nothing may be fetched.
        """
        check_address(url, method, self.settings.base_url)
        if is_robots:
            return
        if self.robots is None:
            raise CrawlError("robots.txt was not read", remedy="report this: no request may come before it")
        if not self.robots.allows(url):
            raise ForbiddenError("robots.txt does not allow this address")

    def read_wait(self) -> float:
        """Return the seconds until the next request may go out: a wait the site asked for, or robots.txt's delay."""
        asked = self.robots.delay_s if self.robots else 0.0
        gap = self.last_request_at + asked if asked > self.settings.delay_s else 0.0
        return max(0.0, self.paused_until - time.time(), gap - time.time())

    def find_stop(self) -> str:
        """Return why no further request may go out, "" if one may."""
        settings = self.settings
        n_requests, n_bytes = self.frontier.read_budget(datetime.now(TIMEZONE).date())
        if n_requests >= settings.daily_requests:
            return f"today's budget of {settings.daily_requests:,} requests is spent; run the same command tomorrow"
        if n_bytes >= settings.daily_mb * 1e6:
            return f"today's budget of {settings.daily_mb:g} MB is spent; run the same command tomorrow"
        if settings.max_mb is not None and self.n_bytes >= settings.max_mb * 1e6:
            return f"{settings.max_mb:g} MB were fetched in this run (max_mb)"
        if self.n_failures_in_a_row >= settings.max_failures_in_a_row:
            return (
                f"{self.n_failures_in_a_row} requests failed in a row; the site or the network is down, try again later"
            )
        wait = self.read_wait()
        if wait > settings.max_wait_s:
            return f"the site asks to wait {wait:,.0f} s, more than max_wait_s; run the same command after that"
        return ""

    def count_request(self) -> None:
        """Count a request that goes out now."""
        self.n_requests += 1
        self.last_request_at = time.time()
        self.frontier.spend(datetime.now(TIMEZONE).date(), n_requests=1)

    def count_bytes(self, n_bytes: int) -> None:
        """Count what was received."""
        self.n_bytes += n_bytes
        self.frontier.spend(datetime.now(TIMEZONE).date(), n_bytes=n_bytes)

    def note_answer(self, status: int, retry_after: str | None) -> None:
        """Note what the site answered: a 429 or 503 makes every request wait as long as it asks for, or longer each time."""
        if status not in _WAITS and status < 500:
            self.n_failures_in_a_row = self.n_failures_in_a_row + 1 if status in (401, 403) else 0
            return
        self.n_failures_in_a_row += 1
        now = time.time()
        asked = read_retry_after(retry_after, now=now)
        if asked is None:
            asked = self.back_off(self.n_failures_in_a_row) if status in _WAITS else 0.0
        self.pause(now + asked)

    def note_failure(self) -> None:
        """Note that no answer came."""
        self.n_failures_in_a_row += 1

    def pause(self, until: float) -> None:
        """Let no request out before a time (seconds since 1970), in later runs neither."""
        if until > self.paused_until:
            self.paused_until = until
            self.frontier.write_meta(_PAUSED_UNTIL, str(until))
            self.frontier.commit()

    def back_off(self, tries: int) -> float:
        """Return the seconds before the next try, doubled with each, up to `max_wait_s`."""
        return float(min(self.settings.backoff_s * 2 ** min(max(tries - 1, 0), 12), self.settings.max_wait_s))
