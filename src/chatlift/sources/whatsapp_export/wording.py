"""What WhatsApp itself writes into an export, by language: `languages/<code>.toml`.

A file holds words for the hours (`am`, `pm`, letters apart where points may stand) and words
`between` date and time, openings of an export's file name (`titles`) and of the `notices` that a
chat is encrypted, the mark of an `edited` message and of an `attached` file (Android, after its
name) or `attachment` (iOS, before it). Then phrases by what they mean: `whole` texts and `opening`
words of a message by its kind, `marked_opening` the same where a left-to-right mark stands before
them, and beginnings of words in `system` lines by category. A language is added by a file here
and its name in `LANGUAGES`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "de", "es", "pt", "fr", "it", "nl", "ru", "tr", "ar", "others")

DIRECTION_MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = frozenset(DIRECTION_MARKS + "\ufeff\0")
"""Characters that exports scatter anywhere and that mean nothing in a text."""
INVISIBLE_RUN = re.compile(f"[{''.join(sorted(INVISIBLE))}]+")
NO_BREAK_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2009"), " ")
LONGEST_PHRASE = 120
"""Characters; a phrase of WhatsApp is shorter."""
LEFT_TO_RIGHT = "\u200e"
OTHER_SYSTEM_LINE = "other_system_line"


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The phrases of all languages, folded by `folded`."""

    am: frozenset[str]
    pm: frozenset[str]
    meridiem_pattern: str
    """Matches any word for the half of the day, as it is written."""
    between_pattern: str
    """Matches any word between a date and a time."""
    titles: tuple[str, ...]
    """Openings of file names, the longest first."""
    edited_mark: re.Pattern[str]
    attached_file: re.Pattern[str]
    """Android: the file's name, then what says that it is attached; group `file`."""
    attachment: re.Pattern[str]
    """iOS: the file's name in angle brackets; group `file`."""
    whole: Mapping[str, str]
    """Whole text to the kind of message."""
    openings: Mapping[str, str]
    """Opening words to the kind of message."""
    marked_openings: Mapping[str, str]
    """The same where a left-to-right mark stands before them, those of `openings` included."""
    opening_pattern: re.Pattern[str]
    """Matches any of `marked_openings`, the longest."""
    system: tuple[tuple[str, str], ...]
    """Phrase and category of system line, in the order in which they are tried."""

    notices: tuple[str, ...]
    """Openings of the notice that a chat is encrypted."""

    def system_category(self, text: str) -> str | None:
        """Return what kind of system line this is; None: none that is known."""
        plain = f" {folded(text)}"
        return next((category for phrase, category in self.system if f" {phrase}" in plain), None)

    def is_encryption_notice(self, text: str) -> bool:
        """Tell whether a text opens like the notice that a chat is encrypted."""
        return folded(text).startswith(self.notices)


def visible(text: str) -> str:
    """Return the text without characters that no one can see."""
    return INVISIBLE_RUN.sub("", text)


def folded(text: str) -> str:
    """Return the text for comparing: visible, small, single spaces, no full stop at the end."""
    shown = visible(text)
    if not shown.isascii():
        shown = unicodedata.normalize("NFC", shown.translate(NO_BREAK_SPACES))
    return " ".join(shown.casefold().split()).rstrip(".")


@cache
def wording() -> Wording:
    """Return the phrases of all languages; read once."""
    tables = [_table(language) for language in LANGUAGES]
    am, pm = _listed(tables, "am"), _listed(tables, "pm")
    openings = dict(_phrases(tables, "opening"))
    marked_openings = dict(_phrases(tables, "marked_opening")) | openings
    return Wording(
        am=frozenset(map(meridiem_key, am)),
        pm=frozenset(map(meridiem_key, pm)),
        meridiem_pattern=_any_of(_spelled(word) for word in am + pm),
        between_pattern=_any_of(re.escape(word) for word in _listed(tables, "between")),
        titles=tuple(sorted(set(_listed(tables, "titles")), key=len, reverse=True)),
        edited_mark=_pattern(r"<(?:{})\.?>", _listed(tables, "edited")),
        attached_file=_pattern(
            r"(?P<file>[^\n]{{1,255}}) \((?:{})\)\Z", _listed(tables, "attached")
        ),
        attachment=_pattern(
            r"<(?:{}) ?: ?(?P<file>[^<>\n]{{1,255}})>", _listed(tables, "attachment")
        ),
        whole=dict(_phrases(tables, "whole")),
        openings=openings,
        marked_openings=marked_openings,
        opening_pattern=re.compile(_any_of(map(re.escape, marked_openings))),
        system=tuple(_by_category(tables)),
        notices=tuple(folded(phrase) for phrase in _listed(tables, "notices")),
    )


def meridiem_key(word: str) -> str:
    """Return a word for the half of the day without the points and spaces in it.

    Examples
    --------
    >>> meridiem_key("p. m.")
    'pm'
    """
    return "".join(letter for letter in word.casefold() if letter.isalpha() or not letter.isascii())


def _table(language: str) -> Mapping[str, Any]:
    folder = resources.files("chatlift.sources.whatsapp_export") / "languages"
    return tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))


def _listed(tables: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    return [word for table in tables for word in table.get(name, ())]


def _phrases(tables: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    return [
        (folded(phrase), kind)
        for table in tables
        for kind, phrases in table.get(name, {}).items()
        for phrase in phrases
    ]


def _by_category(tables: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the phrases of system lines, category by category in the first table's order."""
    order = list(tables[0]["system"])
    return sorted(_phrases(tables, "system"), key=lambda pair: order.index(pair[1]))


def _spelled(word: str) -> str:
    return " ?".join(rf"{re.escape(letters)}\.?" for letters in word.split())


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(sorted(set(patterns), key=len, reverse=True))


def _pattern(form: str, phrases: list[str]) -> re.Pattern[str]:
    return re.compile(form.format(_any_of(map(re.escape, phrases))), re.IGNORECASE)
