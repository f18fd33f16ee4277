"""Whatever processes do to runs in whatever order, only the documented table is ever walked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from chatlift.errors import Cancelled, Conflict
from chatlift.registry.run_events import EVENTS, RunEvent, RunEvents
from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.registry.run_rows import (
    ATTEMPTS_ALLOWED,
    LEASE,
    LOCKS,
    RUNS,
    TRANSITIONS,
    ModelsBusy,
    Run,
    RunLost,
    RunNotFound,
    held_run,
)
from chatlift.registry.runs import Runs
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunEventKind, RunStatus

ROOT = Path(__file__).resolve().parents[2]
BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = st.sets(st.sampled_from(ModelName), min_size=1).map(sorted)
WORKERS = st.sampled_from(["worker-1", "worker-2"])
BROKEN = {"type": "ProcessEnded"}


def documented() -> dict[RunStatus, set[RunStatus]]:
    """Read the table of `docs/architecture.md`."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## Where a run may go")[1]
    found: dict[RunStatus, set[RunStatus]] = {status: set() for status in RunStatus}
    for before, after in re.findall(r"^\| ([a-z, ]+) \| ([a-z, -]+) \|", section, re.MULTILINE):
        if before == "from":
            continue
        for status in before.split(", "):
            found[RunStatus(status)] |= {RunStatus(s) for s in after.split(", ") if s != "-"}
    return found


def test_the_documented_table_is_the_one_in_force() -> None:
    assert documented() == {status: set(after) for status, after in TRANSITIONS.items()}


@dataclass
class Expected:
    """What the test knows of a run."""

    models: list[ModelName]
    status: RunStatus
    attempt: int = 0
    allowed: int = ATTEMPTS_ALLOWED
    lease_ends_at: datetime | None = None
    percent: float = 0.0
    is_asked_to_stop: bool = False

    @property
    def is_active(self) -> bool:
        return self.status not in FINAL_STATUSES

    def take_up(self, now: datetime) -> None:
        self.status, self.percent = RunStatus.TRAINING, 0.0
        self.attempt += 1
        self.lease_ends_at = now + LEASE

    def queue_again(self) -> None:
        self.status, self.percent, self.lease_ends_at = RunStatus.QUEUED, 0.0, None

    def end(self, status: RunStatus) -> None:
        self.status, self.lease_ends_at = status, None

    def lose(self) -> None:
        if self.is_asked_to_stop:
            self.end(RunStatus.CANCELLED)
        elif self.attempt < self.allowed:
            self.queue_again()
        else:
            self.end(RunStatus.INTERRUPTED)


