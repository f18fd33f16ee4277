"""What names a person, and where it stands in a text: ids, phone numbers, names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chatlift.store.tombstones import FEWEST_PHONE_DIGITS, MASK, NAMED_BY, phone_key

SHORTEST_IN_TEXT = 4
"""Characters from which on an id or a name is looked for inside a text; a shorter one, such as
`17`, would be found in every date, and counts only where it is all of a value or said to be an
id."""
OUR_KEYS = frozenset(NAMED_BY)
"""Names of tables: a key of this name is ours, even if somebody is saved as `Messages`."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """All by which one person is known."""

    ids: frozenset[str] = frozenset()
    """Ids of the contact, its conversations and its leads, as their sources give them."""
    phones: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def is_named_in(self, value: Any, *, in_numbers: bool = False) -> bool:
        """Tell whether a value, or any part of a nested one, names the person.

        Parameters
        ----------
        in_numbers
            Whether a number may be an id or a phone, as in what others wrote; ours are counts.

        Examples
        --------
        >>> ana = Identity(ids=frozenset({"17"}), phones=frozenset({"+34600111222"}))
        >>> ana.is_named_in("17"), ana.is_named_in("on 17 May"), ana.is_named_in("34 600 111 222")
        (True, False, True)
        >>> [ana.is_named_in({"read": 17}, in_numbers=told) for told in (False, True)]
        [False, True]
        """
        looked_at = str | int if in_numbers else str
        left = [value]
        while left:
            part = left.pop()
            if isinstance(part, dict):
                left += [*(part.keys() - OUR_KEYS), *part.values()]
            elif isinstance(part, list | tuple):
                left += part
            elif isinstance(part, looked_at) and self._is_in_text(str(part)):
                return True
        return False

    def masked(self, value: Any) -> Any:
        """Return the value with every text that names the person masked where it does."""
        if isinstance(value, dict):
            return {
                key if key in OUR_KEYS else self.masked(key): self.masked(part)
                for key, part in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.masked(part) for part in value]
        if not isinstance(value, str):
            return value
        return MASK if value.strip() in self.ids | self.names else self._pattern.sub(MASK, value)

    def _is_in_text(self, text: str) -> bool:
        return text.strip() in self.ids | self.names or bool(self._pattern.search(text))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        told = sorted(self.ids | self.names, key=len, reverse=True)
        words = [rf"(?<!\w){re.escape(word)}(?!\w)" for word in told if _is_long(word)]
        short = [rf"(?<=\bID: ){re.escape(word)}(?!\w)" for word in told if not _is_long(word)]
        digits = {key for phone in self.phones for key in (phone_key(phone), _bare(phone)) if key}
        numbers = [_spelled(phone) for phone in sorted(digits, key=len, reverse=True)]
        return re.compile("|".join([*words, *numbers, *short]) or r"(?!)", re.IGNORECASE)


def _is_long(word: str) -> bool:
    return len(word) >= SHORTEST_IN_TEXT


def _bare(phone: str) -> str | None:
    """Return the digits as they were told: a spelling that the key may have put right."""
    digits = re.sub(r"[^0-9]", "", phone).removeprefix("00")
    return digits if len(digits) >= FEWEST_PHONE_DIGITS else None


def _spelled(digits: str) -> str:
    """Return the pattern of a phone number however it is grouped."""
    return r"(?<!\d)(?:\+|00)?" + r"[ ()./-]{0,3}".join(digits) + r"(?!\d)"
