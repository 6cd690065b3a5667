"""What the site puts into an article's body, and how it is taken out again.

Rules over lists of paragraphs, shared by every extractor and importer. They remove only what the site is known to
insert; text that merely resembles it stays, because a lost sentence of the author is worse than a line of noise.
The footer that readers paste with copied text ("Konten ini telah tayang di ...") is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

DISCLAIMERS = (
    "Kompasiana adalah platform blog. Konten ini menjadi tanggung jawab bloger"
    " dan tidak mewakili pandangan redaksi Kompas.",
    "Kompasiana adalah platform blog, setiap konten menjadi tanggungjawab kreator.",
)
"""The site's disclaimer since about 2023, and that of 2022."""

FIRST_PAGE_PARAGRAPHS = 11
"""`p` elements of the article on one page (14 of 14 first pages of November 2025 without promo); the promo is one."""
INSERTED_EMPTY_PARAGRAPHS = 4
"""Empty `p` that a page holds as advertising slots, whatever the article's length (20 of 20)."""
PROMO_ON_EVERY_LAST_PAGE_FROM = 2025
"""Year of capture from which a body without promo is not the whole article; one of 2024 was complete without."""

LONGEST_TITLE = 210
"""Characters in the longest slug of 6,002; a longer text after "Baca juga:" is not a title."""

# Zero-width and soft-hyphen characters break words in two for every later stage; joiners of emoji are left in.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
# A no-break space that was read as Latin-1 leaves this letter before a space or at the end of a line.
_STRAY_LETTER = re.compile(r"Â(?=\s|$)")

_CHANNEL = r"https?://(?:www\.)?whatsapp\.com/channel/"
_PROMO_PARTS = (
    r"Baca konten-konten menarik Kompasiana langsung dari smartphone kamu ?\.?",
    rf"Follow channel WhatsApp Kompasiana sekarang di sini ?:?(?: ?{_CHANNEL}\w+)?\.?",
    rf"{_CHANNEL}0029VaYjYaL4Spk7WflFYJ2H",
    r"Follow Instagram @kompasianacom juga Tiktok @kompasiana biar nggak ketinggalan event seru komunitas"
    r" dan tips dapat cuan dari Kompasiana ?\.?",
    r"Baca juga cerita inspiratif langsung dari smartphone kamu"
    r" dengan bergabung di WhatsApp Channel Kompasiana di SINI ?\.?",
)
_PROMO = re.compile(rf"(?:(?:{'|'.join(_PROMO_PARTS)}) ?)+", re.IGNORECASE)
_PROMO_AT_END = re.compile(rf" (?:(?:{'|'.join(_PROMO_PARTS)}) ?)+$", re.IGNORECASE)
_PROMO_START = re.compile(r"Baca|Follow|https?:", re.IGNORECASE)
_PROMO_LINES = 12
"""Most lines that a promo is looked for in: a scraper that breaks at links gives one line a handle."""

_RELATED = re.compile(r"Baca [Jj]uga ?:(?: ?(?P<title>.+))?")
# A full stop before a capital ends a sentence, unless the word before it looks like an abbreviation ("Dr.", "Vol.").
_SENTENCE_BREAK = re.compile(r"(?:\b[a-z]\w*|\b\w{5,}|\b\d+)[\"”')]?\. +[\"“'(]?[A-Z]")
_TITLE_SUFFIX = re.compile(r"(?: Halaman \d+)? - Kompasiana\.com$")


@dataclass(frozen=True, slots=True)
class CleanBody:
    """A body without the site's own paragraphs.

    `positions` holds, for each paragraph kept, its index in the list that was given, shape (n_paragraphs,).
    A promo or "Baca juga" that stood on several lines counts as one paragraph removed; empty ones are not counted.
    """

    paragraphs: tuple[str, ...]
    positions: tuple[int, ...]
    n_promo: int
    n_related: int
    n_disclaimers: int
    n_related_lines: int

    @property
    def n_removed(self) -> int:
        """Paragraphs of the site taken out."""
        return self.n_promo + self.n_related + self.n_disclaimers


def fold_space(text: str) -> str:
    """Fold every run of white space (no-break and line breaks included) to one space, and trim.

    Also drops zero-width characters and the `Â` that a no-break space read as Latin-1 leaves behind.
    """
    return " ".join(_STRAY_LETTER.sub("", _INVISIBLE.sub("", text)).split())


def split_lines(text: str) -> list[str]:
    """Split at line feeds and carriage returns only, and fold each line.

    `str.splitlines` would also split at U+2028 and U+0085, which pasted articles hold inside a paragraph.
    """
    return [fold_space(line) for line in re.split(r"\r\n|\r|\n", text)]