class Trainings(RuleBasedStateMachine):
    """Two workers and a command line, all of which may die or be late, on one account."""

    runs_asked_for = Bundle("runs_asked_for")
    claims = Bundle("claims")

    def __init__(self, url: str) -> None:
        super().__init__()
        self.now = BEGAN_AT
        self.database = Database.open(url, clock=lambda: self.now)
        name = f"account {uuid4()}"
        self.account_id = ensure_account(self.database, name, time_zone="UTC").account_id
        self.runs = Runs(self.database, self.account_id)
        self.queue = RunQueue(self.database)
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        events = RunEvents(self.database, self.account_id).after(0, limit=10_000)
        for run_id in self.expected:
            assert_walked_the_table([event for event in events if event.run_id == run_id])
        # The next example has the queue for itself.
        with self.database.across_accounts().write() as connection:
            for table in (LOCKS, EVENTS, RUNS):
                connection.execute(delete(table))
        self.database.close()

    @rule(seconds=st.sampled_from([1, 7, 29, 30, 31]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=runs_asked_for, models=MODELS)
    def enqueue(self, models: list[ModelName]) -> Any:
        def ask() -> Run:
            told = {"requested_model": "all", "request": {}, "requested_by": "a test"}
            return self.runs.enqueue(models, now=self.now, **told).run

        run = self._unless_busy(models, ask)
        if run is None:
            return multiple()
        self.expected[run.run_id] = Expected(models=models, status=RunStatus.QUEUED)
        return run.run_id

    @rule(target=claims, models=MODELS)
    def start_in_the_foreground(self, models: list[ModelName]) -> Any:
        def ask() -> Run:
            return self.runs.start(models, requested_model="all", request={}, now=self.now)

        run = self._unless_busy(models, ask)
        if run is None:
            return multiple()
        expected = Expected(models=models, status=RunStatus.QUEUED, allowed=1)
        expected.take_up(self.now)
        self.expected[run.run_id] = expected
        return Claim(run=run, account="", worker="")

    @rule(target=claims, worker=WORKERS)
    def claim_next(self, worker: str) -> Any:
        waiting = [i for i, run in self.expected.items() if run.status is RunStatus.QUEUED]
        assert sorted(self.queue.queued()) == sorted(waiting)
        claim = self.queue.claim_next(worker)
        if not waiting:
            assert claim is None
            return multiple()
        assert claim is not None
        self.expected[claim.run_id].take_up(self.now)
        return claim

    @rule(target=claims, run_id=runs_asked_for, worker=WORKERS)
    def claim(self, run_id: str, worker: str) -> Any:
        is_waiting = self.expected[run_id].status is RunStatus.QUEUED
        claim = self.queue.claim(run_id, worker)
        assert (claim is not None) == is_waiting
        if claim is None:
            return multiple()
        self.expected[run_id].take_up(self.now)
        return claim

    @rule(claim=claims, percent=st.floats(0, 120))
    def report(self, claim: Claim, percent: float) -> None:
        def tell() -> None:
            self.runs.progress(
                claim.run_id,
                claim.attempt,
                phase="folds",
                percent=percent,
                message="",
                now=self.now,
            )

        if self._refused(claim, tell):
            return
        run = self.expected[claim.run_id]
        if run.is_asked_to_stop:
            with pytest.raises(Cancelled):
                tell()
        else:
            tell()
        run.percent = max(run.percent, min(percent, 100.0))

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        if not self._refused(claim, lambda: self.queue.renew(claim)):
            self.queue.renew(claim)
            self.expected[claim.run_id].lease_ends_at = self.now + LEASE

    @rule(claim=claims)
    def write_a_result(self, claim: Claim) -> None:
        """As registering a version does: only while the lease has not run out."""

        def write() -> Run:
            with self.database.of_account(self.account_id).write() as connection:
                held = (connection, self.account_id, claim.run_id, claim.attempt)
                return held_run(*held, unexpired_at=self.now)

        run = self.expected[claim.run_id]
        if run.lease_ends_at is not None and run.lease_ends_at <= self.now:
            with pytest.raises(RunLost):
                write()
        elif not self._refused(claim, write):
            assert write().attempt == claim.attempt

    @rule(claim=claims, status=st.sampled_from(sorted(FINAL_STATUSES)))
    def finish(self, claim: Claim, status: RunStatus) -> None:
        def end() -> Run:
            return self.queue.finish(claim, status, message="over")

        if not self._refused(claim, end):
            assert end().completed_at == self.now
            self.expected[claim.run_id].end(status)

    @rule(claim=claims)
    def give_up(self, claim: Claim) -> None:
        def lose() -> Run:
            return self.queue.give_up(claim, message="It broke.", error=BROKEN)

        if not self._refused(claim, lose):
            lose()
            self.expected[claim.run_id].lose()

    @rule(claim=claims)
    def give_back(self, claim: Claim) -> None:
        def let_go() -> Run:
            return self.queue.give_back(claim, message="The worker ends.")

        if self._refused(claim, let_go):
            return
        let_go()
        run = self.expected[claim.run_id]
        if run.is_asked_to_stop:
            run.end(RunStatus.CANCELLED)
        else:
            run.queue_again()
            run.allowed += 1

    @rule(run_id=st.data())
    def stop(self, run_id: Any) -> None:
        active = [i for i, run in self.expected.items() if run.is_active]
        chosen = run_id.draw(st.sampled_from([*self.expected, None]))
        if not (chosen in active or (chosen is None and active)):
            with pytest.raises(Conflict):
                self.runs.stop(chosen, now=self.now)
            return
        stopped = self.runs.stop(chosen, now=self.now)
        run = self.expected[stopped.run_id]
        if run.status is RunStatus.QUEUED:
            run.end(RunStatus.CANCELLED)
        else:
            run.is_asked_to_stop = True
        assert chosen in {None, stopped.run_id}

    @rule(run_id=runs_asked_for)
    def end_unanswered(self, run_id: str) -> None:
        run = self.expected[run_id]
        if run.is_active:
            run.end(RunStatus.CANCELLED)
        assert self.runs.end_unanswered(run_id, now=self.now).status is run.status

    @rule()
    def a_stranger_writes(self) -> None:
        with pytest.raises(RunNotFound):
            self.runs.finish("nothing", 1, RunStatus.COMPLETED, now=self.now, message="not mine")

    @rule(is_worker=st.booleans())
    def somebody_looks(self, is_worker: bool) -> None:
        self._bury()
        if is_worker:
            self.queue.expire()
        else:
            self.runs.expire()

    @precondition(lambda self: any(not run.is_active for run in self.expected.values()))
    @rule(claim=consumes(claims))
    def forget_one(self, claim: Claim) -> None:
        """No more is written in this attempt; the run goes its way without it."""

    @invariant()
    def the_database_says_the_same(self) -> None:
        for run_id, run in self.expected.items():
            found = self.runs.get(run_id)
            assert (found.status, found.attempt) == (run.status, run.attempt)
            assert found.progress_percent == (
                100.0 if run.status is RunStatus.COMPLETED else run.percent
            )
            assert (found.completed_at is None) == run.is_active
            assert found.lease_expires_at == run.lease_ends_at
            assert (found.lease_expires_at is None) == (run.status is not RunStatus.TRAINING)
            assert (found.claimed_by is None) or run.status is RunStatus.TRAINING

    @invariant()
    def exactly_the_active_runs_hold_their_models(self) -> None:
        active = {i: run for i, run in self.expected.items() if run.is_active}
        with self.database.across_accounts().read() as connection:
            held = connection.execute(select(LOCKS.c.model, LOCKS.c.run_id)).all()
        wanted = [(model, run_id) for run_id, run in active.items() for model in run.models]
        assert sorted(map(tuple, held)) == sorted((str(m), i) for m, i in wanted)

    def _unless_busy(self, models: list[ModelName], ask: Callable[[], Run]) -> Run | None:
        self._bury()
        busy = {m for run in self.expected.values() if run.is_active for m in run.models}
        if not busy & set(models):
            return ask()
        with pytest.raises(ModelsBusy):
            ask()
        return None

    def _bury(self) -> None:
        """Expect that runs whose lease is over are taken from their processes."""
        for run in self.expected.values():
            if run.lease_ends_at is not None and run.lease_ends_at <= self.now:
                run.lose()

    def _refused(self, claim: Claim, write: Callable[[], object]) -> bool:
        """Tell whether the attempt is over; then whatever it writes is refused."""
        run = self.expected[claim.run_id]
        if run.status is RunStatus.TRAINING and run.attempt == claim.attempt:
            return False
        with pytest.raises(RunLost):
            write()
        return True


def assert_walked_the_table(events: list[RunEvent]) -> None:
    """The statuses that a run's events tell follow each other as the table allows."""
    told = [status for event in events if (status := status_after(event)) is not None]
    assert told[0] is RunStatus.QUEUED
    assert all(after in TRANSITIONS[before] for before, after in pairwise(told))


def status_after(event: RunEvent) -> RunStatus | None:
    if event.kind is RunEventKind.ENDED:
        return RunStatus(event.data["status"])
    return {
        RunEventKind.QUEUED: RunStatus.QUEUED,
        RunEventKind.REQUEUED: RunStatus.QUEUED,
        RunEventKind.STARTED: RunStatus.TRAINING,
    }.get(event.kind)


def test_whatever_happens_only_the_table_is_walked(database_url: str) -> None:
    run_state_machine_as_test(
        lambda: Trainings(database_url),
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
