"""Posts from the visible text of a page, as a reader's browser shows it.

The order of lines is that of desktop captures of 2020-2025 (about 60 texts agree), with the variation of 2018-2019:
three counts after the dates, no disclaimer, the title again before the caption. AMP and `/komentar/` captures lack the
publication date or the body, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nlp_study.errors import DataError
from nlp_study.extract.boilerplate import (
    DISCLAIMERS,
    PROMO_ON_EVERY_LAST_PAGE_FROM,
    clean_body,
    is_first_page,
    split_lines,
    strip_title_suffix,
)
from nlp_study.extract.dates import PRINTED_PATTERN, parse_printed_date
from nlp_study.extract.language import identify_language
from nlp_study.extract.urls import ArticleUrl, make_post_id, parse_article_url
from nlp_study.schema import DateSource, Paragraph, ParagraphKind, Post

REMEDY = (
    "a text dump is all visible text of the article's desktop page (with ?page=all): author, title, "
    "the line with both dates, body"
)

PARSER = "text-dump-2"
BADGES = ("Pilihan", "Artikel Utama")
_LOADER = re.compile(r"Mohon tunggu(?:\.\.\.|…)")
_LATE_LOADER = r"Mohon Tunggu(?:\.\.\.|…)"
_AUTHOR = re.compile(rf"(?P<author>.+?) {_LATE_LOADER}(?: (?P<job>.+))?")
_BLOCKED = re.compile(
    r"(?:(?:Akun Diblokir"
    r"|Akun ini diblokir karena melanggar Syarat dan Ketentuan Kompasiana\."
    r"|Untuk informasi lebih lanjut Anda dapat menghubungi kami melalui fitur bantuan\.) ?)+"
)
_BIO_TOGGLES = frozenset(("Selanjutnya", "Tutup", "Selanjutnya Tutup"))

# The dates line, and what its beginning looks like while it is being pieced together from several lines.
_COUNT = r"\d[\d.,]{0,12}"
_DATES = re.compile(
    rf"(?P<published>{PRINTED_PATTERN}) Diperbarui ?: ?(?P<updated>{PRINTED_PATTERN})"
    rf"(?P<counts>(?: {_COUNT}){{0,3}})(?: {_LATE_LOADER})?",
    re.IGNORECASE,
)
_DATES_BEGIN = re.compile(
    rf"{PRINTED_PATTERN}(?: Diperbarui ?:(?: ?{PRINTED_PATTERN}(?: {_COUNT}){{0,3}})?)?", re.IGNORECASE
)
_DATES_PIECES = 6

_HEADER_CHROME = re.compile(rf"\+|Laporkan Konten|Laporkan Akun|{_LATE_LOADER}")
_PHOTO = "Lihat foto"
_FOOTER = re.compile(
    r"Lihat Konten .{1,60} Selengkapnya|Beri Komentar|LAPORKAN KONTEN|LAPORKAN AKUN"
    r"|Berkomentarlah secara bijaksana dan bertanggung jawab\. .+"
    r"|Belum ada komentar\. Jadilah yang pertama untuk memberikan komentar!"
)
_WEAK_FOOTER = re.compile(r"Mohon tunggu(?:\.\.\.|…)|Lihat .{1,60} Selengkapnya")
_PAGER = re.compile(r"HALAMAN ?:(?P<numbers>(?: ?\d+\.?)*)")
_PAGER_NUMBERS = re.compile(r"(?:\d+\.? ?)+")
_CAPTION_WORDS = re.compile(
    r"\b(?:sumber|ilustrasi|foto|gambar|dok|dokumentasi|dokpri|image|photo|kredit|credit|freepik|pexels|pixabay"
    r"|unsplash|shutterstock|antara|kompas\.com)\b",
    re.IGNORECASE,
)
_LONGEST_CAPTION = 300
"""Characters. Captions name a scene and a source; a longer line after the photo is the first paragraph."""
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _DatesLine:
    first: int
    after: int
    published_at: datetime
    updated_at: datetime
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Header:
    author: str
    job: str | None
    bio: str | None
    category: str | None
    badge: str | None
    title: str
    first: int


def extract_text_dump(text: str, *, url: str | None = None) -> Post:
    """Extract a post from the visible text of its page.

    Parameters
    ----------
    text : the page's text, one visible line a line; empty lines and any white space are allowed.
    url : the page's address; where absent, an article's address on a line above the author is used.

    Returns
    -------
    The post. `post_id` is the id in the address, or one made of author, title, time and first paragraph. Times are in
    Asia/Jakarta. `n_removed` counts the site's paragraphs taken out of the body (not the lines around it).

    Raises
    ------
    DataError : the text lacks the author, the title, the dates or the body, or is an AMP or comment page.

    References
    ----------
    Order of lines: desktop captures of 2018-2025, see the module.
    """
    lines = split_lines(text)
    if "KEMBALI KE ARTIKEL" in lines:
        raise DataError("this is the text of a comment page, with the first paragraph only", remedy=REMEDY)
    dates = _find_dates(lines)
    header = read_header(lines, dates.first)
    article = _find_address(lines[: header.first], url)
    caption, body_at = _read_caption(lines, dates, header.title)
    body_end, n_pages = _find_body_end(lines, body_at)
    filled = [line for line in lines[body_at:body_end] if line]
    body = clean_body(filled)
    if not body.paragraphs:
        raise DataError(f"no body was found below the dates of {header.title!r}", remedy=REMEDY)
    captured_year = max(dates.published_at, dates.updated_at).year
    # In a text dump pictures leave no line, so a page may show fewer than 11 paragraphs; then the pager tells.
    has_more_pages = captured_year >= PROMO_ON_EVERY_LAST_PAGE_FROM and n_pages > 1 and not body.n_promo
    has_all_counts = len(dates.counts) == 3
    return Post(
        post_id=article.id24
        if article
        else make_post_id(
            author=header.author,
            title=header.title,
            published_at=dates.published_at,
            first_paragraph=body.paragraphs[0],
        ),
        title=header.title,
        paragraphs=tuple(
            Paragraph(text, ParagraphKind.CAPTION if index in body.captions else ParagraphKind.TEXT)
            for index, text in enumerate(body.paragraphs)
        ),
        url=article.canonical_url if article else url,
        author=header.author,
        author_id=article.user if article else header.author,
        author_job=header.job,
        author_bio=header.bio,
        category=header.category,
        badge=header.badge,
        published_at=dates.published_at,
        updated_at=dates.updated_at,
        date_source=DateSource.PRINTED,
        n_views=dates.counts[0] if dates.counts else None,
        n_ratings=dates.counts[1] if has_all_counts else None,
        n_comments=dates.counts[2] if has_all_counts else None,
        caption=caption,
        n_removed=body.n_removed,
        is_cut=has_more_pages or is_first_page(filled, captured_year=captured_year),
        language=identify_language("\n".join(body.paragraphs)),
        reposted_from=body.repost,
        parser=PARSER,
    )


def _find_dates(lines: Sequence[str]) -> _DatesLine:
    for first, line in enumerate(lines):
        if not _DATES_BEGIN.match(line):
            continue
        pieced, after = _piece_dates(lines, first)
        match = _DATES.fullmatch(pieced)
        if match is None:
            if re.match(rf"{PRINTED_PATTERN} Diperbarui", pieced, re.IGNORECASE):
                raise DataError(f"the dates line cannot be read: {pieced[:120]!r}", remedy=REMEDY)
            continue  # a date alone, such as an event in the author's biography
        counts = tuple(int(re.sub(r"[.,]", "", count)) for count in match["counts"].split())
        if len(counts) == 2:
            raise DataError("this is the text of a comment page: it prints two counts after the dates", remedy=REMEDY)
        try:
            published_at, updated_at = parse_printed_date(match["published"]), parse_printed_date(match["updated"])
        except ValueError as error:
            raise DataError(f"the dates line cannot be read: {error}", remedy=REMEDY) from error
        return _DatesLine(first, after, published_at, updated_at, counts)
    if "Lihat ke Halaman Asli" in lines:
        raise DataError("this is the text of an AMP page, which prints no publication date", remedy=REMEDY)
    raise DataError("no line with the dates ('18 Juni 2024 09:34 Diperbarui: ...') was found", remedy=REMEDY)


def _piece_dates(lines: Sequence[str], first: int) -> tuple[str, int]:
    """Join the dates line where a browser broke it; return it and the index of the line after it."""
    pieced, after = lines[first], first + 1
    whole = _DATES.fullmatch(pieced)
    may_take_counts = whole is None or not whole["counts"]  # a number below counts already there is the author's
    for index in range(first + 1, min(first + 1 + 2 * _DATES_PIECES, len(lines))):
        if not lines[index]:
            continue
        longer = f"{pieced} {lines[index]}"
        is_count = re.fullmatch(_COUNT, lines[index]) is not None
        if (is_count and not may_take_counts) or not (_DATES_BEGIN.fullmatch(longer) or _DATES.fullmatch(longer)):
            break
        pieced, after = longer, index + 1
    return pieced, after


def read_header(lines: Sequence[str], dates_at: int) -> Header:
    """Read author, job, biography, category, badge and title from the lines above the dates.

    Raises
    ------
    DataError : no author line ("{name} Mohon Tunggu... {job}"), or nothing below it.
    """
    matches = ((index, _AUTHOR.fullmatch(line)) for index, line in enumerate(lines[:dates_at]) if "Mohon" in line)
    first, match = next(((index, match) for index, match in matches if match), (-1, None))
    if match is None:
        raise DataError("no author line ('{name} Mohon Tunggu... {job}') stands above the dates", remedy=REMEDY)
    above = [
        line for line in lines[first + 1 : dates_at] if line and not (line[0] in "AU" and _BLOCKED.fullmatch(line))
    ]
    if not above or above[-1] in _BIO_TOGGLES:
        raise DataError("no title stands between the author and the dates", remedy=REMEDY)
    title = strip_title_suffix(above.pop())
    # Below the toggles stands the category; without toggles it is the last line, or two with the badge on its own.
    toggles = [index for index, line in enumerate(above) if line in _BIO_TOGGLES]
    n_below = 2 if above and above[-1] in BADGES else 1
    split_at = toggles[-1] + 1 if toggles else max(0, len(above) - n_below)
    category, badge = _split_category(" ".join(above[split_at:]))
    bio = [line for line in above[:split_at] if line not in _BIO_TOGGLES]
    return Header(
        author=match["author"],
        job=match["job"],
        bio=" ".join(bio) or None,
        category=category,
        badge=badge,
        title=title,
        first=first,
    )


def _split_category(line: str) -> tuple[str | None, str | None]:
    for badge in BADGES:
        if line == badge or line.endswith(f" {badge}"):
            return line.removesuffix(badge).strip() or None, badge
    return line or None, None


def _find_address(lines: Sequence[str], url: str | None) -> ArticleUrl | None:
    """Read the article's address; only lines above the author count, a biography may link to another article."""
    if url is not None and (article := parse_article_url(url)):
        return article
    found = (parse_article_url(address) for line in lines for address in _ADDRESS.findall(line))
    return next((article for article in found if article), None)


