"""Whatever processes do to runs in whatever order, only the documented table is ever walked."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select

from chatlift.errors import Cancelled, Conflict
from chatlift.registry.runs import (
    LEASE,
    LOCKS,
    TRANSITIONS,
    ModelsBusy,
    Run,
    RunLost,
    RunNotFound,
    Runs,
)
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunStatus

ROOT = Path(__file__).resolve().parents[2]
BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = st.sets(st.sampled_from(ModelName), min_size=1).map(sorted)
TEMPLATE: list[Path] = []


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
    lease_ends_at: datetime
    percent: float = 0.0
    is_asked_to_stop: bool = False

    @property
    def is_active(self) -> bool:
        return self.status not in FINAL_STATUSES


class Trainings(RuleBasedStateMachine):
    """Several processes, some of which die, against one account on SQLite."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="runs"))
        shutil.copy(TEMPLATE[0], self.folder / "chatlift.db")
        self.database = Database.open(f"sqlite:///{(self.folder / 'chatlift.db').as_posix()}")
        self.account_id = ensure_account(self.database, "default", time_zone="UTC").account_id
        self.runs = Runs(self.database, self.account_id)
        self.now = BEGAN_AT
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(seconds=st.sampled_from([1, 7, 29, 30, 31]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=ids, models=MODELS)
    def start(self, models: list[ModelName]) -> str:
        self._bury()
        busy = {m for run in self.expected.values() if run.is_active for m in run.models}
        if busy & set(models):
            with pytest.raises(ModelsBusy):
                self._started(models)
            return "nothing"
        run = self._started(models)
        self.expected[run.run_id] = Expected(
            models=models, status=RunStatus.TRAINING, lease_ends_at=self.now + LEASE
        )
        return run.run_id

    @rule(run_id=ids, percent=st.floats(0, 120))
    def report(self, run_id: str, percent: float) -> None:
        def tell() -> None:
            self.runs.progress(run_id, 1, phase="folds", percent=percent, message="", now=self.now)

        if self._is_heard(run_id, tell):
            run = self.expected[run_id]
            run.percent = max(run.percent, min(percent, 100.0))

    @rule(run_id=ids)
    def renew(self, run_id: str) -> None:
        self._is_heard(run_id, lambda: self.runs.renew(run_id, 1, now=self.now))

    @rule(run_id=ids, status=st.sampled_from(sorted(FINAL_STATUSES)))
    def finish(self, run_id: str, status: RunStatus) -> None:
        def end() -> Run:
            return self.runs.finish(run_id, 1, status, now=self.now, message="over")

        if self._refused(run_id, end):
            return
        assert end().completed_at == self.now
        self.expected[run_id].status = status

    @rule(run_id=ids, attempt=st.sampled_from([0, 2]))
    def another_attempt_writes(self, run_id: str, attempt: int) -> None:
        with pytest.raises((RunLost, RunNotFound)):
            self.runs.finish(run_id, attempt, RunStatus.COMPLETED, now=self.now, message="not mine")

    @rule(run_id=ids)
    def ask_to_cancel(self, run_id: str) -> None:
        run = self.expected.get(run_id)
        if run is None or not run.is_active:
            with pytest.raises((RunNotFound, Conflict)):
                self.runs.ask_to_cancel(run_id, now=self.now)
            return
        assert self.runs.ask_to_cancel(run_id, now=self.now).status is run.status
        run.is_asked_to_stop = True

    @rule(run_id=ids)
    def end_unanswered(self, run_id: str) -> None:
        run = self.expected.get(run_id)
        if run is None:
            with pytest.raises(RunNotFound):
                self.runs.end_unanswered(run_id, now=self.now)
            return
        if run.is_active:
            run.status = RunStatus.CANCELLED
        assert self.runs.end_unanswered(run_id, now=self.now).status is run.status

    @rule()
    def somebody_looks(self) -> None:
        self._bury()
        self.runs.interrupt_stale(self.now)

    @precondition(lambda self: any(not run.is_active for run in self.expected.values()))
    @rule(run_id=consumes(ids))
    def forget_one(self, run_id: str) -> None:
        """No more is done to this run; it stays as it is."""

    @invariant()
    def the_database_says_the_same(self) -> None:
        for run_id, run in self.expected.items():
            found = self.runs.get(run_id)
            assert found.status is run.status
            assert found.progress_percent == (
                100.0 if run.status is RunStatus.COMPLETED else run.percent
            )
            assert (found.completed_at is None) == run.is_active
            assert (found.lease_expires_at is None) == (not run.is_active)
            assert (found.cancel_requested_at is not None) == run.is_asked_to_stop

    @invariant()
    def exactly_the_active_runs_hold_their_models(self) -> None:
        active = {i: run for i, run in self.expected.items() if run.is_active}
        with self.database.read() as connection:
            held = connection.execute(select(LOCKS.c.model, LOCKS.c.run_id)).all()
        wanted = [(model, run_id) for run_id, run in active.items() for model in run.models]
        assert sorted(map(tuple, held)) == sorted((str(m), i) for m, i in wanted)

    def _started(self, models: list[ModelName]) -> Run:
        return self.runs.start(models, requested_model="all", request={}, now=self.now)

    def _bury(self) -> None:
        """Expect that runs whose lease is over end as interrupted."""
        for run in self.expected.values():
            if run.status is RunStatus.TRAINING and run.lease_ends_at <= self.now:
                run.status = RunStatus.INTERRUPTED

    def _refused(self, run_id: str, write: Callable[[], object]) -> bool:
        run = self.expected.get(run_id)
        if run is not None and run.is_active:
            return False
        with pytest.raises((RunLost, RunNotFound)):
            write()
        return True

    def _is_heard(self, run_id: str, write: Callable[[], object]) -> bool:
        """Write as the run's process and tell whether the row took it."""
        if self._refused(run_id, write):
            return False
        run = self.expected[run_id]
        if run.is_asked_to_stop:
            with pytest.raises(Cancelled):
                write()
        else:
            write()
        run.lease_ends_at = self.now + LEASE
        return True


@pytest.fixture(scope="module", autouse=True)
def _template(sqlite_template: Path) -> None:
    TEMPLATE[:] = [sqlite_template]


TestTrainings = Trainings.TestCase
TestTrainings.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
