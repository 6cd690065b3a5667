"""Posts from article pages of Kompasiana, captured since 2018.

No complete article page is published, so every selector here is an assumption with a date (see `LAYOUTS`), taken from
scrapers of that time. Where an element has no name of its own, its place among the visible lines tells it. Fields that
the page gives twice are cross-checked: printed dates against JSON-LD and meta tags, the address against the id in the
page. Pages whose layout is not known are left to the caller (`UnknownLayout`).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nlp_study.errors import DataError
from nlp_study.extract.boilerplate import (
    DISCLAIMERS,
    FIRST_PAGE_PARAGRAPHS,
    INSERTED_EMPTY_PARAGRAPHS,
    PROMO_ON_EVERY_LAST_PAGE_FROM,
    CleanBody,
    clean_body,
    fold_space,
    mend_text,
    strip_title_suffix,
)
from nlp_study.extract.dates import PRINTED_PATTERN, parse_imported_date, parse_printed_date
from nlp_study.extract.language import identify_language
from nlp_study.extract.markup import (
    Block,
    Markup,
    UnknownLayout,
    read_blocks,
    read_lines,
    read_own_text,
    read_path,
    read_text,
)
from nlp_study.extract.page import ExtractionError
from nlp_study.extract.text_dump import BADGES, read_header
from nlp_study.extract.urls import ArticleUrl, find_twin, parse_article_url, parse_mirrored_url, read_object_id_time
from nlp_study.schema import TIMEZONE, DateSource, Paragraph, ParagraphKind, Post

if TYPE_CHECKING:
    from collections.abc import Mapping

    from selectolax.lexbor import LexborNode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """One version of the article page.

    `captured_from` is the first capture in which `body` was seen; `counts` names the numbers after the dates.
    """

    name: str
    captured_from: date
    body: str
    counts: tuple[str, ...]


LAYOUTS = (
    # Scrapers of 2020-03 and 2024-06 name read__keyword; captures since 2020 print the views only.
    Layout("kompasiana-2020", date(2020, 3, 1), "div.read-content.read__keyword", ("n_views",)),
    # Captures of 2018-19: three numbers. Pages stored in the years before look the same, as far as is known.
    Layout("kompasiana-2018", date(2015, 3, 1), "div.read-content", ("n_views", "n_ratings", "n_comments")),
    # The attribute alone has worked in every scraper since 2020; kept for the next change of classes.
    Layout("kompasiana-microdata", date(2020, 3, 1), "[itemprop=articleBody]", ("n_views", "n_ratings", "n_comments")),
)
"""Newest first. Layouts that had been seen when the page was captured are tried before later ones."""

_USUAL_ADDRESSES = ("https://www.kompasiana.com/", "http://www.kompasiana.com/")
_ADDRESS_HOST = re.compile(r"(?:^|\.)kompasiana\.com$")
_SITE_NAME = re.compile(r"<meta[^>]{1,80}og:site_name[^>]{1,40}KOMPASIANA", re.IGNORECASE)
_AMP = re.compile(r"<html[^>]*?\s(?:amp|⚡)[\s=>]", re.IGNORECASE)
_DELETED = re.compile(
    r"This (?:Article|content) has been (?:deleted|removed)|(?:artikel|konten|tulisan) ini (?:telah|sudah) dihapus",
    re.IGNORECASE,
)
_DATES = re.compile(
    rf"(?P<published>{PRINTED_PATTERN})(?: Diperbarui ?:? ?(?P<updated>{PRINTED_PATTERN}))?"
    r"(?P<counts>(?: \d[\d.,]{0,12}(?![\d.,])){0,3})",
    re.IGNORECASE,
)
_HEADER_CHROME = re.compile(
    r"(?:(?:\+|Laporkan Konten|Laporkan Akun|Lihat foto|Mohon [Tt]unggu(?:\.\.\.|…)|"
    + "|".join(map(re.escape, DISCLAIMERS))
    + r") ?)+"
)
_PAGE = re.compile(r"[?&]page=(all|\d{1,4})\b")
_SITE_CLASSES = frozenset(
    "ads-skin banner-top banner-center banner-right banner-mgid ads-inf-box osmplaceonsite ads-partner-wrap "
    "pushdown-banner popupbb-overlay ol_container floatingWrap -js-related related-box reportpopup komentar-box".split()
)
_CLOSE = timedelta(minutes=2)
_LARGEST_COUNT = 2**31 - 1


def recognises(markup: Markup) -> bool:
    """Whether a page is the site's: by host, by the form of its path (a mirror), or by its name in the head."""
    url = markup.page.url
    if url.startswith(_USUAL_ADDRESSES):
        return True
    host = (urlsplit(url).hostname or "") if "//" in url else url.split("/", 1)[0]
    if _ADDRESS_HOST.search(host) or parse_mirrored_url(url):
        return True
    return _SITE_NAME.search(markup.html, 0, 5_000) is not None or 'class="page_position"' in markup.html


