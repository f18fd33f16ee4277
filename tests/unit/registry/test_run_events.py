"""Events: told with the change they tell of, in an order that no listener misses a part of."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chatlift.registry.run_events import RunEvents, delete_progress, tell
from chatlift.registry.run_rows import Run
from chatlift.registry.runs import Runs
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunEventKind, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHURN = ModelName.CHURN


class Shop:
    """One account with its runs and what they tell."""

    def __init__(self, database: Database, name: str = "default") -> None:
        self.account_id = ensure_account(database, name, time_zone="UTC").account_id
        self.runs = Runs(database, self.account_id)
        self.events = RunEvents(database, self.account_id)

    def start(self) -> Run:
        return self.runs.start([CHURN], requested_model="churn", request={}, now=NOW)

    def step(self, run: Run, phase: str, percent: float) -> None:
        self.runs.progress(run.run_id, 1, phase=phase, percent=percent, message="", now=NOW)


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


def test_a_run_tells_its_way_from_queue_to_end(shop: Shop) -> None:
    run = shop.start()
    shop.step(run, "features", 10)
    shop.runs.record_model(
        run.run_id,
        1,
        CHURN,
        metrics={"accuracy": 0.8},
        verdict=Verdict.PROMOTE,
        sentence="v1 serves now.",
        version_number=1,
        now=NOW,
    )
    shop.runs.stop(run.run_id, now=NOW)
    shop.runs.finish(run.run_id, 1, RunStatus.CANCELLED, now=NOW, message="over")
    told = [(event.kind, event.data) for event in shop.events.of(run.run_id)]
    assert told == [
        ("queued", {"requested_model": "churn", "models": ["churn"], "requested_by": ""}),
        ("started", {"attempt": 1}),
        ("progress", {"phase": "features", "percent": 10.0, "message": "", "model": None}),
        (
            "model",
            {
                "model": "churn",
                "verdict": "promote",
                "sentence": "v1 serves now.",
                "version_number": 1,
                "metrics": {"accuracy": 0.8},
            },
        ),
        ("stopping", {}),
        ("ended", {"status": "cancelled", "message": "over"}),
    ]
    assert shop.events.newest_id() == shop.events.of(run.run_id)[-1].event_id


def test_a_step_that_says_nothing_new_is_no_event(shop: Shop) -> None:
    run = shop.start()
    for percent in (10.0, 10.2, 10.4, 11.1, 3.0):
        shop.step(run, "folds", percent)
    steps = [event for event in shop.events.of(run.run_id) if event.kind == "progress"]
    assert [event.data["percent"] for event in steps] == [10.0, 11.1]


def test_a_listener_goes_on_behind_what_it_has_seen_and_hears_no_other_account(
    database: Database,
) -> None:
    here, there = Shop(database), Shop(database, "other")
    run = here.start()
    there.start()
    seen = here.events.after(0)
    assert {event.run_id for event in seen} == {run.run_id}
    assert here.events.after(seen[-1].event_id) == ()
    here.step(run, "folds", 50)
    (news,) = here.events.after(seen[-1].event_id)
    assert news.kind is RunEventKind.PROGRESS
    assert here.events.after(0, limit=1) == seen[:1]
    assert there.events.of(run.run_id) == ()


def test_an_event_becomes_visible_only_after_all_with_a_smaller_number(
    database: Database,
) -> None:
    """Otherwise a listener that has seen the second would never ask for the first."""
    shop = Shop(database)
    run = shop.start()
    after = shop.events.newest_id()
    is_written, may_end = threading.Event(), threading.Event()

    def write(phase: str, wait: bool) -> None:
        with database.of_account(shop.account_id).write() as connection:
            tell(
                connection,
                account_id=shop.account_id,
                run_id=run.run_id,
                kind=RunEventKind.PROGRESS,
                data={"phase": phase},
                now=NOW,
            )
            if wait:
                is_written.set()
                may_end.wait(10)

    slow = threading.Thread(target=write, args=("first", True))
    slow.start()
    assert is_written.wait(10)
    quick = threading.Thread(target=write, args=("second", False))
    quick.start()
    quick.join(0.3)
    assert shop.events.after(after) == ()
    may_end.set()
    slow.join()
    quick.join()
    assert [event.data["phase"] for event in shop.events.after(after)] == ["first", "second"]


def test_steps_of_runs_that_ended_long_ago_are_deleted_and_the_rest_stays(
    database: Database,
) -> None:
    shop = Shop(database)
    old, new = NOW, NOW + timedelta(days=2)
    for now in (old, new):
        run = shop.start()
        shop.step(run, "folds", 50)
        shop.runs.finish(run.run_id, 1, RunStatus.COMPLETED, now=now, message="")
    assert delete_progress(database, ended_before=new) == 1
    kinds = [event.kind for event in shop.events.after(0)]
    way = ["queued", "started", "progress", "ended"]
    assert kinds == [kind for kind in way if kind != "progress"] + way
