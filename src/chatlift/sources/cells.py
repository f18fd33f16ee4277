"""From the cells of a file, all texts, to typed columns: instants, flags, words.

Every expression gives null where a cell cannot be read, so that the caller can tell the
empty cell from the bad one and refuse that row alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from chatlift.records import INSTANT

OFFSET = r"[+-]\d{2}:?\d{2}$"
NAIVE_FORMS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
AWARE_FORMS = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M%:z")
YES = ("yes", "true", "1")
NO = ("no", "false", "0")


def cleaned(column: str) -> pl.Expr:
    """Return the cell without blanks around it; an empty one is null."""
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text)


def instant(cell: pl.Expr, *, date_format: str | None, time_zone: str) -> pl.Expr:
    """Return the UTC instant of each cell.

    Parameters
    ----------
    date_format
        strftime pattern; None takes ISO 8601 and Unix seconds or milliseconds.
    time_zone
        Zone of instants that carry none. Of a clock time that occurs twice the first is
        taken; one that the clock skipped is null.
    """
    if date_format is not None:
        return _in_form(cell, date_format, time_zone)
    text = cell.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"\s*[Zz]$", "+00:00")
    aware = pl.when(text.str.contains(r"\d{2}:\d{2}.*" + OFFSET)).then(
        text.str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "${1}:${2}")
    )
    naive = pl.coalesce(
        text.str.to_datetime(form, strict=False, time_unit="us", exact=True) for form in NAIVE_FORMS
    )
    return pl.coalesce(
        _located(naive, time_zone),
        *(_in_form(aware, form, time_zone) for form in AWARE_FORMS),
        _unix_time(text),
    ).cast(INSTANT)


def _in_form(cell: pl.Expr, form: str, time_zone: str) -> pl.Expr:
    if "z" in form.replace("%%", ""):
        return cell.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
    return _located(cell.str.to_datetime(form, strict=False, time_unit="us"), time_zone)


def _located(naive: pl.Expr, time_zone: str) -> pl.Expr:
    local = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _unix_time(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    seconds = pl.when(text.str.contains(r"^\d{9,10}$")).then(number * 1_000_000)
    milliseconds = pl.when(text.str.contains(r"^\d{12,13}$")).then(number * 1_000)
    return pl.coalesce(seconds, milliseconds).cast(INSTANT)


def word(cell: pl.Expr, meanings: Mapping[str, Sequence[str]]) -> pl.Expr:
    """Return the meaning whose list of words holds the cell; upper and lower case are one."""
    small = cell.str.to_lowercase()
    return pl.coalesce(
        pl.when(small.is_in(list(words))).then(pl.lit(meaning))
        for meaning, words in meanings.items()
    )


def flag(cell: pl.Expr) -> pl.Expr:
    """Return yes or no."""
    return word(cell, {"true": YES, "false": NO}) == "true"
