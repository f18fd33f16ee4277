"""Chatwoot webhooks: bodies in, records and refused entries out.

A body is one event: of a contact, a conversation or a message. What is no message to the contact
(private notes, activities) is passed over and counted, as are events that are no record.

A contact's and a conversation's event do not date what they tell; where the event names the update
that it is about, that dates it, else it is known since it was received.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from chatlift.records import CHANNEL_MESSAGE_ID
from chatlift.sources.entries import (
    Malformed,
    Notes,
    Object,
    as_object,
    instant_at,
    items_at,
    needed_text,
    object_at,
    optional_instant_at,
    text_at,
)
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.payloads import Body, body_lists
from chatlift.vocabulary import Direction, FactSubject

DIRECTIONS = {
    "incoming": Direction.INBOUND,
    "outgoing": Direction.OUTBOUND,
    "template": Direction.OUTBOUND,
    "0": Direction.INBOUND,
    "1": Direction.OUTBOUND,
    "3": Direction.OUTBOUND,
}
"""By a message's type, a word or in older versions its number."""
ACTIVITIES = frozenset({"activity", "2"})
TEMPLATES = frozenset({"template", "3"})
"""Messages that Chatwoot itself writes, such as a greeting or the question after satisfaction."""
AUTOMATIC_SENDERS = frozenset({"agent_bot", "captain_assistant"})
KINDS = {
    "file": "document",
    "incoming_email": "email",
    "input_text": "interactive",
    "input_textarea": "interactive",
    "input_email": "interactive",
    "input_select": "interactive",
    "input_csat": "interactive",
    "cards": "interactive",
    "form": "interactive",
    "contact": "contacts",
    "fallback": "text",
}
"""Kinds under the words that other sources use; all others keep Chatwoot's."""
LABELS = "label_list"


def read_chatwoot_webhooks(
    path: Path, *, received_at: datetime, bodies_at_once: int = 2_000
) -> Iterator[ParsedFeed]:
    """Yield what a file or folder of events says, `bodies_at_once` of them at a time.

    Parameters
    ----------
    received_at
        When the events were received, or are read: what they tell without a date is known since
        then.

    Raises
    ------
    InvalidInput
        If there is nothing to read, or a document is too long.
    """
    for some in body_lists(path, bodies_at_once):
        yield parse_chatwoot_bodies(some, feed_name=path.name, received_at=received_at)


def parse_chatwoot_bodies(
    bodies: Iterable[Body], *, feed_name: str, received_at: datetime
) -> ParsedFeed:
    """Return what these events say; as `read_chatwoot_webhooks`."""
    notes = Notes()
    for body in bodies:
        with notes.refusing(body):
            if body.refusal:
                raise Malformed("", None, body.refusal)
            _Event(notes, as_object(body.value, "event"), received_at).note()
    return notes.feed(feed_name)


