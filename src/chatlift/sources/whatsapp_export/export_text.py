"""An export's text out of a `.txt` file, a zip or a folder, in bounded memory, nothing unpacked.

Only the chat's own text is read; pictures and documents beside it are never opened. Whatever a
zip says of itself, no more than `MOST_TEXT_BYTES` are taken out of it.
"""

from __future__ import annotations

import codecs
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.wording import wording

MOST_TEXT_BYTES = 64 * 2**20
"""The longest chat that WhatsApp lets one export is far below; a line may be as long."""
MOST_LINES = 400_000
"""They take up about 0.9 GB of memory; phones export 40,000 messages and less."""
MOST_ZIP_LISTING_BYTES = 16 * 2**20
HIGHEST_RATIO = 200
"""Text packs ten to thirty times smaller; a bomb a thousand times."""
IOS_NAME = "_chat.txt"
ZIP_END = b"PK\x05\x06"
ZIP64_LOCATOR = b"PK\x06\x07"
ZIP_END_SIZE = 22
ZIP64_LOCATOR_SIZE = 20
LONGEST_ZIP_COMMENT = 65_535
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
FAULTS = (
    OSError, zipfile.BadZipFile, zlib.error, EOFError, struct.error,
    NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError,
)  # fmt: skip
"""What reading a damaged file or zip raises; the second line is seen with flipped bytes."""
NUMBER_IN_NAME = re.compile(r"\+?\d[\d\s().-]{5,}\d")


@dataclass(frozen=True, kw_only=True)
class ExportText:
    """One chat's text, and whom the names of its file and folder say it is with."""

    lines: list[str]
    """Without line ends; the last line end begins no further line."""
    title: str | None
    """The contact's or group's name; None: the names tell nothing."""


def exports_in(path: Path) -> tuple[Path, ...]:
    """Return the exports that a path names: itself, or every chat below a folder, by name.

    Files that are called as phones call chats are taken; only if there are none, every zip, or
    else every text. So a document or a zip that was sent in an unpacked chat is none.
    """
    if not path.is_dir():
        return (path,)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    choices = (
        [p for p in files if _is_chat_name(p.name)],
        [p for p in files if p.suffix.lower() == ".zip"],
        [p for p in files if p.suffix.lower() == ".txt"],
    )
    return tuple(next((choice for choice in choices if choice), []))


