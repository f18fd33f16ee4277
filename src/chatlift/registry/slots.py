"""Slots: what becomes of each instant at which a schedule is due.

Of the slots that have come since the last decision the latest runs, or is skipped where a model of
it is in training; those before it are superseded. A decision is a row, inserted with its run in
one transaction that holds the schedule's row and moves `decided_through` on. So however many
schedulers there are and wherever one dies: slots due = ran + skipped + superseded, none twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, insert, select, update

from chatlift.registry.run_changes import enqueue_in
from chatlift.registry.run_rows import ModelsBusy
from chatlift.registry.schedule_rows import (
    SCHEDULES,
    SLOTS,
    Schedule,
    Slot,
    find_schedule,
    schedule_of,
)
from chatlift.store.database import Database
from chatlift.vocabulary import SlotDecision

BATCH_SLOTS = 500
"""Slots decided in one transaction at most: months of an outage are settled in short steps."""
REQUESTED_BY = "schedule"
MISSED = "A later slot was due before this one was decided; of missed slots only the latest runs."


def schedules_in_force(database: Database) -> tuple[Schedule, ...]:
    """Return the schedules of all accounts that are not paused, in the order they were made."""
    statement = select(SCHEDULES).where(SCHEDULES.c.paused_at.is_(None))
    with database.across_accounts().read() as connection:
        rows = connection.execute(statement.order_by(SCHEDULES.c.schedule_id))
        return tuple(schedule_of(row) for row in rows)


def decide_due(database: Database, schedule: Schedule, now: datetime) -> tuple[Slot, ...]:
    """Decide all slots of a schedule that have come, in short transactions; return them.

    None if it was removed or paused, or another scheduler was first.

    Parameters
    ----------
    schedule
        As it was read a moment ago; what counts is how it stands now.
    """
    decided: list[Slot] = []
    while len(decided) % BATCH_SLOTS == 0:
        with database.of_account(schedule.account_id).write() as connection:
            key = SCHEDULES.c.schedule_id == schedule.schedule_id
            found = find_schedule(connection, schedule.account_id, key, lock=True)
            if found is None or found.is_paused:
                break
            some = _decide_some(connection, found, now)
        if not some:
            break
        decided += some
    return tuple(decided)


def supersede_some(
    connection: Connection, schedule: Schedule, now: datetime, *, reason: str
) -> tuple[Slot, ...]:
    """Decide that the oldest slots which have come do not run, at most a batch; return them."""
    due = tuple(islice(schedule.due(now), BATCH_SLOTS))
    return _kept(connection, schedule, [_superseded(schedule, at, now, reason) for at in due])


def supersede_all_but_a_batch(connection: Connection, schedule: Schedule, now: datetime) -> bool:
    """Decide a batch of the oldest slots if more than a batch have come; tell whether."""
    due = tuple(islice(schedule.due(now), BATCH_SLOTS + 1))
    if len(due) <= BATCH_SLOTS:
        return False
    _kept(connection, schedule, [_superseded(schedule, at, now, MISSED) for at in due[:-1]])
    return True


def _decide_some(connection: Connection, schedule: Schedule, now: datetime) -> tuple[Slot, ...]:
    """Decide the oldest slots that have come, at most a batch; the very last one may run."""
    due = tuple(islice(schedule.due(now), BATCH_SLOTS + 1))
    slots = [_superseded(schedule, at, now, MISSED) for at in due[:-1]]
    if due and len(due) <= BATCH_SLOTS:
        slots.append(_run(connection, schedule, due[-1], now))
    return _kept(connection, schedule, slots)


def _superseded(schedule: Schedule, slot_at: datetime, now: datetime, reason: str) -> Slot:
    return Slot(
        slot_at=slot_at,
        revision=schedule.revision,
        decision=SlotDecision.SUPERSEDED,
        reason=reason,
        run_id=None,
        decided_at=now,
    )


def _run(connection: Connection, schedule: Schedule, slot_at: datetime, now: datetime) -> Slot:
    """Put a run for the slot in the queue, or say why there is none."""
    decision, reason, run_id = SlotDecision.RAN, "", None
    try:
        run = enqueue_in(
            connection,
            schedule.account_id,
            schedule.models,
            requested_model=schedule.model,
            request=schedule.request,
            requested_by=REQUESTED_BY,
            now=now,
        )
        run_id = run.run_id
    except ModelsBusy as busy:
        decision = SlotDecision.SKIPPED
        reason = f"The run {busy.run_id} of the same models was still under way."
    return Slot(
        slot_at=slot_at,
        revision=schedule.revision,
        decision=decision,
        reason=reason,
        run_id=run_id,
        decided_at=now,
    )


def _kept(connection: Connection, schedule: Schedule, slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Write the decisions, and how far they reach."""
    if slots:
        owner = {"schedule_id": schedule.schedule_id, "account_id": schedule.account_id}
        connection.execute(insert(SLOTS), [owner | vars(slot) for slot in slots])
        connection.execute(
            update(SCHEDULES)
            .where(
                SCHEDULES.c.account_id == schedule.account_id,
                SCHEDULES.c.schedule_id == schedule.schedule_id,
            )
            .values(decided_through=slots[-1].slot_at)
        )
    return tuple(slots)
