"""The date and time with which a line of an export begins, in any of the phone's formats.

Three layouts: `[date, time] ` (iOS), `date, time - ` (Android) and `date, time:ss name: `. The
date is three numbers between points, slashes or hyphens; which is the day is for the whole file
to say (`day_order`). The time is of 12 or 24 hours, with or without seconds, its half of the day
before or after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from chatlift.sources.whatsapp_export.wording import (
    NO_BREAK_SPACES,
    meridiem_key,
    wording,
)

LONGEST_STAMP = 80
NOON = 12


class Shape(NamedTuple):
    """What stays the same from line to line of one phone's export."""

    layout: str
    """`bracket`, `dash` or `bare`."""
    separator: str
    year_place: int
    """0 or 2: which of the three numbers is the year."""
    year_digits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """A date and time as they are written; the numbers may name no day and no hour there is."""

    shape: Shape
    numbers: tuple[int, int, int]
    hour: int
    """0 to 23 with the half of the day worked in, if it is an hour at all."""
    minute: int
    second: int
    length: int
    """Number of visible characters that the stamp takes up at the line's beginning."""


def read_stamp(line: str) -> Stamp | None:
    """Return the stamp with which a line begins; None: it begins with none.

    Parameters
    ----------
    line
        Without invisible characters.

    Examples
    --------
    >>> stamp = read_stamp("29.01.18, 11:33 nachm. - Alice: Hallo")
    >>> stamp.numbers, stamp.hour, stamp.minute, stamp.length
    ((29, 1, 18), 23, 33, 25)
    """
    if not (line[:1] == "[" or line[:1].isdecimal()):
        return None
    opening = line[:LONGEST_STAMP].translate(NO_BREAK_SPACES)
    for layout, pattern in _layouts():
        match = pattern.match(opening)
        if match is not None:
            return _stamp(layout, match)
    return None


def _stamp(layout: str, match: re.Match[str]) -> Stamp | None:
    first, last = match["first"], match["last"]
    is_year_first = len(first) > len("00")
    year = first if is_year_first else last
    if len(year) not in (len("00"), len("0000")):
        return None
    half = match["before"] or match["after"]
    return Stamp(
        shape=Shape(layout, match["separator"], 0 if is_year_first else 2, len(year)),
        numbers=(int(first), int(match["middle"]), int(last)),
        hour=_hour(int(match["hour"]), half),
        minute=int(match["minute"]),
        second=int(match["second"] or 0),
        length=match.end(),
    )


def _hour(hour: int, half: str | None) -> int:
    """Return the hour of the day; one above 12 is taken as it is, whatever half is written."""
    if half is None or hour > NOON:
        return hour
    is_afternoon = meridiem_key(half) in wording().pm
    return hour % NOON + (NOON if is_afternoon else 0)


@cache
def _layouts() -> tuple[tuple[str, re.Pattern[str]], ...]:
    words = wording()
    date = (
        r"(?P<first>\d{1,4})(?P<separator>[./-]) ?(?P<middle>\d{1,2})(?P=separator) ?"
        r"(?P<last>\d{1,4})\.?"
    )
    glue = rf"[,،]? +(?:(?:{words.between_pattern}) +)?"
    before = rf"(?:(?P<before>{words.meridiem_pattern}) ?)?"
    clock = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})"
    after = rf"(?: ?(?P<after>{words.meridiem_pattern}))?"
    loose = rf"{date}{glue}{before}{clock}(?:[:.](?P<second>\d{{2}}))?{after}"
    strict = rf"{date}, {before}{clock}:(?P<second>\d{{2}}){after}"
    patterns = {
        "bracket": rf"\[{loose}\](?: |\Z)",
        "dash": rf"{loose} [-\u2013](?: |\Z)",
        "bare": rf"{strict} (?=[^:]{{1,40}}: )",
    }
    return tuple((name, re.compile(text, re.IGNORECASE)) for name, text in patterns.items())
