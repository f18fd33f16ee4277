"""How a text file is written: its encoding and what separates its cells, found from its bytes."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from chatlift.errors import InvalidInput

SAMPLE_BYTES = 65_536
SAMPLE_ROWS = 50
BLOCK_BYTES = 1_048_576
SEPARATORS = ",;\t|"
SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BOMS = (
    # The longer marks come first: that of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FEWEST_NUL_SHARE = 0.2
"""In UTF-16 text of most languages, blanks, digits and separators have a NUL byte each."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    """A codec's name; it drops the byte order mark where there is one."""
    separator: str

    @property
    def form(self) -> str:
        """What was found, for a person."""
        name = SEPARATOR_NAMES.get(self.separator, repr(self.separator))
        return f"CSV, {self.encoding.removesuffix('-sig')}, {name}"


def detect_encoding(path: Path) -> str:
    """Return the codec of a text file: by its mark, by its NUL bytes, or UTF-8 if all of it is.

    Any other file is taken for Windows-1252, or Latin-1 where it holds bytes that the former
    does not define. Memory does not grow with the file.
    """
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    for mark, encoding in BOMS:
        if sample.startswith(mark):
            return encoding
    return _wide_encoding(sample) or _narrow_encoding(path)


def _wide_encoding(sample: bytes) -> str | None:
    """Return UTF-16 without a mark, seen by NUL bytes that stand at every other place only."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    enough = FEWEST_NUL_SHARE * max(len(sample) // 2, 1)
    if odd >= enough and even <= odd // 50:
        return "utf-16-le"
    if even >= enough and odd <= even // 50:
        return "utf-16-be"
    return None


def _narrow_encoding(path: Path) -> str:
    fitting = (name for name in ("utf-8", "cp1252") if _decodes(path, name))
    return next(fitting, "latin-1")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def detect_separator(text: str) -> str:
    r"""Return what separates the cells: what gives the header most columns, rows agreeing.

    Parameters
    ----------
    text
        The beginning of the file; its last line may be cut.

    Examples
    --------
    >>> detect_separator("id;name;note\n1;Ana;hi, you\n")
    ';'
    """
    return max(SEPARATORS, key=lambda separator: _fit(text, separator))


def _fit(text: str, separator: str) -> float:
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            rows += [len(row)] if row else []
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    if not rows or rows[0] < 2:
        return 0.0
    agreeing = Counter(rows)[rows[0]] / len(rows)
    return rows[0] * agreeing


def named_separator(name: str) -> str:
    """Return the separator that a person named by its sign or its word.

    Raises
    ------
    InvalidInput
        If it is none that can be read.
    """
    words = {word: sign for sign, word in SEPARATOR_NAMES.items()}
    sign = words.get(name, name)
    if sign not in SEPARATOR_NAMES:
        raise InvalidInput(
            f"The separator {name!r} cannot be read. Choose one of: "
            f"{', '.join(SEPARATOR_NAMES.values())}."
        )
    return sign


def named_encoding(name: str) -> str:
    """Return the codec that a person named.

    Raises
    ------
    InvalidInput
        If there is no such text encoding.
    """
    try:
        if codecs.lookup(name)._is_text_encoding:
            return name
    except LookupError:
        pass
    raise InvalidInput(
        f"The encoding {name!r} is not known. Write it like utf-8, utf-16, cp1252 or latin-1."
    )
