"""CSV files: any usual separator and encoding, read a piece at a time, each row with its line."""

from __future__ import annotations

import csv
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

from chatlift.errors import InvalidInput
from chatlift.sources.dialects import (
    Dialect,
    detect_encoding,
    detect_separator,
    named_encoding,
    named_separator,
)
from chatlift.sources.raw_tables import (
    LONGEST_LINE,
    PIECE_ROWS,
    RawTable,
    TableFile,
    distinct_headers,
    overlong_line,
    piece_of_rows,
)

LONGEST_CELL = 1_000_000
"""Characters. A longer cell is the work of a quote that nobody closed, or of an enemy."""
SAMPLE_CHARACTERS = 65_536
NAMED_SEPARATOR = re.compile(r"^sep=(.)\r?\n?$", re.IGNORECASE)
"""What Excel writes on a first line to say what separates the cells."""


class CsvFile(TableFile):
    """A CSV file with a header."""

    def __init__(
        self, path: Path, *, separator: str | None = None, encoding: str | None = None
    ) -> None:
        """Find out how the file is written, and read its header.

        Raises
        ------
        InvalidInput
            If it has no header line, or is no text.
        """
        self.name = path.name
        self._path = path
        codec = named_encoding(encoding) if encoding else detect_encoding(path)
        sign = named_separator(separator) if separator else None
        self._dialect = self._detected(codec, sign)
        with self._open() as rows:
            self.headers = distinct_headers(rows.header, path.name)
        self.form = self._dialect.form

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[RawTable]:
        """Yield all rows in order."""
        with self._open() as opened:
            while True:
                with _without_collection():
                    cells, lines = opened.take(rows)
                if not cells:
                    return
                piece = piece_of_rows(self.headers, cells, lines)
                if piece.height:
                    yield piece

    def _detected(self, encoding: str, separator: str | None) -> Dialect:
        try:
            with self._text(encoding) as text:
                sample = text.read(SAMPLE_CHARACTERS)
        except UnicodeError as error:
            raise _not_in(encoding, self.name) from error
        first = sample.split("\n", 1)[0]
        if separator is None and (said := NAMED_SEPARATOR.match(first)):
            separator = said.group(1)
        return Dialect(encoding=encoding, separator=separator or detect_separator(sample))

    def _text(self, encoding: str) -> TextIO:
        return self._path.open(encoding=encoding, newline="")

    @contextmanager
    def _open(self) -> Iterator[_Rows]:
        with self._text(self._dialect.encoding) as text:
            yield _Rows(text, self.name, self._dialect)


class _Rows:
    """The rows below the header of an open file."""

    def __init__(self, text: TextIO, name: str, dialect: Dialect) -> None:
        # The limit is the process's own; without it the module refuses cells above 131,072.
        csv.field_size_limit(LONGEST_CELL)
        self._name = name
        self._encoding = dialect.encoding
        self._lines = _Lines(text, name)
        self._reader = csv.reader(self._lines, delimiter=dialect.separator)
        self.header = self._header()

    def _header(self) -> list[str]:
        while (rows := self.take(1)[0]) != []:
            if any(cell.strip() for cell in rows[0]) and not self._says_separator(rows[0]):
                return rows[0]
        raise InvalidInput(f"The file {self._name} has no header line. Put the column names there.")

    def _says_separator(self, row: list[str]) -> bool:
        return self._reader.line_num == 1 and row[0].lower().startswith("sep=") and len(row) <= 2

    def take(self, count: int) -> tuple[list[list[str]], list[int | None]]:
        """Return the next rows, at most `count`, and the lines on which they begin."""
        rows: list[list[str]] = []
        lines: list[int | None] = []
        begins = self._reader.line_num + 1
        try:
            for row in islice(self._reader, count):
                rows.append(row)
                lines.append(begins)
                if self._lines.is_at_end:
                    raise self._unclosed(begins)
                begins = self._reader.line_num + 1
        except csv.Error as error:
            raise InvalidInput(
                f"The file {self._name} cannot be read as CSV from line {begins} on: a cell is "
                f"longer than {LONGEST_CELL:,} characters, so a quotation mark may be missing. "
                "Mend that line."
            ) from error
        except UnicodeError as error:
            raise _not_in(self._encoding, self._name) from error
        return rows, lines

    def _unclosed(self, line: int) -> InvalidInput:
        return InvalidInput(
            f"The file {self._name} opens a quotation mark in the row of line {line} and never "
            "closes it. Mend that row."
        )


class _Lines:
    """Lines of a text, none longer than is sane."""

    def __init__(self, text: TextIO, name: str) -> None:
        self._readline = text.readline
        self._name = name
        self._number = 0
        self.is_at_end = False
        """Whether a line was asked for after the last; a row given later was cut off there."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._readline(LONGEST_LINE)
        if not line:
            self.is_at_end = True
            raise StopIteration
        self._number += 1
        if len(line) == LONGEST_LINE:
            raise overlong_line(self._number, self._name)
        return line


def _not_in(encoding: str, name: str) -> InvalidInput:
    return InvalidInput(
        f"The file {name} holds bytes that are no {encoding}. Save it as CSV UTF-8, or name "
        'its encoding in the mapping: encoding = "cp1252".'
    )


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let Python's collector rest while rows are made: lists of texts hold no cycles.

    With it, reading takes twice as long.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
