"""From what was read to posts: addresses and keys, dates, boilerplate, and one extractor a form of page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlp_study.extract.page import Page
    from nlp_study.schema import Post


def extract_post(page: Page) -> Post:
    """Extract the post of a page; see `nlp_study.extract.sites.extract_post`. Parsers are loaded at the first call."""
    from nlp_study.extract import sites

    return sites.extract_post(page)
