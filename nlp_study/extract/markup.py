"""HTML read into a tree and its body into paragraphs: what every site parser needs.

Parsing is selectolax with its lexbor parser, which follows HTML5: an unescaped quotation mark in `alt` breaks the
attribute and nothing else. Trees are only read: all crashes reported against it since 2025 (rushter/selectolax #135,
#217) came from changed trees or from attributes of comments. Three inputs make it slow, since it is quadratic in
nesting, in attributes of one tag, and in open formatting tags (`<b>`) before new paragraphs: 10,000 nested `<ul><li>`
take 0.6 s, 20,000 attributes 0.75 s, 2,000 `<b>` before 2,000 `<p>` 4 s. `parse_page` refuses such pages unparsed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from nlp_study.extract.boilerplate import fold_space
from nlp_study.extract.page import ExtractionError, Page
from nlp_study.schema import ParagraphKind

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

LARGEST_PAGE = 2_000_000
"""Bytes. Article pages have 30,000 to 300,000; one of 50 MB takes lexbor 4 s and 1 GB."""
DEEPEST_NESTING = 2_000
"""Levels that are still parsed; browsers stop at 512."""
_FEW_TAGS = 1_800
"""Tags up to which no formatting can cost more than 0.5 s (900 open ones before 900 paragraphs)."""
_MANY_TAGS = 10_000
"""Tags up to which no nesting can cost more than 0.2 s."""
_MOST_FORMATTING = 300
_MOST_PARAGRAPHS = 20_000
_MOST_ATTRIBUTES = 1_000
_LONG_TAG = 4_000
"""Bytes below which a tag cannot hold so many."""
_QUOTED = re.compile(rb'"[^"]*"')
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Both cases are spelled out: a pattern that ignores case is searched without the shortcut to the next "<". The first
# letters stand before the names, so that `div` and `li` are told by one look.
_FORMATTING = re.compile(
    rb"<(/?)(?=[aAbBcCeEfFiInNsStTuU])(?:[aAbBiIsSuU]|[bB][iI][gG]|[cC][oO][dD][eE]|[eE][mM]|[fF][oO][nN][tT]|[nN][oO][bB][rR]"
    rb"|[sS][mM][aA][lL]{2}|[sS][tT][rR][iI][kK][eE]|[sS][tT][rR][oO][nN][gG]|[tT]{2})[\s>/]"
)
_VOID = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dd dt option tr td th".split()
)
_ARTICLE_TYPES = ("Article", "BlogPosting")
"""Ends of the types that JSON-LD gives an article."""
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]{3,20})", re.IGNORECASE)

_BREAK = "\x1e"  # white space to `str.split`, and no page holds it
_TWO_BREAKS = re.compile(r"\x1e\s*\x1e\s*")

_HIDDEN = frozenset(
    "script style noscript template iframe object embed video audio canvas svg math button form input select textarea "
    "nav aside head title -comment".split()
)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_INLINE = frozenset(
    "-text a abbr acronym b bdi bdo big br cite code del dfn em font i img ins kbd label mark q ruby rt rp s samp small span "
    "strike strong sub sup time tt u var wbr picture source".split()
)
_DEEPEST_BLOCKS = 60
"""Levels below which a piece of the body is read as one paragraph."""


class UnknownLayout(Exception):
    """A whole page of a known site, perhaps an article, in a layout that its parser does not know."""


class Block(NamedTuple):
    """A paragraph of a body as it stands in the page, white space not folded.

    `is_own_p`: a `p` right below the container; the site counts these for its pages. `has_picture`: it holds an image.
    """

    text: str
    kind: ParagraphKind = ParagraphKind.TEXT
    is_own_p: bool = False
    has_picture: bool = False


@dataclass(frozen=True)
class Markup:
    """A page parsed: its decoded text, its tree, and what its head says."""

    page: Page
    html: str
    tree: LexborHTMLParser = field(repr=False)

    def read_meta(self, name: str) -> str:
        """Content of the first meta tag with this `name` or `property`, "" where there is none."""
        node = self.tree.css_first(f'meta[name="{name}"]') or self.tree.css_first(f'meta[property="{name}"]')
        return ((node.attributes.get("content") if node else None) or "").strip()

    @cached_property
    def json_ld(self) -> Mapping[str, Any]:
        """The first JSON-LD object that describes an article; empty where there is none or it is broken."""
        end = 0
        while (begin := self.html.find("application/ld+json", end)) >= 0:
            begin = self.html.find(">", begin) + 1
            end = self.html.find("</script", begin)
            if not begin or end < 0:
                break
            described = self.html[begin:end]
            if not any(name in described for name in _ARTICLE_TYPES) and "\\u" not in described:
                continue  # a trail or an organisation: not worth parsing
            try:
                parsed = json.loads(described)
            except (ValueError, RecursionError):  # titles with quotation marks are not escaped there either
                continue
            items = parsed if isinstance(parsed, list) else [parsed]
            items += [part for item in items if isinstance(item, dict) for part in _as_list(item.get("@graph"))]
            for item in items:
                kinds = _as_list(item.get("@type")) if isinstance(item, dict) else []
                if any(isinstance(kind, str) and kind.endswith(_ARTICLE_TYPES) for kind in kinds):
                    return item
        return {}

    def first_text(self, selector: str) -> str:
        """Text of the first element that matches, "" where none does."""
        node = self.tree.css_first(selector)
        return read_text(node) if node else ""

    @property
    def is_whole(self) -> bool:
        """Whether the page ends as HTML pages do; one cut off on the way does not."""
        # From the end, where it stands.
        return self.html.rfind("</html>") >= 0 or self.html.rfind("</HTML>") >= 0


def parse_page(page: Page) -> Markup:
    """Decode and parse a page.

    Raises
    ------
    ExtractionError : `damaged` where the page is empty, binary, or of a size or shape that no article has.
    """
    from selectolax.lexbor import LexborHTMLParser

    _check_shape(page.body)
    html, is_utf8 = _decode(page)
    if "<" not in html:
        raise ExtractionError("damaged", "the page holds no HTML", remedy="fetch it again")
    # The parser takes bytes for UTF-8; that spares encoding the text again.
    return Markup(page, html, LexborHTMLParser(page.body if is_utf8 else html))


def decode_page(page: Page) -> str:
    """Decode a page as UTF-8, which the site declares and uses, whatever the header says.

    Only bytes that are not UTF-8 are read as the declared encoding; without a usable one as Windows-1252, except that a
    few broken bytes in a text that is UTF-8 otherwise become U+FFFD. Null characters are dropped.
    """
    return _decode(page)[0]


def _decode(page: Page) -> tuple[str, bool]:
    """Decode a page; also tell whether its bytes are that text in UTF-8."""
    body = page.body
    try:
        is_utf8 = not body.startswith(b"\xef\xbb\xbf")
        html = body.decode("utf-8" if is_utf8 else "utf-8-sig")
        if b"\0" not in body:  # faster than to look for it in the text
            return html, is_utf8
    except UnicodeDecodeError:
        html, is_utf8 = _decode_other(body, page.content_type), False
    return (html.replace("\0", ""), False) if "\0" in html else (html, is_utf8)


def _decode_other(body: bytes, content_type: str) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    html = body.decode("utf-8", "replace")
    n_broken = html.count("\ufffd")
    n_characters = sum(byte >= 0xC2 for byte in body) - n_broken
    if n_broken * 4 <= n_characters:
        return html
    declared = _DECLARED.search(content_type.encode("ascii", "ignore")) or _DECLARED.search(body[:4096])
    name = declared[1].decode().lower() if declared else ""
    if name in ("", "utf-8", "utf8", "iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"):
        name = "windows-1252"  # as browsers do
    try:
        return body.decode(name, "replace")
    except LookupError:
        return body.decode("windows-1252", "replace")


def _check_shape(body: bytes) -> None:
    """Refuse pages on which the parser would need seconds; see the module for what and why."""
    if not body or body.isspace():
        raise ExtractionError("damaged", "the page is empty", remedy="fetch it again")
    if len(body) > LARGEST_PAGE:
        raise ExtractionError("damaged", f"the page has {len(body):,} bytes, more than any article")
    for piece in _find_stretches(body):
        end = piece.find(b">")
        tag = piece if end < 0 else piece[:end]
        if len(tag) > _LONG_TAG and len(_QUOTED.sub(b"", tag).split()) > _MOST_ATTRIBUTES:
            raise ExtractionError("damaged", f"a tag has more than {_MOST_ATTRIBUTES:,} attributes")
    n_tags = body.count(b"<")
    if n_tags > _FEW_TAGS:
        n_open = 0
        for slash in _FORMATTING.findall(body):
            n_open = max(0, n_open - 1) if slash else n_open + 1
            if n_open > _MOST_FORMATTING:
                raise ExtractionError("damaged", f"the page opens more than {_MOST_FORMATTING} formatting tags at once")
    if n_tags > _MANY_TAGS:
        _check_nesting(body)


def _find_stretches(body: bytes) -> Iterator[bytes]:
    """Find what stands between two "<" more than `_LONG_TAG` bytes apart, without looking at every "<".

    Each such stretch fills one of the pieces, half as long, that begin at multiples of their length.
    """
    at, half = 0, _LONG_TAG // 2
    while at < len(body) - half:
        if body.find(b"<", at, at + half) >= 0:
            at += half
            continue
        begin, end = body.rfind(b"<", 0, at) + 1, body.find(b"<", at + half)
        end = end if end >= 0 else len(body)
        if end - begin > _LONG_TAG:
            yield body[begin:end]
        at += (end - at) // half * half


def _check_nesting(body: bytes) -> None:
    n_open: Counter[bytes] = Counter()
    depth = 0
    for slash, name in _TAG.findall(body):
        tag = name.lower()
        if not slash and tag not in _VOID:
            n_open[tag] += 1
            depth += 1
        elif slash and n_open[tag]:
            n_open[tag] -= 1
            depth -= 1
        if depth > DEEPEST_NESTING:
            raise ExtractionError("damaged", f"the page nests more than {DEEPEST_NESTING:,} elements")


def read_text(node: LexborNode) -> str:
    """Text of an element as a reader sees it: no scripts, `br` as a space, white space folded."""
    first = node.first_child
    if first is not None and first.next is None and first.tag == "-text":  # most elements; spares them the general way
        return " ".join((first.text_content or "").split())
    pieces: list[str] = []
    _collect(node, pieces, [], 0)
    return " ".join("".join(pieces).split())


def read_path(address: str | None) -> str:
    """Path of an address that a page gives, without slashes around it; "" where it is none."""
    try:
        return urlsplit(address or "").path.strip("/")
    except ValueError:
        return ""


def read_own_text(node: LexborNode) -> str:
    """Text right below an element, without that of its child elements, white space folded."""
    return " ".join(node.text(deep=False, separator=" ").split())


def read_lines(start: LexborNode, end: LexborNode) -> list[str]:
    """Visible text between two elements in document order, one block a line, white space folded, none empty.

    What the site prints without a class of its own (job, biography, the caption of the header photo) is told by its
    place among these lines, which all captures since 2018 agree on.

    Parameters
    ----------
    start, end : elements; the text inside of both is left out. Where `end` does not follow, reading stops after
        2,000 nodes.
    """
    pieces: list[str] = []
    stop = end.mem_id
    node, parts_lines, following = start, start.tag not in _INLINE, None
    for _ in range(2_000):
        while following is None:
            if parts_lines:
                pieces.append("\n")
            following = node.next
            if following is None:
                above = node.parent
                if above is None:
                    break
                node, parts_lines = above, above.tag not in _INLINE
        if following is None or following.mem_id == stop:
            break
        node, tag = following, following.tag
        if tag == "-text":
            text = node.text_content or ""
            # Line feeds inside of text are white space; only block boundaries part lines.
            pieces.append(text.replace("\n", " ") if "\n" in text and text != "\n" else text)
            parts_lines, following = False, None
        else:
            parts_lines = tag not in _INLINE
            if parts_lines or tag == "br":
                pieces.append("\n")
            following = node.first_child if tag not in _HIDDEN else None
    texts = "".join(pieces).split("\n")
    return [line for text in texts if text and not text.isspace() and (line := fold_space(text))]


def read_blocks(container: LexborNode, *, is_inserted: Callable[[Mapping[str, str | None]], bool]) -> list[Block]:
    """Read a body into paragraphs with their kinds; empty ones are kept where they are a `p`.

    Text outside of any `p`, as before 2015, becomes paragraphs as well; two `br` part paragraphs. Captions of pictures
    come out as paragraphs of their own, after the paragraph that holds the picture.

    Parameters
    ----------
    is_inserted : tells from its attributes whether a `div` or `section` is the site's (an advertisement, related posts).
    """
    blocks: list[Block] = []
    _read_children(container, ParagraphKind.TEXT, blocks, is_inserted, 0)
    if len(blocks) > _MOST_PARAGRAPHS:
        raise ExtractionError("damaged", f"the body has {len(blocks):,} paragraphs, more than any article")
    return blocks


def _read_children(
    container: LexborNode,
    kind: ParagraphKind,
    blocks: list[Block],
    is_inserted: Callable[[Mapping[str, str | None]], bool],
    depth: int,
) -> None:
    loose: list[LexborNode] = []  # text and inline elements between blocks
    child = container.first_child
    while child is not None:
        tag = child.tag
        if tag == "p":
            if loose:
                _add_paragraphs(loose, kind, blocks, False)
            first = child.first_child
            # Most paragraphs are one text; this spares them the general way.
            if first is None:
                blocks.append(Block("", kind, depth == 0))
            elif first.next is None and first.tag == "-text":
                blocks.append(Block(first.text_content or "", kind, depth == 0))
            else:
                _add_paragraphs(_list_children(child), kind, blocks, depth == 0)
                if blocks and blocks[-1].has_picture and _is_caption(child):
                    blocks[-1] = blocks[-1]._replace(kind=ParagraphKind.CAPTION)
        elif tag == "-text":
            if loose or not (child.text_content or " ").isspace():
                loose.append(child)
        elif tag in _INLINE and not _holds_blocks(child):
            loose.append(child)
        elif tag not in _HIDDEN and tag is not None:
            if loose:
                _add_paragraphs(loose, kind, blocks, False)
            if tag in _HEADINGS:
                _add_paragraphs(_list_children(child), ParagraphKind.HEADING, blocks, False)
            elif tag == "figcaption":
                _add_paragraphs(_list_children(child), ParagraphKind.CAPTION, blocks, False)
            elif depth >= _DEEPEST_BLOCKS:
                blocks.append(Block(child.text(separator=" "), kind))
            elif not (tag in ("div", "section") and is_inserted(child.attributes)):
                inner = kind
                if tag in ("ul", "ol", "dl"):
                    inner = ParagraphKind.LIST
                elif tag == "blockquote":
                    inner = ParagraphKind.QUOTE
                _read_children(child, inner, blocks, is_inserted, depth + 1)
        child = child.next
    if loose:
        _add_paragraphs(loose, kind, blocks, False)


def _holds_blocks(node: LexborNode) -> bool:
    """Whether an inline element wraps paragraphs, as `<span><p>` does."""
    return any(child.tag == "p" or child.tag == "div" for child in _list_children(node))


def _is_caption(node: LexborNode) -> bool:
    names = node.attributes.get("class") or ""
    return "img-read" in names or "wp-caption" in names


def _list_children(node: LexborNode) -> list[LexborNode]:
    children = []
    child = node.first_child
    while child is not None:
        children.append(child)
        child = child.next
    return children


def _add_paragraphs(nodes: list[LexborNode], kind: ParagraphKind, blocks: list[Block], is_own_p: bool) -> None:
    """Add the paragraph that the nodes make, several where `br` parts them; then clear `nodes`."""
    pieces: list[str] = []
    captions: list[str] = []
    n_pictures = 0
    for node in nodes:
        if node.tag == "-text":
            pieces.append(node.text_content or "")
        else:
            n_pictures += _collect_element(node, pieces, captions, 0)
    nodes.clear()
    text = "".join(pieces)
    if _BREAK in text:
        first, *others = _TWO_BREAKS.split(text.strip())
    else:
        first, others = text, []
    if is_own_p or not (first.isspace() or not first):
        blocks.append(Block(first, kind, is_own_p, n_pictures > 0))
    if others:
        blocks += [Block(other, kind) for other in others]
    if captions:
        blocks += [Block(caption, ParagraphKind.CAPTION) for caption in captions]


def _collect(node: LexborNode, pieces: list[str], captions: list[str], depth: int) -> int:
    n_pictures = 0
    child = node.first_child
    while child is not None:
        if child.tag == "-text":
            pieces.append(child.text_content or "")
        else:
            n_pictures += _collect_element(child, pieces, captions, depth)
        child = child.next
    return n_pictures


def _collect_element(node: LexborNode, pieces: list[str], captions: list[str], depth: int) -> int:
    """Collect the text of an element; return how many pictures it holds."""
    tag = node.tag
    if tag == "br":
        pieces.append(_BREAK)
        return 0
    if tag == "img":
        return 1
    if tag in _HIDDEN:
        return 0
    if depth >= _DEEPEST_BLOCKS:
        pieces.append(node.text())
        return 0
    if tag == "span" and "fr-img-caption" in (node.attributes.get("class") or ""):
        caption: list[str] = []
        n_pictures = _collect(node, caption, captions, depth + 1)
        if text := "".join(caption).strip():
            captions.append(text)
        return n_pictures
    is_block = tag not in _INLINE
    if is_block:
        pieces.append(" ")
    n_pictures = _collect(node, pieces, captions, depth + 1)
    if is_block:
        pieces.append(" ")
    return n_pictures


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
