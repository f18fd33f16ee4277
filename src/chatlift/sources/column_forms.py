"""How the values of a column are written, found over all of them: dates, numbers, flags.

A column is looked at as a whole, because one value cannot tell: `03/04/2025` is a day in March
or in April, and `1,234` is a thousand or one and a bit. What stays undecided is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.sources.cells import (
    NO,
    YES,
    DateOrder,
    InstantForm,
    Shape,
    instant,
    number_text,
)

Counts = Mapping[str, int]
"""Of one column: name of a sign to the number of its values that show it."""

SMALL = r"^(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})\b"
DATED = r"^(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4})(?:[T,\s]|$)"
MONEY = r"^[-+]?\s*(?:[A-Z]{3}|R?\$|[\u20ac\u00a3\u00a5])?\s*[-+]?\d[\d.,' \u00a0\u202f]*"
NUMBER = MONEY + r"(?:[\u20ac\u00a3\u00a5]|[A-Z]{3})?$"
MOST_STRAY_SHARE = 0.01
"""Dates of the rarer order beyond this share mean that the column mixes both."""


def _small_number(text: pl.Expr, group: int) -> pl.Expr:
    return text.str.extract(SMALL, group).cast(pl.Int8, strict=False)


def signs(column: str) -> dict[str, pl.Expr]:
    """Return what is counted in a column: name of a sign to the number of values that show it."""
    text = pl.col(column)
    lower = text.str.to_lowercase()
    first, second = _small_number(text, 1), _small_number(text, 2)
    told = {
        "filled": text.is_not_null(),
        "first_is_day": (first > 12) & (second <= 12),
        "second_is_day": (second > 12) & (first <= 12),
        "either_order": (first <= 12) & (second <= 12) & (first != second),
        "dotted": text.str.contains(r"^\d{1,2}\.\d{1,2}\.\d"),
        "dated": text.str.contains(DATED),
        "timed": text.str.contains(r"\d:\d{2}"),
        "year_first": text.str.contains(r"^\d{4}-\d{2}-\d{2}"),
        "zoned": text.str.contains(r"(?i):\d{2}(?:\.\d+)?\s*(?:[+-]\d{2}:?\d{2}|z|utc|gmt)$"),
        "half_day": text.str.contains(r"(?i)\d\s*[ap]\.?\s?m\.?\s*$"),
        "unix": text.str.contains(r"^\d{9,13}$"),
        "named": text.str.contains(r"(?i)(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"),
        "yes": lower.is_in(YES),
        "no": lower.is_in(NO),
        "digit_flag": text.is_in(["0", "1"]),
        "number": text.str.contains(NUMBER),
        "plain_number": text.str.contains(r"^[-+]?\d+(?:\.\d+)?$"),
        "comma_decimal": text.str.contains(r",\d{1,2}\D*$|,\d{4,}\D*$|\d\.\d{3},|\.\d{3}\."),
        "point_decimal": text.str.contains(r"\.\d{1,2}\D*$|\.\d{4,}\D*$|\d,\d{3}\.|,\d{3},"),
        "either_decimal": text.str.contains(r"^\D*\d{1,3},\d{3}\D*$"),
    }
    return {name: sign.fill_null(value=False).sum() for name, sign in told.items()}


INSTANT_SIGNS = (
    *("filled", "first_is_day", "second_is_day", "either_order", "dotted"),
    *("zoned", "half_day", "unix", "named"),
)
"""The signs that a column of instants is looked at for."""


def date_order(
    counts: Counts, column: str, file_name: str, said: DateOrder | None = None
) -> DateOrder | None:
    """Return which number of the column's dates is the day; None where no date leaves it open.

    Dates with points are taken to begin with the day, as they do wherever they are usual.

    Raises
    ------
    InvalidInput
        If no value tells, or values contradict each other.
    """
    if said is not None:
        return said
    day, month = counts["first_is_day"], counts["second_is_day"]
    if min(day, month) > MOST_STRAY_SHARE * max(day, month):
        raise InvalidInput(
            f"The column {column} of {file_name} mixes dates that begin with the day ({day:,}) and "
            f"with the month ({month:,}). Bring them into one order, such as 2026-01-31."
        )
    if day or month:
        return DateOrder.DAY_FIRST if day > month else DateOrder.MONTH_FIRST
    if not counts["either_order"]:
        return None
    if counts["dotted"]:
        return DateOrder.DAY_FIRST
    raise InvalidInput(
        f"The dates in the column {column} of {file_name} can be read as day/month or month/day, "
        "and no value tells which. Say it with --day-first or --month-first, or as "
        "date_order in the mapping."
    )


def instant_form(
    counts: Counts,
    column: str,
    file_name: str,
    *,
    said: DateOrder | None,
    date_format: str | None,
    time_zone: str,
) -> InstantForm:
    """Return how the instants of a column are written; errors as `date_order`."""
    if date_format is not None:
        return InstantForm(date_format=date_format, time_zone=time_zone)
    rarer = (Shape.ZONED, Shape.HALF_DAY, Shape.NAMED, Shape.UNIX)
    return InstantForm(
        order=date_order(counts, column, file_name, said),
        shapes=frozenset({Shape.PLAIN, *(shape for shape in rarer if counts[shape])}),
        time_zone=time_zone,
    )


class ValueKind(StrEnum):
    """What the values of a further column are."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"