def _read_caption(lines: Sequence[str], dates: _DatesLine, title: str) -> tuple[str | None, int]:
    """Read the header photo's caption, if there is one; return it and the index at which the body begins."""
    at = _next_text(lines, dates.after)
    while at < len(lines) and (_HEADER_CHROME.fullmatch(lines[at]) or lines[at] in DISCLAIMERS):
        at = _next_text(lines, at + 1)
    if at == len(lines):
        return None, at
    caption_at = _next_text(lines, at + 1)
    if caption_at == len(lines):
        return None, caption_at if lines[at] == _PHOTO else at
    candidate = lines[caption_at]
    body_at = _next_text(lines, caption_at + 1)
    is_known = _CAPTION_WORDS.search(candidate) is not None or candidate[-1] not in '.!?…"”:'
    if lines[at] == _PHOTO:
        # The caption stands right below the words; after an empty line it has to look like one.
        is_caption = caption_at == at + 1 or is_known
    elif len(dates.counts) == 3 and strip_title_suffix(lines[at]) == title:
        is_caption = is_known or (caption_at == at + 1 and body_at > caption_at + 1)
    else:
        return None, at
    if not is_caption or len(candidate) > _LONGEST_CAPTION or _is_footer(candidate):
        return None, caption_at
    while body_at < len(lines) and lines[body_at] == candidate:  # printed once as the image's alt text
        body_at = _next_text(lines, body_at + 1)
    return candidate, body_at


