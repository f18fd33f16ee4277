"""Runs: one execution of training each, from the request to one of four outcomes.

The database is the truth. A run holds a lease that its process renews by reporting progress;
when the process dies the lease runs out, and the next one to look ends the run as interrupted
and frees its models. Every write of a run names the attempt it belongs to, so a process that
was given up for dead cannot write again. `docs/architecture.md` holds the table of
transitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import polars as pl
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from chatlift.errors import Cancelled, Conflict, NotFound
from chatlift.store.bulk import insert_new, table_of
from chatlift.store.database import Database
from chatlift.store.registry_tables import RunLockRow, TrainingRunRow
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunStatus, Verdict

LEASE = timedelta(seconds=30)
"""How long a run may be silent before its process counts as dead."""

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset(
        {RunStatus.TRAINING, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.INTERRUPTED}
    ),
    RunStatus.TRAINING: frozenset({RunStatus.QUEUED}) | FINAL_STATUSES,
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
    RunStatus.INTERRUPTED: frozenset(),
}
"""Where a run may go from where it stands; nothing leaves a final status."""

RUNS = table_of(TrainingRunRow)
LOCKS = table_of(RunLockRow)
HIDDEN = frozenset({"run_number", "account_id", "idempotency_key"})
SHOWN = [column for column in RUNS.c if column.name not in HIDDEN]


class RunNotFound(NotFound):
    """No run of this account has that id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"No run has the id {run_id!r}. List them with `chatlift runs list`.")


class ModelsBusy(Conflict):
    """Another run is training one of the models."""

    def __init__(self, models: Sequence[ModelName], run_id: str) -> None:
        super().__init__(
            f"Training of {', '.join(models)} was asked for, and the run {run_id} is training "
            f"{'it' if len(models) == 1 else 'them'} now. Wait for it to end, or stop it with "
            f"`chatlift runs stop {run_id}`; if its process was killed, it lets go within "
            f"{LEASE.seconds} seconds."
        )
        self.run_id = run_id


