"""One or many chat exports, read by the choices that a person made once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from chatlift.errors import InvalidInput
from chatlift.sources.feeds import ParsedFeed, refused_feed, with_phone
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export import read_export
from chatlift.sources.whatsapp_export.local_time import instant_of, zone_named

EARLIEST_YEAR = 2009
"""WhatsApp is no older."""
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ChatChoices:
    """How chats are read."""

    me: str
    """The business's name in the chats, or its phone."""
    time_zone: str
    """IANA name of the zone of the phone that exported."""
    is_group_welcome: bool = False
    """Whether chats of more than two are read rather than refused."""
    day_order: DayOrder | None = None
    """Decides where a file leaves open which of day and month comes first."""
    exported_at: datetime | None = None
    """When they were exported, by the phone's clock, without a zone; None: nobody knows."""
    phone: str | None = None
    """The contact's number, where the one chat shows only a name."""


def chat_reader(
    choices: ChatChoices, *, chat_count: int, now: datetime
) -> Callable[[Path], ParsedFeed]:
    """Return what reads one chat by these choices; it raises as `export.read_export`.

    Raises
    ------
    InvalidInput
        If there is no such zone, the chats were exported in the future, or a phone is told for
        several chats.
    """
    zone_named(choices.time_zone)
    through = _past(choices, now)
    if choices.phone is not None and chat_count > 1:
        raise InvalidInput(
            f"The phone of one contact was told for {chat_count} chats. Import that chat alone."
        )

    def read(path: Path) -> ParsedFeed:
        feed = read_export(
            path,
            me=choices.me,
            time_zone=choices.time_zone,
            is_group_welcome=choices.is_group_welcome,
            day_order=choices.day_order,
            exported_at=through,
        )
        return feed if choices.phone is None else with_phone(feed, choices.phone)

    return read


def read_chats(
    paths: Sequence[Path],
    read: Callable[[Path], ParsedFeed],
    *,
    tell_refused: Callable[[InvalidInput], None],
) -> Iterator[ParsedFeed]:
    """Yield the chats; of several, one that cannot be read is told of and leaves the others.

    Raises
    ------
    InvalidInput
        If the only one cannot be read.
    """
    for path in paths:
        try:
            yield read(path)
        except InvalidInput as error:
            if len(paths) == 1:
                raise
            tell_refused(error)
            yield refused_feed(path.name, str(error))


def _past(choices: ChatChoices, now: datetime) -> datetime | None:
    exported_at = choices.exported_at
    if exported_at is None:
        return None
    is_near = datetime(EARLIEST_YEAR, 1, 1) <= exported_at <= now.replace(tzinfo=None) + ONE_DAY  # noqa: DTZ001 - the phone's clock
    if not is_near or (through := instant_of(exported_at, choices.time_zone)) > now:
        raise InvalidInput(
            "The instant of the export lies in the future, or before there was WhatsApp. Say when "
            "the chats were exported, by the phone's clock."
        )
    return through
