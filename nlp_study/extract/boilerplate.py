"""What the site puts into an article's body, and how it is taken out again.

Rules over lists of paragraphs, shared by every extractor and importer. They remove only what the site is known to
insert; text that merely resembles it stays, because a lost sentence of the author is worse than a line of noise.
What older editors and other programs left in the text (shortcodes, entities written out, wrong decoding) is mended on
the way, and the footer of reposted text becomes the post's source (see `reposts`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nlp_study.extract.mojibake import repair_mojibake
from nlp_study.extract.reposts import take_footers
from nlp_study.schema import Repost

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
_INVISIBLE = ("\u200b", "\u2060", "\ufeff", "\u00ad")
# A no-break space that was read as Latin-1 leaves this letter before a space or at the end of a line.
_STRAY_LETTER = re.compile(r"Â(?=\s|$)")
# Entities that an editor escaped a second time. Those of markup (&lt;) stay: a writer may show a piece of HTML.
_LEFT_ENTITY = re.compile(r"&(?:nbsp|quot|apos|amp|[lr][sd]quo|hellip|[nm]dash|#0?39|#160|#8[2-3]\d\d);")
# WordPress, the site's engine until 2015. Other words in square brackets are the author's.
_SHORTCODE = re.compile(
    r"\[caption\b(?P<attributes>[^\[\]]*)\](?:(?P<inside>[^\[\]]{0,600})\[/caption\])?|\[/caption\]|\[gallery\b[^\[\]]*\]"
    r"|\[(?:youtube|embed|video|audio|playlist)[ =][^\[\]]*\]|\[/(?:embed|video|audio)\]"
)
# Each damage that `mend_text` repairs holds one of these (lead bytes of UTF-8 read as letters).
_DAMAGE_MARKS = (*_INVISIBLE, *"ÂÃÄÅâðï‚√¬")
# The caption may hold quotation marks itself; it is the last attribute, as WordPress wrote it.
_CAPTION_ATTRIBUTE = re.compile(r"""\bcaption=(?P<quote>["“”'])(?P<text>.*)(?P=quote) ?$""")
# The name of an uploaded picture, which stands as text where the picture was (mostly twice).
_IMAGE_NAME = re.compile(r"\d{17,20}|\S+-[0-9a-f]{24}\.(?:jpe?g|png|gif|webp|bmp)", re.IGNORECASE)

_IMAGE_NAME_ENDS = frozenset("0123456789gfp" + "GFP")

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
_PROMO_LETTERS = frozenset("bBfFhH")
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
    `captions` holds the indices, in `paragraphs`, of those that a shortcode marks as the caption of a picture.
    A promo or "Baca juga" that stood on several lines counts as one paragraph removed; empty ones are not counted, nor
    are the `n_footer_lines` of pasted footers, which are not the site's doing. `repost` is the source they name.
    """

    paragraphs: tuple[str, ...]
    positions: tuple[int, ...]
    n_promo: int
    n_related: int
    n_disclaimers: int
    n_related_lines: int
    n_footer_lines: int = 0
    repost: Repost | None = None
    captions: frozenset[int] = frozenset()

    @property
    def n_removed(self) -> int:
        """Paragraphs of the site taken out."""
        return self.n_promo + self.n_related + self.n_disclaimers


def fold_space(text: str) -> str:
    """Fold every run of white space (no-break and line breaks included) to one space, and trim.

    Also drops zero-width characters and the `Â` that a no-break space read as Latin-1 leaves behind.
    """
    if not text.isascii():  # most paragraphs are, and this runs on each of them several times
        for character in _INVISIBLE:
            if character in text:
                text = text.replace(character, "")
        if "Â" in text:
            text = _STRAY_LETTER.sub("", text)
    return " ".join(text.split())


def mend_text(text: str) -> str:
    """Repair a wrong decoding, resolve entities that were escaped twice, and fold white space."""
    if "&" in text:
        text = _LEFT_ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return fold_space(repair_mojibake(text))


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
    title in the next. A longer text, or several sentences, after "Baca juga:" is the author's and stays. Pasted footers
    go as well, and names of picture files; shortcodes are resolved, and each paragraph is mended (see `mend_text`).

    Parameters
    ----------
    paragraphs : the body as captured, one string a paragraph or line, shape (n_paragraphs,); white space is folded.
    """
    lines: list[tuple[int, str]] = []
    captions: set[tuple[int, str]] = set()
    marks = _find_marks("\n".join(paragraphs))  # few bodies hold any; looking once is faster than 30 times
    for position, text in enumerate(paragraphs):
        for mark in marks:
            if mark in text:
                line = mend_text(text)
                break
        else:
            line = " ".join(text.split())
        if "[" in line:
            for piece, is_caption in _split_shortcodes(line):
                lines.append((position, piece))
                if is_caption:
                    captions.add(lines[-1])
        elif line and not (line[-1] in _IMAGE_NAME_ENDS and _IMAGE_NAME.fullmatch(line)):
            lines.append((position, line))
    kept: list[tuple[int, str]] = []
    n_promo = n_related = n_related_lines = 0
    index = 0
    while index < len(lines):
        position, line = lines[index]
        if line[0] not in _PROMO_LETTERS and "ompasiana" not in line and "hats" not in line:  # most lines
            kept.append(lines[index])
            index += 1
            continue
        n_taken = 1
        n_lines = 0
        if line[0] in _PROMO_LETTERS and _PROMO_START.match(line):
            n_lines = _count_promo_lines([text for _, text in lines[index : index + _PROMO_LINES]])
        if n_lines:
            n_promo += 1
            n_taken = n_lines
        elif line[0] == "B" and (n_lines := _count_related_lines(lines[index : index + 2])):
            n_related += 1
            n_related_lines += n_lines
            n_taken = n_lines
        else:
            if ("ompasiana" in line or "hats" in line) and (at_end := _PROMO_AT_END.search(line)):
                n_promo += 1
                line = line[: at_end.start()]
            kept.append((position, line))
        index += n_taken
    footers = take_footers(kept)  # only now: the site also inserts links into the middle of a footer
    kept = [item for item in footers.lines if item[1] not in DISCLAIMERS]
    return CleanBody(
        paragraphs=tuple(line for _, line in kept),
        positions=tuple(position for position, _ in kept),
        n_promo=n_promo,
        n_related=n_related,
        n_disclaimers=len(footers.lines) - len(kept),
        n_related_lines=n_related_lines,
        n_footer_lines=footers.n_lines,
        repost=footers.source,
        captions=frozenset(index for index, line in enumerate(kept) if line in captions) if captions else frozenset(),
    )


def _find_marks(text: str) -> list[str]:
    """Find the characters of a text without which none of its paragraphs needs mending."""
    marks = ["&"] if "&" in text else []
    return marks if text.isascii() else marks + [mark for mark in _DAMAGE_MARKS if mark in text]


def _split_shortcodes(line: str) -> list[tuple[str, bool]]:
    """Split a line at its shortcodes into (text, is_caption); a line without any comes back whole."""
    pieces: list[tuple[str, bool]] = []
    own, after = "", 0
    for match in _SHORTCODE.finditer(line):
        own += line[after : match.start()]
        after = match.end()
        caption = (match["inside"] or "").strip()
        if not caption and (named := _CAPTION_ATTRIBUTE.search(match["attributes"] or "")):
            caption = named["text"].strip()
        if caption:
            pieces += [(own, False), (caption, True)]
            own = ""
    pieces.append((own + line[after:], False))
    return [(folded, is_caption) for text, is_caption in pieces if (folded := fold_space(text))]


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
    return next((n for n in range(len(lines), 0, -1) if _PROMO.fullmatch(" ".join(lines[:n]))), 0)


def _count_related_lines(lines: Sequence[tuple[int, str]]) -> int:
    """Count the lines of a "Baca juga" that starts here; 0 where the line is the author's."""
    match = _RELATED.fullmatch(lines[0][1])
    if match is None:
        return 0
    if match["title"] is not None:
        return int(_is_title(match["title"]))
    return 2 if len(lines) > 1 and _is_title(lines[1][1]) else 0


def _is_title(text: str) -> bool:
    """Tell a title from prose: no sentence break inside, no full stop at the end (1 of 362 real titles has one)."""
    ends_as_sentence = text.endswith((".", ":", ";")) and not text.endswith("..")
    return bool(text) and len(text) <= LONGEST_TITLE and not ends_as_sentence and not _SENTENCE_BREAK.search(text)
