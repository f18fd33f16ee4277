"""The messages of an account as one long line, sorted by contact and instant.

Input: `History.messages`. Output: a `Timeline`: arrays with one entry per message, built only when
a feature asks for them. Every column looks back only: an entry is made of its own message and of
earlier ones of the same contact, so that a sum up to a cutoff knows nothing of what comes after.

Delays are whole seconds, -1 where there is none. Hours and weekdays are the business's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.arrays import (
    NONE,
    Rows,
    begins_run,
    first_row_from,
    microseconds,
    moved_back,
    selected,
)
from chatlift.vocabulary import Direction

Column = NDArray[Any]
Mask = NDArray[np.bool_]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
FIRST_INSTANT, LAST_INSTANT = -100 * 365 * DAY, 200 * 365 * DAY
"""From 1870 to 2169: instants whose local time is looked up in a table of the zone."""
QUIET = 24 * HOUR
"""Silence either way after which an outbound message is a send, and a conversation begins."""
PARTS_OF_DAY = 4
"""Night, morning, afternoon, evening: six hours each."""
SATURDAY = 5
FEW_MESSAGES = 100_000
"""The columns of a longer timeline are dropped with it, so that memory stays free for others."""
WRITTEN_KINDS = ("text", "template", "button", "interactive", "reaction", "system")
"""Kinds of message that carry words or taps; every other kind is media."""
QUESTION_MARKS = r"[?\x{BF}\x{61F}\x{FF1F}\x{2047}\x{55E}\x{37E}\x{2E2E}]"
"""Of Latin, Spanish, Arabic, East Asian, Armenian and Greek script."""
EMOJI = r"\p{Extended_Pictographic}"
_TEXT = pl.col("text").fill_null("")
LOOKS = (
    _TEXT.str.len_chars().cast(pl.Int64).alias("characters_in"),
    (_TEXT != "").alias("has_words_in"),
    _TEXT.str.contains(QUESTION_MARKS).alias("is_question_in"),
    _TEXT.str.contains(EMOJI).alias("has_emoji_in"),
    _TEXT.str.contains("[0-9]").alias("has_digit_in"),
)
"""What a text looks like, by the name of its column in the timeline."""


class Timeline:
    """All messages of a history; see the module's text."""

    def __init__(self, messages: pl.DataFrame, time_zone: str) -> None:
        if not _is_sorted(messages):
            messages = messages.sort("contact_id", "sent_at", "message_id")
        self.messages = messages
        self.time_zone = time_zone
        self.contact_id: Rows = messages["contact_id"].to_numpy()
        self.sent_at: Rows = microseconds(messages["sent_at"])
        self._columns: dict[str, Column] = {}

    @classmethod
    def of(cls, history: History) -> Timeline:
        """Return the timeline of a history's messages; that of a few is made once and kept."""
        if history.messages.height > FEW_MESSAGES:
            return cls(history.messages, history.time_zone)
        kept: Timeline | None = history.derived.get("timeline")
        if kept is None:
            made = cls(history.messages, history.time_zone)
            kept = history.derived.setdefault("timeline", made)
        return kept

    def __len__(self) -> int:
        return len(self.sent_at)

    def column(self, name: str) -> Column:
        """Return one entry per message.

        Raises
        ------
        InvalidInput
            If no column has that name.
        """
        if name not in COLUMNS:
            known = ", ".join(sorted(COLUMNS))
            raise InvalidInput(f"No timeline column is called {name!r}. There are: {known}.")
        if name not in self._columns:
            self._columns[name] = COLUMNS[name](self)
        return self._columns[name]

    def measured(self, expression: pl.Expr) -> Column:
        """Evaluate an expression over the timeline's columns, message by message.

        Raises
        ------
        InvalidInput
            If the expression looks at more than one message at a time, and so might look ahead.
        """
        if not _works_message_by_message(expression):
            raise InvalidInput(
                f"The measure {expression} looks at other messages than its own, so it might see "
                "the future. Use only expressions that work message by message."
            )
        names = expression.meta.root_names()
        frame = pl.DataFrame({name: self._any_column(name) for name in names})
        values = frame.select(measure=expression).to_series().fill_null(0).to_numpy()
        if values.dtype.kind not in "biu" or len(values) != len(self):
            raise InvalidInput(
                f"The measure {expression} gives {len(values)} values of type {values.dtype} for "
                f"{len(self)} messages. It takes one whole number or boolean per message."
            )
        return values

    def _any_column(self, name: str) -> Column | pl.Series:
        return self.column(name) if name in COLUMNS else self.messages[name]

    @cached_property
    def starts(self) -> Rows:
        """For each message the row at which its contact begins."""
        rows = np.arange(len(self))
        begins = begins_run(self.contact_id)
        return np.maximum.accumulate(np.where(begins, rows, 0)) if len(self) else rows

    @cached_property
    def words(self) -> dict[str, Column]:
        """What the inbound texts look like, one entry per message; outbound ones count as empty.

        Columns: `characters_in`, and booleans whether there are words, a question mark, an
        emoji, a digit.
        """
        is_in = self.column("is_in")
        texts = self.messages["text"].filter(pl.Series(is_in))
        found = selected(texts.cast(pl.String).to_frame("text"), LOOKS)
        return {name: _spread(found[name].to_numpy(), is_in) for name in found.columns}

    def rows_of(self, contacts: Rows) -> tuple[Rows, Rows]:
        """Return for each contact the range [start, end) of its messages."""
        return (
            np.searchsorted(self.contact_id, contacts, side="left"),
            np.searchsorted(self.contact_id, contacts, side="right"),
        )

    def first_row_from(self, starts: Rows, ends: Rows, instants: Rows) -> Rows:
        """Return per range the first row with `sent_at` >= the instant; `end` if there is none."""
        return first_row_from(self.sent_at, starts, ends, instants)

    def last_row(self, where: Mask, *, inclusive: bool = False) -> Rows:
        """Return for each message the contact's latest row before it that satisfies `where`.

        `inclusive` counts the message itself. -1: there is none.
        """
        rows = np.where(where, np.arange(len(self)), NONE)
        latest = np.maximum.accumulate(rows) if len(self) else rows
        if not inclusive:
            latest = moved_back(latest, NONE)
        return np.where(latest >= self.starts, latest, NONE)

    def seconds_since(self, rows: Rows) -> Rows:
        """Return whole seconds from the given row to each message; -1 where the row is -1."""
        elapsed = (self.sent_at - self.sent_at[np.maximum(rows, 0)]) // SECOND
        return np.where(rows >= 0, elapsed, NONE)