class _Event:
    """One event and what it tells."""

    def __init__(self, notes: Notes, event: Object, received_at: datetime) -> None:
        self.notes = notes
        self.event = event
        self.received_at = received_at
        self.name = needed_text(event, "event")

    def note(self) -> None:
        readers: dict[str, Callable[[], None]] = {
            "contact_created": self._contact,
            "contact_updated": self._contact,
            "conversation_created": self._conversation,
            "conversation_updated": self._conversation,
            "conversation_status_changed": self._conversation,
            "message_created": self._message,
            "message_updated": self._message,
        }
        if self.name in readers:
            readers[self.name]()
        else:
            self.notes.passed_over[self.name] += 1

    def _contact(self) -> None:
        at = self._updated_at(self.event) or self.received_at
        contact = self._person(self.event, seen_at=at)
        self.notes.counts["contact"] += 1
        for name, value in object_at(self.event, "custom_attributes").items():
            if value is not None and value != "":
                self.notes.fact(FactSubject.CONTACT, contact, name, _told(value), at)

    def _conversation(self) -> None:
        sender = object_at(object_at(self.event, "meta"), "sender")
        conversation = needed_text(self.event, "id")
        started_at = self._dated(self.event, "created_at")
        at = self._updated_at(self.event) or started_at
        changes = self._changes()
        contact = self._person(sender, seen_at=started_at)
        self.notes.conversation(conversation, contact=contact, started_at=started_at)
        self._seen("conversation", at)
        if "status" in changes:
            status = text_at(self.event, "status")
            self.notes.fact(FactSubject.CONTACT, contact, "conversation_status", status, at)
        for label in _new_labels(changes):
            self.notes.fact(FactSubject.CONTACT, contact, "tag", label, at)

    def _message(self) -> None:
        message = self.event
        kind = text_at(message, "message_type") or "missing"
        if message.get("private") is True:
            self.notes.passed_over["private note"] += 1
        elif kind in ACTIVITIES:
            self.notes.passed_over["activity"] += 1
        elif kind in DIRECTIONS:
            self._told(message, kind)
        else:
            raise Malformed("message_type", kind, "message_type is no kind of message")

    def _told(self, message: Object, message_type: str) -> None:
        external_id = needed_text(message, "id")
        sent_at = instant_at(message, "created_at")
        within = object_at(message, "conversation")
        conversation = needed_text(within, "id" if "id" in within else "display_id")
        started_at = optional_instant_at(within, "created_at") or sent_at
        changed_at = self._updated_at(within) or self.received_at
        marks = object_at(message, "content_attributes")
        is_deleted = marks.get("deleted") is True
        kind, text = _kind(message), text_at(message, "content")
        is_automatic = _is_automatic(message, marks, message_type)
        contact = self._person(_contact_of(message, within), seen_at=min(sent_at, started_at))
        self._seen("message", sent_at)
        self.notes.conversation(conversation, contact=contact, started_at=started_at)
        direction = DIRECTIONS[message_type]
        self.notes.message(
            external_id,
            contact=contact,
            direction=direction,
            # What was deleted tells only that it was.
            kind="untold" if is_deleted else kind,
            text=None if is_deleted else text,
            sent_at=sent_at,
            conversation=conversation,
            is_automatic=is_automatic,
        )
        facts = {"deleted": "true" if is_deleted else None, "status": text_at(message, "status")}
        for name, value in facts.items():
            if value is not None:
                self.notes.fact(FactSubject.MESSAGE, external_id, name, value, changed_at)
        source_id = text_at(message, "source_id")
        if source_id:
            self.notes.fact(FactSubject.MESSAGE, external_id, CHANNEL_MESSAGE_ID, source_id)

    def _person(self, contact: Object, *, seen_at: datetime) -> str:
        external_id = needed_text(contact, "id")
        phone, name = text_at(contact, "phone_number"), text_at(contact, "name")
        self.notes.contact(external_id, seen_at=seen_at, name=name, phone=phone)
        return external_id

    def _seen(self, kind: str, at: datetime) -> None:
        self.notes.counts[kind] += 1
        self.notes.observed.append(at)

    def _dated(self, container: Object, key: str) -> datetime:
        return optional_instant_at(container, key) or self.received_at

    def _changes(self) -> dict[str, Object]:
        """Return what changed: attribute to its value before and now."""
        told = [as_object(c, "changed_attributes") for c in self._changed_attributes()]
        return {name: as_object(change, name) for item in told for name, change in item.items()}

    def _changed_attributes(self) -> list[Any]:
        changed = self.event.get("changed_attributes")
        return (
            [changed] if isinstance(changed, dict) else items_at(self.event, "changed_attributes")
        )

    def _updated_at(self, container: Object) -> datetime | None:
        """Return when the update was made that this tells of; None: it does not say."""
        change = self._changes().get("updated_at", {})
        return optional_instant_at(change, "current_value") or optional_instant_at(
            container, "updated_at"
        )


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _new_labels(changes: dict[str, Object]) -> list[str]:
    change = changes.get(LABELS, {})
    before = {str(label) for label in items_at(change, "previous_value")}
    return [str(now) for now in items_at(change, "current_value") if str(now) not in before]


def _kind(message: Object) -> str:
    attachments = [as_object(a, "attachments") for a in items_at(message, "attachments")]
    told = text_at(attachments[0], "file_type") if attachments else None
    kind = told or text_at(message, "content_type") or "text"
    extras = object_at(message, "additional_attributes")
    return "template" if extras.get("template_params") else KINDS.get(kind, kind)


def _is_automatic(message: Object, marks: Object, message_type: str) -> bool:
    sender = text_at(object_at(message, "sender"), "type") or ""
    is_rule = marks.get("automation_rule_id") is not None
    return is_rule or sender.lower() in AUTOMATIC_SENDERS or message_type in TEMPLATES


def _contact_of(message: Object, conversation: Object) -> Object:
    """Return the contact: whom the conversation is with, else who wrote or is named."""
    partner = object_at(object_at(conversation, "meta"), "sender")
    inbox = object_at(conversation, "contact_inbox")
    if partner:
        return partner
    if inbox.get("contact_id") is not None:
        return {"id": inbox["contact_id"]}
    named = object_at(message, "contact")
    writer = object_at(message, "sender")
    is_contact = DIRECTIONS[text_at(message, "message_type") or ""] is Direction.INBOUND
    return named or (writer if is_contact else {})