def _next_text(lines: Sequence[str], at: int) -> int:
    return next((index for index in range(at, len(lines)) if lines[index]), len(lines))


def _is_footer(line: str) -> bool:
    return any(pattern.fullmatch(line) for pattern in (_FOOTER, _WEAK_FOOTER, _PAGER))


def _find_body_end(lines: Sequence[str], body_at: int) -> tuple[int, int]:
    """Find where the body ends, and how many pages the pager lists (0 without a pager).

    The first line that only the site writes ends it, less the loader and the pager above. Captures of 2018-2019 may
    have no such line; then the first loader or pager does. A text that stops with the body ends there.
    """
    rest = range(body_at, len(lines))
    end = next((index for index in rest if _FOOTER.fullmatch(lines[index])), None)
    if end is None:
        end = next((i for i in rest if _LOADER.fullmatch(lines[i]) or _PAGER.fullmatch(lines[i])), len(lines))
        end = next((index for index in range(end, len(lines)) if not _is_pager_piece(lines[index])), len(lines))
    end = _strip_above(lines, body_at, end, _WEAK_FOOTER)
    above_numbers = _strip_above(lines, body_at, end, _PAGER_NUMBERS)
    if above_numbers > body_at and _PAGER.fullmatch(lines[above_numbers - 1]):
        numbers = re.findall(r"\d+", " ".join(lines[above_numbers - 1 : end]))
        end = _strip_above(lines, body_at, above_numbers - 1, _WEAK_FOOTER)
        return end, max((int(number) for number in numbers), default=0)
    return end, 0


def _strip_above(lines: Sequence[str], body_at: int, end: int, pattern: re.Pattern[str]) -> int:
    while end > body_at and (not lines[end - 1] or pattern.fullmatch(lines[end - 1])):
        end -= 1
    return end


def _is_pager_piece(line: str) -> bool:
    return not line or _PAGER.fullmatch(line) is not None or _PAGER_NUMBERS.fullmatch(line) is not None