@dataclass(frozen=True, kw_only=True)
class ValueForm:
    """How the values of a further column are written, and so how they become one spelling."""

    kind: ValueKind = ValueKind.TEXT
    decimal: str = "."
    order: DateOrder | None = None
    has_times: bool = False
    doubt: str | None = None
    """What could not be decided; the values then stay as they are written."""

    def one_spelling(self, cell: pl.Expr) -> pl.Expr:
        """Return the value in the spelling that all files share: 1234.5, true, 2026-01-31."""
        if self.kind is ValueKind.NUMBER:
            return number_text(cell, self.decimal)
        if self.kind is ValueKind.FLAG:
            return (
                pl.when(cell.str.to_lowercase().is_in(YES))
                .then(pl.lit("true"))
                .otherwise(pl.when(cell.is_not_null()).then(pl.lit("false")))
            )
        if self.kind is ValueKind.DATE:
            pattern = "%Y-%m-%d %H:%M:%S" if self.has_times else "%Y-%m-%d"
            read = instant(cell, InstantForm(order=self.order)).dt.strftime(pattern)
            return pl.coalesce(read, cell)
        return cell


TEXT = ValueForm()


def value_form(
    counts: Counts, *, said_order: DateOrder | None = None, said_decimal: str | None = None
) -> ValueForm:
    """Return how the values of a further column are written.

    Numbers, flags and dates are told apart only where all values agree; anything else is text
    and stays as it is. So do numbers and dates that are in the usual spelling already, because
    a leading zero may matter.
    """
    filled = counts["filled"]
    if not filled:
        return TEXT
    if counts["yes"] + counts["no"] == filled and counts["yes"] and counts["no"]:
        return TEXT if counts["digit_flag"] == filled else ValueForm(kind=ValueKind.FLAG)
    if counts["dated"] == filled:
        return _date_form(counts, said_order)
    if counts["number"] == filled and counts["plain_number"] < filled:
        return _number_form(counts, said_decimal)
    return TEXT


def _date_form(counts: Counts, said: DateOrder | None) -> ValueForm:
    if counts["year_first"] == counts["filled"]:
        return TEXT
    try:
        order = date_order(counts, "", "", said)
    except InvalidInput:
        return ValueForm(doubt="whether the day or the month comes first (date_order)")
    return ValueForm(kind=ValueKind.DATE, order=order, has_times=counts["timed"] > 0)


def _number_form(counts: Counts, said: str | None) -> ValueForm:
    if said is not None:
        return ValueForm(kind=ValueKind.NUMBER, decimal=said)
    comma, point = counts["comma_decimal"], counts["point_decimal"]
    if comma and point:
        return ValueForm(doubt="whether comma or point begins the decimals (decimal)")
    if comma or point:
        return ValueForm(kind=ValueKind.NUMBER, decimal="," if comma else ".")
    if counts["either_decimal"]:
        return ValueForm(doubt="whether the comma groups thousands or begins decimals (decimal)")
    return ValueForm(kind=ValueKind.NUMBER)


def count_signs(cells: pl.DataFrame, columns: Mapping[str, Sequence[str] | None]) -> pl.DataFrame:
    """Return one row per column and sign with its count.

    Parameters
    ----------
    columns
        Column to the signs looked for; None: all.
    """
    told = []
    for column, wanted in columns.items():
        found = {n: e for n, e in signs(column).items() if wanted is None or n in wanted}
        row = cells.select(**found).row(0)
        told += [(column, name, int(n)) for name, n in zip(found, row, strict=True)]
    return pl.DataFrame(told, schema=COUNTED, orient="row")


COUNTED = pl.Schema({"column": pl.String, "sign": pl.String, "count": pl.Int64})