def _fault(error: Exception) -> str:
    """Return what is wrong with a file and what to do, without its folder."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}. See that it is there and may be read"
    return "it is damaged. Export the chat again"


def left_out_of(path: Path) -> tuple[Path, ...]:
    """Return the texts and zips below a folder that `exports_in` does not take for chats."""
    if not path.is_dir():
        return ()
    taken = set(exports_in(path))
    kinds = {".txt", ".zip"}
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in kinds and p.is_file())
    return tuple(p for p in files if p not in taken)


def read_export_text(path: Path) -> ExportText:
    """Return the text of the one export that a path names.

    Raises
    ------
    InvalidInput
        If there is none or more than one, it cannot be read, or is larger than a chat can be.
    """
    source = _only_export(path)
    name = shown_name(source.name)
    try:
        with source.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04" or source.suffix.lower() == ".zip"
            file.seek(0)
            inner, content = _unzipped(file, name) if is_zip else ("", _bounded(file, name))
    except FAULTS as error:
        raise InvalidInput(f"The export {name} cannot be read: {_fault(error)}.") from error
    return ExportText(
        lines=_lines(decoded(content), name),
        title=_title(inner, source.name, source.parent.name),
    )


def shown_name(file_name: str) -> str:
    """Return a file's name for people and logs, without a phone number that may stand in it.

    Examples
    --------
    >>> shown_name("WhatsApp Chat with +49 151 23456789.txt")
    'WhatsApp Chat with (number).txt'
    """
    return NUMBER_IN_NAME.sub("(number)", file_name)


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16, or else in Windows' Latin."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    start = content[:4096]
    for encoding, low_byte in (("utf-16-le", 0), ("utf-16-be", 1)):
        is_wide = len(start) > len("[1/1") and start[1 - low_byte :: 2].count(0) > len(start) // 4
        if is_wide:
            return content.decode(encoding, errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _lines(text: str, name: str) -> list[str]:
    line_count = text.count("\n") + 1
    if line_count > MOST_LINES:
        raise InvalidInput(
            f"{name} has {line_count:,} lines, and up to {MOST_LINES:,} are read at a time. "
            "Cut it into several files before a line that begins with a date."
        )
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _only_export(path: Path) -> Path:
    found = exports_in(path)
    if len(found) == 1:
        return found[0]
    count = f"{len(found)} exports" if found else "no export"
    raise InvalidInput(
        f"The folder {shown_name(path.name)} holds {count}, and one is read at a time. "
        "Name the .txt or .zip file of one chat."
    )


def _is_chat_name(name: str) -> bool:
    is_readable = name.lower().endswith((".txt", ".zip"))
    return is_readable and (name.lower() == IOS_NAME or _named_chat(name) is not None)


def _title(*names: str) -> str | None:
    """Return what the first of these names that tells it says about whom the chat is with."""
    return next((title for name in names if (title := _named_chat(name)) is not None), None)


def _named_chat(file_name: str) -> str | None:
    stem = re.sub(r"(\.txt|\.zip)+$", "", PurePosixPath(file_name).name, flags=re.IGNORECASE)
    stem = re.sub(r" \(\d{1,3}\)$", "", stem)
    for opening in wording().titles:
        if stem.casefold().startswith(opening.casefold()):
            return stem[len(opening) :].strip() or None
    return None


def _bounded(file: IO[bytes], name: str) -> bytes:
    content = file.read(MOST_TEXT_BYTES + 1)
    if len(content) > MOST_TEXT_BYTES:
        raise InvalidInput(
            f"The text of {name} is larger than {MOST_TEXT_BYTES // 2**20} MB, more than a chat "
            "can be exported with. Check that it is an export of one chat."
        )
    return content


def _unzipped(file: IO[bytes], name: str) -> tuple[str, bytes]:
    """Return the name and content of the chat's text in a zip."""
    _refuse_long_listing(file, name)
    with zipfile.ZipFile(file) as archive:
        entry = _chat_entry(archive.infolist(), name)
        _refuse_bomb(entry, name)
        with archive.open(entry) as packed:
            return entry.filename, _bounded(packed, name)


def _refuse_long_listing(file: IO[bytes], name: str) -> None:
    """Look at the end of a zip before its listing is loaded, which could fill the memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - ZIP_END_SIZE - LONGEST_ZIP_COMMENT - ZIP64_LOCATOR_SIZE))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(ZIP_END)
    if at < 0 or len(tail) < at + ZIP_END_SIZE:
        raise InvalidInput(f"{name} is no complete zip. Export the chat again.")
    (listing_bytes,) = struct.unpack_from("<L", tail, at + 12)
    is_zip64 = tail[max(0, at - ZIP64_LOCATOR_SIZE) : at].startswith(ZIP64_LOCATOR)
    if is_zip64 or listing_bytes > MOST_ZIP_LISTING_BYTES:
        raise InvalidInput(
            f"The zip {name} lists more than can be looked through. "
            "Unpack it and name the chat's .txt file."
        )


def _chat_entry(entries: Sequence[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """Return the chat's text: by its usual names, or the only text there is."""
    texts = [
        e for e in entries if e.filename.lower().endswith(".txt") and "__MACOSX" not in e.filename
    ]
    named = [e for e in texts if _is_chat_name(PurePosixPath(e.filename).name)]
    candidates = named or texts
    if len(candidates) == 1:
        return candidates[0]
    if any(e.filename.lower().endswith(".zip") for e in entries) and not texts:
        raise InvalidInput(f"{name} is a zip of zips. Unpack it and name the zip of one chat.")
    raise InvalidInput(
        f"{name} holds {len(candidates)} texts that could be the chat, and must hold one. "
        "Name the .txt file itself."
    )


def _refuse_bomb(entry: zipfile.ZipInfo, name: str) -> None:
    is_locked = bool(entry.flag_bits & 0x1)
    if is_locked or entry.compress_type not in PACKINGS:
        raise InvalidInput(
            f"{name} is locked or packed unusually. Unpack it and name the .txt file."
        )
    if entry.file_size > max(2**20, HIGHEST_RATIO * entry.compress_size):
        raise InvalidInput(
            f"{name} unpacks to more than {HIGHEST_RATIO} times its size, as no chat does. "
            "Name the .txt file itself if it is one."
        )