def extract(markup: Markup) -> Post:
    """Extract a post from an article's page.

    Parameters
    ----------
    markup : a page that `recognises` accepts.

    Returns
    -------
    The post; times in Asia/Jakarta. `is_cut` where the page shows only a part of the article.

    Raises
    ------
    ExtractionError : `deleted`, `not_a_post` (AMP and comment twins, listings), `no_body`, or `damaged` (cut off on the
        way, no id, no title).
    UnknownLayout : an article in a layout not known here.
    """
    url = markup.page.url
    if find_twin(url) or _AMP.search(markup.html, 0, 3_000):
        raise ExtractionError("not_a_post", "an AMP or comment page, without dates or body", remedy="fetch the article")
    layout, body = _find_body(markup)
    if layout is None or body is None:
        _refuse(markup)
        raise UnknownLayout
    if not markup.is_whole:
        raise ExtractionError("damaged", "the page breaks off before its end", remedy="fetch it again")
    article = _find_address(markup)
    heading = markup.tree.css_first("h1.title") or markup.tree.css_first("h1")
    title = strip_title_suffix(mend_text(read_text(heading) if heading else markup.read_meta("og:title")))
    if not title:
        raise ExtractionError("damaged", "an article without a title", remedy="look at the page; its layout may be new")
    blocks = read_blocks(body, is_inserted=_is_inserted)
    cleaned = clean_body([block.text for block in blocks])
    if not cleaned.paragraphs:
        raise ExtractionError("no_body", "the article's body is empty")
    paragraphs = _read_paragraphs(blocks, cleaned)
    counts_line = markup.tree.css_first("div.read-count")
    facts = _read_dates(markup, article, counts_line, layout)
    author, job, bio = _read_author(markup, heading)
    category, badge = _read_category(markup)
    return Post(
        post_id=article.id24,
        title=title,
        paragraphs=paragraphs,
        url=article.canonical_url,
        author=author or article.user,
        author_id=article.user,
        author_job=job,
        author_bio=bio,
        category=category,
        badge=badge,
        tags=_read_tags(markup, body),
        caption=_read_caption(counts_line, body, title),
        n_removed=cleaned.n_removed,
        is_cut=_is_cut(markup, article, blocks, cleaned),
        language=identify_language("\n".join(cleaned.paragraphs)),
        reposted_from=cleaned.repost,
        captured_at=markup.page.captured_at,
        parser=layout.name,
        **facts,
    )


def _find_body(markup: Markup) -> tuple[Layout | None, LexborNode | None]:
    for layout in _order_layouts(markup.page.captured_at.astimezone(TIMEZONE).date()):
        if node := markup.tree.css_first(layout.body):
            return layout, node
    return None, None


@lru_cache
def _order_layouts(captured_on: date) -> list[Layout]:
    return sorted(LAYOUTS, key=lambda layout: layout.captured_from > captured_on)


def _refuse(markup: Markup) -> None:
    """Raise the reason why a page without a body gives no post; return where it may be an article in a new layout."""
    tree = markup.tree
    if not markup.is_whole:
        raise ExtractionError("damaged", "the page breaks off before its end", remedy="fetch it again")
    if _DELETED.search(markup.html):
        raise ExtractionError("deleted", "the article was deleted")
    if "KEMBALI KE ARTIKEL" in markup.html:
        raise ExtractionError("not_a_post", "a comment page, with the first paragraph only", remedy="fetch the article")
    if tree.css_first(".timeline--item, .artikel--content") or not parse_mirrored_url(markup.page.url):
        raise ExtractionError("not_a_post", "a listing or another page that is no article")
    if tree.css_first("h1.title, .read-artikel__title"):
        raise ExtractionError("no_body", "an article's page without its body", remedy="fetch it again")
    if tree.css_first(".read-artikel"):
        raise ExtractionError("deleted", "the frame of an article without title and body")


