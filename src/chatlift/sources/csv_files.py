"""CSV files: any usual separator and encoding, read a piece at a time, each row with its line."""

from __future__ import annotations

import csv
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from chatlift.errors import InvalidInput
from chatlift.sources.dialects import (
    BLOCK_BYTES,
    Dialect,
    detect_encoding,
    detect_separator,
    named_encoding,
    named_separator,
)
from chatlift.sources.raw_tables import (
    LONGEST_LINE,
    RawTable,
    TableFile,
    distinct_headers,
    overlong_line,
    piece_of_rows,
)

LONGEST_CELL = 1_000_000
"""Characters. A longer cell is the work of a quote that nobody closed, or of an enemy."""
MOST_READ = 2 * LONGEST_LINE
"""More than any line that is not refused, so that none is read in two."""
SAMPLE_CHARACTERS = 65_536
END = "\0the file ends here\0"
"""A line put after the last; where it becomes part of a cell, that cell was never closed."""
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
        self.sent_bytes = path.stat().st_size
        self._path = path
        _refuse_endless_lines(path)
        codec = named_encoding(encoding) if encoding else detect_encoding(path)
        sign = named_separator(separator) if separator else None
        self._dialect = self._detected(codec, sign)
        with self._open() as rows:
            self.headers = distinct_headers(rows.header, path.name)
        self.form = self._dialect.form

    def _pieces(self, rows: int) -> Iterator[RawTable]:
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
        self._text = text
        self._encoding = dialect.encoding
        self._separator = dialect.separator
        # No Python code runs per line: that alone took as long as all the parsing.
        lines = chain(iter(partial(text.readline, MOST_READ), ""), [END])
        self._reader = csv.reader(lines, delimiter=dialect.separator)
        self.header = self._header()

    def _header(self) -> list[str]:
        while rows := self.take(1)[0]:
            if any(cell.strip() for cell in rows[0]) and not self._says_separator(rows[0]):
                return rows[0]
        raise InvalidInput(f"The file {self._name} has no header line. Put the column names there.")

    def _says_separator(self, row: list[str]) -> bool:
        return self._reader.line_num == 1 and row[0].lower().startswith("sep=") and len(row) <= 2

    def take(self, count: int) -> tuple[list[list[str]], range]:
        """Return the next rows, at most `count`, and all lines that they stand on."""
        begins = self._reader.line_num + 1
        try:
            rows = list(islice(self._reader, count))
        except csv.Error as error:
            raise InvalidInput(
                f"The file {self._name} cannot be read as CSV from line {self._bad_line()} on: a "
                f"cell is longer than {LONGEST_CELL:,} characters, so a quotation mark may be "
                "missing. Mend that row."
            ) from error
        except UnicodeError as error:
            raise _not_in(self._encoding, self._name) from error
        ends = self._reader.line_num + 1
        if rows and rows[-1] and rows[-1][-1].endswith(END):
            if rows.pop() != [END]:
                raise self._unclosed()
            ends -= 1
        return rows, range(begins, ends)

    def _unclosed(self) -> InvalidInput:
        return InvalidInput(
            f"The file {self._name} opens a quotation mark in the row of line {self._bad_line()} "
            "and never closes it. Mend that row."
        )

    def _bad_line(self) -> int:
        """Return the line on which the row begins that is not read to its end, row by row."""
        self._text.seek(0)
        lines = iter(partial(self._text.readline, MOST_READ), "")
        reader = csv.reader(chain(lines, [END]), delimiter=self._separator)
        begins = 1
        with suppress(csv.Error):
            for row in reader:
                if row and row[-1].endswith(END):
                    break
                begins = reader.line_num + 1
        return begins


def _refuse_endless_lines(path: Path) -> None:
    """Refuse a file of which some line is longer than any table's, by its bytes."""
    number, without_end = 1, 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            ends = max(block.count(b"\n"), block.count(b"\r"))
            number += ends
            without_end = 0 if ends else without_end + 1
            if without_end * BLOCK_BYTES >= LONGEST_LINE:
                raise overlong_line(number, path.name)


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
