"""From the lines of an export to its entries: each a message, a system line or a refused one.

Every line ends in exactly one class of `LineClass`. A line that begins with no stamp continues
the entry above it; so does one whose stamp has another shape than the file's, such as a piece of
another export that somebody pasted into a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.contents import TEXT, Content, content_of
from chatlift.sources.whatsapp_export.day_order import DayOrder, date_of, day_orders
from chatlift.sources.whatsapp_export.stamps import Shape, Stamp, read_stamp
from chatlift.sources.whatsapp_export.wording import (
    INVISIBLE,
    LEFT_TO_RIGHT,
    NO_BREAK_SPACES,
    OTHER_SYSTEM_LINE,
    visible,
    wording,
)

LONGEST_LINE = 100_000
"""Characters; WhatsApp ends a message at 65,536."""
LONGEST_NAME = 120
LEAST_SHAPE_SHARE = 0.1
"""Share of all stamps that a shape has to have to be the file's and not something pasted."""
QUOTES = '"\u201c\u201d\u201e\u00ab\u00bb'
ENCRYPTION_NOTICE = "encryption_notice"


class LineClass(StrEnum):
    """What a line of the file is."""

    MESSAGE = "message"
    """Begins a message."""
    CONTINUATION = "continuation"
    """Goes on with the message or system line above it."""
    SYSTEM = "system"
    """Begins what WhatsApp itself has to say."""
    REJECTED = "rejected"
    BLANK = "blank"
    """Empty, above the first entry."""


@dataclass(kw_only=True, slots=True)
class Entry:
    """What stands between one stamp and the next."""

    line_number: int
    """Of its first line, from 1."""
    lines: list[str]
    """As they stand in the file."""
    stamp: Stamp | None = None
    clock_time: datetime | None = None
    """On the phone's clock; None: the entry is refused."""
    sender: str | None = None
    """None: WhatsApp itself."""
    content: Content | None = None
    """What the sender says."""
    category: str | None = None
    """Of a system line."""
    reason: str | None = None
    """Why the entry is refused."""


@dataclass(frozen=True, kw_only=True)
class ReadEntries:
    """All entries of one export, in the file's order."""

    entries: Sequence[Entry] = ()
    line_counts: Mapping[str, int] = field(default_factory=dict)
    """`LineClass` to number of lines; the sum is all lines."""


def read_entries(lines: Sequence[str], *, day_order: DayOrder | None) -> ReadEntries:
    """Return the entries that the lines of an export make up.

    Parameters
    ----------
    day_order
        What the person said; it decides where the file leaves the order open.

    Raises
    ------
    InvalidInput
        If no line begins like one of an export, or the order of day and month stays open.
    """
    stamps = _stamps(lines)
    if not stamps:
        raise InvalidInput(
            f"None of the {len(lines)} lines begins with a date and time as a WhatsApp export "
            "has them. Export the chat anew from the phone and name that file."
        )
    entries, blank_count = _gathered(lines, stamps)
    orders = day_orders(stamps.values(), stated=day_order)
    for entry in entries:
        _date(entry, orders)
    _tell_senders(entries)
    return ReadEntries(entries=entries, line_counts=_line_counts(entries, blank_count))


def _stamps(lines: Sequence[str]) -> dict[int, Stamp]:
    """Return line index to stamp, of the shapes that are the file's."""
    found = {
        index: stamp
        for index, line in enumerate(lines)
        if (stamp := read_stamp(visible(line[: 2 * LONGEST_NAME]))) is not None
    }
    shapes = Counter(stamp.shape for stamp in found.values())
    least = LEAST_SHAPE_SHARE * len(found)
    return {index: stamp for index, stamp in found.items() if shapes[stamp.shape] >= least}


def _gathered(lines: Sequence[str], stamps: Mapping[int, Stamp]) -> tuple[list[Entry], int]:
    """Return the entries, and how many blank lines stand above the first."""
    entries: list[Entry] = []
    blank_count = 0
    is_open = False
    for index, line in enumerate(lines):
        stamp = stamps.get(index)
        if stamp is not None:
            entries.append(Entry(line_number=index + 1, lines=[line], stamp=stamp))
            is_open = True
        elif is_open:
            entries[-1].lines.append(line)
        elif visible(line).strip():
            entries.append(Entry(line_number=index + 1, lines=[line], reason=BEFORE_FIRST))
        else:
            blank_count += 1
    return entries, blank_count


