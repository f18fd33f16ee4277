"""What becomes of slots: one runs, others are skipped or superseded, and none is decided twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from chatlift.registry.runs import Runs
from chatlift.registry.schedule_rows import Schedule
from chatlift.registry.schedules import Schedules
from chatlift.registry.slots import BATCH_SLOTS, MISSED, decide_due, schedules_in_force
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus, SlotDecision

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
AT_THREE = MONDAY + timedelta(hours=3)
DAY = timedelta(days=1)


@pytest.fixture
def account_id(database: Database) -> int:
    return ensure_account(database, "default", time_zone="UTC").account_id


@pytest.fixture
def schedules(database: Database, account_id: int) -> Schedules:
    return Schedules(database, account_id)


@pytest.fixture
def daily(schedules: Schedules) -> Schedule:
    """Trains churn at 03:00 UTC from Monday, 5 January 2026, on."""
    return schedules.put("churn", rhythm="daily", time_zone="UTC", request={"seed": 3}, now=MONDAY)


def test_a_slot_runs_what_the_schedule_asks_for(
    database: Database, account_id: int, daily: Schedule
) -> None:
    (slot,) = decide_due(database, daily, AT_THREE)
    assert (slot.slot_at, slot.decision, slot.reason) == (AT_THREE, SlotDecision.RAN, "")
    run = Runs(database, account_id).get(str(slot.run_id))
    assert (run.status, run.models) == (RunStatus.QUEUED, (ModelName.CHURN,))
    assert (run.requested_model, run.request, run.requested_by) == (
        "churn",
        {"seed": 3},
        "schedule",
    )


def test_a_slot_is_due_at_its_instant_and_not_a_moment_before(
    database: Database, daily: Schedule
) -> None:
    assert decide_due(database, daily, AT_THREE - timedelta(microseconds=1)) == ()
    assert len(decide_due(database, daily, AT_THREE)) == 1
    assert decide_due(database, daily, AT_THREE + DAY / 2) == ()


def test_a_slot_whose_models_are_in_training_is_skipped_and_says_for_which_run(
    database: Database, account_id: int, schedules: Schedules, daily: Schedule
) -> None:
    (ran,) = decide_due(database, daily, AT_THREE)
    (skipped,) = decide_due(database, daily, AT_THREE + DAY)
    assert (skipped.decision, skipped.run_id) == (SlotDecision.SKIPPED, None)
    assert str(ran.run_id) in skipped.reason
    Runs(database, account_id).stop(ran.run_id, now=AT_THREE + DAY)
    assert decide_due(database, daily, AT_THREE + DAY) == ()
    (next_one,) = decide_due(database, daily, AT_THREE + 2 * DAY)
    assert next_one.decision is SlotDecision.RAN
    assert schedules.slots("churn") == (next_one, skipped, ran)


def test_of_slots_that_were_missed_the_latest_runs(database: Database, daily: Schedule) -> None:
    slots = decide_due(database, daily, AT_THREE + 4 * DAY)
    assert [slot.slot_at for slot in slots] == [AT_THREE + day * DAY for day in range(5)]
    *missed, latest = slots
    assert {(slot.decision, slot.reason) for slot in missed} == {(SlotDecision.SUPERSEDED, MISSED)}
    assert latest.decision is SlotDecision.RAN


@pytest.mark.parametrize("missed", [BATCH_SLOTS - 1, BATCH_SLOTS, BATCH_SLOTS + 1, 3_000])
def test_a_long_outage_is_settled_in_short_transactions_with_the_same_result(
    database: Database, schedules: Schedules, missed: int
) -> None:
    rhythm = "*/15 * * * *"
    often = schedules.put("all", rhythm=rhythm, time_zone="UTC", request={}, now=MONDAY)
    inserted: list[int] = []

    def count(_: Connection, __: object, statement: str, rows: object, *more: object) -> None:
        if statement.startswith("INSERT INTO schedule_slots"):
            inserted.append(len(rows) if isinstance(rows, list) else 1)

    event.listen(database._engine, "before_cursor_execute", count)
    slots = decide_due(database, often, MONDAY + missed * timedelta(minutes=15))
    assert max(inserted) <= BATCH_SLOTS
    assert [slot.decision for slot in slots] == [SlotDecision.SUPERSEDED] * (missed - 1) + [
        SlotDecision.RAN
    ]
    assert schedules.slots("all", limit=missed + 1) == slots[::-1]


def test_a_death_between_slot_and_run_leaves_neither_and_the_next_one_decides(
    database: Database, account_id: int, schedules: Schedules, daily: Schedule
) -> None:
    class Killed(BaseException):
        pass

    def die(_: Connection) -> None:
        raise Killed

    event.listen(database._engine, "commit", die)
    with pytest.raises(Killed):
        decide_due(database, daily, AT_THREE)
    event.remove(database._engine, "commit", die)
    assert schedules.slots("churn") == ()
    assert Runs(database, account_id).list() == ()
    (slot,) = decide_due(database, daily, AT_THREE)
    assert slot.decision is SlotDecision.RAN


def test_of_many_schedulers_at_once_one_decides(
    database: Database, account_id: int, daily: Schedule
) -> None:
    with ThreadPoolExecutor(max_workers=6) as threads:
        tries = [threads.submit(decide_due, database, daily, AT_THREE + DAY) for _ in range(12)]
        decided = [slot for done in tries for slot in done.result()]
    assert [slot.decision for slot in decided] == [SlotDecision.SUPERSEDED, SlotDecision.RAN]
    assert len(Runs(database, account_id).list()) == 1


def test_a_paused_or_removed_schedule_is_not_decided_by_who_read_it_before(
    database: Database, schedules: Schedules, daily: Schedule
) -> None:
    schedules.pause("churn", now=MONDAY)
    assert schedules_in_force(database) == ()
    assert decide_due(database, daily, AT_THREE) == ()
    schedules.resume("churn")
    assert [schedule.model for schedule in schedules_in_force(database)] == ["churn"]
    schedules.remove("churn")
    assert decide_due(database, daily, AT_THREE) == ()
