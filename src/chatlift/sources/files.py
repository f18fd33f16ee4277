"""A CSV or Parquet file as a frame of texts, each row with the line on which it begins."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from chatlift.errors import InvalidInput

SEPARATORS = ",;\t|"


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """The rows of one file, nothing understood yet."""

    cells: pl.DataFrame
    """One row per row of the file, all columns texts; null: an empty cell."""
    lines: pl.Series
    """Per row the line on which it begins, from 1; null where the file has no lines."""
    overlong: pl.Series
    """Per row whether it had more cells than the header; they are not in `cells`."""


def read_table(path: Path) -> RawTable:
    """Read a file by its ending: `.parquet`, or else CSV with a header in UTF-8.

    Raises
    ------
    InvalidInput
        If the file is missing, empty, or not what its ending says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"The file {path} cannot be read ({type(error).__name__}). Check its path."
        ) from error
    if path.suffix.lower() == ".parquet":
        return _parquet(content, path.name)
    return _csv(content, path.name)


def _parquet(content: bytes, name: str) -> RawTable:
    try:
        table = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"The file {name} is no readable Parquet. Export it again.") from error
    flat = [n for n, dtype in table.schema.items() if not dtype.is_nested() and dtype != pl.Binary]
    cells = table.select(_as_text(n, table.schema[n]) for n in flat)
    return RawTable(
        cells=cells,
        lines=pl.repeat(None, cells.height, dtype=pl.Int64, eager=True),
        overlong=pl.repeat(value=False, n=cells.height, dtype=pl.Boolean, eager=True),
    )


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if not isinstance(dtype, pl.Datetime):
        return column.cast(pl.String)
    if dtype.time_zone is None:
        return column.dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00")


def _csv(content: bytes, name: str) -> RawTable:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The file {name} is not UTF-8 (first at byte {error.start}). Save it as CSV UTF-8."
        ) from error
    header = text[: text.find("\n")] if "\n" in text else text
    if not header.strip():
        raise InvalidInput(f"The file {name} has no header line. Put the column names there.")
    separator = max(SEPARATORS, key=header.count)
    try:
        cells = pl.read_csv(
            io.BytesIO(text.encode()), infer_schema=False, separator=separator, glob=False
        )
    except pl.exceptions.NoDataError:
        cells = pl.DataFrame(schema=dict.fromkeys(header.strip().split(separator), pl.String))
    except pl.exceptions.PolarsError:
        return _uneven_csv(text, separator, name)
    newlines = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).fill_null(0))
    spans = cells.select((newlines + 1).cast(pl.Int64).alias("span"))["span"]
    return _without_blank_rows(
        RawTable(
            cells=cells,
            lines=spans.cum_sum() - spans + 2 if cells.height else spans,
            overlong=pl.repeat(value=False, n=cells.height, dtype=pl.Boolean, eager=True),
        )
    )


def _uneven_csv(text: str, separator: str, name: str) -> RawTable:
    """Read row by row a file of which some rows have more cells than the header."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines, rows, begins = [], [], 1
    try:
        header = next(reader)
        begins = reader.line_num + 1
        for row in reader:
            rows.append(row)
            lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            f"The file {name} is no readable CSV from line {begins} on. Export it again."
        ) from error
    width = len(header)
    padded = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    cells = pl.DataFrame(padded, schema=dict.fromkeys(header, pl.String), orient="row")
    return _without_blank_rows(
        RawTable(
            cells=cells,
            lines=pl.Series(lines, dtype=pl.Int64),
            overlong=pl.Series([len(row) > width for row in rows], dtype=pl.Boolean),
        )
    )


def _without_blank_rows(table: RawTable) -> RawTable:
    is_filled = table.cells.select(
        pl.any_horizontal(pl.all().str.strip_chars().fill_null("") != "").alias("is_filled")
    )["is_filled"]
    kept = is_filled | table.overlong
    return RawTable(
        cells=table.cells.filter(kept),
        lines=table.lines.filter(kept),
        overlong=table.overlong.filter(kept),
    )
