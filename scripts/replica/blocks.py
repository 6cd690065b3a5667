"""Pieces of an article as its author left them: their HTML, and the paragraphs that must come out of it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nlp_study.extract.boilerplate import fold_space
from nlp_study.schema import Paragraph, ParagraphKind, Repost
from scripts.replica.truth import HOST, Era

DISCLAIMER_2022 = "Kompasiana adalah platform blog, setiap konten menjadi tanggungjawab kreator."
DISCLAIMER_2023 = (
    "Kompasiana adalah platform blog. Konten ini menjadi tanggung jawab bloger"
    " dan tidak mewakili pandangan redaksi Kompas."
)
CALL_TO_WRITE = "Tulis opini Anda seputar isu terkini di Kompasiana.com"


@dataclass(frozen=True, slots=True)
class Block:
    """A direct child of the body. `n_p` is 1 where it is a `p` that the site counts for its 11 a page, else 0."""

    html: str
    expected: tuple[Paragraph, ...] = ()
    n_p: int = 1
    n_footer: int = 0


def make_inline(text: str, rng: random.Random, *, links: Sequence[str] = ()) -> str:
    """Return a paragraph's text as an editor's HTML: emphasis, links, entities and odd white space, text unchanged.

    Parameters
    ----------
    links : keywords that the site turns into links to `/tag/` where they occur.
    """
    words = escape(text, quote=False).split(" ")
    roll = rng.random()
    if len(words) > 8 and roll < 0.5:
        at = rng.randrange(len(words) - 4)
        n = rng.randrange(1, 4)
        opening, closing = rng.choice(
            (
                ("<strong>", "</strong>"),
                ("<em>", "</em>"),
                ('<span style="font-size:14px">', "</span>"),
                ('<a href="https://example.org/rujukan?a=1&b=2" target="_blank" rel="nofollow">', "</a>"),
                ("<b><i>", "</i></b>"),
            )
        )
        words[at] = opening + words[at]
        words[at + n - 1] += closing
    html = " ".join(words).replace("\n", rng.choice(("<br>", "<br />\n", "<br/>")))
    if roll > 0.6:
        spaces = [match.start() for match in re.finditer(r"(?<=\w) (?=\w)", re.sub(r"<[^>]*>", _blank, html))]
        if spaces:
            at = rng.choice(spaces)
            html = html[:at] + rng.choice(("&nbsp;", "\u00a0", "  ", "\n", "&nbsp; ", "\u200b ")) + html[at + 1 :]
    if roll < 0.25:
        html = html.replace("“", "&ldquo;").replace("”", "&rdquo;").replace("’", "&rsquo;")
    elif roll < 0.35 and "<" not in html:
        html = html.replace('"', "&quot;")
    for keyword in links:
        if rng.random() < 0.3 and "<" not in html:
            slug = keyword.replace(" ", "-")
            pattern = re.compile(rf"\b{re.escape(keyword)}\b")
            html = pattern.sub(f'<a href="{HOST}/tag/{slug}" class="tag-link">{keyword}</a>', html, count=1)
    return html


def make_text(text: str, rng: random.Random, *, links: Sequence[str] = ()) -> Block:
    """Return a plain paragraph; numbered lines of it become a list, other lines are parted by `br`."""
    lines = text.split("\n")
    if len(lines) > 1 and all(re.match(r"\d+[.)] \S", line) for line in lines):
        return make_list([re.sub(r"^\d+[.)] ", "", line) for line in lines], rng, tag="ol")
    attributes = rng.choice(("", "", "", ' style="text-align:justify"', ' dir="ltr"', ' class="MsoNormal"'))
    before, after = rng.choice((("", ""), ("", ""), (" ", " "), ("", "&nbsp;"), ("\n    ", "\n"), ("", "<br>")))
    html = f"<p{attributes}>{before}{make_inline(text, rng, links=links)}{after}</p>"
    return Block(html, (Paragraph(fold_space(text)),))


def make_list(items: Sequence[str], rng: random.Random, *, tag: str = "ul") -> Block:
    """Return a list; every item is a paragraph of its own, without marker."""
    inner = "".join(
        f"<li>{make_inline(item, rng)}</li>\n" if rng.random() < 0.7 else f"<li><p>{make_inline(item, rng)}</p></li>"
        for item in items
    )
    return Block(f"<{tag}>{inner}</{tag}>", tuple(Paragraph(fold_space(x), ParagraphKind.LIST) for x in items), 0)


def make_heading(text: str, rng: random.Random) -> Block:
    """Return a heading of the author."""
    tag = rng.choice(("h2", "h3", "h3", "h4"))
    inner = f"<strong>{escape(text, quote=False)}</strong>" if rng.random() < 0.4 else escape(text, quote=False)
    return Block(f"<{tag}>{inner}</{tag}>", (Paragraph(fold_space(text), ParagraphKind.HEADING),), 0)


def make_quote(texts: Sequence[str], rng: random.Random) -> Block:
    """Return a block quotation of one or more paragraphs."""
    if len(texts) == 1 and rng.random() < 0.5:
        inner = make_inline(texts[0], rng)
    else:
        inner = "\n".join(f"<p>{make_inline(text, rng)}</p>" for text in texts)
    expected = tuple(Paragraph(fold_space(text), ParagraphKind.QUOTE) for text in texts)
    return Block(f"<blockquote>{inner}</blockquote>", expected, 0)


def make_image(caption: str | None, era: Era, rng: random.Random) -> Block:
    """Return an image in the body, in the markup of its time; the caption stands in `alt` as well, unescaped."""
    name = f"{rng.choice(('pasar', 'warung', 'img', 'whatsapp-image'))}-{rng.getrandbits(96):024x}.jpg"
    source = f"https://assets-a{rng.randrange(1, 6)}.kompasiana.com/items/album/2022/05/11/{name}?t=o&v=770"
    shown = escape(caption, quote=False) if caption else ""
    expected = (Paragraph(fold_space(caption), ParagraphKind.CAPTION),) if caption else ()
    if era in (Era.COUNTS_2018, Era.UNDERSCORE_2016):
        text = f'<span class="img-caption">{shown}</span>' if caption else ""
        return Block(
            f'<p class="img-read"><span class="img"><img src="{source}" alt="{caption or ""}"></span>{text}</p>',
            expected,
        )
    text = f'<span class="fr-inner">{shown}</span>' if caption else ""
    html = (
        f'<p><span class="fr-img-caption fr-fic fr-dib" style="width: {rng.randrange(300, 780)}px;">'
        f'<span class="fr-img-wrap"><img src="{source}" alt="{caption or ""}">{text}</span></span></p>'
    )
    return Block(html, expected)


def make_footer(repost: Repost, rng: random.Random) -> list[Block]:
    """Return the footer that the site's clipboard adds to copied text, in one of the forms it was pasted in."""
    title, url, author = (escape(value or "", quote=False) for value in (repost.title, repost.url, repost.author))
    form = rng.randrange(5)
    disclaimer = rng.choice((DISCLAIMER_2022, DISCLAIMER_2023))
    opening = f'Konten ini telah tayang di Kompasiana.com dengan judul "{title}", Klik untuk baca:'
    if form == 4:  # the oldest order, without disclaimer
        opening = f'Konten ini telah tayang di Kompasiana.com dengan judul "{title}",'
        return [
            Block(f"<p>{opening}<br><br>\r\nKreator: {author}<br>\r\nKlik untuk baca:<br>\r\n{url}</p>", n_footer=1)
        ]
    if form == 3:
        opening = opening.replace('"', "&quot;")
        line = f"{opening} {url}  Kreator: {author}    {disclaimer}  {CALL_TO_WRITE}"
        return [Block(f"<p>{line}</p>", n_footer=1)]
    if form == 2:
        opening = opening.replace('"', "&quot;")
    heads = [f"{opening}<br />{url}"] if form else [opening, url]
    empty = [Block(rng.choice(("<p><br></p>", "<p>&nbsp;</p>")))]
    lines = [Block(f"<p>{line}</p>", n_footer=1) for line in (*heads, f"Kreator: {author}", disclaimer, CALL_TO_WRITE)]
    return [*lines[: len(heads)], *(empty if form == 0 else []), *lines[len(heads) :]]


