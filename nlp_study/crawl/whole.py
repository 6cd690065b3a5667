"""Whether `?page=all` gave the whole post, and how its pages are joined where it did not.

Facts (section 3.5 of the notes on the site): a page shows 11 `p` of the article; the promo stands on the last page only;
the pager is printed on whole pages too, so that it proves nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_study.extract.boilerplate import (
    FIRST_PAGE_PARAGRAPHS,
    PROMO_ON_EVERY_LAST_PAGE_FROM,
    clean_body,
    fold_space,
)
from nlp_study.extract.markup import parse_page
from nlp_study.extract.page import ExtractionError, Page

BODY = '[itemprop="articleBody"], .read-content'
_DELETED = (b"This Article has been deleted", b"This content has been removed for violating")
_PROMO = (b"hannel WhatsApp Kompasiana", b"WhatsApp Channel Kompasiana")
_PAGER = re.compile(rb"[?&](?:amp;)?page=([2-9]|[1-9]\d+)\b")
_PAGER_WORD = re.compile(rb"H(?:ALAMAN|alaman)\s*:")
_PARAGRAPH = re.compile(rb"<p[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wholeness:
    """What a post's page shows of the post.

    `is_whole`: nothing points to further pages. `n_pages`: pages that the pager lists, 0 without one. `problem`: why the
    page holds no post ("" where it does): then nothing else may be concluded from it.
    """

    is_whole: bool
    n_pages: int = 0
    problem: str = ""


def check_whole(page: Page) -> Wholeness:
    """Decide whether a page holds the whole post.

    Pages that cannot be cut are told apart by their bytes; only the others are parsed, since this runs for every page.
    """
    body = page.body
    at = body.find(b"articleBody")
    if at < 0:
        at = body.find(b"read-content")
    if at < 0:
        deleted = next((words for words in _DELETED if words in body), None)
        return Wholeness(True, problem=f"deleted: {deleted.decode()!r}" if deleted else "the page holds no article")
    if any(body.find(words, at) >= 0 for words in _PROMO):
        return Wholeness(True, _count_pages(body, at))
    n_pages = _count_pages(body, at)
    is_recent = page.captured_at.year >= PROMO_ON_EVERY_LAST_PAGE_FROM
    if n_pages < 2 and (not is_recent or len(_PARAGRAPH.findall(body, at)) < FIRST_PAGE_PARAGRAPHS):
        return Wholeness(True, n_pages)
    try:
        n_shown = count_paragraphs(page)
    except ExtractionError as error:
        return Wholeness(True, n_pages, problem=error.what)
    if n_pages >= 2:
        return Wholeness(n_shown > FIRST_PAGE_PARAGRAPHS, n_pages)
    return Wholeness(n_shown != FIRST_PAGE_PARAGRAPHS, n_pages)


def count_paragraphs(page: Page) -> int:
    """Count the `p` of the article as the site does for its pages: with text or picture, without "Baca juga"."""
    body = parse_page(page).tree.css_first(BODY)
    if body is None:
        return 0
    shown = [
        fold_space(node.text()) or "\ufffc"
        for node in body.iter()
        if node.tag == "p" and (_has_content(node.text(), node))
    ]
    cleaned = clean_body(shown)
    return len(shown) - cleaned.n_related_lines


def read_body_texts(page: Page) -> tuple[str, ...]:
    """Return the body's pieces, white space folded, to tell whether a page brings anything new.

    Of what the site puts in only the promo counts, as one piece: it may be all that the last page shows.
    """
    body = parse_page(page).tree.css_first(BODY)
    if body is None:
        return ()
    cleaned = clean_body([node.text() for node in body.iter()])
    return (*cleaned.paragraphs, "(promo)") if cleaned.n_promo else cleaned.paragraphs


def join_pages(pages: Sequence[Page]) -> bytes:
    """Return the first page with the bodies of the others appended to its own, as UTF-8.

    What an earlier page already holds (a server that repeats itself) is not checked here; the caller leaves it out.
    """
    tree = parse_page(pages[0]).tree
    body = tree.css_first(BODY)
    if body is None:
        raise ExtractionError("no_body", "the first page holds no article")
    whole, first = tree.html or "", body.html or ""
    end = first.rfind("</")
    further = [parse_page(page).tree.css_first(BODY) for page in pages[1:]]  # trees are only read, see `extract.markup`
    added = "".join(node.html or "" for other in further if other is not None for node in other.iter())
    return ("<!DOCTYPE html>\n" + whole.replace(first, first[:end] + added + first[end:], 1)).encode()


def _has_content(text: str, node: object) -> bool:
    css_first = getattr(node, "css_first", None)
    return bool(fold_space(text)) or bool(css_first and css_first("img"))


def _count_pages(body: bytes, at: int) -> int:
    numbers = [int(match) for match in _PAGER.findall(body, at)]
    if numbers and _PAGER_WORD.search(body, at):
        return min(max(numbers), 999)
    return 2 if _PAGER_WORD.search(body, at) or b"Halaman Selanjutnya" in body[at:] else 0
