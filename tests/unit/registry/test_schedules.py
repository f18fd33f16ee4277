"""What people do with schedules, each against both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatlift.errors import InvalidInput
from chatlift.registry.run_rows import ModelsBusy
from chatlift.registry.runs import Runs
from chatlift.registry.schedule_rows import Schedule, ScheduleNotFound
from chatlift.registry.schedules import EDITED, Schedules
from chatlift.registry.slots import BATCH_SLOTS, decide_due
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, SlotDecision

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
REQUEST: dict[str, Any] = {"test_size": 0.2, "cv_folds": 5}


@pytest.fixture
def account_id(database: Database) -> int:
    return ensure_account(database, "default", time_zone="UTC").account_id


@pytest.fixture
def schedules(database: Database, account_id: int) -> Schedules:
    return Schedules(database, account_id)


@pytest.fixture
def decide(database: Database, schedules: Schedules) -> Callable[[datetime], list[str]]:
    """Decides what the schedule of all models has to decide by an instant."""

    def decided(now: datetime) -> list[str]:
        slots = decide_due(database, schedules.get("all"), now)
        return [f"{slot.slot_at:%d %H:%M} {slot.decision}" for slot in slots]

    return decided


def put(
    schedules: Schedules, model: str = "all", *, now: datetime = MONDAY, **told: Any
) -> Schedule:
    chosen = {"rhythm": "daily", "time_zone": "UTC", "request": REQUEST} | told
    return schedules.put(model, now=now, **chosen)


def test_a_new_schedule_is_due_at_its_next_time_and_not_at_once(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    made = put(schedules, now=MONDAY + 4 * timedelta(hours=1))
    assert (made.model, made.revision, made.is_paused) == ("all", 1, False)
    assert made.next_run_at(made.created_at) == MONDAY + DAY + timedelta(hours=3)
    assert decide(made.created_at) == []
    assert schedules.get("all") == made


def test_there_is_one_schedule_for_each_model_and_one_for_all(schedules: Schedules) -> None:
    put(schedules)
    put(schedules, "churn_prediction", rhythm="weekly")
    put(schedules, "churn", rhythm="monthly")
    found = [(schedule.model, schedule.rhythm) for schedule in schedules.list()]
    assert found == [("all", "daily"), ("churn", "monthly")]
    assert schedules.get("churn_prediction").models == (ModelName.CHURN,)


def test_accounts_do_not_see_each_others_schedules(
    database: Database, schedules: Schedules
) -> None:
    put(schedules)
    other = Schedules(database, ensure_account(database, "other", time_zone="UTC").account_id)
    assert other.list() == ()
    for ask in (other.get, other.resume, other.remove, other.slots):
        with pytest.raises(ScheduleNotFound, match="No schedule trains all"):
            ask("all")
    assert put(other, rhythm="weekly").revision == 1
    assert schedules.get("all").rhythm == "daily"


def test_an_edit_starts_a_revision_and_never_trains_at_once(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    put(schedules)
    assert decide(MONDAY + DAY) == ["05 03:00 ran"]
    edited_at = MONDAY + 3 * DAY + timedelta(hours=12)
    edited = put(schedules, rhythm="0 18 * * *", now=edited_at)
    assert (edited.revision, edited.created_at, edited.revised_at) == (2, MONDAY, edited_at)
    assert decide(edited_at) == []
    passed_by = schedules.slots("all", decision=SlotDecision.SUPERSEDED)
    assert [f"{slot.slot_at:%d}" for slot in passed_by] == ["08", "07", "06"]
    assert {(slot.revision, slot.reason) for slot in passed_by} == {(1, EDITED)}
    assert edited.next_run_at(edited_at) == MONDAY + 3 * DAY + timedelta(hours=18)


def test_biweekly_counts_from_the_week_the_schedule_was_made_in_also_after_an_edit(
    schedules: Schedules,
) -> None:
    put(schedules)
    second_week = MONDAY + 8 * DAY
    edited = put(schedules, rhythm="biweekly", now=second_week)
    assert edited.next_run_at(second_week) == MONDAY + 14 * DAY + timedelta(hours=3)
    third_week = MONDAY + 15 * DAY
    again = put(schedules, rhythm="biweekly", time_zone="Europe/Madrid", now=third_week)
    assert again.next_run_at(third_week) == MONDAY + 28 * DAY + timedelta(hours=2)


def test_the_same_again_changes_nothing(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    made = put(schedules)
    assert put(schedules, rhythm=" Daily ", now=MONDAY + DAY) == made
    assert decide(MONDAY + DAY) == ["05 03:00 ran"]


def test_an_edit_after_years_settles_what_was_missed_in_short_steps(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    put(schedules, rhythm="*/15 * * * *")
    put(schedules, now=MONDAY + 30 * DAY)
    slots = schedules.slots("all", limit=10_000)
    assert len(slots) == 30 * 96
    assert {slot.decision for slot in slots} == {SlotDecision.SUPERSEDED}
    assert 0 < sum(slot.reason == EDITED for slot in slots) <= BATCH_SLOTS
    assert decide(MONDAY + 30 * DAY) == []


def test_a_clock_that_is_behind_takes_no_decision_back(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    put(schedules)
    at_three = MONDAY + timedelta(hours=3)
    assert decide(at_three) == ["05 03:00 ran"]
    put(schedules, rhythm="0 3,4 * * *", now=at_three - timedelta(seconds=2))
    assert decide(at_three + timedelta(seconds=1)) == []
    assert schedules.get("all").next_run_at(at_three) == at_three + timedelta(hours=1)


def test_a_paused_schedule_waits_and_then_only_the_latest_missed_slot_runs(
    schedules: Schedules, decide: Callable[[datetime], list[str]]
) -> None:
    put(schedules)
    paused = schedules.pause("all", now=MONDAY)
    assert paused.paused_at == MONDAY
    assert paused.next_run_at(MONDAY) is None
    assert schedules.pause("all", now=MONDAY + DAY) == paused
    assert decide(MONDAY + 3 * DAY) == []
    resumed = schedules.resume("all")
    assert not resumed.is_paused
    assert resumed.next_run_at(MONDAY + 3 * DAY) == MONDAY + 3 * DAY + timedelta(hours=3)
    assert decide(MONDAY + 3 * DAY) == [
        "05 03:00 superseded",
        "06 03:00 superseded",
        "07 03:00 ran",
    ]


def test_an_edit_leaves_a_pause_as_it_is(schedules: Schedules) -> None:
    put(schedules)
    schedules.pause("all", now=MONDAY)
    assert put(schedules, rhythm="weekly", now=MONDAY + DAY).paused_at == MONDAY


def test_a_removed_schedule_leaves_its_runs_and_can_be_made_anew(
    database: Database,
    account_id: int,
    schedules: Schedules,
    decide: Callable[[datetime], list[str]],
) -> None:
    made = put(schedules)
    decide(MONDAY + DAY)
    assert schedules.remove("all").rhythm == "daily"
    assert schedules.list() == ()
    assert decide_due(database, made, MONDAY + 9 * DAY) == ()
    assert len(Runs(database, account_id).list()) == 1
    again = put(schedules, now=MONDAY + DAY)
    assert (again.revision, schedules.slots("all")) == (1, ())


def test_a_run_by_hand_is_asked_for_as_the_schedule_would_and_moves_no_slot(
    database: Database,
    account_id: int,
    schedules: Schedules,
    decide: Callable[[datetime], list[str]],
) -> None:
    put(schedules, "churn")
    put(schedules)
    run = schedules.run_now("churn", requested_by="a person", now=MONDAY)
    assert (run.models, run.request, run.requested_by) == (
        (ModelName.CHURN,),
        REQUEST,
        "a person",
    )
    with pytest.raises(ModelsBusy, match=run.run_id):
        schedules.run_now("all", requested_by="a person", now=MONDAY)
    assert schedules.slots("churn") == ()
    assert decide(MONDAY + DAY) == ["05 03:00 skipped"]


def test_what_cannot_be_a_schedule_is_refused_and_leaves_none(schedules: Schedules) -> None:
    for told in ({"rhythm": "often"}, {"time_zone": "Mars/Olympus"}):
        with pytest.raises(InvalidInput):
            put(schedules, **told)
    with pytest.raises(InvalidInput, match="No model is called 'sales'"):
        put(schedules, "sales")
    assert schedules.list() == ()
