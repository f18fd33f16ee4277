"""Which number of a date is the day: worked out from a whole file, never guessed from a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.stamps import Shape, Stamp

Numbers = tuple[int, int, int]

MONTHS = 12
OVERWHELMING = 20
"""Lines that prove one order, per line that proves the other, from which on the one holds."""
YEARS = range(1970, 2100)


class DayOrder(StrEnum):
    """Which of day and month comes first in a date."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


def day_orders(
    stamps: Iterable[Stamp], *, stated: DayOrder | None = None
) -> Mapping[Shape, DayOrder]:
    """Return the order in each shape of date that a file has.

    What proves an order is a number above 12; then what the person `stated`; then that dates
    with points begin with the day everywhere; then that only one order keeps the dates in time.

    Raises
    ------
    InvalidInput
        If both orders are as likely, and they differ.
    """
    by_shape: dict[Shape, list[Numbers]] = defaultdict(list)
    for stamp in stamps:
        by_shape[stamp.shape].append(stamp.numbers)
    return {shape: _order(shape, numbers, stated) for shape, numbers in by_shape.items()}


def date_of(numbers: Numbers, shape: Shape, order: DayOrder) -> date | None:
    """Return the day that the numbers name; None: there is no such day.

    Examples
    --------
    >>> date_of((1, 29, 18), Shape("dash", "/", 2, 2), DayOrder.MONTH_FIRST)
    datetime.date(2018, 1, 29)
    """
    if shape.year_place == 0:
        year, month, day = numbers
    elif order is DayOrder.DAY_FIRST:
        day, month, year = numbers
    else:
        month, day, year = numbers
    year += 2000 if shape.year_digits == len("00") else 0
    try:
        return date(year, month, day) if year in YEARS else None
    except ValueError:
        return None


def _order(shape: Shape, numbers: Sequence[Numbers], stated: DayOrder | None) -> DayOrder:
    if shape.year_place == 0:
        return DayOrder.MONTH_FIRST
    decided = _proved(numbers) or stated or _by_custom(shape) or _in_time(shape, numbers)
    if decided is None:
        first, second, _ = next(n for n in numbers if n[0] != n[1])
        raise InvalidInput(
            f"The dates of this export can be read in two ways: {first}{shape.separator}{second} "
            "may begin with the day or with the month, and no other line decides it. "
            "Say --day-first or --month-first."
        )
    return decided


def _proved(numbers: Sequence[Numbers]) -> DayOrder | None:
    day_first = sum(first > MONTHS >= second for first, second, _ in numbers)
    month_first = sum(second > MONTHS >= first for first, second, _ in numbers)
    if day_first > OVERWHELMING * month_first:
        return DayOrder.DAY_FIRST
    return DayOrder.MONTH_FIRST if month_first > OVERWHELMING * day_first else None


def _by_custom(shape: Shape) -> DayOrder | None:
    return DayOrder.DAY_FIRST if shape.separator == "." else None


def _in_time(shape: Shape, numbers: Sequence[Numbers]) -> DayOrder | None:
    """Return the only order in which no day lies before the one above it; either, if they agree."""
    if all(first == second for first, second, _ in numbers):
        return DayOrder.DAY_FIRST
    fitting = [order for order in DayOrder if _is_in_time(shape, numbers, order)]
    return fitting[0] if len(fitting) == 1 else None


def _is_in_time(shape: Shape, numbers: Sequence[Numbers], order: DayOrder) -> bool:
    days = [date_of(n, shape, order) for n in numbers]
    return all(a <= b for a, b in pairwise(day for day in days if day is not None))
