"""Speaking to a person: lines on stdout, that no encoding and no pipe can break.

Colour is decoration, chosen from a line's own words, and only on a terminal that wants it: a
report reads the same without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO

RULE_WIDTH = 72
TONES = (
    (re.compile(r"^=+$|^[A-Z][A-Z ]{7,}$"), "\x1b[1m"),
    (re.compile(r"\bFAIL\b|not met|^ *NO  |REFUSED|^Warning"), "\x1b[31m"),
    (re.compile(r"\bPASS\b|: met|^ *ok  |complete$|PROMOTED"), "\x1b[32m"),
)
"""What a line says to the code that starts its colour; the first that fits."""
PLAIN = "\x1b[0m"


def mend_streams(*streams: TextIO) -> None:
    """Let no character that a stream cannot hold end the process: it becomes a question mark."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="replace")


def heading(text: str) -> list[str]:
    """Return a heading between two rules."""
    return ["", "=" * RULE_WIDTH, text, "=" * RULE_WIDTH]


def toned(line: str) -> str:
    """Return the line in the colour that its words call for."""
    for pattern, start in TONES:
        if pattern.search(line):
            return f"{start}{line}{PLAIN}"
    return line


def nothing() -> None:
    """Do nothing."""


class Lines:
    """Somewhere that takes lines one by one, such as a log file."""

    def write(self, line: str) -> None:
        """Take one line."""


@dataclass(frozen=True, kw_only=True)
class Console:
    """Says lines on a stream, and to whoever listens."""

    stream: TextIO | None
    """None: nobody reads along (`--json`)."""
    is_colourful: bool = False
    listeners: tuple[Lines, ...] = ()
    before: Callable[[], None] = nothing
    """Called before lines are written, so that a progress bar can make room."""

    def say(self, lines: Iterable[str] | str = "") -> None:
        """Say one line or several; each is written at once."""
        told = [lines] if isinstance(lines, str) else list(lines)
        self.before()
        for line in told:
            if self.stream is not None:
                self.stream.write((toned(line) if self.is_colourful else line) + "\n")
            self.note([line])
        if self.stream is not None:
            self.stream.flush()

    def note(self, lines: Iterable[str]) -> None:
        """Tell lines to the listeners only, such as where an error arose."""
        for line in lines:
            for listener in self.listeners:
                listener.write(line)
