"""One run of a crawl, without Scrapy: which request comes next, and what follows from each response.

Requests go out strictly one after the other. `CrawlRun` hands out an errand, is given the response twice (first to store
it, then to draw the conclusions while the next request is under way), and says when nothing is left.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urljoin, urlsplit

from nlp_study.crawl.archive import read_record
from nlp_study.crawl.counts import CrawlCounts
from nlp_study.crawl.frontier import ChainRow, PostRow, State, Task, TaskKind
from nlp_study.crawl.intake import Outcome, Verdict, open_intake
from nlp_study.crawl.listing import find_post, map_to_site
from nlp_study.crawl.politeness import (
    ROBOTS_MAX_REDIRECTS,
    ROBOTS_PATH,
    ROBOTS_TRIES,
    TAG_ENDPOINT,
    ForbiddenError,
    Gate,
    RobotsRules,
    check_address,
)
from nlp_study.crawl.settings import SITE_URL, CrawlError, CrawlSettings
from nlp_study.crawl.warc import ArchiveKey, Headers, decode_body
from nlp_study.extract.page import Page
from nlp_study.schema import TIMEZONE

logger = logging.getLogger(__name__)

MAX_REDIRECTS = 5
_BATCH = 64
_SYNC_S = 10.0
_TAGS_A_PAGE = 20
_REFRESH = "refresh_started_at"
_HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"


@dataclass(frozen=True, slots=True)
class Errand:
    """One request to make: `url` as on the site, `headers` beyond those of every request, seconds to wait before it."""

    task: Task
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0
    tries: int = 0
    trail: tuple[str, ...] = ()
    """Addresses that redirected here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: body with its content encoding, headers without transfer encoding."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    request: bytes
    address: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A response that lies in the archive."""

    key: ArchiveKey
    page: Page
    headers: dict[str, str] = field(repr=False)


class CrawlRun:
    """State of one run.

    Parameters
    ----------
    report : called with the counts when something was concluded; at most twice a second.
    """

    def __init__(self, settings: CrawlSettings, *, report: Callable[[CrawlCounts], None] | None = None) -> None:
        self.settings = settings
        self.intake = open_intake(settings)
        self.frontier = self.intake.frontier
        self.gate = Gate(settings, self.frontier)
        self.counts = CrawlCounts()
        self.stop_reason = ""
        self.error: CrawlError | None = None
        self._report = report
        self._reported_at = 0.0
        self._synced_at = time.monotonic()
        self._started_at = time.monotonic()
        self._under_way: set[tuple[TaskKind, str, str]] = set()
        self._queue: deque[Errand] = deque()
        self._posts: deque[PostRow] = deque()
        self._robots_tries = 0
        self._refresh_before = 0.0
        self._n_days_before = 0

    def open(self) -> None:
        """Bring the frontier in line with the archive and add this run's seeds.

        Raises
        ------
        CrawlError : the archive cannot be read.
        """
        frontier, settings = self.frontier, self.settings
        n_records = self.intake.catch_up()
        if n_records:
            logger.info("%d records of the archive were new to the frontier", n_records)
        frontier.retry_failed()
        days = settings.days(today=datetime.now(TIMEZONE).date())
        wanted = [
            *((TaskKind.INDEX, settings.index_category, day.isoformat()) for day in days),
            *((TaskKind.TAG, _slug(tag), "") for tag in settings.tags),
            *((TaskKind.CATEGORY, category.strip("/ "), "") for category in settings.categories),
            *((TaskKind.SEARCH, words, "") for words in settings.searches),
            *((TaskKind.AUTHOR, author.strip("/@ "), "") for author in settings.authors),
        ]
        frontier.want_chains(wanted)
        if settings.urls:
            self._add_urls()
        frontier.reopen_chains()
        if settings.refresh:
            started = frontier.read_meta(_REFRESH) or str(time.time())
            frontier.write_meta(_REFRESH, started)
            self._refresh_before = float(started)
        frontier.commit()
        self._n_days_before, _ = frontier.count_days()
        self._count()

    def close(self) -> CrawlCounts:
        """Close archive and frontier, and return the counts; an unfinished refresh is continued by the next."""
        if not self.stop_reason and self.error is None:
            self.stop_reason = "finished"
            self.frontier.write_meta(_REFRESH, None)
        self._count()
        self.counts = replace(self.counts, stop_reason=self.stop_reason or "failed", time_left_s=None)
        self.intake.close()
        return self.counts

    def stop(self, reason: str) -> None:
        """Let no further request out."""
        self.stop_reason = self.stop_reason or reason

    def fail(self, error: CrawlError) -> None:
        """End the run with an error."""
        self.error = self.error or error
        self.stop(error.what)

    # What comes next

    @property
    def is_busy(self) -> bool:
        """Whether a response is still to be concluded."""
        return bool(self._under_way)

    def next_errand(self) -> Errand | None:
        """Return the next request, `None` where nothing is left, or nothing can be said before one under way is done."""
        if self.stop_reason:
            return None
        if reason := self.gate.find_stop():
            self.stop(reason)
            return None
        errand = self._choose()
        if errand is None:
            return None
        self._under_way.add(_mark(errand.task))
        wait_s = max(errand.wait_s, self.gate.read_wait())
        return replace(errand, wait_s=wait_s) if wait_s else errand

    def _choose(self) -> Errand | None:
        if self._queue:
            return self._queue.popleft()
        robots = self.gate.robots
        if robots is None or not robots.is_fresh:
            task = Task(TaskKind.ROBOTS)
            return None if _mark(task) in self._under_way else Errand(task, SITE_URL + ROBOTS_PATH)
        now = time.time()
        for moment in (now, math.inf):  # first what is due; then what was set back, with the wait that is left
            if errand := self._choose_post(moment) or self._choose_chain(moment) or self._choose_stale(moment):
                return errand
            if self.is_busy or self.stop_reason:
                return None
        return None

    def _choose_post(self, moment: float) -> Errand | None:
        settings = self.settings
        if not self._has_room():
            return None
        if not self._posts:
            since, until = settings.since, settings.until
            rows = self.frontier.next_posts(_BATCH, since=since, until=until, now=moment)
            self._posts.extend(row for row in rows if (TaskKind.POST, row.post_id, "") not in self._under_way)
        if not self._posts:
            return None
        row = self._posts.popleft()
        if row.page:
            task, query = Task(TaskKind.PART, row.post_id, row.page), f"page={row.page}"
        else:
            task, query = Task(TaskKind.POST, row.post_id), "page=all"
        return Errand(task, f"{row.url}?{query}", (("Accept", _HTML),), _wait(row.not_before), row.tries)

    def _has_room(self) -> bool:
        """Whether a further post may be fetched; ends the run at the limit."""
        limit = self.settings.limit
        if limit is None:
            return True
        n_under_way = sum(kind is TaskKind.POST for kind, _, _ in self._under_way)
        if self.counts.n_stored + self.counts.n_changed >= limit:
            self.stop(f"{limit:,} posts were stored in this run (limit)")
            return False
        return self.counts.n_stored + self.counts.n_changed + n_under_way < limit

    def _choose_chain(self, moment: float) -> Errand | None:
        chains = self.frontier.next_chains(2, now=moment)
        chain = next((c for c in chains if (c.kind, c.subject, c.day) not in self._under_way), None)
        if chain is None or self.stop_reason:
            return None
        task = Task(chain.kind, chain.subject, chain.page, chain.day)
        headers: tuple[tuple[str, str], ...] = (("Accept", _HTML),)
        if chain.kind is TaskKind.TAG:
            headers = (("Accept", "application/json"), ("X-Requested-With", "XMLHttpRequest"))
        return Errand(task, _listing_url(chain), headers, _wait(chain.not_before), chain.tries)

    def _choose_stale(self, moment: float) -> Errand | None:
        if not self._refresh_before or self.stop_reason or not self._has_room():
            return None
        settings = self.settings
        rows = self.frontier.next_stale(
            2, before=self._refresh_before, since=settings.since, until=settings.until, now=moment
        )
        row = next((row for row in rows if (TaskKind.POST, row.post_id, "") not in self._under_way), None)
        if row is None:
            return None
        known = (("If-None-Match", row.etag), ("If-Modified-Since", row.last_modified))
        headers = (("Accept", _HTML), *((name, value) for name, value in known if value))
        task = Task(TaskKind.POST, row.post_id)
        return Errand(task, f"{row.url}?page=all", headers, _wait(row.not_before), row.tries)

    # What came back

    def store(self, errand: Errand, answer: Answer) -> Stored:
        """Put a response into the archive, before anything else may happen.

        Raises
        ------
        CrawlError : the archive cannot be written, or the content encoding is broken.
        """
        headers = {name.lower(): value for name, value in answer.headers}
        self.gate.note_answer(answer.status, headers.get("retry-after"))
        captured_at = datetime.now(UTC)
        status_line = f"HTTP/1.1 {answer.status} {answer.reason}".rstrip()
        writer, task = self.intake.writer, str(errand.task)
        body = decode_body(answer.body, headers.get("content-encoding", ""))
        page = Page(errand.url, body, captured_at, answer.status, headers.get("content-type", ""))
        row = self.frontier.read_post(errand.task.subject) if answer.status == 304 else None
        if row is not None and row.key is not None:
            key = writer.write_unchanged(
                errand.url,
                task=task,
                status_line=status_line,
                headers=answer.headers,
                request=answer.request,
                captured_at=captured_at,
                earlier=read_record(self.settings.archive_folder, row.key),
            )
        else:
            key = writer.write_response(
                errand.url,
                task=task,
                status_line=status_line,
                headers=answer.headers,
                body=answer.body,
                request=answer.request,
                captured_at=captured_at,
                address=answer.address,
                withhold=self.intake.is_withheld(errand.task, page),
            )
        return Stored(key, page, headers)

    def conclude(self, errand: Errand, stored: Stored) -> None:
        """Draw the conclusions from a stored response."""
        self._under_way.discard(_mark(errand.task))
        try:
            if errand.task.kind is TaskKind.ROBOTS:
                self._read_robots(errand, stored)
            else:
                self._follow(errand, self.intake.take(errand.task, stored.page, stored.key, stored.headers))
        except CrawlError as error:
            self.fail(error)
        self.intake.note_written()
        self._end_step()

    def conclude_failure(self, errand: Errand, reason: str, *, is_final: bool = False) -> None:
        """Note that no response came, or none that can be stored; `is_final`: trying again would not help."""
        self._under_way.discard(_mark(errand.task))
        self.gate.note_failure()
        if errand.task.kind is TaskKind.ROBOTS:
            self._retry_robots(reason)
        elif is_final:
            self.intake.give_up(errand.task, reason)
            self.counts = replace(self.counts, n_failed=self.counts.n_failed + 1)
        else:
            self._follow(errand, Verdict(Outcome.RETRY, reason))
        self._end_step()

    def conclude_refusal(self, errand: Errand, error: CrawlError) -> None:
        """Note that the gate let a request not out."""
        self._under_way.discard(_mark(errand.task))
        if not isinstance(error, ForbiddenError):
            self.fail(error)
        elif errand.task.kind is TaskKind.ROBOTS:
            self._retry_robots(error.what)
        else:
            self._block(errand, error.what)
        self._end_step()

    def put_back(self, errand: Errand) -> None:
        """Forget an errand that did not go out because the run stops."""
        self._under_way.discard(_mark(errand.task))

    def _follow(self, errand: Errand, verdict: Verdict) -> None:
        outcome, counts = verdict.outcome, self.counts
        if outcome is Outcome.RETRY:
            self._retry(errand, verdict.reason)
        elif outcome is Outcome.REDIRECT:
            self._redirect(errand, verdict.location)
        elif outcome is Outcome.STORED:
            self.counts = replace(counts, n_stored=counts.n_stored + 1)
        elif outcome is Outcome.CHANGED:
            self.counts = replace(counts, n_changed=counts.n_changed + 1)
        elif outcome is Outcome.UNCHANGED:
            self.counts = replace(counts, n_unchanged=counts.n_unchanged + 1)
        elif outcome is Outcome.GONE:
            self.counts = replace(counts, n_gone=counts.n_gone + 1)
        elif outcome is Outcome.FAILED:
            self.counts = replace(counts, n_failed=counts.n_failed + 1)
        elif outcome is Outcome.LISTING:
            self.counts = replace(counts, n_listings=counts.n_listings + 1)

    def _retry(self, errand: Errand, reason: str) -> None:
        tries = errand.tries + 1
        if tries >= self.settings.max_tries:
            self.intake.give_up(errand.task, f"{reason}, {tries} times")
            self.counts = replace(self.counts, n_failed=self.counts.n_failed + 1)
            return
        self.counts = replace(self.counts, n_retries=self.counts.n_retries + 1)
        not_before = time.time() + self.gate.back_off(tries)
        task = errand.task
        if task.kind in (TaskKind.POST, TaskKind.PART):
            self.frontier.set_post_back(task.subject, not_before=not_before)
        else:
            self.frontier.set_chain_back(
                self.frontier.add_chain(task.kind, task.subject, task.day), not_before=not_before
            )

    def _redirect(self, errand: Errand, location: str) -> None:
        """Follow a redirect that stays with the page asked for; others end it (a login, the home page)."""
        target = map_to_site(urljoin(errand.url, location), self.settings.base_url)
        trail = (*errand.trail, errand.url)
        reason = ""
        try:
            check_address(self._on_base(target), "GET", self.settings.base_url)
        except ForbiddenError as error:
            reason = f"it redirects to {target}, and {error.what}"
        if not location:
            reason = "it redirects nowhere"
        elif target in trail:
            reason = "it redirects in a circle"
        elif len(trail) > MAX_REDIRECTS:
            reason = f"it redirects more than {MAX_REDIRECTS} times"
        elif errand.task.kind in (TaskKind.POST, TaskKind.PART) and not reason:
            found = find_post(target)
            if found is None or found[0].id24 != errand.task.subject:
                reason = f"the post is not there: it redirects to {target}"
        if "circle" in reason or "times" in reason:  # such loops come and go with a site's caches
            self._retry(errand, reason)
            return
        if reason:
            self.intake.give_up(errand.task, reason, state=State.GONE if "not there" in reason else State.FAILED)
            self.counts = replace(self.counts, n_failed=self.counts.n_failed + 1)
            return
        self._queue.append(replace(errand, url=target, trail=trail, wait_s=0.0))

    def _block(self, errand: Errand, reason: str) -> None:
        self.intake.give_up(errand.task, reason, state=State.BLOCKED)
        self.counts = replace(self.counts, n_blocked=self.counts.n_blocked + 1)

    def _read_robots(self, errand: Errand, stored: Stored) -> None:
        status = stored.page.status
        if status in (301, 302, 303, 307, 308):
            target = map_to_site(urljoin(errand.url, stored.headers.get("location", "")), self.settings.base_url)
            if len(errand.trail) >= ROBOTS_MAX_REDIRECTS or target in (*errand.trail, errand.url):
                self._retry_robots("it redirects in a circle")
            else:
                self._queue.append(replace(errand, url=target, trail=(*errand.trail, errand.url)))
            return
        if status == 429 or status >= 500:
            self._retry_robots(f"status {status}")
            return
        self._robots_tries = 0
        self.gate.robots = RobotsRules(status, stored.page.body)

    def _retry_robots(self, reason: str) -> None:
        self._robots_tries += 1
        if self._robots_tries < ROBOTS_TRIES:
            self.gate.pause(time.time() + self.gate.back_off(self._robots_tries))
            return
        self.fail(
            CrawlError(
                f"robots.txt could not be read ({reason}), which means that nothing may be fetched (RFC 9309)",
                remedy="try again later; the crawl continues where it stopped",
            )
        )

    def _end_step(self) -> None:
        self.frontier.commit()
        now = time.monotonic()
        if now - self._synced_at > _SYNC_S:
            self._synced_at = now
            self.intake.writer.sync()
        if self._report and now - self._reported_at > 0.5:
            self._reported_at = now
            self._count()
            self._report(self.counts)

    def _count(self) -> None:
        n_days_done, n_days = self.frontier.count_days()
        elapsed_s = time.monotonic() - self._started_at
        n_now = n_days_done - self._n_days_before
        left = elapsed_s / n_now * (n_days - n_days_done) if n_now > 0 else None
        self.counts = replace(
            self.counts,
            n_requests=self.gate.n_requests,
            n_bytes=self.gate.n_bytes,
            n_days_done=n_days_done,
            n_days=n_days,
            elapsed_s=elapsed_s,
            time_left_s=left,
        )

    def _add_urls(self) -> None:
        chain = self.frontier.add_chain(TaskKind.URLS, "", "")
        self.frontier.want_chain(TaskKind.URLS, "")
        for url in self.settings.urls:
            found = find_post(url, self.settings.base_url)
            if found is None:
                self.frontier.add_failure(
                    url, "this is not the address of a post (addresses of before 2015 hold no id)"
                )
                continue
            if not self.intake.is_forgotten(found[0].id24, found[1]):
                self.frontier.add_post(found[0].id24, found[1], day=None, chain_id=chain.id)
        self.frontier.close_chain(chain, State.DONE)

    def _on_base(self, url: str) -> str:
        return place_on_base(url, self.settings.base_url)


def place_on_base(url: str, base_url: str) -> str:
    """Return where an address of the site is fetched from; other sites' addresses stay as they are."""
    return base_url + url.removeprefix(SITE_URL) if url.startswith(f"{SITE_URL}/") else url


