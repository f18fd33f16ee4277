"""Which contacts are one person, and which messages are one message: the rules, on plain records.

- Contacts are one person where sources name the same phone, or where a source says so itself (a
  changed number). A phone that two contacts of one source share names nobody.
- Messages of one person are one where a source names the other's id, or where direction, minute
  and words agree: one to one, in order, so two real "ok" within a minute stay two.

The answer is the same in whatever order the records come.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import NamedTuple

from chatlift.records import PROVISIONAL_KINDS

SHORTEST_PHONE, LONGEST_PHONE = 8, 15
MOBILE_MARKS = (
    (re.compile(r"^521(\d{10})$"), r"52\1"),
    (re.compile(r"^549(\d{10})$"), r"54\1"),
    (re.compile(r"^55(\d{2})9(\d{8})$"), r"55\1\2"),
)
"""Mexico, Argentina and Brazil: a digit that mobile numbers carry in some books and not in others,
WhatsApp's among them."""
NO_DIGIT = re.compile("[^0-9]")
MICROSECONDS_A_MINUTE = 60_000_000
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
REACTION = "reaction"


class Contact(NamedTuple):
    """A contact as far as it tells who somebody is."""

    contact_id: int
    source: str
    external_id: str
    phone: str | None


class Message(NamedTuple):
    """A message as far as it tells whether two are the same."""

    message_id: int
    contact_id: int
    source: str
    external_id: str
    direction: str
    kind: str
    text: str | None
    sent_at: int
    """Microseconds since the epoch."""


def phone_digits(phone: str | None) -> str | None:
    """Return a phone as its international digits; None where they cannot be told.

    Examples
    --------
    >>> phone_digits("+52 1 (55) 1234-5678"), phone_digits("0049 30 1234567")
    ('525512345678', '49301234567')
    >>> phone_digits("030 1234567") is None
    True
    """
    told = (phone or "").strip()
    digits = NO_DIGIT.sub("", told)
    if digits.startswith("00") and not told.startswith("+"):
        digits = digits[2:]
    if digits.startswith("0") or not SHORTEST_PHONE <= len(digits) <= LONGEST_PHONE:
        return None
    for written, meant in MOBILE_MARKS:
        digits = written.sub(meant, digits)
    return digits


class _Sets:
    """Disjoint sets that grow together; each knows the sources of its members."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}
        self.sources: dict[int, set[str]] = {}

    def add(self, member: int, source: str) -> None:
        self._above[member] = member
        self.sources[member] = {source}

    def root(self, member: int) -> int:
        while (above := self._above[member]) != member:
            self._above[member] = self._above[above]
            member = above
        return member

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        if first != second:
            self._above[second] = first
            self.sources[first] |= self.sources.pop(second)

    def lacks(self, member: int, source: str) -> bool:
        return source not in self.sources[self.root(member)]

    def join_if_apart(self, one: int, other: int) -> bool:
        """Join two sets that no source has a member of both in; tell whether they were."""
        is_apart = self.sources[self.root(one)].isdisjoint(self.sources[self.root(other)])
        if is_apart:
            self.join(one, other)
        return is_apart


def same_people(contacts: Sequence[Contact], ties: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Return contact to the contact written first that is the same person, where there is one.

    Parameters
    ----------
    ties
        Contact and another external id of its source that is the same person.
    """
    people = _Sets()
    named = {}
    for contact in contacts:
        people.add(contact.contact_id, contact.source)
        named[contact.source, contact.external_id] = contact.contact_id
    sources = {contact.contact_id: contact.source for contact in contacts}
    for contact_id, external_id in ties:
        other = named.get((sources.get(contact_id, ""), external_id))
        if other is not None:
            people.join(contact_id, other)
    tied = {contact.contact_id: people.root(contact.contact_id) for contact in contacts}
    for group in _by_phone(contacts).values():
        one_each = {(c.source, tied[c.contact_id]) for c in group}
        if len(one_each) == len({source for source, _ in one_each}):
            for contact in group[1:]:
                people.join(group[0].contact_id, contact.contact_id)
    roots = {c.contact_id: people.root(c.contact_id) for c in contacts}
    return {contact: root for contact, root in roots.items() if contact != root}


