"""Every change of a run, each in the caller's transaction and told as an event.

Locks are taken in the transaction that inserts the run and released only in the one that ends
it. All take them in the same order (the run's row, its models' locks, the account's events), so
that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import polars as pl
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatlift.errors import Conflict
from chatlift.registry.run_events import tell
from chatlift.registry.run_rows import (
    ATTEMPTS_ALLOWED,
    LOCKS,
    RUNS,
    TRANSITIONS,
    ModelsBusy,
    Run,
    find_run,
    get_run,
)
from chatlift.store.bulk import insert_new
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunEventKind, RunStatus

QUEUED_PHASE = "queued"
LAPSED = "The training stopped without a word; its process was probably ended."


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """What became of a request for a run."""

    run: Run
    is_new: bool
    """False: the same request came before under the same key, and this is its run."""


def enqueue_in(
    connection: Connection,
    account_id: int,
    models: Sequence[ModelName],
    *,
    requested_model: str,
    request: Mapping[str, Any],
    requested_by: str,
    now: datetime,
) -> Run:
    """Put a run in the queue within the caller's transaction; it holds its models from now on.

    If the models are busy, the transaction stands as if nothing had been asked.

    Parameters
    ----------
    request
        What was asked for, as `TrainRequest.to_json` gives it.
    requested_by
        Who asked, in words: "token shop-phone", "schedule".

    Raises
    ------
    ModelsBusy
        If another run holds one of the models.
    """
    wanted = _wanted(account_id, models, requested_model, request, requested_by, now)
    return _inserted(connection, wanted, None, now).run


def enqueue_once(
    connection: Connection,
    account_id: int,
    models: Sequence[ModelName],
    *,
    requested_model: str,
    request: Mapping[str, Any],
    requested_by: str,
    now: datetime,
    idempotency_key: str | None,
) -> Enqueued:
    """Put a run in the queue as `enqueue_in`, unless its request came before under the same key.

    Raises
    ------
    ModelsBusy
        If another run holds one of the models.
    Conflict
        If another request came under this key.
    """
    wanted = _wanted(account_id, models, requested_model, request, requested_by, now)
    return _inserted(connection, wanted, idempotency_key, now)


def begin(
    connection: Connection,
    account_id: int,
    models: Sequence[ModelName],
    *,
    requested_model: str,
    request: Mapping[str, Any],
    now: datetime,
    lease_expires_at: datetime,
) -> Run:
    """Insert a run that the caller's own process trains at once, in its only attempt.

    Raises
    ------
    ModelsBusy
        If another run holds one of the models.
    """
    wanted = _wanted(account_id, models, requested_model, request, "", now) | {
        "attempts_allowed": 1
    }
    run = _inserted(connection, wanted, None, now).run
    return claim(connection, run, claimed_by=None, now=now, lease_expires_at=lease_expires_at)


def claim(
    connection: Connection,
    run: Run,
    *,
    claimed_by: str | None,
    now: datetime,
    lease_expires_at: datetime,
) -> Run:
    """Give a queued run, locked by the caller, to a process; its attempt number grows."""
    attempt = run.attempt + 1
    values = {
        "attempt": attempt,
        "claimed_by": claimed_by,
        "lease_expires_at": lease_expires_at,
        "started_at": now,
        "phase": "start",
        "progress_percent": 0.0,
        "message": f"Training started for {run.requested_model}",
    }
    data = {"attempt": attempt}
    return _move(connection, run, RunStatus.TRAINING, RunEventKind.STARTED, data, now, values)


def requeue(connection: Connection, run: Run, *, message: str, now: datetime, **values: Any) -> Run:
    """Put a run in training back into the queue; it keeps its models and what it finished."""
    told = _let_go(message) | {
        "phase": QUEUED_PHASE,
        "started_at": None,
        "progress_percent": 0.0,
        **values,
    }
    data = {"message": message, "attempt": run.attempt}
    return _move(connection, run, RunStatus.QUEUED, RunEventKind.REQUEUED, data, now, told)


def end(
    connection: Connection,
    run: Run,
    status: RunStatus,
    *,
    message: str,
    now: datetime,
    error: Mapping[str, Any] | None = None,
) -> Run:
    """End a run and free its models.

    Parameters
    ----------
    error
        As `failure_of` builds it.

    Raises
    ------
    ValueError
        If `status` is not final.
    """
    if status not in FINAL_STATUSES:
        raise ValueError(f"A run cannot end as {status}.")
    percent = 100.0 if status is RunStatus.COMPLETED else run.progress_percent
    values = _let_go(message) | {"completed_at": now, "progress_percent": percent, "error": error}
    mine = (LOCKS.c.account_id == run.account_id) & (LOCKS.c.run_id == run.run_id)
    connection.execute(delete(LOCKS).where(mine))
    data = {"status": status, "message": message}
    return _move(connection, run, status, RunEventKind.ENDED, data, now, values)


def lose(
    connection: Connection,
    run: Run,
    *,
    message: str,
    now: datetime,
    error: Mapping[str, Any] | None = None,
) -> Run:
    """Take a run from the process that trained it: back into the queue if it may try again.

    One that was asked to stop ends as cancelled, one without attempts left as interrupted.
    """
    if run.cancel_requested_at is not None:
        return end(connection, run, RunStatus.CANCELLED, message=message, now=now)
    if run.attempt < run.attempts_allowed:
        return requeue(connection, run, message=message, now=now, error=error)
    broke = run.error if error is None else error
    return end(connection, run, RunStatus.INTERRUPTED, message=message, now=now, error=broke)


def expire_leases(database: Database, *, account_id: int | None = None) -> tuple[Run, ...]:
    """Take the runs whose lease has run out from their processes; return them as they are now.

    Each in a transaction of its own; none while the database's clock has just been set forward.

    Parameters
    ----------
    account_id
        Look at one account only; by default at all.
    """
    looked_at = (
        database.across_accounts() if account_id is None else database.of_account(account_id)
    )
    with looked_at.read() as connection:
        lapsed = (RUNS.c.status == RunStatus.TRAINING) & (
            RUNS.c.lease_expires_at <= database.now(connection)
        )
        chosen = lapsed if account_id is None else lapsed & (RUNS.c.account_id == account_id)
        rows = connection.execute(select(RUNS.c.account_id, RUNS.c.run_id).where(chosen)).all()
    if not database.is_clock_steady():
        return ()
    expired = []
    for owner, run_id in rows:
        mine = (RUNS.c.account_id == owner) & (RUNS.c.run_id == run_id)
        with database.of_account(owner).write() as connection:
            found = find_run(connection, mine, lock=True)
            now = database.now(connection)
            if found is not None and _is_lapsed(found, now):
                expired.append(lose(connection, found, message=LAPSED, now=now))
    return tuple(expired)


def _is_lapsed(run: Run, now: datetime) -> bool:
    is_over = run.lease_expires_at is not None and run.lease_expires_at <= now
    return run.status is RunStatus.TRAINING and is_over


def _wanted(
    account_id: int,
    models: Sequence[ModelName],
    requested_model: str,
    request: Mapping[str, Any],
    requested_by: str,
    now: datetime,
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "requested_model": requested_model,
        "models": [str(model) for model in models],
        "request": dict(request),
        "requested_by": requested_by,
        "created_at": now,
        "attempts_allowed": ATTEMPTS_ALLOWED,
    }


def _inserted(
    connection: Connection, wanted: Mapping[str, Any], key: str | None, now: datetime
) -> Enqueued:
    """Insert the row and take its locks, or return the run that came before under the key."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    run_id = str(uuid4())
    row = {
        "run_id": run_id,
        "status": RunStatus.QUEUED,
        "phase": QUEUED_PHASE,
        "progress_percent": 0.0,
        "message": f"Training of {wanted['requested_model']} waits for a worker",
        "metrics": {},
        "verdicts": {},
        "attempt": 0,
        "idempotency_key": key,
    }
    # On any error all of it is undone, whatever else the transaction goes on to do.
    with connection.begin_nested():
        new = dialect.insert(RUNS).values(**wanted, **row).on_conflict_do_nothing()
        if connection.execute(new.returning(RUNS.c.run_id)).one_or_none() is None:
            return Enqueued(run=_same(connection, wanted, str(key)), is_new=False)
        run = get_run(connection, wanted["account_id"], run_id)
        _lock(connection, run)
        data = {
            "requested_model": run.requested_model,
            "models": [str(model) for model in run.models],
            "requested_by": run.requested_by,
        }
        _tell(connection, run, RunEventKind.QUEUED, data, now)
    return Enqueued(run=run, is_new=True)


