from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.sources.cells import (
    DateOrder,
    InstantForm,
    cleaned,
    flag,
    instant,
    number_text,
    word,
)

DAY, MONTH = DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST


def read(text: str, form: InstantForm | None = None) -> datetime | None:
    cells = pl.DataFrame({"cell": [text]})
    return cells.select(instant(pl.col("cell"), form or InstantForm())).item()


@pytest.mark.parametrize(
    ("text", "order", "minute"),
    [
        ("2025-03-04 05:06", None, (3, 4, 5, 6)),
        ("2025-03-04T05:06:00Z", None, (3, 4, 5, 6)),
        ("2025-03-04 05:06:00.000 UTC", None, (3, 4, 5, 6)),
        ("2025-03-04T07:06:00+02:00", None, (3, 4, 5, 6)),
        ("2025-03-04 07:06+0200", None, (3, 4, 5, 6)),
        ("2025/3/4 5:06", None, (3, 4, 5, 6)),
        ("04/03/2025 05:06", DAY, (3, 4, 5, 6)),
        ("3/4/2025, 5:06 AM", MONTH, (3, 4, 5, 6)),
        ("4.3.2025 05:06:00", DAY, (3, 4, 5, 6)),
        ("4-3-25 5:06 p.m.", DAY, (3, 4, 17, 6)),
        ("Mar 4, 2025 5:06 PM", None, (3, 4, 17, 6)),
        ("4th March 2025", None, (3, 4, 0, 0)),
        ("04-Mar-2025 05:06", None, (3, 4, 5, 6)),
        ("1741064760", None, (3, 4, 5, 6)),
        ("1741064760000", None, (3, 4, 5, 6)),
    ],
)
def test_usual_ways_to_write_an_instant_are_read(
    text: str, order: DateOrder | None, minute: tuple[int, int, int, int]
) -> None:
    assert read(text, InstantForm(order=order)) == datetime(2025, *minute, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "2025-13-01", "31/02/2025", "12", "2025-01-01 25:00"])
def test_what_is_no_instant_is_null(text: str) -> None:
    assert read(text, InstantForm(order=DAY)) is None


@pytest.mark.parametrize("text", ["0001-01-01", "1899-12-30 00:00:00", "1/1/1900", "0026-03-01"])
def test_what_programs_write_for_no_date_is_no_instant(text: str) -> None:
    assert read(text, InstantForm(order=DAY)) is None
    assert read("1901-01-01") == datetime(1901, 1, 1, tzinfo=UTC)
    assert read("30.12.1899", InstantForm(date_format="%d.%m.%Y")) is None


def test_a_zone_is_applied_where_none_is_written() -> None:
    madrid = InstantForm(time_zone="Europe/Madrid")
    assert read("2025-07-01 12:00", madrid) == datetime(2025, 7, 1, 10, tzinfo=UTC)
    assert read("2025-07-01T12:00Z", madrid) == datetime(2025, 7, 1, 12, tzinfo=UTC)
    # The clock skipped from 02:00 to 03:00 that night.
    assert read("2025-03-30 02:30", madrid) is None


def test_cells_that_say_nothing_are_null() -> None:
    cells = pl.DataFrame({"cell": [" x\0 ", "", "N/A", "Select", "-", None, "none", "0"]})
    assert cells.select(cleaned("cell")).to_series().to_list() == [
        *("x", None, None, None, None, None, "none", "0")
    ]
    assert cells.select(cleaned("cell", ())).to_series().to_list()[2:5] == ["N/A", "Select", "-"]


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1.234,50 \u20ac", ",", "1234.50"),
        ("$1,234.5", ".", "1234.5"),
        ("-12,5", ",", "-12.5"),
        ("1 234", ".", "1234"),
        ("USD 7", ".", "7"),
    ],
)
def test_numbers_come_into_one_spelling(text: str, decimal: str, number: str) -> None:
    cells = pl.DataFrame({"cell": [text]})
    assert cells.select(number_text(pl.col("cell"), decimal)).item() == number


def test_yes_and_no_are_understood_in_several_languages() -> None:
    cells = pl.DataFrame({"cell": ["Yes", "S\u00ed", "JA", "oui", "nein", "N\u00e3o", "0", "hm"]})
    assert cells.select(flag(pl.col("cell"))).to_series().to_list() == [
        *(True, True, True, True, False, False, False, None)
    ]


def test_a_star_stands_for_all_other_words() -> None:
    cells = pl.DataFrame({"cell": ["Won", "demo", None]})
    told = cells.select(word(pl.col("cell"), {"won": ["won"], "open": ["*"]}))
    assert told.to_series().to_list() == ["won", "open", None]