def make_migrated(paragraphs: Sequence[str], caption: str | None, rng: random.Random) -> list[Block]:
    """Return a body of before 2015: one `p`, paragraphs parted by `br`, shortcodes and image names as text."""
    parts: list[str] = []
    expected: list[Paragraph] = []
    if rng.random() < 0.6:
        name = rng.choice((f"{rng.randrange(10**18, 10**19)}", f"pasar-pagi-{rng.getrandbits(96):024x}.jpg"))
        parts += [name, name]
    if caption:
        number = rng.randrange(10_000, 999_999)
        shown = escape(caption, quote=False)
        head = f'[caption id="attachment_{number}" align="aligncenter" width="{rng.randrange(300, 640)}"'
        parts.append(f'{head} caption="{shown}"][/caption]' if rng.random() < 0.5 else f"{head}]{shown}[/caption]")
        expected.append(Paragraph(fold_space(caption), ParagraphKind.CAPTION))
    for text in paragraphs:
        parts.append(escape(text, quote=False).replace("\n", "<br />"))
        expected.append(Paragraph(fold_space(text)))
    gap = rng.choice(("<br /><br />", "<br />\n<br />", "<br> &nbsp;<br>"))
    return [Block(f"<p>{gap.join(parts)}</p>", tuple(expected))]


def spoil(text: str) -> str:
    """Return the text as it looks when its UTF-8 bytes were read as Windows-1252 and stored so."""
    return "".join(_spoil_byte(byte) for byte in text.encode())


def _spoil_byte(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _blank(match: re.Match[str]) -> str:
    return "#" * len(match[0])
