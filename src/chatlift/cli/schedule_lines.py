"""Schedules as lines and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from chatlift.registry.rhythm import zone_named
from chatlift.registry.run_rows import Run
from chatlift.registry.schedule_advice import Advice
from chatlift.registry.schedule_rows import Schedule, Slot


@dataclass(frozen=True, kw_only=True)
class ScheduleStory:
    """A schedule, and how it went lately."""

    schedule: Schedule
    next_run_at: datetime | None
    """None while it is paused."""
    last: Slot | None
    """The latest slot of which a run came; None before any."""
    last_run: Run | None
    """That run, as it stands."""
    slots: tuple[Slot, ...]
    """The latest decided ones, newest first."""


def made_lines(schedule: Schedule, now: datetime) -> list[str]:
    """Return what to know of a schedule that was just made or edited."""
    next_run_at = schedule.next_run_at(now)
    coming = f" Next run: {told_instant(next_run_at, schedule.time_zone)}." if next_run_at else ""
    return [
        f"{schedule.sentence}{coming}",
        "It trains while `chatlift serve` or `chatlift worker` runs.",
    ]


def story_lines(stories: Sequence[ScheduleStory], advised: Advice) -> list[str]:
    """Return how each schedule stands and went lately, and how often to train."""
    if not stories:
        return [
            "There are no schedules. Make one with: chatlift schedule set weekly",
            advised.sentence,
        ]
    return [*(line for story in stories for line in [*_story(story), ""]), advised.sentence]


def told_instant(instant: datetime, time_zone: str) -> str:
    """Return an instant on the clock of a zone.

    Examples
    --------
    >>> told_instant(datetime.fromisoformat("2026-01-05T02:00Z"), "Europe/Madrid")
    'Mon 2026-01-05 03:00 +01:00'
    """
    local = instant.astimezone(zone_named(time_zone))
    return f"{local:%a %Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def to_json(story: ScheduleStory) -> dict[str, Any]:
    """Return a schedule and how it went as plain values for programs."""
    told = asdict(story.schedule)
    del told["account_id"], told["schedule_id"]
    return told | {
        "next_run_at": story.next_run_at,
        "last_run_at": story.last.slot_at if story.last else None,
        "last_run_id": story.last.run_id if story.last else None,
        "last_run_status": story.last_run.status if story.last_run else None,
        "slots": [asdict(slot) for slot in story.slots],
    }


def advice_to_json(advised: Advice) -> dict[str, Any]:
    """Return the advice as plain values for programs."""
    return asdict(advised) | {"sentence": advised.sentence}


def _story(story: ScheduleStory) -> list[str]:
    schedule = story.schedule
    zone = schedule.time_zone
    at = story.next_run_at
    coming = "none: it is paused" if at is None else told_instant(at, zone)
    lines = [
        f"{schedule.model}: {schedule.told_rhythm}, revision {schedule.revision}",
        f"  next run  {coming}",
        f"  last run  {_last_run(story)}",
    ]
    return lines + [_slot(slot, zone) for slot in story.slots]


def _last_run(story: ScheduleStory) -> str:
    if story.last is None or story.last_run is None:
        return "none yet"
    told = told_instant(story.last.slot_at, story.schedule.time_zone)
    return f"{told}, {story.last_run.status}, {story.last_run.run_id}"


def _slot(slot: Slot, zone: str) -> str:
    return f"  {slot.decision:<10}  {told_instant(slot.slot_at, zone)}  {slot.reason}".rstrip()
