"""Which parser reads a page. A new site is one module with `recognises` and `extract`, and its name in `SITES`."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from nlp_study.extract import fallback, kompasiana, wordpress
from nlp_study.extract.markup import Markup, UnknownLayout, parse_page
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.schema import Post


class SiteParser(Protocol):
    """What a site's module has to offer."""

    def recognises(self, markup: Markup) -> bool:
        """Whether the page is of this site, article or not."""
        ...

    def extract(self, markup: Markup) -> Post:
        """Extract the post, or raise `ExtractionError`, or `UnknownLayout` for the fallback."""
        ...


SITES: tuple[SiteParser, ...] = (kompasiana, wordpress)
"""Asked in this order; the first that recognises a page reads it."""

_GONE = frozenset((404, 410))
_UNTOLD = frozenset(("text/plain", "text/xml", "application/xml", "application/octet-stream"))
"""Types that servers send with HTML as well."""


def extract_post(page: Page) -> Post:
    """Extract the post of a page: nothing is fetched, written or remembered, so any page can be read again.

    Parameters
    ----------
    page : one capture, as the archive holds it.

    Returns
    -------
    The post; `parser` names the rules that read it, `trafilatura-2` where no layout was known.

    Raises
    ------
    ExtractionError : the page holds no post; its `kind` says why.
    """
    try:
        if not page.url.isascii() or "[" in page.url or "]" in page.url:  # no other address can be broken
            urlsplit(page.url)
    except ValueError as error:
        raise ExtractionError("damaged", f"{page.url!r} is not an address: {error}") from error
    if page.status in _GONE:
        raise ExtractionError("deleted", f"the site answered with status {page.status}")
    if page.status >= 400:
        raise ExtractionError("damaged", f"the site answered with status {page.status}", remedy="fetch it again")
    if page.status >= 300:
        raise ExtractionError("not_a_post", f"the site answered with status {page.status}, a redirect")
    kind = page.content_type.split(";")[0].strip().lower()
    if kind and "html" not in kind and kind not in _UNTOLD:
        raise ExtractionError("not_a_post", f"the page is {kind}, not HTML")
    markup = parse_page(page)
    for site in SITES:
        if site.recognises(markup):
            try:
                return site.extract(markup)
            except UnknownLayout:
                break
    return fallback.extract(markup)