def _by_phone(contacts: Sequence[Contact]) -> Mapping[str, list[Contact]]:
    groups = defaultdict(list)
    for contact in contacts:
        digits = phone_digits(contact.phone)
        if digits is not None:
            groups[digits].append(contact)
    return groups


def same_messages(
    messages: Sequence[Message], channel_ids: Mapping[int, str] | None = None
) -> dict[int, int]:
    """Return message to the message that counts in its place, of messages of one person.

    The told one counts before a placeholder, then the one with the later stamp: an export stamps
    minutes, which a webhook's seconds come after.

    Parameters
    ----------
    channel_ids
        Message to the id under which another source may know it.
    """
    messages = sorted(messages, key=_place)
    same = _Sets()
    for message in messages:
        same.add(message.message_id, message.source)
    _join_by_id(same, messages, channel_ids or {})
    told = [m for m in messages if m.kind != PROVISIONAL_KINDS[0]]
    for group in _grouped(told, _words_key):
        _join_in_order(same, group, group)
    untold = [m for m in messages if m.kind == PROVISIONAL_KINDS[0]]
    minutes = {_minute_key(m) for m in untold}
    for group in _grouped([m for m in messages if _minute_key(m) in minutes], _minute_key):
        known = [m for m in group if m.kind != PROVISIONAL_KINDS[0]]
        _join_in_order(same, [m for m in group if m.kind == PROVISIONAL_KINDS[0]], known)
    return _instead(same, messages)


def _join_by_id(same: _Sets, messages: Sequence[Message], channel_ids: Mapping[int, str]) -> None:
    by_id: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_id[message.external_id].append(message)
    for message in messages:
        for other in by_id.get(channel_ids.get(message.message_id, ""), []):
            same.join_if_apart(message.message_id, other.message_id)


def _join_in_order(same: _Sets, some: list[Message], others: list[Message]) -> None:
    """Join messages of each two sources one to one, where neither has its counterpart yet."""
    sources = sorted({m.source for m in some} | {m.source for m in others})
    for first, second in combinations(sources, 2):
        for one, other in ((first, second), (second, first)):
            left = [m for m in some if m.source == one and same.lacks(m.message_id, other)]
            right = [m for m in others if m.source == other and same.lacks(m.message_id, one)]
            for message in left:
                fits = partial(same.join_if_apart, message.message_id)
                found = next((r for r in right if fits(r.message_id)), None)
                if found is not None:
                    right.remove(found)


def _grouped(
    messages: Sequence[Message], key: Callable[[Message], Hashable]
) -> Iterator[list[Message]]:
    groups: dict[Hashable, list[Message]] = defaultdict(list)
    for message in messages:
        groups[key(message)].append(message)
    yield from (group for group in groups.values() if len({m.source for m in group}) > 1)


def _place(message: Message) -> tuple[int, str, str]:
    """Return what puts messages in order, whatever numbers the store gave them."""
    return message.sent_at, message.external_id, message.source


def _minute_key(message: Message) -> tuple[str, int]:
    return message.direction, message.sent_at // MICROSECONDS_A_MINUTE


def _words_key(message: Message) -> Hashable:
    return _minute_key(message), _words(message)


def _words(message: Message) -> tuple[bool, str]:
    """Return the words as every source would write them; media without words are all alike."""
    seen = UNSEEN.sub("", unicodedata.normalize("NFKC", message.text or ""))
    return message.kind == REACTION, " ".join(seen.split())


def _instead(same: _Sets, messages: Sequence[Message]) -> dict[int, int]:
    groups: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        groups[same.root(message.message_id)].append(message)
    counted = {root: max(group, key=_weight).message_id for root, group in groups.items()}
    links = {m.message_id: counted[root] for root, group in groups.items() for m in group}
    return {message: other for message, other in links.items() if message != other}


def _weight(message: Message) -> tuple[bool, int, str, str]:
    is_told = message.kind not in PROVISIONAL_KINDS
    return is_told, message.sent_at, message.source, message.external_id
