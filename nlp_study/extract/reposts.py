"""The footer that the site's clipboard adds to copied text, read into its source and taken out.

Accounts that repost an article paste it with the footer, often in the middle, because each copied part brings its own.
Seven forms are known (2020-2024): paragraphs, lines, or one line; the author before or after the address; with the
disclaimer of 2022, that of 2023, or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_study.extract.urls import parse_article_url
from nlp_study.schema import Repost

_START = "Konten ini telah tayang di Kompasiana.com dengan judul"
_MOST_LINES = 10
"""Lines that a footer may fill: title, words, address, author, disclaimer, invitation, and room for a broken title."""
_DISCLAIMER = (
    r"Kompasiana adalah platform blog(?:\. Konten ini menjadi tanggung jawab bloger dan tidak mewakili pandangan redaksi"
    r" Kompas\.?|, setiap konten menjadi tanggungjawab kreator\.?)"
)
_INVITATION = r"Tulis opini Anda seputar isu terkini di Kompasiana\.com"
# A title may hold quotation marks itself, so it ends at those before the next words of the footer.
_FOOTER = re.compile(
    rf"""
    {re.escape(_START)}\s*["“”'](?P<title>.{{1,400}}?)["“”']\s*,?\s*
    (?:Kreator\s*:\s*(?P<first_author>[^\n]{{1,80}}?)\s*)?
    Klik\ untuk\ baca\s*:?\s*
    (?P<url>(?:https?://|www\.)\S+)
    (?:\s*Kreator\s*:\s*(?P<author>[^\n]{{1,80}}?)(?=\n|$|\s*Kompasiana\ adalah\ platform|\s*Tulis\ opini\ Anda))?
    (?:\s*{_DISCLAIMER.replace(" ", chr(92) + " ")})?
    (?:\s*{_INVITATION.replace(" ", chr(92) + " ")}\.?)?
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Footers:
    """A body without pasted footers.

    `lines` holds (position, text) pairs as given, shape (n_lines,); a line that held text beside a footer keeps the
    text. `n_lines` counts the lines that a footer filled. `source` is that of the first footer.
    """

    lines: list[tuple[int, str]]
    source: Repost | None
    n_lines: int


def take_footers(lines: Sequence[tuple[int, str]]) -> Footers:
    """Take pasted footers out of a body, and read the post that the text was copied from.

    What only resembles a footer stays: one without the address of the post, or with other words in between.

    Parameters
    ----------
    lines : (position, text) pairs, white space folded, none empty, shape (n_lines,).
    """
    if _START not in "\n".join([text for _, text in lines]):
        return Footers(list(lines), None, 0)
    kept = list(lines)
    source, n_lines, at = None, 0, 0
    while at < len(kept):
        position, line = kept[at]
        begin = line.find(_START)
        match = None
        if begin >= 0:
            texts = [line[begin:], *(text for _, text in kept[at + 1 : at + _MOST_LINES])]
            match = _FOOTER.match("\n".join(texts))
        if match is None:
            at += 1
            continue
        source = source or _read_source(match)
        before = line[:begin].rstrip()
        taken, end = at, match.end() - len(texts[0])
        while end > 0:
            taken += 1
            end -= 1 + len(kept[taken][1])
        after = kept[taken][1][len(kept[taken][1]) + end :].strip()
        n_lines += taken - at + 1
        rest = [(position, before)] if before else []
        rest += [(kept[taken][0], after)] if after else []
        kept[at : taken + 1] = rest
        at += 1 if before else 0
    return Footers(kept, source, n_lines)


def _read_source(match: re.Match[str]) -> Repost:
    article = parse_article_url(match["url"])
    author = match["author"] or match["first_author"]
    return Repost(
        title=" ".join(match["title"].split()),
        url=article.canonical_url if article else match["url"],
        author=author.strip() if author else None,
    )
