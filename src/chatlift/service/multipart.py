"""A form with files, written to a folder as it comes: its body is never in memory as a whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from chatlift.errors import InvalidInput, Unavailable
from chatlift.private_files import PRIVATE_FOLDER, create_open

LONGEST_FIELD_BYTES = 10_000
LONGEST_NAME_BYTES = 150
UNWANTED_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')


class BrokenForm(InvalidInput):
    """What was sent is no form with files, or ends in the middle."""

    def __init__(self) -> None:
        super().__init__(
            "The request holds no whole form with files. Send it as multipart/form-data, as "
            "`curl --form part=@file` does."
        )


@dataclass(frozen=True, kw_only=True)
class FormParts:
    """What a form may hold."""

    files: Collection[str]
    """Names of the parts that are files."""
    fields: Collection[str]
    """Names of the parts that are short texts."""
    most_of_each: int = 1
    """How many parts of one name there may be."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a form held."""

    files: Mapping[str, tuple[Path, ...]]
    """Name of a part to its files, each in a folder of its own under the name it was sent with."""
    fields: Mapping[str, str]

    def file(self, name: str) -> Path | None:
        """Return the one file of a part; None: it was not sent."""
        return next(iter(self.files.get(name, ())), None)


async def received_form(request: Request, folder: Path, parts: FormParts) -> Form:
    """Write the files of a request into a folder and return what it held.

    Raises
    ------
    BrokenForm
        If it is no form, or was cut off.
    InvalidInput
        If a part has an unknown name, or there are too many of it.
    Unavailable
        If the disk takes no more.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise BrokenForm
    writer = _Writer(folder, parts)
    try:
        parser = writer.parser(boundary)
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
    except (FormParserError, ClientDisconnect) as error:
        raise BrokenForm from error
    except OSError as error:
        raise Unavailable(
            f"The files cannot be stored now ({type(error).__name__}). See that the disk of "
            "CHATLIFT_HOME has room, and send them again."
        ) from error
    finally:
        writer.close()
    if not writer.is_whole:
        raise BrokenForm
    return writer.form()


@dataclass
class _Part:
    """The part that is being read."""

    name: str = ""
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""
    content: bytearray = field(default_factory=bytearray)
    file: BinaryIO | None = None


class _Writer:
    """Takes the pieces of a form as the parser finds them."""

    def __init__(self, folder: Path, parts: FormParts) -> None:
        self.is_whole = False
        self._folder = folder
        self._parts = parts
        self._part = _Part()
        self._counts: Counter[str] = Counter()
        self._files: dict[str, list[Path]] = {}
        self._fields: dict[str, str] = {}

    def parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def form(self) -> Form:
        files = {name: tuple(paths) for name, paths in self._files.items()}
        return Form(files=files, fields=self._fields)

    def close(self) -> None:
        if self._part.file is not None:
            self._part.file.close()

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        if bytes(self._part.header).lower() == b"content-disposition":
            self._part.disposition = bytes(self._part.value)
        self._part.header, self._part.value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.name = name
        self._refuse_unknown(name)
        if name in self._parts.files:
            shown = safe_name(options.get(b"filename", b"").decode("utf-8", "replace"), name)
            inner = self._folder / f"{sum(self._counts.values())}"
            inner.mkdir(PRIVATE_FOLDER)
            self._part.file = create_open(inner / shown)
            self._files.setdefault(name, []).append(inner / shown)

    def _refuse_unknown(self, name: str) -> None:
        known = [*self._parts.files, *self._parts.fields]
        if name not in known:
            raise InvalidInput(
                f"The form has a part of another name than {', '.join(known)}. Leave it out."
            )
        self._counts[name] += 1
        most = self._parts.most_of_each if name in self._parts.files else 1
        if self._counts[name] > most:
            raise InvalidInput(f"The form has more than {most} of the part {name!r}.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file is not None:
            self._part.file.write(data[start:end])
            return
        self._part.content += data[start:end]
        if len(self._part.content) > LONGEST_FIELD_BYTES:
            raise InvalidInput(f"The part {self._part.name!r} is longer than such a text can be.")

    def _end(self) -> None:
        if self._part.file is None:
            text = bytes(self._part.content).decode("utf-8", "replace")
            self._fields[self._part.name] = text
        self.close()

    def _finish(self) -> None:
        self.is_whole = True


def safe_name(file_name: str, otherwise: str) -> str:
    r"""Return a name under which a file may be stored, as like the one it was sent with as can be.

    Examples
    --------
    >>> safe_name("C:\\Users\\ana\\list.csv", "contacts"), safe_name("..", "leads")
    ('list.csv', 'leads')
    """
    last = re.split(r"[/\\]", file_name)[-1]
    plain = UNWANTED_IN_NAMES.sub("_", last).strip(" .")
    if not plain:
        return otherwise
    stem, dot, ending = plain.rpartition(".")
    kept = LONGEST_NAME_BYTES - len(ending.encode()) - 1
    if len(plain.encode()) <= LONGEST_NAME_BYTES or kept < 1:
        return plain.encode()[:LONGEST_NAME_BYTES].decode("utf-8", "ignore")
    return stem.encode()[:kept].decode("utf-8", "ignore") + dot + ending
