"""Sentences from parts: opener, core with a product in it, tail; then casing and slips of the pen.

`languages/<code>.toml` holds the parts of each language, one table per intent. A pool of
`POOL` sentences is composed per language and intent; a message is an index into all pools.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import numpy as np
import polars as pl

from chatlift.simulate.population import LANGUAGES, Whole

INTENTS = (
    "interested", "not_interested", "question", "complaint", "small_talk", "short", "stop",
    "answer", "offer", "follow_up", "welcome",
)  # fmt: skip
"""What a message is about; the contact's first, then from `answer` on the business's."""
INTENT_CODES = {name: code for code, name in enumerate(INTENTS)}
TERSE = frozenset({"short", "stop", "welcome"})
"""Intents without an opener."""

POOL = 2500
LOWER, UPPER, SLIP = 0.3, 0.34, 0.46
"""Shares, added up: all lower case, all capitals, one slip of the pen; the rest is as written."""


def compose_pools(rng: np.random.Generator) -> pl.Series:
    """Return all sentences: `POOL` of each intent of each language, in the order of the codes."""
    sentences: list[str] = []
    for language in LANGUAGES:
        parts = _parts_of(language)
        for intent in INTENTS:
            sentences += _compose(parts, intent, rng)
    return pl.Series("text", sentences, dtype=pl.String)


def sentence_numbers(language: Whole, intent: Whole, rng: np.random.Generator) -> Whole:
    """Draw one sentence per message; numbers are places in the pools."""
    first = (language.astype(np.int64) * len(INTENTS) + intent) * POOL
    return first + rng.integers(0, POOL, len(intent))


def _parts_of(language: str) -> dict[str, Any]:
    file = resources.files("chatlift.simulate") / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _compose(parts: dict[str, Any], intent: str, rng: np.random.Generator) -> list[str]:
    openers = [""] if intent in TERSE else parts["openers"]
    columns = [openers, parts[intent]["cores"], parts["products"], parts[intent]["tails"]]
    drawn = [rng.integers(0, len(column), POOL).tolist() for column in columns]
    finish, place = rng.random(POOL).tolist(), rng.random(POOL).tolist()
    picked = ([column[i] for i in chosen] for column, chosen in zip(columns, drawn, strict=True))
    return [
        _finished(_joined(opener, core.replace("{p}", product), tail), how, where)
        for opener, core, product, tail, how, where in zip(*picked, finish, place, strict=True)
    ]


def _joined(opener: str, core: str, tail: str) -> str:
    """Return the parts as one line; a tail of punctuation sticks to the core."""
    start = f"{opener} {core}" if opener else core[:1].upper() + core[1:]
    if not tail:
        return start
    return f"{start}{tail}" if tail[0] in ".,!? " else f"{start} {tail}"


def _finished(line: str, how: float, where: float) -> str:
    if how < LOWER:
        return line.lower()
    if how < UPPER:
        return line.upper()
    return _with_slip(line, where) if how < SLIP else line


def _with_slip(line: str, where: float) -> str:
    """Swap two neighbouring characters, or drop one."""
    at = int(where * max(len(line) - 1, 1))
    if at % 2:
        return line[:at] + line[at + 1 :]
    return line[:at] + line[at + 1 : at + 2] + line[at : at + 1] + line[at + 2 :]
