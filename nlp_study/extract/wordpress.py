"""Posts from blogs that run WordPress with a theme of the usual names (entry-title, entry-content).

The names are those of the hAtom microformat that the default themes since 2010 carry; themes that dropped them are left
to the fallback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urljoin

from nlp_study.extract.boilerplate import clean_body, mend_text
from nlp_study.extract.dates import parse_imported_date
from nlp_study.extract.language import identify_language
from nlp_study.extract.markup import Markup, UnknownLayout, read_blocks, read_path, read_text
from nlp_study.extract.page import ExtractionError
from nlp_study.extract.urls import make_post_id
from nlp_study.schema import DateSource, Paragraph, ParagraphKind, Post

_GENERATOR = re.compile(r"<meta[^>]{1,60}generator[^>]{1,40}WordPress|/wp-content/|/wp-includes/", re.IGNORECASE)
_INSERTED = re.compile(
    r"sharedaddy|jp-relatedposts|wp-block-buttons|addtoany|post-navigation|author-box|wpcnt|code-block"
)
_POST = re.compile(r"\bsingle(?:-post)?\b")
_CONTENT = ".entry-content"


def recognises(markup: Markup) -> bool:
    """Whether WordPress made the page."""
    return _GENERATOR.search(markup.html) is not None


def extract(markup: Markup) -> Post:
    """Extract a post from a blog's page.

    Returns
    -------
    The post; `author_id` is the account in the address of the author's page, or the name.

    Raises
    ------
    ExtractionError : `not_a_post` for lists of posts, `no_body` where the body is empty.
    UnknownLayout : the theme has no `entry-content`, or no title.
    """
    tree = markup.tree
    bodies = tree.css(_CONTENT)
    if not bodies:
        raise UnknownLayout
    classes = (tree.body.attributes.get("class") if tree.body else None) or ""
    if len(bodies) > 1 and not _POST.search(classes):
        raise ExtractionError("not_a_post", f"a list of {len(bodies)} posts")
    title = mend_text(markup.first_text("h1.entry-title") or markup.read_meta("og:title"))
    if not title:
        raise UnknownLayout
    blocks = read_blocks(bodies[0], is_inserted=_is_inserted)
    body = clean_body([block.text for block in blocks])
    if not body.paragraphs:
        raise ExtractionError("no_body", "the post's body is empty")
    author = tree.css_first(".author.vcard a, a[rel=author], .byline a")
    name = mend_text(read_text(author)) if author else mend_text(markup.read_meta("author"))
    published_at = _read_time(markup, "time.published, time.entry-date", "article:published_time", "datePublished")
    link = tree.css_first("link[rel=canonical]")
    return Post(
        post_id=make_post_id(
            author=name or None, title=title, published_at=published_at, first_paragraph=body.paragraphs[0]
        ),
        title=title,
        paragraphs=tuple(
            Paragraph(text, ParagraphKind.CAPTION if index in body.captions else blocks[position].kind)
            for index, (text, position) in enumerate(zip(body.paragraphs, body.positions, strict=True))
        ),
        url=_join(markup.page.url, link.attributes.get("href") if link else None),
        author=name or None,
        author_id=_read_account(author.attributes.get("href") if author else None) or name or None,
        category=mend_text(markup.first_text('.cat-links a, a[rel~="category"]')) or None,
        tags=_read_tags(markup),
        published_at=published_at,
        updated_at=_read_time(markup, "time.updated", "article:modified_time", "dateModified"),
        date_source=DateSource.META if published_at else DateSource.UNKNOWN,
        n_removed=body.n_removed,
        is_cut=not markup.is_whole,
        language=identify_language("\n".join(body.paragraphs)),
        reposted_from=body.repost,
        captured_at=markup.page.captured_at,
        parser="wordpress-1",
    )


def _read_tags(markup: Markup) -> tuple[str, ...]:
    # An element that matches two selectors of a list comes twice.
    links = markup.tree.css('.tags-links a, a[rel="tag"]')
    return tuple(dict.fromkeys(tag for link in links if (tag := mend_text(read_text(link)))))


def _is_inserted(attributes: Mapping[str, str | None]) -> bool:
    return bool(_INSERTED.search(f"{attributes.get('class')} {attributes.get('id')}"))


def _join(url: str, address: str | None) -> str:
    try:
        return urljoin(url, address or "") or url
    except ValueError:
        return url


def _read_account(address: str | None) -> str | None:
    return read_path(address).rsplit("/", 1)[-1] or None


def _read_time(markup: Markup, selector: str, name: str, key: str) -> datetime | None:
    node = markup.tree.css_first(selector)
    for value in (node.attributes.get("datetime") if node else None, markup.read_meta(name), markup.json_ld.get(key)):
        if isinstance(value, str):
            try:
                return parse_imported_date(value)
            except ValueError:
                continue
    return None
