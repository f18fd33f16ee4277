"""The scheduler: puts the runs of all schedules that are due in the queue.

Every worker and server ticks it every few seconds, and so does Celery Beat; any number of them at
once do no harm, and one that dies leaves nothing half done (`registry.slots`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from chatlift.errors import ChatliftError
from chatlift.registry.run_changes import expire_leases
from chatlift.registry.schedule_rows import Schedule, Slot
from chatlift.registry.slots import decide_due, schedules_in_force
from chatlift.store.database import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a tick decided for one schedule."""

    schedule: Schedule
    """As it was before."""
    slots: tuple[Slot, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs that wait for a worker now."""
        return tuple(slot.run_id for slot in self.slots if slot.run_id is not None)


def tick(database: Database, now: datetime) -> tuple[Decided, ...]:
    """Decide the slots of all accounts that have come by now.

    Models of trainings whose process is dead are freed before. A schedule that cannot be read
    here, such as one in a time zone that this machine does not know, is logged and keeps no other
    from its run.
    """
    expire_leases(database)
    decided = []
    for schedule in schedules_in_force(database):
        try:
            slots = decide_due(database, schedule, now) if schedule.has_due(now) else ()
        except ChatliftError as error:
            log.warning("schedule_unreadable", schedule=schedule.schedule_id, reason=str(error))
            continue
        if slots:
            decided.append(Decided(schedule=schedule, slots=slots))
            _tell(schedule, slots[-1])
    return tuple(decided)


def _tell(schedule: Schedule, latest: Slot) -> None:
    log.info(
        "schedule_decided",
        schedule=schedule.schedule_id,
        slot_at=latest.slot_at.isoformat(),
        decision=latest.decision,
        run_id=latest.run_id,
        reason=latest.reason,
    )
