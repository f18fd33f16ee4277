"""WhatsApp Cloud API webhooks: bodies in, records and refused entries out.

An entry is one item of a list that a change carries: a message, a status, a message of the
business (`message_echoes`), one of a synchronised thread (`history`), a name of its address book
(`state_sync`), a marketing preference. A change without such a list is one entry too. All that is
no record is passed over and counted by its kind.

The Cloud API tells of a message that the business sent through it only by its statuses, and a
status or an edit may come before its message. Each therefore notes a placeholder (kind `untold`,
no text), whose place the message itself takes whenever it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from chatlift.records import SAME_PERSON
from chatlift.sources.entries import (
    Malformed,
    Notes,
    Object,
    as_object,
    instant_at,
    items_at,
    needed_text,
    object_at,
    text_at,
)
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.payloads import Body, body_lists
from chatlift.vocabulary import Direction, FactSubject

MARKETING = {"stop": "true", "resume": "false", "signup": "false"}
"""What a marketing preference says of the fact `opted_out`."""
REFERRAL = ("source_type", "source_id", "headline")
"""What is kept of the ad or post that led a contact here, as facts `referral_...`."""
CAPTIONED = frozenset({"image", "video", "document", "audio", "voice", "sticker"})
NUMBER_CHANGED = frozenset({"user_changed_number", "user_changed_user_id"})


def read_cloud_webhooks(
    path: Path, *, received_at: datetime, bodies_at_once: int = 2_000
) -> Iterator[ParsedFeed]:
    """Yield what a file or folder of webhook bodies says, `bodies_at_once` of them at a time.

    Parameters
    ----------
    received_at
        When the payloads were received, or are read: what they tell without a date is known
        since then.

    Raises
    ------
    InvalidInput
        If there is nothing to read, or a document is too long.
    """
    for some in body_lists(path, bodies_at_once):
        yield parse_cloud_bodies(some, feed_name=path.name, received_at=received_at)


def parse_cloud_bodies(
    bodies: Iterable[Body], *, feed_name: str, received_at: datetime
) -> ParsedFeed:
    """Return what these webhook bodies say; as `read_cloud_webhooks`."""
    notes = Notes()
    for body in bodies:
        with notes.refusing(body):
            if body.refusal:
                raise Malformed("", None, body.refusal)
            for change in _changes(body.value):
                with notes.refusing(body):
                    _Change(notes, as_object(change, "change"), body, received_at).note()
    return notes.feed(feed_name)


def _changes(body: object) -> list[object]:
    if not isinstance(body, dict) or "entry" not in body:
        raise Malformed("entry", None, "the body is no WhatsApp webhook: entry is missing")
    entries = [as_object(entry, "entry") for entry in items_at(body, "entry")]
    return [change for entry in entries for change in items_at(entry, "changes")]


class _Change:
    """One change of a body: whose number it is about, whom it names, and its entries."""

    def __init__(self, notes: Notes, change: Object, body: Body, received_at: datetime) -> None:
        self.notes = notes
        self.body = body
        self.received_at = received_at
        self.field = text_at(change, "field") or "unknown"
        self.value = object_at(change, "value")
        shown = text_at(object_at(self.value, "metadata"), "display_phone_number") or ""
        self.business = "".join(c for c in shown if c.isdecimal())
        named = [as_object(c, "contacts") for c in items_at(self.value, "contacts")]
        ids = [(text_at(c, key), c) for key in ("user_id", "wa_id") for c in named]
        self.profiles = {external_id: c for external_id, c in ids if external_id}

    def note(self) -> None:
        """Note each entry of the change, or refuse it alone."""
        readers = {
            "messages": self._synchronised if self.field == "history" else self._message,
            "statuses": self._status,
            "message_echoes": self._echo,
            "history": self._history,
            "state_sync": self._address,
            "user_preferences": self._preference,
            "calls": self._call,
            "errors": self._error,
        }
        told = {name: items_at(self.value, name) for name in readers}
        if not any(told.values()):
            self._pass_over(self.field)
        for name, items in told.items():
            for item in items:
                with self.notes.refusing(self.body):
                    readers[name](as_object(item, name))

    def _pass_over(self, kind: str) -> None:
        self.notes.passed_over[kind] += 1

    def _call(self, _call: Object) -> None:
        self._pass_over("call")

    def _error(self, _error: Object) -> None:
        self._pass_over("error")

    def _seen(self, kind: str, at: datetime) -> None:
        self.notes.counts[kind] += 1
        self.notes.observed.append(at)

    def _message(self, message: Object) -> None:
        kind = text_at(message, "type") or "unknown"
        if text_at(message, "group_id"):
            self._pass_over("group message")
        elif kind == "system":
            self._system(message)
        elif kind == "reaction" and not _text_of(message, kind):
            self._pass_over("reaction taken back")
        else:
            ids = (text_at(message, "from"), text_at(message, "from_user_id"))
            self._told(message, *ids, direction=Direction.INBOUND)

    def _echo(self, message: Object) -> None:
        ids = (text_at(message, "to"), text_at(message, "to_user_id"))
        self._told(message, *ids, direction=Direction.OUTBOUND)

    def _told(
        self, message: Object, wa_id: str | None, user_id: str | None, *, direction: Direction
    ) -> None:
        """Note a message, or what happened to an earlier one."""
        external_id = needed_text(message, "id")
        sent_at = instant_at(message, "timestamp")
        kind = text_at(message, "type") or "unknown"
        changed = object_at(message, kind) if kind in {"edit", "revoke"} else {}
        original = needed_text(changed, "original_message_id") if changed else None
        text = _text_of(message, kind)
        is_voice = kind == "audio" and object_at(message, kind).get("voice") is True
        referral = _referral(message)
        contact = self._person(wa_id, user_id, sent_at)
        if original:
            self._changed(original, contact, direction, sent_at, text=text, how=kind)
            return
        self._seen("message", sent_at)
        self.notes.message(
            external_id,
            contact=contact,
            direction=direction,
            kind="voice" if is_voice else kind,
            text=text,
            sent_at=sent_at,
        )
        for name, value in referral.items():
            self.notes.fact(FactSubject.CONTACT, contact, f"referral_{name}", value, sent_at)

    def _changed(
        self,
        original: str,
        contact: str,
        direction: Direction,
        at: datetime,
        *,
        text: str | None,
        how: str,
    ) -> None:
        self._seen(how, at)
        self.notes.placeholder(original, contact=contact, direction=direction, seen_at=at)
        name = "edited" if how == "edit" else "deleted"
        self.notes.fact(FactSubject.MESSAGE, original, name, "true", at)
        if text is not None:
            self.notes.fact(FactSubject.MESSAGE, original, "edited_text", text, at)

    def _person(self, wa_id: str | None, user_id: str | None, seen_at: datetime) -> str:
        """Note the contact that goes by these ids, and return the one that names it here."""
        profile = self.profiles.get(wa_id or user_id or "", {})
        wa_id = wa_id or text_at(profile, "wa_id")
        user_id = user_id or text_at(profile, "user_id")
        external_id = wa_id or user_id
        if external_id is None:
            raise Malformed("from", None, "the entry names no contact")
        phone = f"+{wa_id}" if wa_id and wa_id.isdecimal() else None
        name = text_at(object_at(profile, "profile"), "name")
        self.notes.contact(external_id, seen_at=seen_at, name=name, phone=phone)
        if wa_id and user_id:
            self.notes.fact(FactSubject.CONTACT, wa_id, SAME_PERSON, user_id)
        return external_id

    def _system(self, message: Object) -> None:
        system = object_at(message, "system")
        new_id = text_at(system, "wa_id") or text_at(system, "new_wa_id")
        if text_at(system, "type") not in NUMBER_CHANGED or new_id is None:
            self._pass_over("system")
            return
        at = instant_at(message, "timestamp")
        contact = self._person(text_at(message, "from"), text_at(message, "from_user_id"), at)
        self._seen("number change", at)
        self.notes.fact(FactSubject.CONTACT, contact, SAME_PERSON, new_id)

    def _status(self, status: Object) -> None:
        if text_at(status, "type") == "call":
            self._pass_over("call")
            return
        if text_at(status, "recipient_type") == "group":
            self._pass_over("group status")
            return
        message, value = needed_text(status, "id"), needed_text(status, "status")
        at = instant_at(status, "timestamp")
        failures = [as_object(e, "errors") for e in items_at(status, "errors")]
        codes = [text_at(failure, "code") for failure in failures]
        recipient = (text_at(status, "recipient_id"), text_at(status, "recipient_user_id"))
        contact = self._person(*recipient, at)
        self._seen("status", at)
        direction = Direction.OUTBOUND
        self.notes.placeholder(message, contact=contact, direction=direction, seen_at=at)
        self.notes.fact(FactSubject.MESSAGE, message, "status", value, at)
        for code in codes[:1]:
            self.notes.fact(FactSubject.MESSAGE, message, "failure_code", code, at)

    def _history(self, chunk: Object) -> None:
        threads = items_at(chunk, "threads")
        if not threads:
            self._pass_over("history without threads")
        for item in threads:
            thread = as_object(item, "threads")
            for message in items_at(thread, "messages"):
                with self.notes.refusing(self.body):
                    self._synchronised(as_object(message, "messages"), thread)

    def _synchronised(self, message: Object, thread: Object | None = None) -> None:
        """Note a message of before the business joined, whose status is known only by now."""
        whole = thread or {}
        known_as = object_at(whole, "context")
        context = object_at(message, "history_context")
        sender, receiver = text_at(message, "from"), text_at(message, "to")
        is_ours = context.get("from_me") is True or sender == self.business
        wa_id = text_at(whole, "id") or (receiver if is_ours else sender)
        status = text_at(context, "status")
        direction = Direction.OUTBOUND if is_ours else Direction.INBOUND
        self._told(message, wa_id, text_at(known_as, "user_id"), direction=direction)
        if status and is_ours:
            subject, name = FactSubject.MESSAGE, "status"
            external_id = needed_text(message, "id")
            self.notes.fact(subject, external_id, name, status.lower(), self.received_at)

    def _address(self, item: Object) -> None:
        contact = object_at(item, "contact")
        if text_at(item, "type") != "contact" or text_at(item, "action") != "add":
            self._pass_over("address removed")
            return
        wa_id = needed_text(contact, "phone_number")
        at = instant_at(object_at(item, "metadata"), "timestamp")
        name = text_at(contact, "full_name") or text_at(contact, "first_name")
        self._seen("address", at)
        wa_id = wa_id.removeprefix("+")
        self.notes.contact(wa_id, seen_at=at, name=name, phone=f"+{wa_id}")

    def _preference(self, preference: Object) -> None:
        opted_out = MARKETING.get(text_at(preference, "value") or "")
        if text_at(preference, "category") != "marketing_messages" or opted_out is None:
            self._pass_over("user preference")
            return
        at = instant_at(preference, "timestamp")
        contact = self._person(text_at(preference, "wa_id"), text_at(preference, "user_id"), at)
        self._seen("preference", at)
        self.notes.fact(FactSubject.CONTACT, contact, "opted_out", opted_out, at)


def _referral(message: Object) -> dict[str, str]:
    referral = object_at(message, "referral")
    told = {name: text_at(referral, name) for name in REFERRAL}
    return {name: value for name, value in told.items() if value is not None}


def _text_of(message: Object, kind: str) -> str | None:
    """Return the words of a message of any kind; None where it has none."""
    content = message.get(kind)
    if not isinstance(content, dict):
        return None
    if kind == "edit":
        edited = object_at(content, "message")
        return _text_of(edited, text_at(edited, "type") or "")
    if kind == "interactive":
        reply = object_at(content, text_at(content, "type") or "")
        return text_at(reply, "title") or text_at(reply, "body")
    if kind in CAPTIONED:
        return text_at(content, "caption")
    keys = {"text": "body", "button": "text", "reaction": "emoji", "order": "text"}
    return text_at(content, keys[kind]) if kind in keys else None