def _find_address(markup: Markup) -> ArticleUrl:
    """Read the article's id where the address, the canonical link and the page's own mark agree, or most of them."""
    asked = parse_mirrored_url(markup.page.url) or parse_article_url(markup.page.url)
    link = markup.tree.css_first("link[rel=canonical]")
    canonical_url = (link.attributes.get("href") if link else None) or ""
    canonical = parse_article_url(canonical_url) or parse_mirrored_url(canonical_url)
    if asked and canonical and asked.id24 == canonical.id24:
        return asked
    mark = markup.tree.css_first("div#id_post")
    marked = ((mark.attributes.get("data-id") if mark else None) or "").lower()
    ids = [found.id24 for found in (canonical, asked) if found]
    ids += [marked] if re.fullmatch("[0-9a-f]{24}", marked) else []
    if not ids:
        raise ExtractionError("damaged", "an article without an id", remedy="look at the page; its layout may be new")
    id24 = Counter(ids).most_common(1)[0][0]
    if len(set(ids)) > 1:
        logger.warning("%s: the page names the ids %s; %s is used", markup.page.url, ", ".join(ids), id24)
    found = next((address for address in (asked, canonical) if address and address.id24 == id24), None)
    return found or ArticleUrl(user=_read_user(markup), id24=id24, slug="")


def _read_user(markup: Markup) -> str:
    link = markup.tree.css_first(".user-box > a")
    return read_path(link.attributes.get("href") if link else None) or "-"


def _read_paragraphs(blocks: list[Block], body: CleanBody) -> tuple[Paragraph, ...]:
    kinds = [blocks[position].kind for position in body.positions]
    for index in body.captions:
        kinds[index] = ParagraphKind.CAPTION
    return tuple(map(Paragraph, body.paragraphs, kinds))


def _read_dates(
    markup: Markup, article: ArticleUrl, counts_line: LexborNode | None, layout: Layout
) -> Mapping[str, Any]:
    """Read both dates, where they came from, and the counts printed after them."""
    line = fold_space(counts_line.text(separator=" ")) if counts_line else ""
    match = _DATES.search(line)
    meta_at = _parse_date(markup.json_ld.get("datePublished")) or _parse_date(markup.read_meta("content_PublishedDate"))
    if match is None:
        created_at = read_object_id_time(article.id24)
        published_at = meta_at or created_at
        source = DateSource.META if meta_at else DateSource.OBJECT_ID if created_at else DateSource.UNKNOWN
        updated_at = _parse_date(markup.json_ld.get("dateModified"))
        return {"published_at": published_at, "updated_at": updated_at, "date_source": source}
    try:
        published_at = parse_printed_date(match["published"])
        updated_at = parse_printed_date(match["updated"]) if match["updated"] else None
    except ValueError as error:
        raise ExtractionError("damaged", f"the dates cannot be read: {error}") from error
    if meta_at and abs(meta_at - published_at) > _CLOSE:
        logger.warning("%s: printed %s, in the head %s; the printed is used", markup.page.url, published_at, meta_at)
    counts = [int(count.replace(".", "").replace(",", "")) for count in match["counts"].split()]
    facts: dict[str, Any] = dict(zip(layout.counts, counts, strict=False))
    if any(count > _LARGEST_COUNT for count in counts):
        raise ExtractionError("damaged", f"the counts cannot be read: {line[:120]!r}")
    return facts | {"published_at": published_at, "updated_at": updated_at, "date_source": DateSource.PRINTED}


