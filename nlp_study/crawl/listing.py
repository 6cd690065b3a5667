"""Which posts a listing shows, and whether it offers a next page.

The daily index, tags, categories, search and profiles print the same cards. Attributes of the site are not escaped, so
that titles break `alt` open; only `href` is read here. Facts: section 2 of the notes on the site.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from nlp_study.crawl.settings import SITE_HOSTS, SITE_URL
from nlp_study.extract.dates import parse_imported_date
from nlp_study.extract.markup import parse_page
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.extract.urls import ArticleUrl, parse_article_url, read_object_id_time

_CARD = ".timeline--artikel"
_LINK = ".artikel--content h2 a[href]"
_CAROUSEL = "timeline--trenpekanini"
_DATE = re.compile(r"\d{1,2}\s+[A-Z][a-z]+\s+\d{4}")


@dataclass(frozen=True, slots=True)
class Card:
    """One post on a listing: its id, the address to fetch it from, and its day where the card or the id tells.

    `is_listed`: the card belongs to the list itself, not to a carousel of other days' posts beside it.
    """

    post_id: str
    url: str
    day: date | None
    is_listed: bool = True
    is_day_printed: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The posts of one page of a listing, each once, and whether the page links a next one."""

    cards: tuple[Card, ...]
    has_next: bool


def map_to_site(url: str, base_url: str) -> str:
    """Return an address as it is on the site itself: one below `base_url`, or on a host of the site, becomes https://www.

    Other hosts' addresses are returned as they are.
    """
    parts = urlsplit(urljoin(SITE_URL, url.strip()))
    base = urlsplit(base_url)
    if parts.netloc == base.netloc or (parts.hostname in SITE_HOSTS and parts.scheme in ("http", "https")):
        site = urlsplit(SITE_URL)
        return urlunsplit((site.scheme, site.netloc, parts.path or "/", parts.query, ""))
    return urlunsplit(parts)


def find_post(url: str, base_url: str = SITE_URL) -> tuple[ArticleUrl, str] | None:
    """Return the parts of a post's address and the address to fetch it from; `None` for anything else.

    The path stays in the form in which it was linked (that both forms resolve is not certain), without query string,
    `/amp/` and `/komentar/`.
    """
    site_url = map_to_site(url, base_url)
    article = parse_article_url(site_url)
    if article is None:
        return None
    path = re.sub(r"^/(?:amp|komentar)(?=/)", "", urlsplit(site_url).path, flags=re.IGNORECASE)
    return article, SITE_URL + path.rstrip("/")


def read_listing(page: Page, *, base_url: str = SITE_URL) -> Listing:
    """Read a page of a listing, or the answer of the tag endpoint.

    Cards that are hidden by style count; carousels, events and other items that hold no article do not, and the sidebar
    does not either. A post that stands on the page several times is given once.

    Parameters
    ----------
    page : HTML with cards, or JSON with them under `data_array.view`.
    base_url : where links may point to besides the site itself.

    Raises
    ------
    ExtractionError : the page is neither, or damaged. No cards at all is an answer, not an error.
    """
    if page.body.lstrip()[:1] in (b"{", b"["):
        page = Page(page.url, _read_view(page.body).encode(), page.captured_at, page.status)
        if not page.body.strip():
            return Listing((), False)
    tree = parse_page(page).tree
    cards: dict[str, Card] = {}
    for node in tree.css(_CARD):
        link = node.css_first(_LINK)
        found = find_post(link.attributes.get("href") or "", base_url) if link else None
        if found is None:
            continue
        article, url = found
        dates = node.css_first(".date-box")
        is_listed = _CAROUSEL not in (node.attributes.get("class") or "")
        day = _read_printed_day(dates.text()) if dates else None
        card = Card(article.id24, url, day or _read_id_day(article.id24), is_listed, day is not None)
        known = cards.get(article.id24)
        if known is None or (is_listed and not known.is_listed):
            cards[article.id24] = card
    here = urlsplit(page.url)
    number = int(parse_qs(here.query).get("page", ["1"])[0]) if "page=" in here.query else 1
    links = (node.attributes.get("href") or "" for node in tree.css('a[href*="page="]'))
    has_next = any(_is_next(link, here.path, number, base_url) for link in links)
    return Listing(tuple(cards.values()), has_next)


def _read_view(body: bytes) -> str:
    """Return the HTML fragment of the tag endpoint's answer; "" where there are no more cards."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ExtractionError("damaged", f"the endpoint's answer is no JSON: {error}") from error
    inner = answer.get("data_array") if isinstance(answer, dict) else None
    if not isinstance(inner, dict):
        return ""
    view = inner.get("view")
    return view if isinstance(view, str) else ""


def _read_printed_day(printed: str) -> date | None:
    match = _DATE.search(printed)
    try:
        return parse_imported_date(match[0]).date() if match else None
    except ValueError:
        return None


def _read_id_day(post_id: str) -> date | None:
    created_at = read_object_id_time(post_id)
    return created_at.date() if created_at else None


def _is_next(link: str, path: str, number: int, base_url: str) -> bool:
    parts = urlsplit(map_to_site(link, base_url))
    return parts.path == path and parse_qs(parts.query).get("page", [""])[0] == str(number + 1)
