"""Excel workbooks (.xlsx): the first sheet, or the one that is named.

A workbook is a ZIP of XML, so a small file can unfold to more than a machine holds, by its packing
or by a single cell far out. Both are looked at before the library that reads it sees the file.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fastexcel
import polars as pl

from chatlift.errors import InvalidInput
from chatlift.sources.raw_tables import (
    PIECE_ROWS,
    RawTable,
    TableFile,
    distinct_headers,
    piece_of_frame,
)

MOST_UNPACKED_BYTES = 400_000_000
MOST_PARTS = 2_000
MOST_CELLS = 20_000_000
"""Counted as the rectangle that holds all cells, which is what the reader makes room for."""
BLOCK_BYTES = 1_048_576
OVERLAP_BYTES = 64
PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,10})["']""")
"""Where a cell or row says it stands, such as r="AB12"."""


class ExcelFile(TableFile):
    """A workbook's sheet; formulas count with the value that Excel kept beside them."""

    def __init__(self, path: Path, *, sheet: str | None = None) -> None:
        """Read the sheet.

        Raises
        ------
        InvalidInput
            If it is no workbook, has no such sheet or header, or would unfold to too much.
        """
        self.name = path.name
        _refuse_bombs(path)
        try:
            workbook = fastexcel.read_excel(path)
            name = sheet or _first(workbook.sheet_names, path.name)
            # Without a header row, and no row passed over, rows keep their numbers.
            loaded = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
            grid = loaded.to_polars()
        except fastexcel.FastExcelError as error:
            raise InvalidInput(
                f"The file {path.name} cannot be read as a workbook"
                f"{f' with a sheet {sheet!r}' if sheet else ''}. Save it as CSV, or name one of "
                'its sheets in the mapping: sheet = "...".'
            ) from error
        lines = pl.int_range(1, grid.height + 1, dtype=pl.Int64, eager=True)
        table = piece_of_frame(grid, lines)
        if not table.height:
            raise InvalidInput(
                f"The sheet {name} of {path.name} is empty. Put the column names in its first row."
            )
        self.headers = distinct_headers(table.cells.row(0), path.name)
        self._cells = table.cells[1:].rename(dict(zip(grid.columns, self.headers, strict=True)))
        self._lines = table.lines[1:]
        self.form = f"Excel, sheet {name}"

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[RawTable]:
        """Yield all rows in order; a row's line is its number in the sheet."""
        for start in range(0, self._cells.height, rows):
            yield piece_of_frame(
                self._cells[start : start + rows], self._lines[start : start + rows]
            )


def _first(names: list[str], file_name: str) -> str:
    if names:
        return names[0]
    raise InvalidInput(f"The file {file_name} has no sheet. Save the table as CSV.")


def _refuse_bombs(path: Path) -> None:
    """Unpack everything once without keeping it, and look how far out the cells lie.

    What the directory of a ZIP says about sizes may be a lie, so the bytes are counted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise _bomb(path.name, f"has {len(parts):,} parts, at most {MOST_PARTS:,} are read")
            left = MOST_UNPACKED_BYTES
            for part in parts:
                left -= _unpacked_bytes(archive, part, left, path.name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise InvalidInput(
            f"The file {path.name} is no readable Excel workbook (.xlsx). Save it again, or as CSV."
        ) from error


def _unpacked_bytes(archive: zipfile.ZipFile, part: zipfile.ZipInfo, most: int, name: str) -> int:
    count, rows, columns, rest = 0, 0, 0, b""
    is_sheet = "worksheets/" in part.filename.lower()
    with archive.open(part) as unpacked:
        while block := unpacked.read(BLOCK_BYTES):
            count += len(block)
            if count > most:
                raise _bomb(name, f"unfolds to more than {MOST_UNPACKED_BYTES:,} bytes")
            if is_sheet:
                for letters, digits in PLACE.findall(rest + block):
                    rows, columns = max(rows, int(digits)), max(columns, _column_number(letters))
                rest = block[-OVERLAP_BYTES:]
            if rows * columns > MOST_CELLS:
                raise _bomb(name, f"spans more than {MOST_CELLS:,} cells")
    return count


def _column_number(letters: bytes) -> int:
    """Return the number of a column.

    Examples
    --------
    >>> _column_number(b"A"), _column_number(b"AB"), _column_number(b"")
    (1, 28, 1)
    """
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number or 1


def _bomb(name: str, found: str) -> InvalidInput:
    return InvalidInput(f"The workbook {name} {found}. Save the table as CSV, or in parts.")
