"""Ids of messages, which an export does not have, so that the same message is known again.

An id is `<minute>-<i or o><content>-<ordinal>`: a hash of chat and minute, whether it came in or
went out, a hash of kind and text, and which of the equal messages of that minute it is. An `e`
behind it says that it was shown as edited when it was first seen. What two exports of one chat may
tell differently is left out: seconds, which only iOS has, the pass of a repeated hour, and what
kind of file was sent, which exports without media do not say.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chatlift.sources.whatsapp_export.contents import DELETED, FILE_KINDS, MEDIA, Content
from chatlift.vocabulary import Direction

DIGEST_LENGTH = 16
EDITED = "e"
SIDES = {Direction.INBOUND: "i", Direction.OUTBOUND: "o"}


class MessageKey(NamedTuple):
    """What a message is known by; equal messages of one minute have the same."""

    minute: str
    """Hash of chat and minute."""
    side: str
    """`i` in, `o` out."""
    content: str
    """Hash of kind and text."""


class MessageId(NamedTuple):
    """An id, taken apart."""

    key: MessageKey
    ordinal: int
    is_edited: bool

    def __str__(self) -> str:
        minute, side, content = self.key
        return f"{minute}-{side}{content}-{self.ordinal}{EDITED if self.is_edited else ''}"


def digest(*parts: str) -> str:
    """Return a short hash of texts, in their order."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:DIGEST_LENGTH]


DELETED_CONTENT = digest(DELETED, "")


def message_key(chat: str, minute: datetime, direction: Direction, content: Content) -> MessageKey:
    """Return the key of a message.

    Parameters
    ----------
    chat
        The contact's id, since a chat has one.
    minute
        The first instant (UTC) at which the phone's clock showed the message's minute.
    """
    kind = MEDIA if content.kind in FILE_KINDS else content.kind
    return MessageKey(
        minute=digest(chat, minute.strftime("%Y-%m-%d %H:%M")),
        side=SIDES[direction],
        content=digest(kind, content.text or ""),
    )


def numbered(keys: Sequence[MessageKey], edited: Sequence[bool]) -> list[MessageId]:
    """Return the ids of messages in the file's order: equal ones are counted up from 0."""
    seen: Counter[MessageKey] = Counter()
    ids = []
    for key, is_edited in zip(keys, edited, strict=True):
        ids.append(MessageId(key, seen[key], is_edited))
        seen[key] += 1
    return ids


def parse_ids(texts: Iterable[str]) -> list[MessageId]:
    """Return ids taken apart; what was not made here is left out."""
    return [parsed for text in texts if (parsed := _parsed(text)) is not None]


def _parsed(text: str) -> MessageId | None:
    minute, _, rest = text.partition("-")
    said, _, ordinal = rest.partition("-")
    number = ordinal.removesuffix(EDITED)
    is_ours = len(minute) == len(said) - 1 == DIGEST_LENGTH and said[0] in SIDES.values()
    if not is_ours or not number.isdecimal():
        return None
    return MessageId(MessageKey(minute, said[0], said[1:]), int(number), ordinal != number)
