"""Files of webhook payloads: one JSON body, many in an array or by name, JSON Lines, or a folder.

JSON Lines are read a line at a time, so a file may be longer than the memory. What cannot be read
is handed on as a body with its refusal; a whole file that is too long for one document is an
error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from chatlift.errors import InvalidInput

LONGEST_LINE_BYTES = 16 * 2**20
LONGEST_DOCUMENT_BYTES = 32 * 2**20
LINE_SUFFIXES = frozenset({".jsonl", ".ndjson"})
SUFFIXES = LINE_SUFFIXES | {".json"}
MARK = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """One webhook body of a file, or the reason why it could not be read."""

    file_name: str
    """Where a document holds several bodies, followed by which of them it is, counted from 1."""
    value: object = None
    line_number: int | None = None
    """Null where the file is one document."""
    refusal: str | None = None


def read_bodies(path: Path) -> Iterator[Body]:
    """Yield the bodies of a file, or of all JSON files of a folder in the order of their names.

    Raises
    ------
    InvalidInput
        If there is no such file, the folder has none, or a document is too long.
    """
    for file in _files(path):
        with file.open("rb") as opened:
            if file.suffix.lower() in LINE_SUFFIXES or _is_lines(opened):
                yield from _of_lines(opened, file.name)
            else:
                yield from _of_document(opened, file.name)


def body_lists(path: Path, most: int) -> Iterator[list[Body]]:
    """Yield the bodies in lists of at most `most`, so that a file may be longer than the memory."""
    bodies = read_bodies(path)
    while some := list(islice(bodies, most)):
        yield some


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise InvalidInput(
            f"The folder {path.name} was to be read and holds no file of payloads. "
            "Name files that end in .json, .jsonl or .ndjson."
        )
    return files


def _of_document(opened: BinaryIO, file_name: str) -> Iterator[Body]:
    text = opened.read(LONGEST_DOCUMENT_BYTES + 1)
    if len(text) > LONGEST_DOCUMENT_BYTES:
        raise InvalidInput(
            f"{file_name} is one JSON document of more than {LONGEST_DOCUMENT_BYTES // 2**20} MB. "
            "Write it as JSON Lines, one webhook body per line."
        )
    whole = parsed(text, file_name)
    several = _several(whole.value)
    if several is None:
        yield whole
    else:
        for number, value in enumerate(several, start=1):
            yield Body(file_name=f"{file_name}, body {number}", value=value)


def _several(document: object) -> list[object] | None:
    """Return the bodies of an array, or of an object that names each; None: it is one body.

    A body itself always says in words what it is, so it never holds objects only.
    """
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and document:
        named = list(document.values())
        return named if all(isinstance(value, dict) for value in named) else None
    return None


def _is_lines(opened: BinaryIO) -> bool:
    """Tell whether each line is a body of its own; the file then stands at its start again."""
    first = opened.readline(LONGEST_LINE_BYTES + 1)
    has_more = bool(opened.readline(1024).strip())
    opened.seek(0)
    if first.removeprefix(MARK).lstrip()[:1] == b"[":
        return False
    return len(first) > LONGEST_LINE_BYTES or (has_more and parsed(first, "").refusal is None)


def _of_lines(opened: BinaryIO, file_name: str) -> Iterator[Body]:
    number = 0
    while line := opened.readline(LONGEST_LINE_BYTES + 1):
        number += 1
        if len(line) > LONGEST_LINE_BYTES:
            _skip_line(opened, line)
            reason = f"the line is longer than {LONGEST_LINE_BYTES // 2**20} MB"
            yield Body(file_name=file_name, line_number=number, refusal=reason)
        elif line.removeprefix(MARK).strip():
            yield parsed(line, file_name, line_number=number)


def _skip_line(opened: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = opened.readline(LONGEST_LINE_BYTES)


def parsed(text: bytes, file_name: str, *, line_number: int | None = None) -> Body:
    """Return the body that `text` is, or its refusal; nothing of the text is in the refusal."""
    try:
        value = json.loads(text.removeprefix(MARK).decode("utf-8"))
    except RecursionError:
        refusal = "the JSON is nested too deeply to be a webhook body"
    except UnicodeDecodeError as error:
        refusal = f"the text is not UTF-8 (byte {error.start + 1}); save it as UTF-8"
    except json.JSONDecodeError as error:
        refusal = f"the text is no JSON: {error.msg} (character {error.pos + 1})"
    except ValueError:
        refusal = "the JSON holds a number that is too long"
    else:
        return Body(file_name=file_name, value=value, line_number=line_number)
    return Body(file_name=file_name, line_number=line_number, refusal=refusal)


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts, numbers and keys that a JSON value holds, however deep, one by one.

    Examples
    --------
    >>> sorted(texts_in({"from": 49, "text": {"body": "hi"}}))
    ['49', 'body', 'from', 'hi', 'text']
    """
    left: list[object] = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            left += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            left += found
        elif found is not None:
            yield str(found)
