"""One tick over the schedules of several accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update
from structlog.testing import capture_logs
from tests.businesses import let_leases_run_out

from chatlift.jobs.duties import duties_of
from chatlift.jobs.scheduler import tick
from chatlift.registry.run_queue import RunQueue
from chatlift.registry.runs import Runs
from chatlift.registry.schedule_rows import SCHEDULES
from chatlift.registry.schedules import Schedules
from chatlift.settings import Settings
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus, SlotDecision

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
AT_THREE = MONDAY + timedelta(hours=3)


def account(database: Database, name: str, *, rhythm: str = "daily", zone: str = "UTC") -> int:
    """An account with a schedule for all models; returns its number."""
    account_id = ensure_account(database, name, time_zone=zone).account_id
    Schedules(database, account_id).put(
        "all", rhythm=rhythm, time_zone=zone, request={}, now=MONDAY
    )
    return account_id


def test_a_tick_puts_the_runs_of_all_accounts_in_the_queue(database: Database) -> None:
    numbers = [account(database, name) for name in ("north", "south")]
    account(database, "later", rhythm="0 4 * * *")
    decided = tick(database, AT_THREE)
    assert [one.schedule.account_id for one in decided] == numbers
    run_ids = [run_id for one in decided for run_id in one.run_ids]
    assert list(RunQueue(database).queued()) == run_ids
    assert len(run_ids) == 2
    assert tick(database, AT_THREE) == ()


def test_a_schedule_that_cannot_be_read_is_logged_and_keeps_no_other_from_its_run(
    database: Database,
) -> None:
    broken, well = account(database, "broken"), account(database, "well")
    with database.across_accounts().write() as connection:
        mine = SCHEDULES.c.account_id == broken
        connection.execute(update(SCHEDULES).where(mine).values(time_zone="Atlantis/Capital"))
    with capture_logs() as told:
        (decided,) = tick(database, AT_THREE)
    assert decided.schedule.account_id == well
    (unreadable,) = [line for line in told if line["log_level"] == "warning"]
    assert "'Atlantis/Capital' is no IANA time zone" in unreadable["reason"]


def test_a_dead_training_in_the_foreground_does_not_get_a_slot_skipped(database: Database) -> None:
    account_id = account(database, "shop")
    runs = Runs(database, account_id)
    dead = runs.start(list(ModelName), requested_model="all", request={}, now=MONDAY)
    let_leases_run_out(database)
    (decided,) = tick(database, AT_THREE)
    assert [slot.decision for slot in decided.slots] == [SlotDecision.RAN]
    assert runs.get(dead.run_id).status is RunStatus.INTERRUPTED


def test_every_worker_ticks_the_schedules(database: Database, tmp_path: Path) -> None:
    account(database, "shop")
    settings = Settings.from_environment({}, default_home=tmp_path)
    (ticking,) = [
        duty for duty in duties_of(settings, database, {}) if duty.name == "tick_schedules"
    ]
    ticking.run(AT_THREE)
    assert len(RunQueue(database).queued()) == 1