def _listing_url(chain: ChainRow) -> str:
    page = str(chain.page)
    if chain.kind is TaskKind.INDEX:
        return f"{SITE_URL}/indeks?{urlencode({'page': page, 'category': chain.subject, 'date': chain.day})}"
    if chain.kind is TaskKind.TAG:
        return f"{SITE_URL}{TAG_ENDPOINT}?{urlencode({'per_page': _TAGS_A_PAGE, 'tags': chain.subject, 'page': page})}"
    if chain.kind is TaskKind.SEARCH:
        query = {"q": chain.subject} | ({"page": page} if chain.page > 1 else {})
        return f"{SITE_URL}/search_artikel?{urlencode(query)}"
    prefix = "/tag" if chain.kind is TaskKind.TAG_PAGE else ""
    return f"{SITE_URL}{prefix}/{urlsplit(chain.subject).path}" + (f"?page={page}" if chain.page > 1 else "")


def _slug(tag: str) -> str:
    return "-".join(tag.strip().strip("/").rsplit("/", 1)[-1].lower().split())


def _wait(not_before: float) -> float:
    return max(0.0, not_before - time.time())


def _mark(task: Task) -> tuple[TaskKind, str, str]:
    kind = TaskKind.POST if task.kind is TaskKind.PART else task.kind
    return kind, task.subject, task.day
