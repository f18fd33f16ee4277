"""Values out of a payload, checked where they are read, and notes of what the entries said.

A payload comes from outside: every value may be missing or of another type. The functions here
return a value of the type that was asked for, or raise `Malformed`, and the entry is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from chatlift import records
from chatlift.records import ALWAYS, PROVISIONAL_KINDS, Records
from chatlift.sources.feeds import REJECTED_ENTRIES, ParsedFeed
from chatlift.sources.payloads import Body
from chatlift.vocabulary import Direction, FactSubject

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_TOLD = 80
"""Characters of a refused value that are kept."""

Object = Mapping[str, Any]


class Malformed(ValueError):
    """An entry cannot be used: where it stands, what was found, and why that will not do."""

    def __init__(self, key: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.value = None if value is None else whole_text(str(value)[:LONGEST_TOLD])
        self.reason = reason


def as_object(value: object, key: str) -> Object:
    """Return `value`, which must be an object; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(key, None, f"{key} is no object")
    return value


def object_at(container: Object, key: str) -> Object:
    """Return the object under `key`; empty where there is none."""
    return as_object(container.get(key), key)


def items_at(container: Object, key: str) -> list[object]:
    """Return the list under `key`; empty where there is none."""
    value = container.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(key, None, f"{key} is no list")
    return value


def text_at(container: Object, key: str) -> str | None:
    """Return the text or number under `key` as text; None where there is none or it is empty."""
    value = container.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed(key, None, f"{key} is no text")
    return whole_text(str(value))


def needed_text(container: Object, key: str) -> str:
    """Return the text under `key`, which must be there."""
    text = text_at(container, key)
    if text is None:
        raise Malformed(key, None, f"{key} is missing")
    return text


def whole_text(text: str) -> str:
    r"""Return the text without what no database keeps: halves of characters, and NUL.

    Examples
    --------
    >>> whole_text("a\ud83d")
    'a\ufffd'
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def instant_at(container: Object, key: str) -> datetime:
    """Return the instant under `key`: Unix seconds or milliseconds, as number or text, or ISO 8601.

    Examples
    --------
    >>> instant_at({"timestamp": "1697043223"}, "timestamp").isoformat()
    '2023-10-11T16:53:43+00:00'
    """
    text = needed_text(container, key)
    instant = _of_number(text) or _of_date(text)
    if instant is None or not EARLIEST <= instant <= LATEST:
        raise Malformed(key, text, f"{key} is no instant between 2000 and 2100")
    return instant


def _of_number(text: str) -> datetime | None:
    try:
        seconds = float(text)
        return EPOCH + timedelta(seconds=seconds / 1000 if seconds > 1e11 else seconds)
    except (ValueError, OverflowError):
        return None


def _of_date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def optional_instant_at(container: Object, key: str) -> datetime | None:
    """Return the instant under `key`; None where there is none."""
    return None if container.get(key) in (None, "", 0) else instant_at(container, key)


class Notes:
    """What the entries of one feed said, entry by entry."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.passed_over: Counter[str] = Counter()
        self.observed: list[datetime] = []
        self._contacts: dict[str, dict[str, Any]] = {}
        self._conversations: dict[str, dict[str, Any]] = {}
        self._messages: list[dict[str, Any]] = []
        self._facts: list[dict[str, Any]] = []
        self._ties: dict[tuple[str, ...], dict[str, Any]] = {}
        self._rejected: list[dict[str, Any]] = []

    @property
    def entry_count(self) -> int:
        """All entries so far."""
        return self.counts.total() + self.passed_over.total() + len(self._rejected)

    @contextmanager
    def refusing(self, body: Body) -> Iterator[None]:
        """Keep where and why an entry was refused, and go on with the next."""
        number = self.entry_count
        try:
            yield
        except Malformed as error:
            place = {"file_name": body.file_name, "line_number": body.line_number}
            told = {"column": error.key, "value": error.value, "reason": error.reason}
            self._rejected.append({"entry_number": number} | place | told)

    def contact(
        self,
        external_id: str,
        *,
        seen_at: datetime,
        name: str | None = None,
        phone: str | None = None,
    ) -> None:
        """Note a contact; it was there from the earliest instant at which it was seen."""
        row = {"external_id": external_id, "name": name, "phone": phone, "created_at": seen_at}
        known = self._contacts.setdefault(external_id, row)
        known["created_at"] = min(known["created_at"], seen_at)
        known["name"] = known["name"] or name
        known["phone"] = known["phone"] or phone

    def conversation(self, external_id: str, *, contact: str, started_at: datetime) -> None:
        """Note a conversation, which began at the earliest of the instants told."""
        row = {"external_id": external_id, "contact_external_id": contact, "started_at": started_at}
        known = self._conversations.setdefault(external_id, row)
        known["started_at"] = min(known["started_at"], started_at)

    # Long because a message has that many fields; the body is one row.
    def message(
        self,
        external_id: str,
        *,
        contact: str,
        direction: Direction,
        kind: str,
        sent_at: datetime,
        text: str | None = None,
        conversation: str | None = None,
        is_automatic: bool = False,
    ) -> None:
        """Note a message."""
        self._messages.append(
            {
                "external_id": external_id,
                "contact_external_id": contact,
                "conversation_external_id": conversation,
                "direction": str(direction),
                "kind": kind,
                "text": text,
                "sent_at": sent_at,
                "is_automatic": is_automatic,
            }
        )

    def placeholder(
        self, external_id: str, *, contact: str, direction: Direction, seen_at: datetime
    ) -> None:
        """Note that a message exists of which the feed has not told what it says."""
        kind = PROVISIONAL_KINDS[0]
        self.message(external_id, contact=contact, direction=direction, kind=kind, sent_at=seen_at)

    def fact(
        self,
        subject: FactSubject,
        external_id: str,
        name: str,
        value: str | None,
        known_at: datetime = ALWAYS,
    ) -> None:
        """Note a dated value; without an instant, one that ties records together."""
        fact = {
            "subject": str(subject),
            "subject_external_id": external_id,
            "name": name,
            "value": value,
            "known_at": known_at,
        }
        if known_at is ALWAYS:
            self._ties[external_id, name, str(value)] = fact
        else:
            self._facts.append(fact)

    def feed(self, feed_name: str) -> ParsedFeed:
        """Return all that was noted."""
        told = Records(
            contacts=pl.DataFrame(list(self._contacts.values()), records.CONTACTS),
            conversations=pl.DataFrame(list(self._conversations.values()), records.CONVERSATIONS),
            messages=pl.DataFrame(self._messages, records.MESSAGES),
            facts=pl.DataFrame([*self._facts, *self._ties.values()], records.FACTS),
        )
        return ParsedFeed(
            feed_name=feed_name,
            records=told,
            rejected=pl.DataFrame(self._rejected, REJECTED_ENTRIES),
            passed_over=dict(sorted(self.passed_over.items())),
            entry_counts=dict(sorted(self.counts.items())),
            observed_from=min(self.observed, default=None),
            observed_through=max(self.observed, default=None),
        )
