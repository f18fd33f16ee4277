"""What every reader of table files gives: pieces of rows whose cells are texts, nothing understood.

A reader knows its headers once it is open, and can be read any number of times, a piece of rows
at a time, so that memory does not grow with the file.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from chatlift.errors import InvalidInput

MOST_COLUMNS = 2_000
LONGEST_LINE = 4_000_000
"""Bytes or characters: no row of a table of people or messages is longer, but a bomb is."""
PIECE_ROWS = 50_000
PIECE_CELLS = 1_000_000
"""A piece of a wide table has fewer rows."""
FREE_UNPACKED_BYTES = 1_000_000
MOST_UNPACKED_RATIO = 100
"""A file may unfold to so many bytes for each that was sent, beside those that are free. Tables of
CSV unfold to 5, Parquet of columns that hardly change to 40."""
FILLED_CELL_BYTES = 8
"""What a filled cell costs beside its text, and an empty one costs an eighth of."""
TOO_MANY_CELLS = "the row has more cells than the header"


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """Some consecutive rows of one file; rows without any filled cell are left out."""

    cells: pl.DataFrame
    """One row per row of the file, all columns texts; null: no cell."""
    lines: pl.Series
    """Per row the line on which it begins, from 1; null where the file has no lines."""
    complaints: pl.Series
    """Per row why it cannot be read as a row of this table; null: it can."""
    extras: pl.Series
    """Per row its cells beyond the header, as a JSON list; null: there are none."""

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.cells.height


class TableFile(ABC):
    """An open file of rows; it may be read again and again, by one thread at a time."""

    name: str
    """The file's name, without its folder."""
    headers: tuple[str, ...]
    """Column names, each different from the others."""
    form: str
    """What the file was found to be, for a person, such as `CSV, utf-8, comma`."""
    sent_bytes: int
    """The file's size on disk."""

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[RawTable]:
        """Yield all rows in order, about `rows` at a time, fewer of a wide table.

        Raises
        ------
        InvalidInput
            If the file cannot be read on, the text tells where; or if it unfolds to more than
            `most_unpacked_bytes`.
        """
        left = most_unpacked_bytes(self.sent_bytes)
        for piece in self._pieces(max(min(rows, PIECE_CELLS // max(len(self.headers), 1)), 1)):
            left -= unpacked_bytes(piece.cells)
            if left < 0:
                raise Unfolds(self.name, self.sent_bytes)
            yield piece

    @abstractmethod
    def _pieces(self, rows: int) -> Iterator[RawTable]:
        """Yield all rows in order, at most `rows` at a time."""


class Unfolds(InvalidInput):
    """A file says far more than its size can hold, which is an enemy's work or an accident's."""

    def __init__(self, file_name: str, sent_bytes: int) -> None:
        super().__init__(
            f"The file {file_name} of {sent_bytes:,} bytes unfolds to more than "
            f"{most_unpacked_bytes(sent_bytes):,} bytes ({MOST_UNPACKED_RATIO} times its size). "
            "Export it as CSV, or leave out the columns that are always the same."
        )


def most_unpacked_bytes(sent_bytes: int) -> int:
    """Return to how many bytes a file of this size may unfold."""
    return FREE_UNPACKED_BYTES + MOST_UNPACKED_RATIO * sent_bytes


def unpacked_bytes(cells: pl.DataFrame) -> int:
    """Return what cells cost: their texts, and something for each cell.

    Examples
    --------
    >>> unpacked_bytes(pl.DataFrame({"id": ["abc", None]}))
    12
    """
    if not cells.width:
        return 0
    texts = cells.select(pl.sum_horizontal(pl.all().str.len_bytes().sum().fill_null(0))).item()
    filled = cells.select(pl.sum_horizontal(pl.all().count())).item()
    empty = cells.height * cells.width - filled
    return int(texts) + FILLED_CELL_BYTES * int(filled) + int(empty)


def distinct_headers(names: Sequence[str | None], file_name: str) -> tuple[str, ...]:
    """Return usable column names: blanks are numbered, repeats get a number too.

    Raises
    ------
    InvalidInput
        If there are more columns than any table of records has.

    Examples
    --------
    >>> distinct_headers(["id", "note", "note", " "], "a.csv")
    ('id', 'note', 'note (2)', 'column 4')
    """
    if len(names) > MOST_COLUMNS:
        raise InvalidInput(
            f"The file {file_name} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read. "
            "Keep the ones that matter."
        )
    found: dict[str, int] = {}
    """Name to the last number that was tried for it, so that no number is tried twice."""
    for place, name in enumerate(names, 1):
        plain = (name or "").replace("\0", "").strip() or f"column {place}"
        candidate = plain
        while candidate in found:
            found[plain] += 1
            candidate = f"{plain} ({found[plain]})"
        found[candidate] = 1
    return tuple(found)


def piece_of_rows(headers: Sequence[str], rows: list[list[str]], lines: range) -> RawTable:
    """Return rows of texts as a piece: short rows are filled up, long ones complained about.

    Parameters
    ----------
    rows
        Changed in place where they are short or long.
    lines
        All lines that the rows stand on.
    """
    width = len(headers)
    extras: list[str | None] = [None] * len(rows)
    if set(map(len, rows)) != {width}:
        for place, row in enumerate(rows):
            if len(row) > width:
                extras[place] = json.dumps(row[width:], ensure_ascii=False)
            rows[place] = [*row[:width], *[None] * (width - len(row))]  # type: ignore[list-item]
    beyond = pl.Series("extras", extras, pl.String)
    cells = pl.DataFrame(rows, schema=dict.fromkeys(headers, pl.String), orient="row")
    return without_blank_rows(
        RawTable(
            cells=cells,
            lines=_beginnings(cells, beyond, lines),
            complaints=beyond.to_frame()
            .select(pl.when(pl.col("extras").is_not_null()).then(pl.lit(TOO_MANY_CELLS)))
            .to_series(),
            extras=beyond,
        )
    )


def _beginnings(cells: pl.DataFrame, extras: pl.Series, lines: range) -> pl.Series:
    """Return per row the line on which it begins; line breaks in cells make some rows longer."""
    if len(lines) == cells.height:
        return pl.Series("line", lines, pl.Int64)
    spans = pl.repeat(1, cells.height, dtype=pl.Int64, eager=True)
    for column in cells.iter_columns():
        spans += _breaks(column)
    # In JSON, a line break in a cell beyond the header is spelled as two characters.
    spans += _breaks(extras.str.replace_many(["\\\\", "\\n", "\\r"], ["", "\n", "\r"]))
    return (lines.start + spans.cum_sum().shift(1, fill_value=0)).alias("line")


def _breaks(column: pl.Series) -> pl.Series:
    """Return per cell its number of line breaks, however they are written."""
    news = column.str.count_matches("\n", literal=True)
    if column.str.contains("\r", literal=True).any():
        returns = column.str.count_matches("\r", literal=True)
        news = news + returns - column.str.count_matches("\r\n", literal=True)
    return news.fill_null(0).cast(pl.Int64)


def piece_of_frame(cells: pl.DataFrame, lines: pl.Series) -> RawTable:
    """Return a frame of texts as a piece."""
    nothing = pl.repeat(None, cells.height, dtype=pl.String, eager=True)
    return without_blank_rows(
        RawTable(cells=cells, lines=lines, complaints=nothing, extras=nothing)
    )


def without_blank_rows(table: RawTable) -> RawTable:
    """Return the rows that have anything in them."""
    if not table.cells.width or _is_filled(table.cells[:, 0]).all():
        return table
    is_filled = table.cells.select(pl.any_horizontal(_is_filled(pl.all())).alias("is"))["is"]
    kept = is_filled | table.complaints.is_not_null()
    if kept.all():
        return table
    return RawTable(
        cells=table.cells.filter(kept),
        lines=table.lines.filter(kept),
        complaints=table.complaints.filter(kept),
        extras=table.extras.filter(kept),
    )


Cells = TypeVar("Cells", pl.Series, pl.Expr)


def _is_filled(cells: Cells) -> Cells:
    return cells.str.contains(r"[^\s\x00]").fill_null(value=False)


def overlong_line(number: int, file_name: str) -> InvalidInput:
    """Return the error of a file with a line that no table has."""
    return InvalidInput(
        f"Line {number} of the file {file_name} is longer than {LONGEST_LINE // 1_000_000} MB, so "
        "this is no table of records. Check which file it is."
    )
