"""Calendar periods: months, quarters, halves and years, and ranges of months such as 2023-07..2023-12."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from nlp_study.errors import DataError


class Grain(StrEnum):
    """How long a period is."""

    ALL = "all"
    YEAR = "year"
    HALF = "half"
    QUARTER = "quarter"
    MONTH = "month"


LENGTHS = {Grain.YEAR: 12, Grain.HALF: 6, Grain.QUARTER: 3, Grain.MONTH: 1}
"""Months of a period."""

_FORMS = {
    Grain.YEAR: re.compile(r"^(\d{4})$"),
    Grain.HALF: re.compile(r"^(\d{4})-?[Hh]([12])$"),
    Grain.QUARTER: re.compile(r"^(\d{4})-?[Qq]([1-4])$"),
    Grain.MONTH: re.compile(r"^(\d{4})-(\d{1,2})$"),
}


@dataclass(frozen=True, order=True)
class Period:
    """Months from `first` to `last`, both included, counted as year·12 + month - 1."""

    first: int
    last: int

    def __str__(self) -> str:
        for grain, length in LENGTHS.items():
            if self.last - self.first + 1 == length and self.first % length == 0:
                return name_period(self.first, grain)
        return f"{name_period(self.first, Grain.MONTH)}..{name_period(self.last, Grain.MONTH)}"

    @property
    def start(self) -> date:
        """First day."""
        return month_date(self.first)


def month_number(day: date) -> int:
    """Return the number of a day's month: year·12 + month - 1."""
    return day.year * 12 + day.month - 1


def month_date(number: int) -> date:
    """Return the first day of a month."""
    return date(number // 12, number % 12 + 1, 1)


def name_period(first: int, grain: Grain) -> str:
    """Return the name of the period that begins with month `first`: 2023, 2023-H2, 2023-Q3 or 2023-07."""
    year, month = first // 12, first % 12
    return {
        Grain.YEAR: f"{year}",
        Grain.HALF: f"{year}-H{month // 6 + 1}",
        Grain.QUARTER: f"{year}-Q{month // 3 + 1}",
        Grain.MONTH: f"{year}-{month + 1:02d}",
    }[grain]


def parse_period(text: str) -> Period:
    """Read 2023, 2023-H2, 2023-Q3, 2023-07 or a range of any of these, such as 2023-07..2023-Q4.

    Raises
    ------
    DataError : it is none of these, or ends before it begins.
    """
    left, dots, right = text.strip().partition("..")
    first = _parse_one(left, text)
    last = _parse_one(right, text) if dots else first
    if last.last < first.first:
        raise DataError(f"period «{text}» ends before it begins", remedy="give the earlier month first")
    return Period(first.first, last.last)


def _parse_one(text: str, whole: str) -> Period:
    for grain, form in _FORMS.items():
        found = form.match(text.strip())
        if found:
            number = int(found.group(2)) if grain is not Grain.YEAR else 1
            if grain is Grain.MONTH and not 1 <= number <= 12:
                break
            length = LENGTHS[grain]
            first = int(found.group(1)) * 12 + (number - 1) * length
            return Period(first, first + length - 1)
    raise DataError(f"«{whole}» is no period", remedy="write 2023, 2023-H2, 2023-Q3, 2023-07 or 2023-07..2023-12")
