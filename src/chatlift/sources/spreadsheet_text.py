"""Cells for a CSV that people open in a spreadsheet: none may run as a formula, none may change.

A text that a spreadsheet would run gets an apostrophe in front, and so does one that looks as if it
had got one already; taking away one apostrophe then gives the first text back in every case.
"""

from __future__ import annotations

import re

DANGEROUS = re.compile("^'*\\s*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How texts begin that a spreadsheet takes for a formula, in wide letters too."""
HARMLESS = re.compile(r"-[0-9]+(?:\.[0-9]+)?\Z")
"""A negative number is one and computes nothing."""


def escaped(text: str) -> str:
    """Return the text so that no spreadsheet runs it.

    Examples
    --------
    >>> escaped("=1+1"), escaped("-5"), escaped("'=1+1")
    ("'=1+1", '-5', "''=1+1")
    """
    return f"'{text}" if DANGEROUS.match(text) and not HARMLESS.match(text) else text


def unescaped(text: str) -> str:
    """Return the text that `escaped` was given.

    Examples
    --------
    >>> unescaped("'=1+1"), unescaped("-5"), unescaped("it's")
    ('=1+1', '-5', "it's")
    """
    return text[1:] if text.startswith("'") and DANGEROUS.match(text) else text