def _same(connection: Connection, wanted: Mapping[str, Any], key: str) -> Run:
    before = find_run(
        connection, RUNS.c.account_id == wanted["account_id"], RUNS.c.idempotency_key == key
    )
    is_same = before is not None and all(
        getattr(before, name) == wanted[name] for name in ("requested_model", "request")
    )
    if before is None or not is_same or [*before.models] != wanted["models"]:
        raise Conflict(
            "Another request came under this idempotency key before. Repeat that one word for "
            "word to hear of its run, or choose a new key."
        )
    return before


def _lock(connection: Connection, run: Run) -> None:
    wanted = sorted(run.models)
    rows = pl.DataFrame({"model": [str(model) for model in wanted]}).with_columns(
        account_id=pl.lit(run.account_id), run_id=pl.lit(run.run_id)
    )
    held = select(LOCKS.c.run_id, LOCKS.c.model).where(
        LOCKS.c.account_id == run.account_id, LOCKS.c.model.in_(wanted)
    )
    mine: list[ModelName] = []
    # A holder may let go between the insertion and the look at it; then there is another try.
    while len(mine) < len(wanted):
        insert_new(connection, LOCKS, rows)
        found = connection.execute(held.order_by(LOCKS.c.run_id)).all()
        others = [row.run_id for row in found if row.run_id != run.run_id]
        if others:
            busy = [ModelName(row.model) for row in found if row.run_id == others[0]]
            raise ModelsBusy(busy, others[0])
        mine = [ModelName(row.model) for row in found]


def _move(
    connection: Connection,
    run: Run,
    status: RunStatus,
    kind: RunEventKind,
    data: Mapping[str, Any],
    now: datetime,
    values: Mapping[str, Any],
) -> Run:
    if status not in TRANSITIONS[run.status]:
        raise ValueError(f"A run cannot go from {run.status} to {status}.")
    mine = (RUNS.c.account_id == run.account_id) & (RUNS.c.run_id == run.run_id)
    connection.execute(update(RUNS).where(mine).values(status=status, **values))
    _tell(connection, run, kind, data, now)
    return get_run(connection, run.account_id, run.run_id)


def _let_go(message: str) -> dict[str, Any]:
    return {
        "message": message,
        "current_model": None,
        "claimed_by": None,
        "lease_expires_at": None,
    }


def _tell(
    connection: Connection, run: Run, kind: RunEventKind, data: Mapping[str, Any], now: datetime
) -> None:
    tell(connection, account_id=run.account_id, run_id=run.run_id, kind=kind, data=data, now=now)
