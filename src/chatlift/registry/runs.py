"""Runs: one execution of training each, from the request to one of four outcomes.

The database is the truth. A run in training holds a lease that somebody renews while its process
is alive; when the process dies the lease runs out, and the next one to look puts the run back
into the queue, or ends it as interrupted and frees its models. Leases go by the database's clock;
the instants that callers pass are only told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from chatlift.errors import Cancelled, Conflict
from chatlift.registry.run_changes import (
    Enqueued,
    begin,
    end,
    enqueue_once,
    expire_leases,
)
from chatlift.registry.run_events import tell
from chatlift.registry.run_rows import LEASE, RUNS, SHOWN, Run, get_run, held_run, run_of
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunEventKind, RunStatus, Verdict


class Runs:
    """The runs of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int, *, lease: timedelta = LEASE) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id
        self._lease = lease

    def enqueue(
        self,
        models: Sequence[ModelName],
        *,
        requested_model: str,
        request: Mapping[str, Any],
        requested_by: str,
        now: datetime,
        idempotency_key: str | None = None,
    ) -> Enqueued:
        """Put a run in the queue; it holds all of its models from now on, or is not queued.

        Parameters
        ----------
        request
            What was asked for, as `TrainRequest.to_json` gives it.
        requested_by
            Who asked, in words: "token shop-phone", "schedule".
        idempotency_key
            The caller's own name for this request: asked again, it changes nothing.

        Raises
        ------
        ModelsBusy
            If another run holds one of the models.
        Conflict
            If another request came under this key.
        """
        self.expire()
        with self._database.write() as connection:
            return enqueue_once(
                connection,
                self._account_id,
                models,
                requested_model=requested_model,
                request=request,
                requested_by=requested_by,
                now=now,
                idempotency_key=idempotency_key,
            )

    def start(
        self,
        models: Sequence[ModelName],
        *,
        requested_model: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> Run:
        """Begin a run that this process trains itself, in its only attempt.

        Runs whose process died are taken from it first, so a killed training does not block the
        next one. Parameters and errors as `enqueue`.
        """
        self.expire()
        with self._database.write() as connection:
            return begin(
                connection,
                self._account_id,
                models,
                requested_model=requested_model,
                request=request,
                now=now,
                lease_expires_at=self._database.now(connection) + self._lease,
            )

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
        """Note where the run stands; its lease is renewed by `renew` alone.

        Raises
        ------
        RunLost
            If the run has ended or a later attempt has it.
        Cancelled
            If somebody asked it to stop.
        """
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            reached = max(found.progress_percent, min(percent, 100.0))
            values = {
                "phase": phase,
                "progress_percent": reached,
                "message": message,
                "current_model": current_model,
            }
            self._set(connection, run_id, values)
            if _is_news(found, values):
                data = {
                    "phase": phase,
                    "percent": round(reached, 1),
                    "message": message,
                    "model": current_model,
                }
                self._tell(connection, run_id, RunEventKind.PROGRESS, data, now)
        _stop_if_asked(found)

    def renew(self, run_id: str, attempt: int) -> Run:
        """Renew the lease, also one that ran out unnoticed; raises `RunLost` as `progress`.

        Returns
        -------
        Run
            As it stands, so that the caller sees whether somebody asked it to stop.
        """
        with self._database.write() as connection:
            self._held(connection, run_id, attempt)
            expires_at = self._database.now(connection) + self._lease
            self._set(connection, run_id, {"lease_expires_at": expires_at})
            return get_run(connection, self._account_id, run_id)

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
            }
            self._set(connection, run_id, values)
            data = {"model": model, **told, "metrics": dict(metrics)}
            self._tell(connection, run_id, RunEventKind.MODEL, data, now)

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
        with self._database.write() as connection:
            found = self._held(connection, run_id, attempt)
            return end(connection, found, status, message=message, now=now, error=error)

    def stop(self, run_id: str | None, *, now: datetime) -> Run:
        """Stop a run: a queued one is cancelled at once, one in training is asked to stop.

        Parameters
        ----------
        run_id
            None: the newest that has not ended.

        Raises
        ------
        RunNotFound
            If there is no such run.
        Conflict
            If it has ended already, or none is under way.
        """
        with self._database.write() as connection:
            found = self._to_stop(connection, run_id)
            if found.is_final:
                raise Conflict(f"Run {found.run_id} is {found.status} already: nothing to stop.")
            if found.status is RunStatus.QUEUED:
                message = "The run was stopped before it began. Nothing was published."
                return end(connection, found, RunStatus.CANCELLED, message=message, now=now)
            if found.cancel_requested_at is None:
                self._set(connection, found.run_id, {"cancel_requested_at": now})
                self._tell(connection, found.run_id, RunEventKind.STOPPING, {}, now)
            return get_run(connection, self._account_id, found.run_id)

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
            found = get_run(connection, self._account_id, run_id, lock=True)
            if found.is_final:
                return found
            return end(connection, found, RunStatus.CANCELLED, message=message, now=now)

    def expire(self) -> tuple[Run, ...]:
        """Take the runs whose lease has run out from their processes; return them as they are now.

        They are queued again, interrupted after their last attempt, or cancelled where somebody
        had asked for that.
        """
        return expire_leases(self._database, account_id=self._account_id)

    def get(self, run_id: str) -> Run:
        """Return a run; raises `RunNotFound` if this account has none of that id."""
        with self._database.read() as connection:
            return get_run(connection, self._account_id, run_id)

    def latest(self) -> Run | None:
        """Return the newest run that has not ended, else the newest; None before any."""
        with self._database.read() as connection:
            active = self._select(connection, _is_active(), limit=1)
            return next(iter(active or self._select(connection, limit=1)), None)

    def list(self, *, limit: int = 50, before: int | None = None) -> tuple[Run, ...]:
        """Return runs, newest first.

        Parameters
        ----------
        before
            Go on behind the run of this `run_number`; by default begin with the newest.
        """
        chosen = () if before is None else (RUNS.c.run_number < before,)
        with self._database.read() as connection:
            return self._select(connection, *chosen, limit=limit)

    def count(self) -> int:
        """Return how many runs there ever were."""
        mine = select(func.count()).select_from(RUNS).where(RUNS.c.account_id == self._account_id)
        with self._database.read() as connection:
            return connection.scalar(mine) or 0

    def count_by_status(self) -> dict[RunStatus, int]:
        """Return how many runs there are of each status; one that has none is left out."""
        mine = select(RUNS.c.status, func.count()).where(RUNS.c.account_id == self._account_id)
        with self._database.read() as connection:
            found = connection.execute(mine.group_by(RUNS.c.status)).all()
        return {RunStatus(status): count for status, count in found}

    def _select(
        self, connection: Connection, *conditions: ColumnElement[bool], limit: int
    ) -> tuple[Run, ...]:
        statement = (
            select(*SHOWN)
            .where(RUNS.c.account_id == self._account_id, *conditions)
            .order_by(RUNS.c.run_number.desc())
            .limit(limit)
        )
        return tuple(run_of(row) for row in connection.execute(statement))

    def _held(self, connection: Connection, run_id: str, attempt: int) -> Run:
        return held_run(connection, self._account_id, run_id, attempt)

    def _to_stop(self, connection: Connection, run_id: str | None) -> Run:
        if run_id is not None:
            return get_run(connection, self._account_id, run_id, lock=True)
        for active in self._select(connection, _is_active(), limit=1):
            return get_run(connection, self._account_id, active.run_id, lock=True)
        raise Conflict("No training is under way: nothing to stop. See `chatlift runs list`.")

    def _set(self, connection: Connection, run_id: str, values: Mapping[str, Any]) -> None:
        mine = (RUNS.c.account_id == self._account_id) & (RUNS.c.run_id == run_id)
        connection.execute(update(RUNS).where(mine).values(**values))

    def _tell(
        self,
        connection: Connection,
        run_id: str,
        kind: RunEventKind,
        data: Mapping[str, Any],
        now: datetime,
    ) -> None:
        tell(connection, account_id=self._account_id, run_id=run_id, kind=kind, data=data, now=now)


def _is_active() -> ColumnElement[bool]:
    return RUNS.c.status.not_in(sorted(FINAL_STATUSES))


def _is_news(found: Run, values: Mapping[str, Any]) -> bool:
    """Tell whether a step says anything that a listener has not heard."""
    is_moved = int(values["progress_percent"]) > int(found.progress_percent)
    words = ("phase", "message", "current_model")
    return is_moved or any(getattr(found, name) != values[name] for name in words)


def _stop_if_asked(found: Run) -> None:
    if found.cancel_requested_at is not None:
        raise Cancelled(f"Run {found.run_id} was asked to stop. Nothing of it was published.")
