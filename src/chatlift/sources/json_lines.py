"""JSON Lines: an object a line; a line that is none is a row that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.sources.raw_tables import (
    LONGEST_LINE,
    MOST_COLUMNS,
    RawTable,
    TableFile,
    distinct_headers,
    overlong_line,
)

NO_OBJECT = "the line is no JSON object"
Entry = tuple[int, str, dict[str, Any] | None]
"""The line's number, its text, and the object that it holds, if it does."""


class JsonLinesFile(TableFile):
    """A file of JSON objects, one a line, in UTF-8; its columns are all keys that occur."""

    def __init__(self, path: Path) -> None:
        """Read the file once, for its keys.

        Raises
        ------
        InvalidInput
            If no line is an object, a line is far too long, or there are too many keys.
        """
        self.name = path.name
        self.sent_bytes = path.stat().st_size
        self._path = path
        self._keys = self._all_keys()
        if not self._keys:
            raise InvalidInput(
                f"No line of the file {path.name} is a JSON object. "
                'JSON Lines has one object a line, such as {"id": 1}.'
            )
        self.headers = distinct_headers(self._keys, path.name)
        self.form = "JSON Lines"

    def _pieces(self, rows: int) -> Iterator[RawTable]:
        """Yield all rows in order."""
        entries = self._entries()
        while taken := list(islice(entries, rows)):
            yield self._piece(taken)

    def _piece(self, entries: list[Entry]) -> RawTable:
        cells = [
            [None if value is None else value.get(key) for _, _, value in entries]
            for key in self._keys
        ]
        broken = [value is None for _, _, value in entries]
        return RawTable(
            cells=pl.DataFrame(
                [
                    pl.Series(name, [_as_text(v) for v in column], pl.String)
                    for name, column in zip(self.headers, cells, strict=True)
                ]
            ),
            lines=pl.Series([number for number, _, _ in entries], dtype=pl.Int64),
            complaints=pl.Series([NO_OBJECT if bad else None for bad in broken], dtype=pl.String),
            extras=pl.Series(
                [
                    json.dumps([e[1]]) if bad else None
                    for e, bad in zip(entries, broken, strict=True)
                ],
                dtype=pl.String,
            ),
        )

    def _all_keys(self) -> list[str]:
        keys: dict[str, None] = {}
        for _, _, value in self._entries():
            if value is not None and not value.keys() <= keys.keys():
                keys.update(dict.fromkeys(value))
            if len(keys) > MOST_COLUMNS:
                break
        return [*keys]

    def _entries(self) -> Iterator[Entry]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="\n") as text:
                number = 0
                while line := text.readline(LONGEST_LINE):
                    number += 1
                    if len(line) == LONGEST_LINE:
                        raise overlong_line(number, self.name)
                    if line.strip():
                        yield number, line.strip(), _object(line)
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"The file {self.name} is not UTF-8, as JSON Lines has to be. Export it again."
            ) from error


def _object(line: str) -> dict[str, Any] | None:
    """Return the object of a line, its numbers as the texts that stand there."""
    try:
        value = json.loads(line, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _as_text(value: Any) -> str | None:
    """Return a cell as a text that any database can hold; lists and objects stay JSON."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(value)