def strip_title_suffix(title: str) -> str:
    """Remove what the site's title element adds: ` - Kompasiana.com` and, on a later page, ` Halaman 2`."""
    return _TITLE_SUFFIX.sub("", fold_space(title))


def clean_body(paragraphs: Sequence[str]) -> CleanBody:
    """Take the site's paragraphs out of a body, and the empty ones.

    Removed are: the promo (both forms known, also when split over lines, and at the end of a paragraph), the
    disclaimer, and "Baca juga: {title of another article}" when it is a paragraph of its own, or "Baca juga:" with the
    title in the next. A longer text, or several sentences, after "Baca juga:" is the author's and stays.

    Parameters
    ----------
    paragraphs : the body as captured, one string a paragraph or line, shape (n_paragraphs,); white space is folded.
    """
    lines = [(position, line) for position, text in enumerate(paragraphs) if (line := fold_space(text))]
    kept: list[tuple[int, str]] = []
    n_promo = n_related = n_related_lines = n_disclaimers = 0
    index = 0
    while index < len(lines):
        position, line = lines[index]
        following = lines[index + 1][1] if index + 1 < len(lines) else ""
        n_taken = 1
        if n_lines := _count_promo_lines([text for _, text in lines[index : index + _PROMO_LINES]]):
            n_promo += 1
            n_taken = n_lines
        elif line in DISCLAIMERS:
            n_disclaimers += 1
        elif n_lines := _count_related_lines(line, following):
            n_related += 1
            n_related_lines += n_lines
            n_taken = n_lines
        else:
            if at_end := _PROMO_AT_END.search(line):
                n_promo += 1
                line = line[: at_end.start()]
            kept.append((position, line))
        index += n_taken
    return CleanBody(
        paragraphs=tuple(line for _, line in kept),
        positions=tuple(position for position, _ in kept),
        n_promo=n_promo,
        n_related=n_related,
        n_disclaimers=n_disclaimers,
        n_related_lines=n_related_lines,
    )


def is_first_page(lines: Sequence[str], *, captured_year: int) -> bool:
    """Tell whether a body holds only a page of a longer article.

    A page shows 11 paragraphs of the article, and since 2025 the last page ends in a promo; so 11 paragraphs and no
    promo mean that more pages follow. The rule knows the site as of 2025 and answers no for earlier captures.

    The paragraphs are counted as the page had them: "Baca juga" is the site's, and of the empty lines four are
    advertising slots while any other is a paragraph of the article that held only a picture. Where an empty line
    stands between all paragraphs, those lines separate and are not counted. Of 20 bodies of November 2025, the 14
    without promo all count 11, the 6 with promo 7 to 11.

    An article of exactly 11 paragraphs, whose promo stands alone on the second page, is called a first page too:
    nothing on the page tells it apart.

    Parameters
    ----------
    lines : the body before anything was removed, one paragraph a line, empty ones kept, shape (n_lines,).
    captured_year : year of the capture, or the latest year in which it cannot have been earlier.
    """
    if captured_year < PROMO_ON_EVERY_LAST_PAGE_FROM:
        return False
    body = clean_body(lines)
    if body.n_promo:
        return False
    is_text = [bool(fold_space(line)) for line in lines]
    n_lines = sum(is_text)
    n_empty = len(is_text) - n_lines
    if n_lines > 1 and not any(first and second for first, second in pairwise(is_text)):
        n_empty -= n_lines - 1
    n_pictures = max(0, n_empty - INSERTED_EMPTY_PARAGRAPHS)
    return n_lines - body.n_related_lines + n_pictures == FIRST_PAGE_PARAGRAPHS


def _count_promo_lines(lines: Sequence[str]) -> int:
    """Count the leading lines that together are a promo; 0 where there is none."""
    if not lines or not _PROMO_START.match(lines[0]):
        return 0
    return next((n for n in range(len(lines), 0, -1) if _PROMO.fullmatch(" ".join(lines[:n]))), 0)


def _count_related_lines(line: str, following: str) -> int:
    """Count the lines of a "Baca juga" that starts here; 0 where the line is the author's."""
    match = _RELATED.fullmatch(line)
    if match is None:
        return 0
    if match["title"] is not None:
        return int(_is_title(match["title"]))
    return 2 if _is_title(following) else 0


def _is_title(text: str) -> bool:
    """Tell a title from prose: no sentence break inside, no full stop at the end (1 of 362 real titles has one)."""
    ends_as_sentence = text.endswith((".", ":", ";")) and not text.endswith("..")
    return bool(text) and len(text) <= LONGEST_TITLE and not ends_as_sentence and not _SENTENCE_BREAK.search(text)