def _parse_date(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_imported_date(value)
    except ValueError:
        return None


def _read_author(markup: Markup, heading: LexborNode | None) -> tuple[str | None, str | None, str | None]:
    link = markup.tree.css_first(".user-box > a")
    name = mend_text(read_own_text(link)) if link else ""
    if not name:
        described = markup.json_ld.get("author")
        described = described[0] if isinstance(described, list) and described else described
        given = described.get("name") if isinstance(described, dict) else None
        name = mend_text(given if isinstance(given, str) else markup.read_meta("content_author"))
    if link is None or heading is None:
        return name or None, None, None
    lines = [*read_lines(link, heading), "title"]
    try:
        header = read_header(lines, len(lines))
    except DataError:
        return name or None, None, None
    return name or header.author, mend_text(header.job or "") or None, mend_text(header.bio or "") or None


def _read_category(markup: Markup) -> tuple[str | None, str | None]:
    holder = markup.tree.css_first(".artikel--tag")
    spans = [mend_text(read_text(node)) for node in holder.iter() if node.tag == "span"] if holder else []
    category = spans[0] if spans else mend_text(markup.read_meta("content_category"))
    badge = spans[1] if len(spans) > 1 and spans[1] in BADGES else None
    return category or None, badge


def _read_tags(markup: Markup, body: LexborNode) -> tuple[str, ...]:
    """Read the author's keywords: the list of links to tags outside of the body; the head's where there is none."""
    lists: dict[int, tuple[LexborNode, list[str]]] = {}
    for link in markup.tree.css('a[href*="/tag/"]'):
        above = link.parent
        holder = (above.parent if above is not None else None) or link
        if tag := mend_text(read_text(link)):
            lists.setdefault(holder.mem_id, (holder, []))[1].append(tag.removeprefix("#"))
    groups = [tags for holder, tags in lists.values() if not _is_inside(holder, body)]
    if len(groups) == 1:
        return tuple(dict.fromkeys(groups[0]))
    in_head = [tag for part in markup.read_meta("content_tag").split(",") if (tag := mend_text(part))]
    if not groups:
        return tuple(dict.fromkeys(in_head))
    known = {tag.casefold() for tag in in_head}
    best = max(groups, key=lambda tags: sum(tag.casefold() in known for tag in tags))
    return tuple(dict.fromkeys(best))


def _is_inside(node: LexborNode, container: LexborNode) -> bool:
    above: LexborNode | None = node
    while above is not None and above.mem_id != container.mem_id:
        above = above.parent
    return above is not None


def _read_caption(counts_line: LexborNode | None, body: LexborNode, title: str) -> str | None:
    """Read the header photo's caption: what stands between dates and body and is not one of the site's own lines."""
    if counts_line is None:
        return None
    lines = [line for line in read_lines(counts_line, body) if not _HEADER_CHROME.fullmatch(line)]
    return next((mend_text(line) for line in lines if strip_title_suffix(line) != title), None)


def _is_cut(markup: Markup, article: ArticleUrl, blocks: list[Block], body: CleanBody) -> bool:
    """Tell whether the page holds only a part of the article.

    A page holds 11 `p`; `?page=all` holds all, but prints the pager as well. Since 2025 the last page ends in a promo.
    """
    asked = _PAGE.search(markup.page.url)
    number = asked[1] if asked else "1"
    if number not in ("all", "0", "1"):
        return True
    is_promo_year = markup.page.captured_at.astimezone(TIMEZONE).year >= PROMO_ON_EVERY_LAST_PAGE_FROM
    if number == "all" and is_promo_year and body.n_promo:
        return False
    kept = set(body.positions)
    removed = [block for at, block in enumerate(blocks) if at not in kept and "Baca juga" in block.text[:40]]
    # A "Baca juga" in a div closes its p early and leaves two empty ones.
    n_site = INSERTED_EMPTY_PARAGRAPHS + sum(1 if block.is_own_p else 2 for block in removed)
    n_own = sum(block.is_own_p for block in blocks) - n_site
    if number == "all" and n_own > FIRST_PAGE_PARAGRAPHS:
        return False
    n_pages = _count_pages(markup, article)
    if number != "all" and n_pages > 1:
        return True
    if is_promo_year:
        return not body.n_promo and (n_own == FIRST_PAGE_PARAGRAPHS or (n_pages > 1 and n_own < FIRST_PAGE_PARAGRAPHS))
    ends_in_p = next((block.is_own_p for block in reversed(blocks) if block.text.strip()), True)
    return n_pages > 1 and n_own <= FIRST_PAGE_PARAGRAPHS and (number != "all" or ends_in_p)


def _count_pages(markup: Markup, article: ArticleUrl) -> int:
    """Count the article's pages by the links of its pager; 1 where there is none."""
    links = markup.tree.css(f'a[href*="{article.id24}"]')
    pages = (_PAGE.search(link.attributes.get("href") or "") for link in links)
    return max((int(page[1]) for page in pages if page and page[1] != "all"), default=1)


def _is_inserted(attributes: Mapping[str, str | None]) -> bool:
    """Whether a `div` of the body is the site's: an advertisement or a list of related articles."""
    if (attributes.get("id") or "").startswith("div-gpt-ad"):
        return True
    names = attributes.get("class")
    return bool(names) and not _SITE_CLASSES.isdisjoint((names or "").split())