class RunLost(Conflict):
    """A process writes to a run that has ended or belongs to a later attempt."""

    def __init__(self, run_id: str, attempt: int, found: Run) -> None:
        super().__init__(
            f"Attempt {attempt} of run {run_id} can write nothing more: the run is "
            f"{found.status} (attempt {found.attempt}). Start the training again."
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of training, as it stands in the database."""

    run_id: str
    requested_model: str
    """`all` or a model's name."""
    models: tuple[ModelName, ...]
    """In the order of training."""
    status: RunStatus
    phase: str
    progress_percent: float
    """Of the whole run, 0 to 100; it never goes back within an attempt."""
    current_model: ModelName | None
    message: str
    request: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    """By model, filled as each finishes."""
    verdicts: Mapping[str, Any]
    """By model: what the gate decided, and the number of the version."""
    error: Mapping[str, Any] | None
    """As `failure_of` builds it; None where nothing failed."""
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    """How often a process has taken it up."""
    attempts_allowed: int
    requested_by: str
    claimed_by: str | None
    """The process that holds it; None where none does."""
    lease_expires_at: datetime | None
    cancel_requested_at: datetime | None

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self.status in FINAL_STATUSES


class Runs:
    """The runs of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database
        self._account_id = account_id

    def start(
        self,
        models: Sequence[ModelName],
        *,
        requested_model: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> Run:
        """Begin a run that trains `models`; it holds all of them, or is not begun.

        Runs whose process died are ended as interrupted first, so a killed training does not
        block the next one.

        Parameters
        ----------
        request
            What was asked for (options, seed), as JSON values.

        Raises
        ------
        ModelsBusy
            If another run trains one of the models.
        """
        run_id = str(uuid4())
        with self._database.write() as connection:
            self._interrupt_stale(connection, now)
            connection.execute(
                insert(RUNS).values(
                    run_id=run_id,
                    account_id=self._account_id,
                    requested_model=requested_model,
                    models=[str(model) for model in models],
                    status=RunStatus.TRAINING,
                    phase="start",
                    progress_percent=0.0,
                    message=f"Training started for {requested_model}",
                    request=dict(request),
                    metrics={},
                    verdicts={},
                    created_at=now,
                    started_at=now,
                    attempt=1,
                    attempts_allowed=1,
                    requested_by="",
                    lease_expires_at=now + LEASE,
                )
            )
            self._lock(connection, models, run_id)
        return self.get(run_id)

    def progress(
        self,
        run_id: str,
        attempt: int,
        *,
        phase: str,
        percent: float,
        message: str,
        now: datetime,
        current_model: ModelName | None = None,
    ) -> None:
        """Note where the run stands and renew its lease.

        Raises
        ------
        RunLost
            If the run has ended or a later attempt has it.
        Cancelled
            If somebody asked it to stop.
        """
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            values = {
                "phase": phase,
                "progress_percent": max(found.progress_percent, min(percent, 100.0)),
                "message": message,
                "current_model": current_model,
                "lease_expires_at": now + LEASE,
            }
            connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(values))
        _stop_if_asked(found)

    def renew(self, run_id: str, attempt: int, *, now: datetime) -> None:
        """Renew the lease in a step that is long and has nothing to tell; raises as `progress`."""
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            renewed = update(RUNS).where(RUNS.c.run_id == run_id)
            connection.execute(renewed.values(lease_expires_at=now + LEASE))
        _stop_if_asked(found)

    def record_model(
        self,
        run_id: str,
        attempt: int,
        model: ModelName,
        *,
        metrics: Mapping[str, Any],
        verdict: Verdict | None,
        sentence: str,
        version_number: int | None,
        now: datetime,
    ) -> None:
        """Keep what became of one model of the run.

        Parameters
        ----------
        metrics
            JSON values; empty where nothing was fitted.
        verdict, version_number
            None where there was too little data, or the fit failed: no version came of it.

        Raises
        ------
        RunLost
            If the run has ended or a later attempt has it.
        """
        told = {"verdict": verdict, "sentence": sentence, "version_number": version_number}
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            values = {
                "metrics": {**found.metrics, model: dict(metrics)},
                "verdicts": {**found.verdicts, model: told},
                "lease_expires_at": now + LEASE,
            }
            connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(values))

    def finish(
        self,
        run_id: str,
        attempt: int,
        status: RunStatus,
        *,
        now: datetime,
        message: str,
        error: Mapping[str, Any] | None = None,
    ) -> Run:
        """End the run and free its models, in one transaction.

        Raises
        ------
        RunLost
            If the run has ended already or a later attempt has it.
        ValueError
            If `status` is not final.
        """
        if status not in FINAL_STATUSES:
            raise ValueError(f"A run cannot end as {status}.")
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            percent = 100.0 if status is RunStatus.COMPLETED else found.progress_percent
            ended = _ended(status, now, message)
            values = {**ended, "progress_percent": percent, "error": error}
            _end(connection, RUNS.c.run_id == run_id, values)
            return self._get(connection, run_id)

    def ask_to_cancel(self, run_id: str, *, now: datetime) -> Run:
        """Ask the run to stop; its process looks for that every second.

        Raises
        ------
        RunNotFound
            If there is no such run.
        Conflict
            If it has ended already.
        """
        with self._database.write() as connection:
            found = self._get(connection, run_id, lock=True)
            if found.is_final:
                raise Conflict(f"Run {run_id} is {found.status} already: nothing to stop.")
            asked = update(RUNS).where(RUNS.c.run_id == run_id)
            connection.execute(asked.values(cancel_requested_at=now))
            return self._get(connection, run_id)

    def end_unanswered(self, run_id: str, *, now: datetime) -> Run:
        """End as cancelled a run whose process did not stop when asked; it can write nothing more.

        A run that has ended meanwhile stays as it is.

        Raises
        ------
        RunNotFound
            If there is no such run.
        """
        message = "The run was stopped from outside; its process did not answer."
        with self._database.write() as connection:
            if not self._get(connection, run_id, lock=True).is_final:
                ended = _ended(RunStatus.CANCELLED, now, message)
                _end(connection, RUNS.c.run_id == run_id, ended)
            return self._get(connection, run_id)

    def interrupt_stale(self, now: datetime) -> tuple[str, ...]:
        """End the runs whose lease has run out as interrupted; return their ids."""
        with self._database.write() as connection:
            return self._interrupt_stale(connection, now)

    def get(self, run_id: str) -> Run:
        """Return a run; raises `RunNotFound` if this account has none of that id."""
        with self._database.read() as connection:
            return self._get(connection, run_id)

    def latest(self) -> Run | None:
        """Return the newest run that has not ended, else the newest; None before any."""
        active = RUNS.c.status.not_in(sorted(FINAL_STATUSES))
        with self._database.read() as connection:
            found = self._select(connection, active, limit=1)
            return next(iter(found or self._select(connection, limit=1)), None)

    def list(self, *, limit: int = 50) -> tuple[Run, ...]:
        """Return the newest runs, newest first."""
        with self._database.read() as connection:
            return self._select(connection, limit=limit)

    def _select(
        self, connection: Connection, *conditions: ColumnElement[bool], limit: int
    ) -> tuple[Run, ...]:
        statement = (
            select(*SHOWN)
            .where(RUNS.c.account_id == self._account_id, *conditions)
            .order_by(RUNS.c.run_number.desc())
            .limit(limit)
        )
        return tuple(_run(row) for row in connection.execute(statement))

    def _get(self, connection: Connection, run_id: str, *, lock: bool = False) -> Run:
        statement = select(*SHOWN).where(
            RUNS.c.run_id == run_id, RUNS.c.account_id == self._account_id
        )
        statement = statement.with_for_update() if lock else statement
        row = connection.execute(statement).one_or_none()
        if row is None:
            raise RunNotFound(run_id)
        return _run(row)

    def _held(self, connection: Connection, run_id: str, attempt: int) -> Run:
        return held_run(connection, self._account_id, run_id, attempt)

    def _lock(self, connection: Connection, models: Sequence[ModelName], run_id: str) -> None:
        wanted = sorted(models)
        locks = pl.DataFrame(
            {"account_id": self._account_id, "model": [str(model) for model in wanted]}
        ).with_columns(run_id=pl.lit(run_id))
        if insert_new(connection, LOCKS, locks) < len(wanted):
            raise self._busy(connection, wanted, run_id)

    def _busy(self, connection: Connection, wanted: Sequence[ModelName], run_id: str) -> ModelsBusy:
        statement = select(LOCKS.c.run_id, LOCKS.c.model).where(
            LOCKS.c.account_id == self._account_id,
            LOCKS.c.model.in_(wanted),
            LOCKS.c.run_id != run_id,
        )
        rows = connection.execute(statement.order_by(LOCKS.c.run_id)).all()
        holder = rows[0].run_id
        return ModelsBusy([ModelName(row.model) for row in rows if row.run_id == holder], holder)

    def _interrupt_stale(self, connection: Connection, now: datetime) -> tuple[str, ...]:
        stale = (
            select(RUNS.c.run_id)
            .where(
                RUNS.c.account_id == self._account_id,
                RUNS.c.status == RunStatus.TRAINING,
                RUNS.c.lease_expires_at <= now,
            )
            .with_for_update()
        )
        run_ids = tuple(connection.scalars(stale))
        message = "The training stopped without a word; its process was probably ended."
        if run_ids:
            ended = _ended(RunStatus.INTERRUPTED, now, message)
            _end(connection, RUNS.c.run_id.in_(run_ids), ended)
        return run_ids


def held_run(connection: Connection, account_id: int, run_id: str, attempt: int) -> Run:
    """Return the run and keep others from changing it until the transaction ends.

    Raises
    ------
    RunNotFound
        If the account has no such run.
    RunLost
        If it has ended, or belongs to another attempt: the caller may write nothing for it.
    """
    statement = (
        select(*SHOWN)
        .where(RUNS.c.run_id == run_id, RUNS.c.account_id == account_id)
        .with_for_update()
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise RunNotFound(run_id)
    found = _run(row)
    if found.status is not RunStatus.TRAINING or found.attempt != attempt:
        raise RunLost(run_id, attempt, found)
    return found


def active_run_ids(connection: Connection, account_id: int) -> frozenset[str]:
    """Return the ids of the account's runs that have not ended."""
    statement = select(RUNS.c.run_id).where(
        RUNS.c.account_id == account_id, RUNS.c.status.not_in(sorted(FINAL_STATUSES))
    )
    return frozenset(connection.scalars(statement))


def _stop_if_asked(found: Run) -> None:
    if found.cancel_requested_at is not None:
        raise Cancelled(f"Run {found.run_id} was asked to stop. Nothing of it was published.")


def _ended(status: RunStatus, now: datetime, message: str) -> dict[str, Any]:
    return {
        "status": status,
        "completed_at": now,
        "message": message,
        "current_model": None,
        "lease_expires_at": None,
    }


def _end(connection: Connection, chosen: ColumnElement[bool], values: Mapping[str, Any]) -> None:
    run_ids = select(RUNS.c.run_id).where(chosen)
    connection.execute(delete(LOCKS).where(LOCKS.c.run_id.in_(run_ids)))
    connection.execute(update(RUNS).where(chosen).values(**values))


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)
    current = values.pop("current_model")
    return Run(
        models=tuple(ModelName(name) for name in values.pop("models")),
        status=RunStatus(values.pop("status")),
        current_model=None if current is None else ModelName(current),
        **values,
    )
