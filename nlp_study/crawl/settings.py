"""`CrawlSettings`: what to fetch, how gently, and where it is kept."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nlp_study import __version__
from nlp_study.errors import ConfigError, StudyError

SITE_URL = "https://www.kompasiana.com"
"""Address under which everything is archived, whatever `base_url` was fetched from."""
SITE_HOSTS = frozenset({"www.kompasiana.com", "kompasiana.com", "m.kompasiana.com"})
ROBOTS_TOKEN = "nlp-study"
"""The name that robots.txt may address us by; the user agent begins with it."""

CONTACT_REMEDY = (
    "set contact to the address at which the site's operators reach you, for example"
    ' contact = "nama@universitas.ac.id" (or the https:// address of a page that says who you are)'
)
_MAIL = re.compile(r"[^@\s;()]+@[^@\s;()]+\.[A-Za-z]{2,}")
_PAGE = re.compile(r"https?://[^\s;()]+\.[A-Za-z]{2,}[^\s;()]*")
_PLACEHOLDER = re.compile(
    r"(?:^|[@./])example\.(?:com|org|net)\b|\.(?:example|invalid|test)\b|your[-_.]?(?:name|mail)", re.I
)


class CrawlError(StudyError):
    """The crawl may not start or go on: robots.txt cannot be read, another crawl runs, the archive is damaged."""


class CrawlSettings(BaseModel):
    """Settings of one crawl, frozen.

    Seeds add up. The daily index (`since`, `until`) is the main road: only it lists every post. The other seeds take
    what their listing shows, of it the posts between `since` and `until` where those are given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    folder: Path = Field(description="where the archive (`archive/*.warc.gz`) and the frontier are kept")
    contact: str = Field("", description="mail or web address at which the site's operators reach you; no default")
    project_url: str = Field("", description="page about the study, printed in the user agent beside the contact")
    base_url: str = Field(SITE_URL, description="where the site is served; a local replica in tests")

    forgotten_folder: Path | None = Field(None, description="the study's data folder: who was forgotten is not fetched")

    index: bool | None = Field(None, description="read the daily index; unset: if `since` is set and no other seed is")
    since: date | None = Field(None, description="first day, included")
    until: date | None = Field(None, description="last day, included; unset: today")
    index_category: str = Field("", description="category of the daily index; empty: all")
    tags: tuple[str, ...] = Field((), description="tags, as in /tag/dunia-kerja or in words")
    categories: tuple[str, ...] = Field((), description="category pages, as in /ekonomi")
    searches: tuple[str, ...] = Field((), description="words for the site's search")
    authors: tuple[str, ...] = Field((), description="accounts, as in /greg.nafanu")
    urls: tuple[str, ...] = Field((), description="addresses of posts, in any form")
    refresh: bool = Field(False, description="ask again, conditionally, for posts that the archive holds")

    limit: int | None = Field(None, ge=1, description="stop after this many posts were stored in this run")
    max_mb: float | None = Field(None, gt=0, description="stop after this many megabytes (10^6 bytes) in this run")
    daily_requests: int = Field(20_000, ge=1, description="requests a calendar day (Asia/Jakarta), over all runs")
    daily_mb: float = Field(4_000, gt=0, description="megabytes a calendar day, over all runs")

    delay_s: float = Field(2.0, ge=0, le=3600, description="least seconds between the starts of two requests")
    autothrottle: bool = Field(True, description="wait longer where the site answers slowly")
    max_delay_s: float = Field(60.0, gt=0, description="longest delay that the throttle may reach")
    max_wait_s: float = Field(900.0, ge=0, description="longest wait that the site may ask for; beyond, the run stops")
    backoff_s: float = Field(10.0, ge=0, description="first wait after a failed request; doubles each time")
    timeout_s: float = Field(60.0, gt=0, description="longest time for one page, first byte to last")
    max_tries: int = Field(5, ge=1, le=20, description="tries of one page in a run")
    max_failures_in_a_row: int = Field(12, ge=1, description="stop when this many requests fail one after the other")
    max_page_mb: float = Field(20.0, gt=0, description="a larger page is broken off")
    max_listing_pages: int = Field(300, ge=1, description="most pages of one listing; a real day has about 50")
    max_post_pages: int = Field(60, ge=2, description="most pages of one post when it is fetched page by page")
    rotate_mb: float = Field(256.0, gt=0, description="size at which the next archive file begins")

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, base_url: str) -> str:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(f"{base_url!r} is not the origin of a site, such as {SITE_URL}")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since ({self.since}) must not be after until ({self.until})")
        if self.index and not self.since:
            raise ValueError("the daily index needs since, the first day to read")
        return self

    @property
    def archive_folder(self) -> Path:
        """Folder of the WARC files; what `archive.read_pages` reads."""
        return self.folder / "archive"

    @property
    def reads_index(self) -> bool:
        """Whether the daily index is read."""
        others = self.tags or self.categories or self.searches or self.authors or self.urls or self.refresh
        return self.index if self.index is not None else bool(self.since and not others)

    @property
    def user_agent(self) -> str:
        """What the site's log shows of us: name, version, project and contact."""
        page = f"+{self.project_url}; " if self.project_url else ""
        return f"{ROBOTS_TOKEN}/{__version__} ({page}contact: {self.contact})"

    def days(self, *, today: date) -> list[date]:
        """Return the days of the daily index, oldest first; empty where it is not read. Days to come have no index."""
        if not self.reads_index or self.since is None:
            return []
        last = min(self.until or today, today)
        return [self.since + timedelta(days=n) for n in range((last - self.since).days + 1)]


def check_ready(settings: CrawlSettings) -> None:
    """Refuse a crawl without contact or without seeds.

    Raises
    ------
    ConfigError : the contact is missing, a placeholder, or no address; or there is nothing to fetch.
    """
    contact = settings.contact
    if not contact:
        raise ConfigError("no contact is set, and a site must be able to reach who crawls it", remedy=CONTACT_REMEDY)
    if _PLACEHOLDER.search(contact) or not (_MAIL.fullmatch(contact) or _PAGE.fullmatch(contact)):
        raise ConfigError(f"contact {contact!r} is no address that reaches you", remedy=CONTACT_REMEDY)
    seeds = (settings.tags, settings.categories, settings.searches, settings.authors, settings.urls)
    if not (settings.reads_index or any(seeds) or settings.refresh):
        raise ConfigError(
            "nothing to crawl: no seed is set",
            remedy="give since (the daily index, which lists every post), tags, categories, searches, authors or urls",
        )
