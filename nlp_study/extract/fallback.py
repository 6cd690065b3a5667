"""Pages of unknown layout, read by trafilatura and marked so.

Of the two general extractors compared (see `scripts/bench_extract.py`) it loses less of the body. Its answers are
guesses: `parser` is `trafilatura-2`, and a study may leave such posts out.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from nlp_study.extract.boilerplate import clean_body, mend_text, strip_title_suffix
from nlp_study.extract.dates import parse_imported_date
from nlp_study.extract.language import identify_language
from nlp_study.extract.markup import Markup
from nlp_study.extract.page import ExtractionError
from nlp_study.extract.urls import make_post_id, parse_mirrored_url, read_object_id_time
from nlp_study.schema import DateSource, Paragraph, ParagraphKind, Post

PARSER = "trafilatura-2"
LARGEST_PAGE = 400_000
"""Characters; trafilatura needs up to 0.5 s for so many, and its time grows faster than the page."""
DEEPEST_NESTING = 250
"""Levels; libxml2 gives up at 256."""
_MOST_NODES = 12_000
_SHORTEST_BODY = 80
"""Characters below which what was found is a menu or a message, not an article."""
_ERRORS = (
    ArithmeticError,
    AssertionError,  # htmldate on a page that is a lone <svg>
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What trafilatura and the libraries below it have raised or may raise on broken pages."""
_KINDS = {
    "p": ParagraphKind.TEXT,
    "ab": ParagraphKind.TEXT,
    "head": ParagraphKind.HEADING,
    "item": ParagraphKind.LIST,
    "quote": ParagraphKind.QUOTE,
}


def extract(markup: Markup) -> Post:
    """Extract a post from a page whose layout nobody described.

    Raises
    ------
    ExtractionError : `no_body` where no article is found, `damaged` where the page is too large or too deeply nested.
    """
    _check_size(markup)
    document = _read_document(markup)
    title = strip_title_suffix(mend_text(document.title or markup.first_text("h1") or markup.first_text("title")))
    blocks = _read_blocks(document.body)
    if blocks and mend_text(blocks[0][0]) == title:
        del blocks[0]
    body = clean_body([text for text, _ in blocks])
    text = "\n".join(body.paragraphs)
    if len(text) < _SHORTEST_BODY or not title:
        raise ExtractionError("no_body", "no article was found on the page")
    article = parse_mirrored_url(markup.page.url)
    published_at, source = _read_date(markup, document.date)
    if published_at is None and article and (published_at := read_object_id_time(article.id24)):
        source = DateSource.OBJECT_ID
    author = mend_text(document.author or "") or None
    return Post(
        post_id=article.id24
        if article
        else make_post_id(author=author, title=title, published_at=published_at, first_paragraph=body.paragraphs[0]),
        title=title,
        paragraphs=tuple(
            Paragraph(text, ParagraphKind.CAPTION if index in body.captions else blocks[position][1])
            for index, (text, position) in enumerate(zip(body.paragraphs, body.positions, strict=True))
        ),
        url=article.canonical_url if article else markup.page.url,
        author=author,
        author_id=article.user if article else author,
        category=mend_text((document.categories or [""])[0]) or None,
        tags=tuple(tag for given in document.tags or [] if (tag := mend_text(given))),
        published_at=published_at,
        date_source=source,
        n_removed=body.n_removed,
        is_cut=not markup.is_whole,
        language=identify_language(text),
        reposted_from=body.repost,
        captured_at=markup.page.captured_at,
        parser=PARSER,
    )


def _check_size(markup: Markup) -> None:
    if len(markup.html) > LARGEST_PAGE:
        raise ExtractionError("damaged", f"a page of unknown layout with {len(markup.html):,} characters")
    node, depth, n_elements = markup.tree.body, 0, 0
    while node is not None:
        n_elements += 1
        if depth > DEEPEST_NESTING or n_elements > _MOST_NODES:
            raise ExtractionError("damaged", "a page of unknown layout, too deeply nested or with too many elements")
        following, deeper = node.first_child, depth + 1
        while following is None and node is not None and depth > 0:
            following, deeper = node.next, depth
            node, depth = (node.parent, depth - 1) if following is None else (node, depth)
        node, depth = following, deeper


def _read_document(markup: Markup) -> Any:
    import lxml.etree
    import trafilatura

    logger = logging.getLogger("trafilatura")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it logs every page without text as an error; our caller records the failure
    try:
        document: Any = trafilatura.bare_extraction(
            markup.html,
            url=markup.page.url if urlsplit(markup.page.url).hostname else None,
            with_metadata=True,
            include_comments=False,
            include_tables=False,
        )
    except (*_ERRORS, lxml.etree.LxmlError) as error:
        raise ExtractionError("damaged", f"the page cannot be read: {type(error).__name__}: {error}") from error
    finally:
        logger.setLevel(level)
    if document is None or document.body is None:
        raise ExtractionError("no_body", "no article was found on the page")
    return document


def _read_blocks(body: Any) -> list[tuple[str, ParagraphKind]]:
    """Paragraphs of trafilatura's tree; those inside of a list item or a quotation belong to it."""
    blocks: list[tuple[str, ParagraphKind]] = []
    for child in body:
        if child.tag in ("list", "quote") and len(child):
            for part in child:
                kind = ParagraphKind.LIST if child.tag == "list" else ParagraphKind.QUOTE
                blocks.append((_read_all(part), kind))
        elif child.tag in _KINDS or child.tag in ("list", "table", "code"):
            blocks.append((_read_all(child), _KINDS.get(str(child.tag), ParagraphKind.TEXT)))
        if child.tail and child.tail.strip():
            blocks.append((child.tail, ParagraphKind.TEXT))
    return blocks


def _read_all(element: Any) -> str:
    return " ".join(str(text) for text in element.itertext())


def _read_date(markup: Markup, guessed: str | None) -> tuple[datetime | None, DateSource]:
    """The time in the head where there is one; otherwise the day that htmldate found, at midnight."""
    for value in (markup.json_ld.get("datePublished"), markup.read_meta("article:published_time"), guessed):
        if isinstance(value, str):
            try:
                return parse_imported_date(value), DateSource.META
            except ValueError:
                continue
    return None, DateSource.UNKNOWN
