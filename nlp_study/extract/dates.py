"""Dates as the site prints them and as imported files hold them."""

from __future__ import annotations

import re
from datetime import datetime

from nlp_study.extract.boilerplate import fold_space
from nlp_study.schema import TIMEZONE

MONTHS = (
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
)
PRINTED_PATTERN = rf"\d{{1,2}} (?:{'|'.join(MONTHS)}) \d{{4}} \d{{2}}:\d{{2}}"
"""A printed date and time in a line whose white space is folded; ignore case."""

_MONTH_NUMBERS = {name.casefold(): number for number, name in enumerate(MONTHS, start=1)}
_PRINTED = re.compile(r"(?P<day>\d{1,2}) (?P<month>[A-Za-z]+) (?P<year>\d{4})(?: (?P<hour>\d{2}):(?P<minute>\d{2}))?")
# Narrower than `datetime.fromisoformat`, which also takes 20240618: an id or a count must not pass as a date.
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?)?")

_SPACE_BEFORE_ZONE = re.compile(r" (?=[Z+-])")


def parse_printed_date(printed: str) -> datetime:
    """Read a date and time as the site prints it, `18 Juni 2024   09:34`.

    Parameters
    ----------
    printed : day without leading zero, Indonesian month, year, then HH:MM; any white space, no-break spaces included.

    Returns
    -------
    The time in Asia/Jakarta: the site prints WIB without saying so.

    Raises
    ------
    ValueError : another form, an unknown month, or a day or hour that does not exist.
    """
    return _parse_printed(printed, needs_time=True)


def parse_imported_date(value: str) -> datetime:
    """Read a date from a CSV or JSONL file.

    Parameters
    ----------
    value : ISO 8601 (`2024-06-18T09:34:00+07:00`, `2024-06-18 02:34Z`; without a zone it is Asia/Jakarta), the printed
        form (`18 Juni 2024 09:34`), or a date only in either form (midnight in Asia/Jakarta).

    Returns
    -------
    The time in Asia/Jakarta.

    Raises
    ------
    ValueError : none of these forms, or a date that does not exist.
    """
    folded = fold_space(value)
    if not _ISO.fullmatch(folded):
        return _parse_printed(folded, needs_time=False)
    try:
        moment = datetime.fromisoformat(_SPACE_BEFORE_ZONE.sub("", folded) if " " in folded else folded)
        return moment.replace(tzinfo=TIMEZONE) if moment.tzinfo is None else moment.astimezone(TIMEZONE)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{folded!r} is not a date that exists: {error}") from error


def _parse_printed(printed: str, *, needs_time: bool) -> datetime:
    folded = fold_space(printed)
    match = _PRINTED.fullmatch(folded)
    if match is None or (needs_time and match["hour"] is None):
        forms = (
            "'18 Juni 2024 09:34'" if needs_time else "'2024-06-18', '2024-06-18T09:34+07:00' or '18 Juni 2024 09:34'"
        )
        raise ValueError(f"{folded!r} is not a date of the form {forms}")
    month = _MONTH_NUMBERS.get(match["month"].casefold())
    if month is None:
        raise ValueError(f"{folded!r} names no Indonesian month: {match['month']!r} is not one of {', '.join(MONTHS)}")
    hour, minute = int(match["hour"] or 0), int(match["minute"] or 0)
    try:
        return datetime(int(match["year"]), month, int(match["day"]), hour, minute, tzinfo=TIMEZONE)
    except ValueError as error:
        raise ValueError(f"{folded!r} is not a date that exists: {error}") from error
