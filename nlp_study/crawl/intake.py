"""What a response means for the frontier: decided once, for pages that come in and for pages found in the archive.

After a kill the archive may hold pages that the frontier has not heard of. `Intake.catch_up` hands them to the same
`Intake.take` that a running crawl uses, so that both end in the same state; without a frontier it makes one anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from nlp_study.crawl.archive import (
    ArchiveWriter,
    cut_torn_end,
    list_files,
    read_record,
    read_tail,
    scan_records,
)
from nlp_study.crawl.frontier import JOIN, ChainRow, Frontier, State, Task, TaskKind
from nlp_study.crawl.listing import read_listing
from nlp_study.crawl.settings import CrawlError, CrawlSettings
from nlp_study.crawl.warc import TRUNCATED_FIELD, ArchiveKey, Record
from nlp_study.crawl.whole import check_whole, join_pages, read_body_texts
from nlp_study.errors import StudyError
from nlp_study.extract.page import ExtractionError, Page

if TYPE_CHECKING:
    from nlp_study.privacy.forgotten import Forgotten

logger = logging.getLogger(__name__)

LISTINGS = frozenset(
    (TaskKind.INDEX, TaskKind.TAG, TaskKind.TAG_PAGE, TaskKind.CATEGORY, TaskKind.SEARCH, TaskKind.AUTHOR)
)
_PAGED_BY_LINK = LISTINGS - {TaskKind.INDEX, TaskKind.TAG}
"""Listings whose further pages are read only where the page links them; the site is known to page the other two."""
_CUT_TRIES = 2
"""Times that a page without `</html>` is fetched again before it is taken as it is."""
_REPLAYED_A_COMMIT = 500
_ONE_DAY = timedelta(days=1)


class Outcome(StrEnum):
    """What became of a response."""

    STORED = "stored"
    CHANGED = "changed"
    """A later version of a post that was stored before."""
    UNCHANGED = "unchanged"
    GONE = "gone"
    PART = "part"
    """Not the whole post: its pages follow one by one."""
    LISTING = "listing"
    RETRY = "retry"
    FAILED = "failed"
    REDIRECT = "redirect"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, with the reason of a failure or the target of a redirect."""

    outcome: Outcome
    reason: str = ""
    location: str = ""


