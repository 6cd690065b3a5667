"""Kompasiana addresses, and the keys of posts.

One article is reachable under many addresses (two path forms, `/amp/`, `/komentar/`, http, with and without www,
any query string), so identity is the 24-hex id in the path and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from nlp_study.schema import TIMEZONE

TRUSTED_FROM = datetime(2015, 5, 1, tzinfo=TIMEZONE)
"""Ids made before this day carry the time of the site's migration (March and April 2015), not of publication."""

# `user` is any path segment: real ones hold dots, underscores and hyphens, and may look like a domain.
# The look-ahead keeps `/amp/{id24}/{slug}` from being read as an article by a user named `amp`.
_PATH = r"""
    /(?:(?:amp|komentar)/)?
    (?P<user>(?!(?:amp|komentar)/)[^/\s]+)/
    (?:
        (?P<id24>[0-9a-f]{24})(?:/(?P<slug>[^/\s]*))?      # since 2018 at the latest
      | (?P<old_slug>[^/\s]+)_(?P<old_id24>[0-9a-f]{24})   # March 2015 to about mid 2017
    )
    /?
    """
_HOST = r"(?:https?:)?(?://)?(?:www\.)?kompasiana\.com(?::\d+)?"
_ARTICLE = re.compile(_HOST + _PATH, re.VERBOSE | re.IGNORECASE)
_MIRRORED = re.compile(r"https?://[^/\s]+" + _PATH, re.VERBOSE | re.IGNORECASE)
_TWIN = re.compile(r"(?:https?://)?[^/\s]+/(?P<twin>amp|komentar)/[^/]+/", re.IGNORECASE)
_ID24 = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArticleUrl:
    """The parts of an article's address.

    `id24` is the site's key in lower case; `slug` was frozen at first save and may differ from the title, and is
    empty where the address was cut after the id.
    """

    user: str
    id24: str
    slug: str

    @property
    def canonical_url(self) -> str:
        """The address in the current form, without query and fragment: equal for all addresses of one article."""
        return f"https://www.kompasiana.com/{self.user}/{self.id24}" + (f"/{self.slug}" if self.slug else "")


def parse_article_url(url: str) -> ArticleUrl | None:
    """Read user, id and slug from an article's address, or return `None` where it is not one.

    Parameters
    ----------
    url : an address; white space around it, query string and fragment are ignored.

    Returns
    -------
    The parts, or `None` for listings, profiles, other hosts, and the addresses of before March 2015, which hold no id.
    `None` is an answer here, not a failure: callers ask "is this an article of the site?".
    """
    return _read_parts(_ARTICLE.fullmatch(_strip_query(url)))


def parse_mirrored_url(url: str) -> ArticleUrl | None:
    """Read an article's address on any host, as a mirror or a replica of the site has it; see `parse_article_url`."""
    return _read_parts(_MIRRORED.fullmatch(_strip_query(url)))


def find_twin(url: str) -> str | None:
    """Tell whether an address is that of an article's twin: `amp`, `komentar`, or `None`."""
    match = _TWIN.match(url.strip())
    return match["twin"].lower() if match else None


def _strip_query(url: str) -> str:
    return url.strip().partition("#")[0].partition("?")[0]


def _read_parts(match: re.Match[str] | None) -> ArticleUrl | None:
    if match is None:
        return None
    id24 = match["id24"] or match["old_id24"]
    return ArticleUrl(user=match["user"], id24=id24.lower(), slug=match["slug"] or match["old_slug"] or "")


def read_object_id_time(id24: str) -> datetime | None:
    """Read the creation time that a 24-hex id carries in its first 8 digits (Unix seconds).

    On the site it agrees with the printed time within a minute, except for drafts and scheduled posts (up to days
    older).

    Parameters
    ----------
    id24 : 24 hexadecimal digits.

    Returns
    -------
    The time in Asia/Jakarta; `None` before `TRUSTED_FROM`, where it is the time of the migration.

    Raises
    ------
    ValueError : `id24` is not 24 hexadecimal digits.
    """
    if not _ID24.fullmatch(id24):
        raise ValueError(f"{id24!r} is not an id of 24 hexadecimal digits")
    created_at = datetime.fromtimestamp(int(id24[:8], 16), tz=TIMEZONE)
    return created_at if created_at >= TRUSTED_FROM else None


def make_post_id(*, author: str | None, title: str, published_at: datetime | None, first_paragraph: str) -> str:
    """Make the key of a post whose site gave none: `sha-` and 20 hex digits.

    Made of what a re-read of the same post gives again, so that importing twice does not double it; the whole body
    would change with every correction of the extractor.
    """
    parts = (author or "", title, published_at.isoformat() if published_at else "", first_paragraph)
    return "sha-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