BEFORE_FIRST = "it stands above the first line that begins with a date and time"
TOO_LONG = f"a line is longer than {LONGEST_LINE:,} characters, more than a message can have"
NO_SUCH_TIME = "there is no such day or time"


def _date(entry: Entry, orders: Mapping[Shape, DayOrder]) -> None:
    stamp = entry.stamp
    if stamp is None:
        return
    if any(len(line) > LONGEST_LINE for line in entry.lines):
        entry.reason = TOO_LONG
        return
    entry.clock_time = _clock_time(stamp, orders[stamp.shape])
    if entry.clock_time is None:
        entry.reason = NO_SUCH_TIME


def _clock_time(stamp: Stamp, order: DayOrder) -> datetime | None:
    day = date_of(stamp.numbers, stamp.shape, order)
    try:
        clock = time(stamp.hour, stamp.minute, stamp.second)
    except ValueError:
        return None
    return None if day is None else datetime.combine(day, clock)


def _tell_senders(entries: Iterable[Entry]) -> None:
    """Split what follows each stamp into sender and text, or find the kind of system line."""
    openings = [(entry, _after_stamp(entry)) for entry in entries if entry.clock_time is not None]
    names = {name for _, opening in openings if (name := _name_in(opening)) is not None}
    for entry, opening in openings:
        _tell_sender(entry, opening, names)


def _after_stamp(entry: Entry) -> str:
    return visible(entry.lines[0])[entry.stamp.length if entry.stamp is not None else 0 :]


def _name_in(opening: str) -> str | None:
    """Return what stands before the first colon that a space or the line's end follows."""
    at = opening.find(": ")
    if at < 0 and opening.endswith(":"):
        at = len(opening) - 1
    if not 0 < at <= LONGEST_NAME or _is_quoting(opening[:at]):
        return None
    return opening[:at]


def _is_quoting(name: str) -> bool:
    """Tell whether a colon stands inside of quotes: a group's name in a system line."""
    return sum(name.count(quote) for quote in QUOTES) % 2 == 1


def _tell_sender(entry: Entry, opening: str, names: set[str]) -> None:
    name = _name_in(opening) or _known_name(opening, names)
    if name is None:
        entry.category = wording().system_category(opening) or OTHER_SYSTEM_LINE
        return
    said = opening[len(name) + 1 :].removeprefix(" ")
    text = "\n".join([_as_written(entry.lines[0], len(said)), *entry.lines[1:]])
    content = content_of(text)
    entry.category = _notice_category(text, content)
    if entry.category is None:
        entry.sender, entry.content = plain_name(name), content


def _known_name(opening: str, names: set[str]) -> str | None:
    """Return the sender of a message that follows its colon without a space."""
    name, colon, _ = opening.partition(":")
    return name if colon and name in names else None


def _as_written(line: str, visible_count: int) -> str:
    """Return the end of a line that holds so many visible characters, with the marks before it."""
    left_out = len(visible(line)) - visible_count
    for start, character in enumerate(line):
        if left_out == 0:
            return line[start:]
        left_out -= character not in INVISIBLE
    return ""


def _notice_category(text: str, content: Content) -> str | None:
    """Return the category of a system line that bears a sender, as all do on iOS.

    What tells it from a person's message is the left-to-right mark before it; only the notice
    of encryption, which opens many chats, is known without one.

    Returns
    -------
    str or None
        None: a person's message.
    """
    if content.kind != TEXT:
        return None
    words = wording()
    first = text.partition("\n")[0]
    if words.is_encryption_notice(first):
        return ENCRYPTION_NOTICE
    return words.system_category(first) if first.startswith(LEFT_TO_RIGHT) else None


def plain_name(name: str) -> str:
    """Return a sender's name without what WhatsApp puts before one that is not in the phone book.

    Examples
    --------
    >>> plain_name("~ Alice")
    'Alice'
    """
    spaced = " ".join(visible(name).translate(NO_BREAK_SPACES).split())
    return spaced.removeprefix("~").strip() or spaced


def _line_counts(entries: Iterable[Entry], blank_count: int) -> dict[str, int]:
    counts = {str(line_class): 0 for line_class in LineClass}
    counts[LineClass.BLANK] = blank_count
    for entry in entries:
        if entry.reason is not None:
            counts[LineClass.REJECTED] += len(entry.lines)
            continue
        counts[LineClass.MESSAGE if entry.sender is not None else LineClass.SYSTEM] += 1
        counts[LineClass.CONTINUATION] += len(entry.lines) - 1
    return counts