class Inbound:
    """The contacts' own messages of a history, sorted by contact and instant."""

    def __init__(self, history: History) -> None:
        line = Timeline.of(history)
        self.rows: Rows = np.flatnonzero(line.column("is_in"))
        self.messages = line.messages
        self.contact_id: Rows = line.contact_id[self.rows]
        self.sent_at: Rows = line.sent_at[self.rows]

    def first_from(self, contacts: Rows, instants: Rows) -> Rows:
        """Return per contact and instant the place of its first message at that instant or later.

        Where there is none: the place after its last message.
        """
        starts, ends = self.start_of(contacts), self.contact_id.searchsorted(contacts, side="right")
        return first_row_from(self.sent_at, starts, ends, instants)

    def start_of(self, contacts: Rows) -> Rows:
        """Return the place of each contact's first message, or where it would stand."""
        return self.contact_id.searchsorted(contacts, side="left")


def _spread(values: Column, where: Mask) -> Column:
    """Put values at the places where the mask holds, zeros elsewhere."""
    spread = np.zeros(len(where), dtype=values.dtype)
    spread[where] = values
    return spread


def _works_message_by_message(expression: pl.Expr) -> bool:
    """Tell whether an expression and all its parts read one message at a time."""
    try:
        is_separable = expression.meta.is_row_separable()
    except pl.exceptions.PolarsError:
        return False  # A Python function: nobody can tell what it looks at.
    return is_separable and all(map(_works_message_by_message, expression.meta.pop()))


def _is_sorted(messages: pl.DataFrame) -> bool:
    contact, message = messages["contact_id"].to_numpy(), messages["message_id"].to_numpy()
    sent_at = microseconds(messages["sent_at"])
    same = contact[1:] == contact[:-1]
    together = same & (sent_at[1:] == sent_at[:-1])
    in_order = (contact[1:] > contact[:-1]) | (same & (sent_at[1:] > sent_at[:-1]))
    return bool((in_order | (together & (message[1:] >= message[:-1]))).all())


def local_time(instants: Rows, time_zone: str) -> Rows:
    """Return microseconds of the wall clock in a zone, counted as if it were UTC.

    Examples
    --------
    >>> (local_time(np.array([0]), "Asia/Kolkata") / HOUR).tolist()
    [5.5]
    """
    if time_zone == "UTC" or not len(instants):
        return instants
    if instants.min() < FIRST_INSTANT or instants.max() >= LAST_INSTANT:
        return _convert(instants, time_zone)
    changes, offsets = _offsets_of(time_zone)
    return instants + offsets[changes.searchsorted(instants, side="right")]


