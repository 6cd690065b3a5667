"""Shares with their intervals, and numbers, dates and months written the Indonesian or the English way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from nlp_study.estimate import wilson_interval
from nlp_study.schema import TIMEZONE

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = ("id", "en")

_FEW = 100
"""Below this many posts a decimal of a percentage would claim more than the count can tell."""

_MONTHS = {
    "id": [
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
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}
_SHORT_MONTHS = {
    "id": ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
}
_DAYS = {
    "id": ["Minggu", "Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu"],
    "en": ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
}
_SHORT_DAYS = {
    "id": ["Min", "Sen", "Sel", "Rab", "Kam", "Jum", "Sab"],
    "en": ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
}


@dataclass(frozen=True, slots=True)
class Share:
    """`n` of `total` posts; `share`, `low` and `high` are None where there is no post."""

    n: int
    total: int
    share: float | None
    low: float | None
    high: float | None


def make_share(n: int, total: int) -> Share:
    """Return `n` of `total` with its Wilson interval."""
    if total <= 0:
        return Share(n, total, None, None, None)
    low, high = wilson_interval(n, total)
    return Share(n, total, n / total, low, high)


class Formatter:
    """Numbers and dates as a reader of `language` writes them; what is missing is a dash."""

    missing = "–"

    def __init__(self, language: Language) -> None:
        self.language = language

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """Write a number with `digits` decimals: 1.234,50 or 1,234.50."""
        if value is None:
            return self.missing
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "id" else text

    def integer(self, value: int | None) -> str:
        """Write a count: 1.234 or 1,234."""
        return self.decimal(value, 0)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Write a fraction in [0, 1] as a percentage."""
        return self.missing if value is None else f"{self.decimal(100 * value, digits)}%"

    def share(self, share: Share) -> str:
        """Write a share, with a decimal only where the count bears one."""
        return self.percent(share.share, 0 if share.total < _FEW else 1)

    def interval(self, share: Share) -> str:
        """Write the interval of a share: 41,2–67,3%."""
        if share.low is None or share.high is None:
            return self.missing
        digits = 0 if share.total < _FEW else 1
        return f"{self.decimal(100 * share.low, digits)}–{self.decimal(100 * share.high, digits)}%"

    def range(self, low: float | None, high: float | None) -> str:
        """Write the ends of an interval of fractions: 41–67%."""
        if low is None or high is None:
            return self.missing
        return f"{self.decimal(100 * low, 0)}–{self.decimal(100 * high, 0)}%"

    def signed_points(self, difference: float) -> str:
        """Write a difference of fractions in percentage points: +12 or −7."""
        points = self.decimal(abs(100 * difference), 0)
        return f"{'+' if difference > 0 else '−'}{points}" if points != "0" else points

    def half(self, day: date) -> str:
        """Write the half-year that starts on `day`: S2 2023 (semester), H2 2023."""
        return f"{'S' if self.language == 'id' else 'H'}{1 if day.month < 7 else 2} {day.year}"

    def month(self, day: date) -> str:
        """Write a calendar month: Mei 2021."""
        return f"{_SHORT_MONTHS[self.language][day.month - 1]} {day.year}"

    def day(self, when: date | datetime | None) -> str:
        """Write a day in Asia/Jakarta: 14 Maret 2021."""
        if when is None:
            return self.missing
        if isinstance(when, datetime):
            when = when.astimezone(TIMEZONE)
        return f"{when.day} {_MONTHS[self.language][when.month - 1]} {when.year}"

    def moment(self, when: datetime | None) -> str:
        """Write a day and a time in Asia/Jakarta: 14 Maret 2021, 09.30 WIB."""
        if when is None:
            return self.missing
        when = when.astimezone(TIMEZONE)
        point = "." if self.language == "id" else ":"
        return f"{self.day(when)}, {when:%H}{point}{when:%M} WIB"

    def period(self, day: date, period: str) -> str:
        """Write the month, quarter or year that starts on `day`."""
        if period == "year":
            return str(day.year)
        if period == "quarter":
            return f"{'T' if self.language == 'id' else 'Q'}{(day.month + 2) // 3} {day.year}"
        return self.month(day)


def vega_locale(language: Language) -> dict[str, Any]:
    """Return d3's number and time locale, so that axes and tooltips read like the text."""
    comma, point = (",", ".") if language == "id" else (".", ",")
    return {
        "number": {"decimal": comma, "thousands": point, "grouping": [3], "currency": ["Rp", ""]},
        "time": {
            "dateTime": "%A, %e %B %Y %X",
            "date": "%d/%m/%Y",
            "time": "%H.%M.%S" if language == "id" else "%H:%M:%S",
            "periods": ["AM", "PM"],
            "days": _DAYS[language],
            "shortDays": _SHORT_DAYS[language],
            "months": _MONTHS[language],
            "shortMonths": _SHORT_MONTHS[language],
        },
    }
