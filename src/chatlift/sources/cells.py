"""From the cells of a file, all texts, to typed columns: instants, numbers, flags, words.

Every expression gives null where a cell cannot be read, so that the caller can tell the
empty cell from the bad one and refuse that row alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import polars as pl

from chatlift.records import INSTANT

MISSING = (
    "",
    "-",
    "--",
    "\u2013",
    "\u2014",
    "n/a",
    "#n/a",
    "null",
    "nan",
    "NaN",
    "select",
    "(blank)",
)
"""What stands in a cell of which nothing is known: so, with capitals, or all in capitals."""

EARLIEST = datetime(1901, 1, 1, tzinfo=UTC)
"""Nothing that a messaging business keeps is older. Programs write 0001-01-01, 1899-12-30 and
1900-01-01 where they know no date, and one such cell would stretch what was observed to its year.
"""

OFFSET = r"[+-]\d{2}:?\d{2}$"
NAIVE_FORMS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
AWARE_FORMS = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M%:z")
HALF_DAY_FORMS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p")
NAMED_DAYS = ("%d %B %Y", "%B %d %Y")
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")

YES = (
    *("yes", "y", "true", "t", "1", "s\u00ed", "si", "s", "verdadero", "sim", "verdadeiro"),
    *("ja", "j", "wahr", "oui", "o", "vrai", "vero", "tak", "evet", "da", "\u0434\u0430"),
    *("\u0646\u0639\u0645", "\u662f", "\u306f\u3044"),
)
NO = (
    *("no", "n", "false", "f", "0", "falso", "n\u00e3o", "nao", "nein", "falsch", "non", "faux"),
    *("nie", "hay\u0131r", "net", "\u043d\u0435\u0442", "\u0644\u0627", "\u5426"),
    "\u3044\u3044\u3048",
)
"""Yes and no in English, Spanish, Portuguese, German, French, Italian, Polish, Turkish, Russian,
Arabic, Chinese and Japanese, in small letters."""


class DateOrder(StrEnum):
    """Which of the two small numbers of a date comes first."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class Shape(StrEnum):
    """How an instant may be written, once its date stands in one order."""

    PLAIN = "plain"
    ZONED = "zoned"
    HALF_DAY = "half_day"
    UNIX = "unix"
    NAMED = "named"


@dataclass(frozen=True, kw_only=True)
class InstantForm:
    """How the instants of one column are written."""

    order: DateOrder | None = None
    """None: no date of the column begins with a day or month in digits."""
    shapes: frozenset[Shape] = frozenset(Shape)
    """The shapes that occur, at least one; the others need not be tried."""
    date_format: str | None = None
    """strftime pattern that a person gave; it alone counts then."""
    time_zone: str = "UTC"
    """Zone of instants that carry none. Of a clock time that occurs twice the first is taken;
    one that the clock skipped is null."""


def cleaned(column: str, missing: Collection[str] = MISSING) -> pl.Expr:
    """Return the cell without blanks around it and NULs in it; one of `missing` is null."""
    text = pl.col(column).str.replace_all("\0", "", literal=True).str.strip_chars()
    # Spelled out, because small letters of every cell of a large file take their time.
    spelled = {form for word in missing for form in (word, word.upper(), word.title())}
    return pl.when(~text.is_in(["", *spelled])).then(text)


def in_one_order(text: pl.Expr, order: DateOrder | None) -> pl.Expr:
    """Return dates as year, month, day, and times in one spelling, as far as they are digits."""
    day_month = "${3}-${2}-${1} " if order is not DateOrder.MONTH_FIRST else "${3}-${1}-${2} "
    short_year = day_month.replace("${3}", "20${3}")
    return (
        text.str.replace(
            r"^(\d{4})[./-](\d{1,2})[./-](\d{1,2})\.?(?:[Tt,\s]+|$)", "${1}-${2}-${3} "
        )
        .str.replace(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[Tt,\s]+|$)", day_month)
        .str.replace(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{2})(?:[Tt,\s]+|$)", short_year)
        .str.replace(r"(?i)\s*\b?([ap])\.?\s?m\.?\s*$", " ${1}M")
        .str.replace(r"(?i)\s*(?:z|utc|gmt)$", "+00:00")
        .str.strip_chars()
    )


