"""Ids of messages, which an export does not have, so that the same message is known again.

An id is `<place>-<content>-<ordinal>`: a hash of chat, minute and sender, a hash of kind and
text, and which of the equal messages of that minute it is. An `e` behind it says that the export
in which the message was first seen showed it edited. Seconds, which only iOS tells, are left out,
so that exports of both kinds of phone agree; so does the second pass of a repeated hour.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chatlift.sources.whatsapp_export.contents import DELETED, MEDIA, Content

HASH_LENGTH = 20
EDITED = "e"


class MessageKey(NamedTuple):
    """What a message is known by; equal messages of one minute have the same."""

    place: str
    """Hash of chat, minute and sender."""
    content: str
    """Hash of kind and text."""


class MessageId(NamedTuple):
    """An id, taken apart."""

    key: MessageKey
    ordinal: int
    is_edited: bool

    def __str__(self) -> str:
        edited = EDITED if self.is_edited else ""
        return f"{self.key.place}-{self.key.content}-{self.ordinal}{edited}"


def digest(*parts: str) -> str:
    """Return a short hash of texts, in their order."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[
        :HASH_LENGTH
    ]


def message_key(chat: str, minute: datetime, sender: str, content: Content) -> MessageKey:
    """Return the key of a message.

    Parameters
    ----------
    minute
        The first instant (UTC) at which the phone's clock showed the message's minute.
    sender
        Who wrote it: the direction, since a chat has one contact.
    """
    return MessageKey(
        digest(chat, minute.strftime("%Y-%m-%d %H:%M"), sender),
        digest(content.kind, content.text or ""),
    )


DELETED_CONTENT = digest(DELETED, "")
OMITTED_CONTENT = digest(MEDIA, "")


def numbered(keys: Sequence[MessageKey], edited: Sequence[bool]) -> list[MessageId]:
    """Return the ids of messages in the file's order: equal ones are counted up from 0."""
    seen: Counter[MessageKey] = Counter()
    ids = []
    for key, is_edited in zip(keys, edited, strict=True):
        ids.append(MessageId(key, seen[key], is_edited))
        seen[key] += 1
    return ids


def parse_ids(texts: Iterable[str]) -> list[MessageId]:
    """Return ids taken apart; what was not made here, such as another source's, is left out."""
    return [parsed for text in texts if (parsed := _parsed(text)) is not None]


def _parsed(text: str) -> MessageId | None:
    place, _, rest = text.partition("-")
    content, _, ordinal = rest.partition("-")
    number = ordinal.removesuffix(EDITED)
    is_ours = len(place) == len(content) == HASH_LENGTH and number.isdecimal()
    key = MessageKey(place, content)
    return MessageId(key, int(number), ordinal.endswith(EDITED)) if is_ours else None
