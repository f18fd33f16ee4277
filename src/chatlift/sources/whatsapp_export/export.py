"""One WhatsApp chat export as records: `read_export`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.records import CONTACTS, CONVERSATIONS, FACTS, MESSAGES, Records
from chatlift.sources.feeds import REJECTED_ENTRIES, ParsedFeed
from chatlift.sources.whatsapp_export.chat_entries import Entry, ReadEntries, read_entries
from chatlift.sources.whatsapp_export.contents import Content
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export_text import IOS_NAME, read_export_text, shown_name
from chatlift.sources.whatsapp_export.local_time import PhoneClock, zone_named
from chatlift.sources.whatsapp_export.message_ids import MessageKey, message_key, numbered
from chatlift.sources.whatsapp_export.people import People, tell_people
from chatlift.vocabulary import Direction, FactSubject

EDITED = "edited"
EDITED_TEXT = "edited_text"
"""The words as they are now; a message that is known already keeps its first ones."""
DELETED = "deleted"
OUT_TO_GROUP = "outbound_before_any_answer"
"""Messages of the business in a group in which no one else has written yet."""
SHOWN_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class _Message:
    contact_id: str
    direction: Direction
    content: Content
    sent_at: datetime
    key: MessageKey


def read_export(
    path: Path,
    *,
    me: str,
    time_zone: str,
    is_group_welcome: bool = False,
    day_order: DayOrder | None = None,
    exported_at: datetime | None = None,
) -> ParsedFeed:
    """Return what one chat export says.

    One chat is one contact and one conversation; in a group each sender is a contact, and what
    the business wrote goes to whoever wrote last before it. Messages carry ids by which a later
    export of the same chat knows them again; `alignment.aligned` matches them with what is there
    already before they are written.

    Parameters
    ----------
    path
        A `.txt` file, a zip, or the folder of one unpacked zip.
    me
        The business's name as the export shows it, or its phone number.
    time_zone
        IANA name of the zone of the phone that exported.
    is_group_welcome
        Whether a chat of more than two is read rather than refused.
    day_order
        Decides where the file leaves open which of day and month comes first.
    exported_at
        The instant up to which the export is complete, if that is later than its last entry.
        Without it, nobody knows whether a contact who writes no more fell silent. Edits and
        deletions are known from then on, since an export does not date them.

    Returns
    -------
    ParsedFeed
        Its messages, refused entries and system lines (`passed_over`) are all entries of the
        file, in the file's order; `line_counts` are of `chat_entries.LineClass`.

    Raises
    ------
    InvalidInput
        If the file is no chat export, too large, its dates can be read in two ways, or the chat
        is a group; as `SenderNotFound`, if nobody in it is called `me`.
    """
    zone = zone_named(time_zone)
    export = read_export_text(path)
    name = path.name if path.name != IOS_NAME else f"{path.parent.name}/{path.name}"
    try:
        read = read_entries(export.lines, day_order=day_order)
    except InvalidInput as error:
        raise InvalidInput(f"{shown_name(name)}: {error}") from error
    senders = Counter(e.sender for e in read.entries if e.sender is not None)
    people = tell_people(
        senders, me=me, title=export.title, is_group_welcome=is_group_welcome, file_name=name
    )
    return _feed(path.name, read, people, PhoneClock(zone), exported_at)


def _feed(
    name: str,
    read: ReadEntries,
    people: People,
    clock: PhoneClock,
    exported_at: datetime | None,
) -> ParsedFeed:
    instants = [None if e.clock_time is None else clock.instant(e.clock_time) for e in read.entries]
    dated = [instant for instant in instants if instant is not None]
    messages, to_nobody = _messages(read.entries, instants, people, clock)
    through = max([*dated, *([exported_at] if exported_at is not None else [])], default=None)
    passed_over = Counter(e.category for e in read.entries if e.category is not None)
    passed_over[OUT_TO_GROUP] += to_nobody
    return ParsedFeed(
        feed_name=name,
        records=_records(messages, people, min(dated, default=None), through),
        rejected=_rejected(read.entries),
        passed_over=dict(+passed_over),
        line_counts=read.line_counts,
        observed_from=min(dated, default=None),
        observed_through=through,
        is_of_its_contacts=True,
    )


def _messages(
    entries: Sequence[Entry],
    instants: Sequence[datetime | None],
    people: People,
    clock: PhoneClock,
) -> tuple[list[_Message], int]:
    """Return the messages, and how many of the business's had nobody to go to."""
    messages: list[_Message] = []
    to_nobody = 0
    partner = people.only_contact_id
    for entry, sent_at in zip(entries, instants, strict=True):
        if entry.sender is None or entry.content is None or sent_at is None:
            continue
        is_mine = people.is_me(entry.sender)
        partner = partner if is_mine else people.contact_id(entry.sender)
        if partner is None:
            to_nobody += 1
            continue
        direction = Direction.OUTBOUND if is_mine else Direction.INBOUND
        minute = _minute(entry, sent_at, clock)
        messages.append(
            _Message(
                contact_id=partner,
                direction=direction,
                content=entry.content,
                sent_at=sent_at,
                key=message_key(partner, minute, direction, entry.content),
            )
        )
    return messages, to_nobody


