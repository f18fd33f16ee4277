"""Excel workbooks (.xlsx): the first sheet, or the one that is named.

A workbook is a ZIP of XML, so a small file can unfold to more than a machine holds, by its packing
or by a single cell far out. Both are looked at before the library that reads it sees the file.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Iterator
from pathlib import Path

import fastexcel
import polars as pl

from chatlift.errors import InvalidInput
from chatlift.sources.raw_tables import (
    RawTable,
    TableFile,
    Unfolds,
    distinct_headers,
    most_unpacked_bytes,
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


SHARED = "sharedstrings"
TEXT_BEGINS = re.compile(rb"<(?:\w{1,20}:)?si\b")
SHARED_CELL = re.compile(rb"""\bt\s*=\s*["']s["'][^>]{0,40}>\s{0,4}<(?:\w{1,20}:)?v>(\d{1,9})<""")
"""A cell that names a text by its number among the shared ones."""


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
        self.sent_bytes = path.stat().st_size
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

    def _pieces(self, rows: int) -> Iterator[RawTable]:
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
            left = most = min(MOST_UNPACKED_BYTES, most_unpacked_bytes(path.stat().st_size))
            texts = array("L")
            # A cell names a shared text by its number, so those are measured first.
            for part in sorted(parts, key=lambda part: SHARED not in part.filename.lower()):
                unpacked = _Unpacked(archive, part, texts)
                unpacked.measure(left, most, path)
                left -= unpacked.count
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise InvalidInput(
            f"The file {path.name} is no readable Excel workbook (.xlsx). Save it again, or as CSV."
        ) from error


class _Unpacked:
    """A part of a workbook, unpacked a block at a time and measured."""

    def __init__(self, archive: zipfile.ZipFile, part: zipfile.ZipInfo, texts: array[int]) -> None:
        self.count = 0
        self._archive = archive
        self._part = part
        self._texts = texts
        """Lengths of the shared texts, behind that of what precedes them; their part fills it."""
        self._is_shared = SHARED in part.filename.lower()
        self._is_sheet = "worksheets/" in part.filename.lower()
        self._rows, self._columns, self._cell_bytes = 0, 0, 0
        self._open_text_bytes = 0

    def measure(self, left: int, most: int, path: Path) -> None:
        """Refuse a part of more than `left` bytes, and more than `most` bytes of cells."""
        rest = b""
        with self._archive.open(self._part) as unpacked:
            while block := unpacked.read(BLOCK_BYTES):
                self.count += len(block)
                if self._is_shared:
                    self._measure_texts(block)
                if self._is_sheet:
                    self._measure_cells(rest + block, len(rest))
                    rest = block[-OVERLAP_BYTES:]
                cells = self._rows * self._columns
                if cells > min(MOST_CELLS, most):
                    raise _bomb(path.name, f"spans more than {min(MOST_CELLS, most):,} cells")
                if self.count > left or cells + self._cell_bytes > most:
                    raise Unfolds(path.name, path.stat().st_size)
        if self._is_shared:
            self._texts.append(self._open_text_bytes)

    def _measure_texts(self, block: bytes) -> None:
        first, *others = TEXT_BEGINS.split(block)
        self._open_text_bytes += len(first)
        for text in others:
            self._texts.append(self._open_text_bytes)
            self._open_text_bytes = len(text)

    def _measure_cells(self, block: bytes, known: int) -> None:
        for letters, digits in PLACE.findall(block):
            self._rows = max(self._rows, int(digits))
            self._columns = max(self._columns, _column_number(letters))
        for named in SHARED_CELL.finditer(block):
            number = int(named[1]) + 1
            if named.end() > known and number < len(self._texts):
                self._cell_bytes += self._texts[number]


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
