"""What one message of an export is: its kind, its words, and whether it was edited or deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from chatlift.sources.whatsapp_export.wording import (
    LEFT_TO_RIGHT,
    LONGEST_PHRASE,
    Wording,
    folded,
    visible,
    wording,
)

TEXT = "text"
DELETED = "deleted"
MEDIA = "media"
"""Something whose kind the export leaves out."""
UNSUPPORTED = "unsupported"
"""Something the export leaves out altogether, such as what could be viewed once."""
DOCUMENT = "document"
FILE_KINDS = frozenset({MEDIA, DOCUMENT, "image", "video", "audio", "sticker", "contact"})
"""Kinds that an export without media may tell as `MEDIA`."""
POLL = "poll"

KIND_BY_MARK = {
    "PHOTO": "image", "IMG": "image", "GIF": "image", "VIDEO": "video", "VID": "video",
    "AUDIO": "audio", "AUD": "audio", "PTT": "audio", "STICKER": "sticker", "STK": "sticker",
    "DOC": DOCUMENT,
}  # fmt: skip
"""Words between hyphens in the names that WhatsApp gives to files."""
KIND_BY_ENDING = {
    ".jpg": "image", ".jpeg": "image", ".png": "image", ".gif": "image", ".heic": "image",
    ".mp4": "video", ".mov": "video", ".3gp": "video", ".avi": "video", ".mkv": "video",
    ".opus": "audio", ".ogg": "audio", ".m4a": "audio", ".mp3": "audio", ".aac": "audio",
    ".amr": "audio", ".wav": "audio", ".webp": "sticker", ".vcf": "contact",
}  # fmt: skip
PLACE = re.compile(r"[^\n:]{2,40} ?: ?https://maps\.google\.com/\?q=[-\d.,]+")
VOTES = re.compile(r" \([^()\n]*\)$")


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a message says."""

    kind: str
    text: str | None
    """The words, or the caption; None: there are none."""
    is_edited: bool = False

    @property
    def is_deleted(self) -> bool:
        """Whether only the mark of a deleted message is left."""
        return self.kind == DELETED


def content_of(raw: str) -> Content:
    r"""Return what a message says.

    Parameters
    ----------
    raw
        All its lines as they stand in the file, invisible characters included: a left-to-right
        mark tells WhatsApp's own words from a person's.

    Examples
    --------
    >>> content_of("sounds good <This message was edited>")
    Content(kind='text', text='sounds good', is_edited=True)
    >>> content_of("IMG-20240101-WA0001.jpg (file attached)\nour menu")
    Content(kind='image', text='our menu', is_edited=False)
    """
    words = wording()
    plain = visible(raw).rstrip()
    unmarked = _without_edited_mark(plain, words)
    is_edited = unmarked is not None
    kind, text = _kind_and_text(plain if unmarked is None else unmarked, raw, words)
    return Content(kind=kind, text=text.strip("\n") or None if text else None, is_edited=is_edited)


def _without_edited_mark(plain: str, words: Wording) -> str | None:
    """Return the text before the mark of an edited message; None: it ends in none."""
    at = plain.rfind("<")
    is_marked = at >= 0 and words.edited_mark.fullmatch(plain, at) is not None
    return plain[:at].rstrip() if is_marked else None


def _kind_and_text(plain: str, raw: str, words: Wording) -> tuple[str, str | None]:
    if not plain.strip():
        return UNSUPPORTED, None
    first, _, further = plain.partition("\n")
    is_marked = raw.startswith(LEFT_TO_RIGHT)
    attached = words.attached_file.match(first.rstrip())
    if attached is not None:
        return _kind_of_file(attached["file"]), further
    attachment = words.attachment.search(plain)
    if attachment is not None and _is_at_an_end(attachment, plain):
        caption = plain[: attachment.start()].rstrip() or plain[attachment.end() :].lstrip()
        return _kind_of_file(attachment["file"]), caption
    if PLACE.match(plain):
        return "location", plain
    kind = words.whole.get(folded(first)) if len(first) <= LONGEST_PHRASE else None
    if kind is not None and (not further or first.startswith("<")):
        return kind, further
    return _by_opening(plain, words, is_marked) or _captioned(raw, words) or (TEXT, plain)


def _is_at_an_end(attachment: re.Match[str], plain: str) -> bool:
    return attachment.start() == 0 or attachment.end() == len(plain)


def _kind_of_file(name: str) -> str:
    marks = name.upper().replace("_", "-").split("-")
    marked = next((KIND_BY_MARK[mark] for mark in marks if mark in KIND_BY_MARK), None)
    by_ending = KIND_BY_ENDING.get(PurePosixPath(name.strip().lower()).suffix)
    return marked or by_ending or DOCUMENT


def _by_opening(plain: str, words: Wording, is_marked: bool) -> tuple[str, str | None] | None:
    first = folded(plain.partition("\n")[0][:LONGEST_PHRASE])
    match = words.opening_pattern.match(first)
    if match is None:
        return None
    openings = words.marked_openings if is_marked else words.openings
    kind = openings.get(match[0])
    if kind is None or not _is_whatsapps(first[match.end() :], kind, is_marked):
        return None
    return kind, _question(plain) if kind == POLL else None


def _is_whatsapps(rest: str, kind: str, is_marked: bool) -> bool:
    """Tell from the rest of the line whether a person wrote the same words in a sentence."""
    if kind == POLL or not rest:
        return not rest
    return kind == DELETED or is_marked or rest[0] in ",:"


def _question(poll: str) -> str:
    """Return a poll's question and options, without the votes, which change."""
    _, _, lines = poll.partition("\n")
    return "\n".join(VOTES.sub("", line) for line in lines.split("\n") if line.strip())


def _captioned(raw: str, words: Wording) -> tuple[str, str | None] | None:
    """Return the kind of what was left out after a caption: iOS marks where it begins."""
    caption, mark, last = raw.rstrip().rpartition(LEFT_TO_RIGHT)
    kind = words.whole.get(folded(last)) if mark and len(last) <= LONGEST_PHRASE else None
    return None if kind is None else (kind, visible(caption).rstrip())