class Intake:
    """Takes responses into the frontier; holds the archive's one writer once `catch_up` was called."""

    def __init__(self, settings: CrawlSettings, frontier: Frontier) -> None:
        self.settings = settings
        self.frontier = frontier
        self.folder = settings.archive_folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._writer: ArchiveWriter | None = None
        self._forgotten: Forgotten | None = None
        if settings.forgotten_folder is not None:
            from nlp_study.privacy.forgotten import open_forgotten

            self._forgotten = open_forgotten(settings.forgotten_folder)

    @property
    def writer(self) -> ArchiveWriter:
        """The archive's writer.

        Raises
        ------
        CrawlError : `catch_up` was not called: a torn end might still be there.
        """
        if self._writer is None:
            raise CrawlError("the archive was not checked", remedy="call catch_up before anything is written")
        return self._writer

    def catch_up(self) -> int:
        """Cut off a torn end, bring the frontier in line with the archive, and open the archive for writing.

        Where the archive lost what the frontier believes to be there (a file deleted, shortened or rewritten), everything
        is concluded anew from what it holds.

        Returns
        -------
        Number of records that the frontier had not heard of.
        """
        known = self.frontier.read_files()
        if any(read_tail(self.folder / name, size) != tail for name, (size, tail) in known.items()):
            logger.warning("the archive was changed: the frontier is made again from it")
            self.frontier.reset()
            known = {}
        starts = {name: size for name, (size, _) in known.items()}
        ends = dict(starts)
        n_records = 0
        for record in scan_records(self.folder, starts=starts):
            self._replay(record)
            ends[record.key.file] = record.end
            n_records += 1
            if n_records % _REPLAYED_A_COMMIT == 0:
                self.frontier.commit()
        names = list_files(self.folder)
        if names:
            cut_torn_end(self.folder / names[-1], ends.get(names[-1], 0))
        for name in names:
            end = ends.get(name, 0)
            self.frontier.write_file(name, end, read_tail(self.folder / name, end))
        self._writer = ArchiveWriter(self.folder, rotate_bytes=int(self.settings.rotate_mb * 1e6))
        self.note_written()
        for post in self.frontier.read_unjoined():
            self._join(post.post_id, post.url)
        self.frontier.commit()
        return n_records

    def note_written(self) -> None:
        """Note in the frontier that it knows the archive up to its end."""
        position = self.writer.position
        tail = self.writer.tail or read_tail(self.folder / position.file, position.offset)
        self.frontier.write_file(position.file, position.offset, tail)

    def is_forgotten(self, post_id: str, url: str) -> bool:
        """Whether a post, or who wrote it, was forgotten; such posts are never fetched."""
        return self._forgotten is not None and self._forgotten.holds(post_id=post_id, url=url)

    def is_withheld(self, task: Task, page: Page) -> bool:
        """Whether a page must not be kept: a listing that shows somebody who was forgotten."""
        if not self._forgotten or task.kind not in LISTINGS:
            return False
        return self._forgotten.is_mentioned(page.body.decode("utf-8", "replace"))

    def close(self) -> None:
        """Close the archive and the frontier."""
        if self._writer is not None:
            self.note_written()
            self._writer.close()
            self._writer = None
        self.frontier.close()

    def take(self, task: Task, page: Page, key: ArchiveKey, headers: Mapping[str, str]) -> Verdict:
        """Take in a response that the archive holds.

        Parameters
        ----------
        task : what was asked for.
        page : the response, its content encoding undone; a 304 is one with an empty body.
        key : where it lies.
        headers : of the response, names in lower case.
        """
        try:
            return self._take(task, page, key, headers)
        except StudyError:
            raise
        except Exception as error:
            logger.warning("%s could not be read", page.url, exc_info=True)
            reason = f"the page could not be read: {type(error).__name__}: {error}"[:300]
            self.give_up(task, reason, state=State.GONE)
            return Verdict(Outcome.FAILED, reason)

    def _take(self, task: Task, page: Page, key: ArchiveKey, headers: Mapping[str, str]) -> Verdict:
        status = page.status
        if task.kind is TaskKind.ROBOTS:
            return Verdict(Outcome.IGNORED)
        if status == 304 and task.kind is TaskKind.POST:
            self.frontier.update_post(task.subject, State.DONE, fetched_at=page.captured_at.timestamp())
            return Verdict(Outcome.UNCHANGED)
        if 300 <= status < 400:
            return Verdict(Outcome.REDIRECT, f"status {status}", headers.get("location", ""))
        if status in (408, 425, 429) or status >= 500:
            return Verdict(Outcome.RETRY, f"status {status}")
        if task.kind in LISTINGS:
            return self._take_listing(task, page)
        if task.kind is TaskKind.PART:
            return self._take_part(task, page, key)
        if status in (404, 410):
            return self._end_post(task, State.GONE, f"status {status}: the post is not there", page)
        if not 200 <= status < 300:
            return self._end_post(task, State.FAILED, f"status {status}: the site refuses the page", page)
        return self._take_post(task, page, key, headers)

    def give_up(self, task: Task, reason: str, *, state: State = State.FAILED) -> None:
        """Note that a page will not be fetched in this run."""
        is_final = state in (State.GONE, State.BLOCKED)
        if task.kind in (TaskKind.POST, TaskKind.PART):
            row = self.frontier.read_post(task.subject)
            known = state is not State.GONE and row is not None and row.key is not None and task.kind is TaskKind.POST
            # A post whose new version cannot be had stays stored as it was.
            self.frontier.update_post(
                task.subject, State.DONE if known else state, fetched_at=time.time() if known else None
            )
            place = row.url if row else task.subject
            self.frontier.add_failure(place, reason, post_id=task.subject, is_final=is_final)
        elif task.kind in LISTINGS:
            chain = self.frontier.add_chain(task.kind, task.subject, task.day)
            if task.kind is TaskKind.TAG and task.page <= 1 and state is not State.BLOCKED:
                self.frontier.close_chain(chain, State.DONE)
                self.frontier.want_chain(TaskKind.TAG_PAGE, task.subject)
                return
            self.frontier.close_chain(chain, state)
            self.frontier.add_failure(str(task), reason, is_final=is_final)

    def _replay(self, record: Record) -> None:
        task = Task.parse(record.task) if record.task else None
        if task is None or record.kind not in ("response", "revisit", "conversion") or TRUNCATED_FIELD in record.fields:
            return
        try:
            page = record.read_page()
        except CrawlError:
            return
        _, headers = record.read_head()
        if record.kind == "revisit":
            page = Page(page.url, b"", page.captured_at, 304, page.content_type)
        if task.kind in (TaskKind.POST, TaskKind.PART):
            self.frontier.add_post(task.subject, record.url.split("?")[0], day=None, chain_id=None)
        verdict = self.take(task, page, record.key, dict(headers))
        if verdict.outcome is Outcome.RETRY and page.status == 200:
            if task.kind in LISTINGS:
                chain = self.frontier.add_chain(task.kind, task.subject, task.day)
                self.frontier.set_chain_back(chain, not_before=0)
            else:
                self.frontier.set_post_back(task.subject, not_before=0)

    def _take_post(self, task: Task, page: Page, key: ArchiveKey, headers: Mapping[str, str]) -> Verdict:
        row = self.frontier.read_post(task.subject)
        if _breaks_off(page) and row is not None and row.tries < _CUT_TRIES:
            return Verdict(Outcome.RETRY, "the page breaks off before </html>")
        wholeness = check_whole(page)
        if wholeness.problem:
            return self._end_post(task, State.GONE, wholeness.problem, page)
        self.frontier.clear_parts(task.subject)
        was_stored = row is not None and row.key is not None
        self.frontier.remember_version(task.subject, key, headers)
        if not wholeness.is_whole:
            self.frontier.add_part(task.subject, 1, key)
            self.frontier.update_post(task.subject, State.PENDING, page=2, fetched_at=page.captured_at.timestamp())
            return Verdict(Outcome.PART)
        self._finish_post(task.subject, page)
        return Verdict(Outcome.CHANGED if was_stored else Outcome.STORED)

    def _take_part(self, task: Task, page: Page, key: ArchiveKey) -> Verdict:
        parts = self.frontier.read_parts(task.subject)
        seen = set[str]()
        for _, part in parts:
            seen.update(_read_texts(read_record(self.folder, part).read_page()))
        texts = _read_texts(page) if page.status == 200 else ()
        brings_new = bool(set(texts) - seen)
        if brings_new:
            self.frontier.add_part(task.subject, task.page, key)
        if brings_new and task.page < self.settings.max_post_pages:
            wholeness = check_whole(page)
            if not wholeness.is_whole or task.page < wholeness.n_pages:
                self.frontier.update_post(task.subject, State.PENDING, page=task.page + 1)
                return Verdict(Outcome.PART)
        if not brings_new and len(parts) < 2:  # the first page was the whole post after all
            self._finish_post(task.subject, page)
            return Verdict(Outcome.STORED)
        self.frontier.update_post(task.subject, State.PENDING, page=JOIN)
        if self._writer is not None:
            row = self.frontier.read_post(task.subject)
            self._join(task.subject, row.url if row else page.url)
        return Verdict(Outcome.STORED)

    def _join(self, post_id: str, url: str) -> None:
        """Store the pages of a post as one, so that readers of the archive need not know of them."""
        records = [read_record(self.folder, key) for _, key in self.frontier.read_parts(post_id)]
        if not records:
            self.frontier.update_post(post_id, State.PENDING)
            return
        try:
            body = join_pages([record.read_page() for record in records])
        except ExtractionError as error:
            self.frontier.clear_parts(post_id)
            self.give_up(Task(TaskKind.POST, post_id), error.what, state=State.GONE)
            return
        task = Task(TaskKind.POST, post_id)
        ids = [record.fields.get("warc-record-id", "") for record in records]
        captured_at = max(record.captured_at for record in records)
        key = self.writer.write_joined(f"{url}?page=all", task=str(task), body=body, captured_at=captured_at, parts=ids)
        self._finish_post(post_id, Page(url, body, captured_at))
        self.frontier.remember_version(post_id, key, {})
        self.note_written()

    def _finish_post(self, post_id: str, page: Page) -> None:
        self.frontier.clear_parts(post_id)
        self.frontier.update_post(post_id, State.DONE, fetched_at=page.captured_at.timestamp())
        self.frontier.drop_failure(post_id)

    def _end_post(self, task: Task, state: State, reason: str, page: Page) -> Verdict:
        self.give_up(task, reason, state=state)
        return Verdict(Outcome.GONE if state is State.GONE else Outcome.FAILED, reason)

    def _take_listing(self, task: Task, page: Page) -> Verdict:
        chain = self.frontier.add_chain(task.kind, task.subject, task.day)
        if not 200 <= page.status < 300:
            if task.page > 1 and page.status in (404, 410):
                self._advance(chain, task, page, more=False)
                return Verdict(Outcome.LISTING)
            reason = f"status {page.status}: the listing is not there"
            self.give_up(task, reason, state=State.GONE if page.status in (404, 410) else State.FAILED)
            return Verdict(Outcome.FAILED, reason)
        if task.kind is not TaskKind.TAG and _breaks_off(page) and chain.tries < _CUT_TRIES:
            return Verdict(Outcome.RETRY, "the page breaks off before </html>")
        try:
            listing = read_listing(page, base_url=self.settings.base_url)
        except ExtractionError as error:
            return Verdict(Outcome.RETRY, error.what)
        cards = [card for card in listing.cards if card.is_listed]
        kept = [card for card in cards if not self.is_forgotten(card.post_id, card.url)]
        printed = [card.day for card in cards if card.is_day_printed and card.day]
        if (
            task.day
            and len(printed) > 2
            and not any(abs(day - date.fromisoformat(task.day)) <= _ONE_DAY for day in printed)
        ):
            reason = f"the index of {task.day} shows posts of other days only, such as {printed[0]}"
            self.give_up(task, reason)
            return Verdict(Outcome.FAILED, reason)
        n_new = 0
        for card in cards:
            day = task.day or (card.day.isoformat() if card.day else None)
            if card in kept:
                self.frontier.add_post(card.post_id, card.url, day=day, chain_id=chain.id)
            n_new += self.frontier.link(chain.id, card.post_id)
        is_read_before = task.page < chain.floor
        more = bool(cards) and (n_new > 0 or is_read_before)
        if more and task.kind in _PAGED_BY_LINK:
            more = listing.has_next
        if more and task.page >= self.settings.max_listing_pages:
            more = False
            most = self.settings.max_listing_pages
            reason = f"the listing has more than {most} pages (max_listing_pages); the rest is left"
            self.frontier.add_failure(str(task), reason)
        self._advance(chain, task, page, more=more)
        return Verdict(Outcome.LISTING)

    def _advance(self, chain: ChainRow, task: Task, page: Page, *, more: bool) -> None:
        state = State.PENDING if more else State.DONE
        moment = page.captured_at.timestamp()
        self.frontier.update_chain(chain, state=state, page=task.page + 1 if more else 1, read_at=moment)


def open_intake(settings: CrawlSettings) -> Intake:
    """Open frontier and archive of a crawl's folder; `catch_up` has to come before anything is written."""
    return Intake(settings, Frontier(settings.folder / "frontier.sqlite"))


def _breaks_off(page: Page) -> bool:
    return b"</html>" not in page.body[-20_000:].lower()


def _read_texts(page: Page) -> tuple[str, ...]:
    try:
        return read_body_texts(page)
    except ExtractionError:
        return ()