def _minute(entry: Entry, sent_at: datetime, clock: PhoneClock) -> datetime:
    """Return the minute by which a message is known: the same in whichever pass of an hour."""
    return clock.first_instant(entry.clock_time) if entry.clock_time is not None else sent_at


def _records(
    messages: Sequence[_Message],
    people: People,
    first_at: datetime | None,
    known_at: datetime | None,
) -> Records:
    ids = numbered([m.key for m in messages], [m.content.is_edited for m in messages])
    external_ids = [str(message_id) for message_id in ids]
    started = _first_instants(messages)
    if people.only_contact_id is not None and first_at is not None:
        started = {people.only_contact_id: first_at}
    return Records(
        contacts=_contacts(people, started),
        conversations=_conversations(started),
        messages=_message_rows(messages, external_ids),
        facts=_facts(messages, external_ids, known_at),
    )


def _first_instants(messages: Sequence[_Message]) -> dict[str, datetime]:
    started: dict[str, datetime] = {}
    for message in messages:
        known = started.get(message.contact_id, message.sent_at)
        started[message.contact_id] = min(known, message.sent_at)
    return started


def _contacts(people: People, started: Mapping[str, datetime]) -> pl.DataFrame:
    told = [people.person(contact_id) for contact_id in started]
    return pl.DataFrame(
        {
            "external_id": list(started),
            "name": [person.name for person in told],
            "phone": [person.phone for person in told],
            "created_at": list(started.values()),
            "churned_at": [None] * len(told),
        },
        schema=CONTACTS,
    )


def _conversations(started: Mapping[str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "external_id": list(started),
            "contact_external_id": list(started),
            "started_at": list(started.values()),
        },
        schema=CONVERSATIONS,
    )


def _message_rows(messages: Sequence[_Message], external_ids: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "external_id": external_ids,
            "contact_external_id": [m.contact_id for m in messages],
            "conversation_external_id": [m.contact_id for m in messages],
            "direction": [str(m.direction) for m in messages],
            "kind": [m.content.kind for m in messages],
            "text": [m.content.text for m in messages],
            "sent_at": [m.sent_at for m in messages],
            "is_automatic": [False] * len(messages),
        },
        schema=MESSAGES,
    )


def _facts(
    messages: Sequence[_Message], external_ids: Sequence[str], known_at: datetime | None
) -> pl.DataFrame:
    told = [
        (external_id, name, value)
        for external_id, message in zip(external_ids, messages, strict=True)
        for name, value in _marks(message.content)
    ]
    return pl.DataFrame(
        {
            "subject": [str(FactSubject.MESSAGE)] * len(told),
            "subject_external_id": [external_id for external_id, _, _ in told],
            "name": [name for _, name, _ in told],
            "value": [value for _, _, value in told],
            "known_at": [known_at] * len(told),
        },
        schema=FACTS,
    )


def _marks(content: Content) -> list[tuple[str, str | None]]:
    """Return what became of a message, by the names that webhooks' facts have too."""
    if content.is_deleted:
        return [(DELETED, "true")]
    return [(EDITED, "true"), (EDITED_TEXT, content.text)] if content.is_edited else []


def _rejected(entries: Sequence[Entry]) -> pl.DataFrame:
    refused = [(number, e) for number, e in enumerate(entries) if e.reason is not None]
    return pl.DataFrame(
        {
            "file_name": [None] * len(refused),
            "entry_number": [number for number, _ in refused],
            "line_number": [e.line_number for _, e in refused],
            "column": [""] * len(refused),
            "value": ["\n".join(e.lines)[:SHOWN_CHARACTERS] for _, e in refused],
            "reason": [e.reason for _, e in refused],
            "cells": [None] * len(refused),
        },
        schema=REJECTED_ENTRIES,
    )
