"""A small language for what tells that a lead was won or lost: `tag:paid or phrase:"order sent"`.

A rule is one or more terms joined by `or`; a term is a kind, a colon and one or more values joined
by `|`, in double quotes where they hold a space:

- `tag:paid`: the contact got this tag (facts `tag`, `tags`, `label`, `labels`);
- `phrase:"order confirmed"|"pago recibido"`: a message holds one of these; `phrase-in:` looks at
  the contact's messages only, `phrase-out:` at the business's;
- `template:order_paid`: the business sent this message template;
- `fact:payment`, `fact:stage=paid`: a fact of this name, with this value where one is given.

Upper and lower case and the number of spaces never matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from chatlift.errors import InvalidInput


class TermKind(StrEnum):
    """What a term looks at."""

    TAG = "tag"
    PHRASE = "phrase"
    PHRASE_IN = "phrase-in"
    PHRASE_OUT = "phrase-out"
    TEMPLATE = "template"
    FACT = "fact"


VALUE = r'(?:"[^"]*"|[^\s|"]+)+'
TERM = re.compile(rf"({'|'.join(sorted(TermKind, reverse=True))}):({VALUE}(?:\|{VALUE})*)", re.I)
OR = re.compile(r"\s+or\s+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One kind of sign and the values that count, normalised."""

    kind: TermKind
    values: tuple[str, ...]

    def told(self) -> str:
        """Return the term as it may be written."""
        return f"{self.kind}:" + "|".join(
            f'"{value}"' if " " in value else value for value in self.values
        )


@dataclass(frozen=True, kw_only=True)
class OutcomeRule:
    """Any of these terms tells the outcome."""

    terms: tuple[Term, ...]

    def told(self) -> str:
        """Return the rule as it may be written."""
        return " or ".join(term.told() for term in self.terms)


def parse_rule(text: str) -> OutcomeRule:
    """Read a rule.

    Raises
    ------
    InvalidInput
        If it does not follow the language; the text says from where on.

    Examples
    --------
    >>> parse_rule('TAG:Paid or phrase:"Order  confirmed"|done').told()
    'tag:paid or phrase:"order confirmed"|done'
    """
    terms = []
    place = 0
    stripped = text.strip()
    while True:
        found = TERM.match(stripped, place)
        if found is None:
            raise _unread(stripped[place:])
        terms.append(_term(found))
        place = found.end()
        if place == len(stripped):
            return OutcomeRule(terms=tuple(terms))
        joined = OR.match(stripped, place)
        if joined is None:
            raise _unread(stripped[place:])
        place = joined.end()


def _term(found: re.Match[str]) -> Term:
    told = (value.replace('"', "") for value in re.findall(VALUE, found[2]))
    values = tuple(normalised(value) for value in told)
    if not all(values):
        raise _unread(found[0])
    return Term(kind=TermKind(found[1].lower()), values=values)


def normalised(text: str) -> str:
    """Return a text in lower case with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def _unread(rest: str) -> InvalidInput:
    return InvalidInput(
        f"The rule cannot be read from {rest[:40]!r} on. Write terms such as tag:paid, "
        'phrase:"order confirmed"|"pago recibido", template:order_paid or fact:payment, joined by '
        "`or`."
    )