def instant(cell: pl.Expr, form: InstantForm) -> pl.Expr:
    """Return the UTC instant of each cell; null also for one before `EARLIEST`."""
    read = _instant(cell, form)
    return pl.when(read >= pl.lit(EARLIEST, INSTANT)).then(read)


def _instant(cell: pl.Expr, form: InstantForm) -> pl.Expr:
    if form.date_format is not None:
        return _in_form(cell, form.date_format, form.time_zone)
    text = in_one_order(cell, form.order)
    found = []
    if Shape.PLAIN in form.shapes:
        found.append(_located(_first_of(text, NAIVE_FORMS), form.time_zone))
    if Shape.ZONED in form.shapes:
        found += _zoned(text)
    if Shape.HALF_DAY in form.shapes:
        found.append(_located(_first_of(text, HALF_DAY_FORMS), form.time_zone))
    if Shape.NAMED in form.shapes:
        found.append(_located(_named(text), form.time_zone))
    if Shape.UNIX in form.shapes:
        found.append(_unix_time(text))
    return pl.coalesce(*found).cast(INSTANT)


def _first_of(text: pl.Expr, forms: Collection[str]) -> pl.Expr:
    return pl.coalesce(
        text.str.to_datetime(form, strict=False, time_unit="us", exact=True) for form in forms
    )


def _zoned(text: pl.Expr) -> list[pl.Expr]:
    aware = pl.when(text.str.contains(r"\d{2}:\d{2}.*" + OFFSET)).then(
        text.str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "${1}:${2}")
    )
    return [_in_form(aware, form, "UTC") for form in AWARE_FORMS]


def _named(text: pl.Expr) -> pl.Expr:
    """Return dates with an English month's name, such as `Jan 5, 2025 9:30 PM`."""
    bare = text.str.replace_all(",", " ").str.replace(r"(\d)(?:st|nd|rd|th)\b", "${1}")
    tidy = bare.str.replace_all(r"[-\s]+", " ")
    return _first_of(tidy, [day + time for day in NAMED_DAYS for time in TIMES])


def _in_form(cell: pl.Expr, form: str, time_zone: str) -> pl.Expr:
    if "z" in form.replace("%%", ""):
        return cell.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
    return _located(cell.str.to_datetime(form, strict=False, time_unit="us"), time_zone)


def _located(naive: pl.Expr, time_zone: str) -> pl.Expr:
    if time_zone == "UTC":  # Nothing is skipped or occurs twice, so nothing need be looked up.
        return naive.dt.replace_time_zone("UTC")
    local = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _unix_time(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    seconds = pl.when(text.str.contains(r"^\d{9,10}$")).then(number * 1_000_000)
    milliseconds = pl.when(text.str.contains(r"^\d{12,13}$")).then(number * 1_000)
    return pl.coalesce(seconds, milliseconds).cast(INSTANT)


def number_text(cell: pl.Expr, decimal: str) -> pl.Expr:
    """Return a number as digits with a point, whatever stood around and between them."""
    grouping = "." if decimal == "," else ","
    bare = cell.str.replace_all(r"[^0-9.,+-]", "").str.replace_all(grouping, "", literal=True)
    return bare.str.replace(",", ".", literal=True)


def word(cell: pl.Expr, meanings: Mapping[str, Collection[str]]) -> pl.Expr:
    """Return the meaning whose list of words holds the cell; upper and lower case are one.

    A list with `*` is the meaning of all words that stand in no other.
    """
    small = cell.str.to_lowercase()
    named = [
        pl.when(small.is_in([*words])).then(pl.lit(meaning)) for meaning, words in meanings.items()
    ]
    others = [pl.lit(meaning) for meaning, words in meanings.items() if "*" in words]
    return pl.when(cell.is_not_null()).then(pl.coalesce(*named, *others))


def flag(cell: pl.Expr) -> pl.Expr:
    """Return yes or no."""
    return word(cell, {"true": YES, "false": NO}) == "true"