@cache
def _offsets_of(time_zone: str) -> tuple[Rows, Rows]:
    """Return when the zone's offset changes, and the offset before, between and after that.

    Found by halving the weeks in which it differs at both ends, down to the second; no zone ever
    changed twice within a week and back.
    """
    weeks = np.arange(FIRST_INSTANT, LAST_INSTANT + WEEK, WEEK)
    offsets = _convert(weeks, time_zone) - weeks
    changed = np.flatnonzero(offsets[1:] != offsets[:-1])
    low, high = weeks[changed], weeks[changed + 1]
    while (high - low > SECOND).any():
        middle = (low + high) // (2 * SECOND) * SECOND
        is_old = _convert(middle, time_zone) - middle == offsets[changed]
        low, high = np.where(is_old, middle, low), np.where(is_old, high, middle)
    return high, np.r_[offsets[:1], offsets[changed + 1]]


def _convert(instants: Rows, time_zone: str) -> Rows:
    local = pl.Series(instants).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(time_zone)
    return local.dt.replace_time_zone(None).to_physical().to_numpy()


def hour_of(local: Rows) -> Rows:
    """Return the hour of wall-clock microseconds, 0 to 23."""
    return np.asarray((local // HOUR) % 24, dtype=np.int64)


def weekday_of(local: Rows) -> Rows:
    """Return the weekday of wall-clock microseconds, 0 Monday to 6 Sunday.

    Examples
    --------
    >>> weekday_of(np.array([0])).tolist()  # 1 January 1970 was a Thursday
    [3]
    """
    return np.asarray((local // DAY + 3) % 7, dtype=np.int64)


def part_of(hour: Rows) -> Rows:
    """Return the part of the day of an hour: 0 night, 1 morning, 2 afternoon, 3 evening."""
    return hour // (24 // PARTS_OF_DAY)


def _is_in(line: Timeline) -> Column:
    return (line.messages["direction"] == Direction.INBOUND).to_numpy()


def _is_out(line: Timeline) -> Column:
    return ~line.column("is_in")


def _is_automatic(line: Timeline) -> Column:
    told = line.messages["is_automatic"]
    return (told.fill_null(value=False) if told.null_count() else told).to_numpy()


def _is_automatic_out(line: Timeline) -> Column:
    return line.column("is_out") & line.column("is_automatic")


def _local(line: Timeline) -> Column:
    return local_time(line.sent_at, line.time_zone)


def _previous_seconds(line: Timeline) -> Column:
    return line.seconds_since(line.last_row(np.ones(len(line), dtype=bool)))


def _starts_conversation(line: Timeline) -> Column:
    before = line.last_row(np.ones(len(line), dtype=bool))
    return (before < 0) | (line.sent_at - line.sent_at[np.maximum(before, 0)] >= QUIET)


def _is_send(line: Timeline) -> Column:
    return line.column("starts_conversation") & line.column("is_out") & ~line.column("is_automatic")


def _last_send(line: Timeline) -> Column:
    return line.last_row(line.column("is_send"))


def _answers_send(line: Timeline) -> Column:
    send, previous_in = line.column("last_send"), line.last_row(line.column("is_in"))
    in_time = line.sent_at - line.sent_at[np.maximum(send, 0)] <= QUIET
    return line.column("is_in") & (send >= 0) & (previous_in < send) & in_time


def _starts_turn(line: Timeline) -> Column:
    is_in, starts = line.column("is_in"), line.column("starts_conversation")
    return np.asarray(starts | (is_in != moved_back(is_in, False)))


def _turn_delay(line: Timeline) -> Column:
    """Seconds from the start of the other side's turn to the first message that answers it."""
    is_in = line.column("is_in")
    before = line.last_row(line.column("starts_turn"))
    switches = (before >= 0) & (is_in != is_in[np.maximum(before, 0)])
    return np.where(switches & line.column("starts_turn"), line.seconds_since(before), NONE)


def _reply_seconds(line: Timeline) -> Column:
    return np.where(line.column("is_in"), line.column("turn_delay"), NONE)


def _our_reply_seconds(line: Timeline) -> Column:
    return np.where(line.column("is_out"), line.column("turn_delay"), NONE)


def _starts_active_day(line: Timeline) -> Column:
    is_in, day = line.column("is_in"), line.column("local") // DAY
    before = line.last_row(is_in)
    return np.asarray(is_in & ((before < 0) | (day[np.maximum(before, 0)] != day)))


def _pause_seconds(line: Timeline) -> Column:
    since = line.seconds_since(line.last_row(line.column("is_in")))
    return np.where(line.column("starts_active_day"), since, NONE)


def _is_quick_reply(line: Timeline) -> Column:
    delay = line.column("reply_seconds")
    return (delay >= 0) & (delay <= HOUR // SECOND)


def _is_media_in(line: Timeline) -> Column:
    kinds = line.messages["kind"]
    kinds = kinds.fill_null("text") if kinds.null_count() else kinds
    is_media = (kinds != WRITTEN_KINDS[0]).to_numpy()
    for kind in WRITTEN_KINDS[1:] if is_media.any() else ():
        is_media = is_media & (kinds != kind).to_numpy()
    return np.asarray(line.column("is_in") & is_media)


def _of_words(name: str) -> Callable[[Timeline], Column]:
    return lambda line: line.words[name]


def _in_and(name: str) -> Callable[[Timeline], Column]:
    return lambda line: line.column("is_in") & line.column(name)


def _in_part(number: int) -> Callable[[Timeline], Column]:
    return lambda line: line.column("is_in") & (line.column("part") == number)


def _send_part(number: int) -> Callable[[Timeline], Column]:
    return lambda line: line.column("is_send") & (line.column("part") == number)


def _answer_part(number: int) -> Callable[[Timeline], Column]:
    def column(line: Timeline) -> Column:
        send_part = line.column("part")[np.maximum(line.column("last_send"), 0)]
        return np.asarray(line.column("answers_send") & (send_part == number))

    return column


def _arrow(where: str, dial: str, side: int) -> Callable[[Timeline], Column]:
    return lambda line: np.where(line.column(where), DIAL[dial][side][line.column(dial)], 0)


def _send_arrow(of_answers: bool, dial: str, side: int) -> Callable[[Timeline], Column]:
    """Return the arrow of each send's own hour: at the send, or at the message that answers it."""

    def column(line: Timeline) -> Column:
        hour = line.column("hour")
        if of_answers:
            hour = hour[np.maximum(line.column("last_send"), 0)]
        arrows = DIAL[dial][side][hour % len(DIAL[dial][side])]
        return np.where(line.column("answers_send" if of_answers else "is_send"), arrows, 0)

    return column


def _dial(spots: int) -> tuple[Column, Column]:
    angles = 2 * np.pi * np.arange(spots) / spots
    return (
        np.rint(ARROW * np.cos(angles)).astype(np.int16),
        np.rint(ARROW * np.sin(angles)).astype(np.int16),
    )


ARROW = 1000
"""Length of an arrow on a dial: whole thousandths add up exactly."""
DIAL = {"hour": _dial(24), "weekday": _dial(7), "half_day": _dial(12)}
"""Cosine and sine of each hour, weekday and hour of the half day (0 to 11)."""

_WORDS = ("characters_in", "has_words_in", "is_question_in", "has_emoji_in", "has_digit_in")

COLUMNS: dict[str, Callable[[Timeline], Column]] = {
    "is_in": _is_in,
    "is_out": _is_out,
    "is_automatic": _is_automatic,
    "is_automatic_out": _is_automatic_out,
    "local": _local,
    "hour": lambda line: hour_of(line.column("local")).astype(np.int8),
    "weekday": lambda line: weekday_of(line.column("local")).astype(np.int8),
    "part": lambda line: part_of(line.column("hour")),
    "previous_seconds": _previous_seconds,
    "starts_conversation": _starts_conversation,
    "starts_turn": _starts_turn,
    "is_send": _is_send,
    "last_send": _last_send,
    "answers_send": _answers_send,
    "turn_delay": _turn_delay,
    "reply_seconds": _reply_seconds,
    "our_reply_seconds": _our_reply_seconds,
    "starts_active_day": _starts_active_day,
    "pause_seconds": _pause_seconds,
    "is_any": lambda line: np.ones(len(line), dtype=bool),
    "is_opening": _in_and("starts_conversation"),
    "starts_turn_in": _in_and("starts_turn"),
    "is_reply": lambda line: line.column("reply_seconds") >= 0,
    "is_our_reply": lambda line: line.column("our_reply_seconds") >= 0,
    "is_quick_reply": _is_quick_reply,
    "is_media_in": _is_media_in,
    "is_in_weekend": lambda line: line.column("is_in") & (line.column("weekday") >= SATURDAY),
    **{name: _of_words(name) for name in _WORDS},
    **{f"in_part_{number}": _in_part(number) for number in range(PARTS_OF_DAY)},
    **{f"send_part_{number}": _send_part(number) for number in range(PARTS_OF_DAY)},
    **{f"answer_part_{number}": _answer_part(number) for number in range(PARTS_OF_DAY)},
    **{
        f"{what}_{dial}_{side}": _arrow(where, dial, number)
        for what, where in (("in", "is_in"), ("answer", "answers_send"))
        for dial in ("hour", "weekday")
        for number, side in enumerate(("cos", "sin"))
    },
    **{
        f"{what}_{dial}_{side}": _send_arrow(of_answers, dial, number)
        for what, of_answers in (("send", False), ("answered_send", True))
        for dial in ("hour", "half_day")
        for number, side in enumerate(("cos", "sin"))
    },
}
"""Name of each derived column to how it is made."""
