"""Printed dates and dates in files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_study.extract.dates import MONTHS, parse_imported_date, parse_printed_date
from nlp_study.schema import TIMEZONE


def print_date(moment: datetime, *, gap: str = " \u00a0 ") -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}{gap}{moment:%H:%M}"


@pytest.mark.parametrize(
    "printed",
    [
        "18 Juni 2024   09:34",
        "18 Juni 2024 \u00a0 09:34",
        "18 Juni 2024 09:34",
        "\u00a018\u00a0juni\u00a02024\u00a0\u00a009:34 ",
        "18 JUNI 2024 Â  09:34",
        "18 Juni 2024\n09:34",
    ],
)
def test_printed_dates(printed: str) -> None:
    moment = parse_printed_date(printed)
    assert moment == datetime(2024, 6, 18, 9, 34, tzinfo=TIMEZONE)
    assert moment.utcoffset() == timedelta(hours=7)
    assert moment.tzinfo is TIMEZONE


def test_all_months_in_order() -> None:
    moments = [parse_printed_date(f"2 {month} 2019 00:05") for month in MONTHS]
    assert [moment.month for moment in moments] == list(range(1, 13))
    assert {moment.day for moment in moments} == {2}


@given(st.datetimes(datetime(2008, 1, 1), datetime(2100, 1, 1)), st.text(" \u00a0\u2009\t", min_size=1, max_size=5))
def test_printed_dates_read_back(moment: datetime, gap: str) -> None:
    expected = moment.replace(second=0, microsecond=0, tzinfo=TIMEZONE)
    assert parse_printed_date(print_date(moment, gap=gap)) == expected
    assert parse_imported_date(print_date(moment, gap=gap)) == expected


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("", "not a date of the form"),
        ("18 Juni 2024", "not a date of the form '18 Juni 2024 09:34'"),
        ("18 June 2024 09:34", "'June' is not one of Januari, "),
        ("31 Februari 2024 09:34", "not a date that exists"),
        ("18 Juni 2024 25:00", "not a date that exists"),
        ("0 Juni 2024 09:34", "not a date that exists"),
        ("18 Juni 2024 9:34", "not a date of the form"),
        ("18 Juni 2024 09:34 WIB", "not a date of the form"),
        ("31 menit lalu", "not a date of the form"),
    ],
)
def test_wrong_printed_dates_say_what_is_wrong(printed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_printed_date(printed)


@pytest.mark.parametrize(
    "value",
    [
        "2024-06-18T09:34:00+07:00",
        "2024-06-18T09:34",
        "2024-06-18 09:34:00",
        "2024-06-18T02:34:00Z",
        "2024-06-18 02:34:00+00:00",
        "2024-06-18 09:34:00 +0700",
        "2024-06-18T09:34:00.000",
        "18 Juni 2024 \u00a0 09:34",
    ],
)
def test_imported_dates(value: str) -> None:
    moment = parse_imported_date(value)
    assert moment == datetime(2024, 6, 18, 9, 34, tzinfo=TIMEZONE)
    assert moment.tzinfo is TIMEZONE


@pytest.mark.parametrize("value", ["2024-06-18", " 2024-06-18 ", "18 Juni 2024"])
def test_a_date_only_is_midnight_in_jakarta(value: str) -> None:
    assert parse_imported_date(value) == datetime(2024, 6, 18, tzinfo=TIMEZONE)


@given(
    st.datetimes(
        datetime(2008, 1, 1),
        datetime(2100, 1, 1),
        timezones=st.sampled_from([UTC, TIMEZONE, timezone(timedelta(hours=-3))]),
    )
)
def test_iso_dates_read_back(moment: datetime) -> None:
    assert parse_imported_date(moment.isoformat()) == moment


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is not a date of the form '2024-06-18'"),
        ("kemarin", "is not a date of the form"),
        ("20240618", "is not a date of the form"),
        ("1718678040", "is not a date of the form"),
        ("18/06/2024", "is not a date of the form"),
        ("2024-06", "is not a date of the form"),
        ("2024-02-30", "not a date that exists"),
        ("2024-06-18T25:00", "not a date that exists"),
        ("9999-12-31T23:59Z", "not a date that exists"),
    ],
)
def test_wrong_imported_dates_say_what_is_wrong(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_imported_date(value)
