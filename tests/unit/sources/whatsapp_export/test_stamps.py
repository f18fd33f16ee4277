"""The date and time at the beginning of a line."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sources.whatsapp_export.exported import FORMATS, MONTH_FIRST

from chatlift.sources.whatsapp_export.stamps import Shape, read_stamp
from chatlift.sources.whatsapp_export.wording import visible


def numbers_of(form: str, at: datetime) -> tuple[int, int, int]:
    stamp = read_stamp(visible(FORMATS[form](at)))
    assert stamp is not None
    if stamp.shape.year_place == 0:
        return stamp.numbers
    first, second, year = stamp.numbers
    full_year = year + (2000 if stamp.shape.year_digits == 2 else 0)
    return (full_year, first, second) if form in MONTH_FIRST else (full_year, second, first)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None)
@given(at=st.datetimes(datetime.fromisoformat("2009-01-01"), datetime.fromisoformat("2038-01-01")))
def test_every_format_is_read_back(form: str, at: datetime) -> None:
    stamp = read_stamp(visible(FORMATS[form](at)))

    assert stamp is not None
    assert numbers_of(form, at) == (at.year, at.month, at.day)
    assert (stamp.hour, stamp.minute) == (at.hour, at.minute)
    assert stamp.second in (0, at.second)
    assert stamp.length == len(visible(FORMATS[form](at)))


@pytest.mark.parametrize(
    ("clock", "hour"),
    [
        ("12:05 AM", 0),
        ("12:05 PM", 12),
        ("00:05 AM", 0),
        ("11:05 nachm.", 23),
        ("1:05 p.\u00a0m.", 13),
        ("1:05 p.m.", 13),
        ("23:05 AM", 23),
        ("23:05 PM", 23),  # Some phones write the half of the day beside 24 hours.
        ("1:05 μ.μ.", 13),
        ("1:05 م", 13),
    ],
)
def test_the_half_of_the_day_is_worked_in(clock: str, hour: int) -> None:
    stamp = read_stamp(f"29/01/2018, {clock} - Alex: hi")
    assert stamp is not None
    assert (stamp.hour, stamp.minute) == (hour, 5)


def test_arabic_digits_are_numbers() -> None:
    digits = {ord(str(n)): chr(0x0660 + n) for n in range(10)}
    stamp = read_stamp("[29/1/2018، 11:25:03 ص] Alex: hi".translate(digits))
    assert stamp is not None
    assert stamp.numbers == (29, 1, 2018)
    assert stamp.shape == Shape("bracket", "/", 2, 4)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "29/01/2018",
        "29/01/2018, see you at 11:25",
        "11:25 - Alex: hi",
        "29/01/2018, 11:25 or later - say",
        "[11:25, 29/1/2018] Alex: copied from the desktop",
        "[29/01/2018, 11:25:03 and more",
        "29/01-2018, 11:25 - Alex: hi",
        "29/01/201, 11:25 - Alex: hi",
        " 29/01/2018, 11:25 - Alex: hi",
        "29/01/2018, 11:25:03 an agenda without a sender",
    ],
)
def test_what_only_resembles_a_stamp_is_none(line: str) -> None:
    assert read_stamp(line) is None


def test_a_long_line_of_digits_is_looked_at_only_at_its_beginning() -> None:
    assert read_stamp("1" * 1_000_000) is None
