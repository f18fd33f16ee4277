"""Who takes part in a chat: the business, and the contact or contacts it writes with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.chat_entries import plain_name
from chatlift.sources.whatsapp_export.export_text import shown_name
from chatlift.sources.whatsapp_export.message_ids import digest
from chatlift.sources.whatsapp_export.wording import folded

PHONE = re.compile(r"\+?[\d\s().\-\u2010\u2011]{7,24}")
LEAST_DIGITS = 7


class SenderNotFound(InvalidInput):
    """Nobody in a chat is called as the business is said to be.

    The sentence tells the senders by initial and number of messages only, because it may be
    logged; `message_counts` has their names, for the screen of the person who asked.
    """

    def __init__(self, file_name: str, message_counts: Mapping[str, int]) -> None:
        self.message_counts = dict(message_counts)
        senders = ", ".join(
            f"{_initial(name)} ({count} messages)" for name, count in message_counts.items()
        )
        super().__init__(
            f"Nobody in {shown_name(file_name)} is called as --me says. "
            f"Its senders, by their initials: {senders or 'none'}. "
            "Give the business's name exactly as the export shows it."
        )


@dataclass(frozen=True, kw_only=True)
class Person:
    """A sender who is not the business."""

    name: str | None
    """As the phone book has it; None: the export shows only the number."""
    phone: str | None
    """With a plus and digits only, or digits only where the export shows no plus."""

    @property
    def contact_id(self) -> str:
        """The same in every export that shows the person alike."""
        return digest("contact", self.phone or folded(self.name or ""))


@dataclass(frozen=True, kw_only=True)
class People:
    """The business and its contacts in one chat."""

    my_names: frozenset[str]
    by_sender: Mapping[str, Person]
    only_contact_id: str | None = None
    """The contact's of a chat of two; None: a group."""
    by_contact_id: Mapping[str, Person] = field(default_factory=dict)

    def is_me(self, sender: str) -> bool:
        """Tell whether the business wrote."""
        return sender in self.my_names

    def contact_id(self, sender: str) -> str:
        """Return the contact's id of a sender who is not the business."""
        return self.by_sender[sender].contact_id

    def person(self, contact_id: str) -> Person:
        """Return who has this id."""
        return self.by_contact_id[contact_id]


def tell_people(
    message_counts: Mapping[str, int],
    *,
    me: str,
    title: str | None,
    is_group_welcome: bool,
    file_name: str,
) -> People:
    """Return who takes part.

    Parameters
    ----------
    message_counts
        Sender to number of messages.
    title
        Whom the export's name says the chat is with; None: it does not say.

    Raises
    ------
    SenderNotFound
        If no sender is `me`, unless the only one is known to be the contact.
    InvalidInput
        If more than two write and a group is not welcome, or the contact stays unknown.
    """
    my_names = frozenset(sender for sender in message_counts if _is_same(sender, me))
    others = [sender for sender in message_counts if sender not in my_names]
    is_unanswered = title is not None and [plain_name(title)] == others
    if message_counts and not my_names and not is_unanswered:
        raise SenderNotFound(file_name, message_counts)
    if len(others) > 1 and not is_group_welcome:
        raise InvalidInput(
            f"{shown_name(file_name)} is a group: {len(others)} people write in it beside the "
            "business. Leave it out, or say --group to make each of them a contact."
        )
    if not others:
        others = [_unheard(title, file_name)]
    by_sender = {sender: person_called(sender) for sender in others}
    return People(
        my_names=my_names,
        by_sender=by_sender,
        only_contact_id=by_sender[others[0]].contact_id if len(others) == 1 else None,
        by_contact_id={person.contact_id: person for person in by_sender.values()},
    )


def person_called(sender: str) -> Person:
    """Return the person whom an export shows by this name or number.

    Examples
    --------
    >>> person_called("+34 600 000 000").phone
    '+34600000000'
    """
    phone = phone_in(sender)
    return Person(name=sender if phone is None else None, phone=phone)


def phone_in(sender: str) -> str | None:
    """Return the phone number that a sender is shown by; None: it is a name."""
    digits = "".join(str(int(c)) for c in sender if c.isdecimal())
    if PHONE.fullmatch(sender) is None or len(digits) < LEAST_DIGITS:
        return None
    return f"+{digits}" if sender.lstrip().startswith("+") else digits


def _is_same(sender: str, me: str) -> bool:
    mine = plain_name(me)
    my_phone = phone_in(mine)
    if my_phone is not None:
        return (phone_in(sender) or "").lstrip("+") == my_phone.lstrip("+")
    return folded(sender) == folded(mine)


def _unheard(title: str | None, file_name: str) -> str:
    """Return the contact of a chat in which nobody but the business writes."""
    if title is None:
        raise InvalidInput(
            f"Nobody but the business writes in {shown_name(file_name)}, and the file's name does "
            'not tell to whom. Call it "WhatsApp Chat with NAME.txt", as phones do.'
        )
    return plain_name(title)


def _initial(name: str) -> str:
    return f"{name[:1]}..." if name[:1].isalpha() else "a number"
