"""What a run is, how its row is read, and where it may go from where it stands.

`docs/architecture.md` holds the table of transitions. Every write of a run's process names the
attempt it belongs to, so that a process that was given up for dead cannot write again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from chatlift.errors import Conflict, NotFound
from chatlift.store.bulk import table_of
from chatlift.store.registry_tables import RunLockRow, TrainingRunRow
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunStatus

LEASE = timedelta(seconds=30)
"""How long a run may be silent before its process counts as dead."""
ATTEMPTS_ALLOWED = 2
"""How often workers take up a run before it counts as interrupted."""
LEAST_PERCENT = 5.0
"""Below this progress the time that is left cannot be told."""

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.TRAINING, RunStatus.CANCELLED}),
    RunStatus.TRAINING: frozenset({RunStatus.QUEUED}) | FINAL_STATUSES,
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
    RunStatus.INTERRUPTED: frozenset(),
}
"""Where a run may go from where it stands; nothing leaves a final status."""

RUNS = table_of(TrainingRunRow)
LOCKS = table_of(RunLockRow)
SHOWN = [column for column in RUNS.c if column.name != "idempotency_key"]


class RunNotFound(NotFound):
    """No run of this account has that id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"No run has the id {run_id!r}. List them with `chatlift runs list`.")


class ModelsBusy(Conflict):
    """Another run is training one of the models, or waits to."""

    def __init__(self, models: Sequence[ModelName], run_id: str) -> None:
        it = "it" if len(models) == 1 else "them"
        super().__init__(
            f"Training of {', '.join(models)} was asked for, and the run {run_id} holds {it} now. "
            f"Wait for it to end, or stop it with `chatlift runs stop {run_id}`."
        )
        self.run_id = run_id


class RunLost(Conflict):
    """A process writes to a run that has ended, belongs to a later attempt, or was let lapse."""

    def __init__(self, attempt: int, found: Run, *, is_lapsed: bool = False) -> None:
        stands = "and its lease has run out" if is_lapsed else f"(attempt {found.attempt})"
        super().__init__(
            f"Attempt {attempt} of run {found.run_id} can write nothing more: the run is "
            f"{found.status} {stands}. Look with `chatlift runs show {found.run_id}`."
        )
        self.has_ended = found.is_final and found.attempt == attempt
        """Whether the attempt came to its end, rather than being taken away."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of training, as it stands in the database."""

    run_number: int
    """Counts the runs of all accounts in the order in which they were asked for."""
    run_id: str
    account_id: int
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
    """When the present or last attempt began; None while the run is queued."""
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

    @property
    def published(self) -> tuple[str, ...]:
        """The versions that came of it so far, such as `churn v3`."""
        told = {model: verdict["version_number"] for model, verdict in self.verdicts.items()}
        return tuple(f"{model} v{number}" for model, number in told.items() if number is not None)

    def eta_seconds(self, now: datetime) -> float | None:
        """Return how long the rest will take at the pace so far; None where nobody can tell."""
        is_early = self.progress_percent < LEAST_PERCENT
        if self.status is not RunStatus.TRAINING or self.started_at is None or is_early:
            return None
        elapsed = max((now - self.started_at).total_seconds(), 0.0)
        return elapsed * (100 - self.progress_percent) / self.progress_percent


def cancelled_message(published: Sequence[str]) -> str:
    """Return what a cancelled run leaves behind, as a sentence.

    Examples
    --------
    >>> cancelled_message([])
    'Training was cancelled. Nothing was published; the champion is untouched.'
    """
    if not published:
        return "Training was cancelled. Nothing was published; the champion is untouched."
    return (
        f"Training was cancelled. Finished before and kept: {', '.join(published)}. "
        "Nothing else was published."
    )


def run_of(row: Row[Any]) -> Run:
    """Return a row of the columns `SHOWN` as a run."""
    values = dict(row._mapping)
    current = values.pop("current_model")
    return Run(
        models=tuple(ModelName(name) for name in values.pop("models")),
        status=RunStatus(values.pop("status")),
        current_model=None if current is None else ModelName(current),
        **values,
    )


def find_run(
    connection: Connection, *conditions: ColumnElement[bool], lock: bool = False
) -> Run | None:
    """Return the one run that meets the conditions, or None.

    Parameters
    ----------
    lock
        Keep others from changing it until the transaction ends.
    """
    statement = select(*SHOWN).where(*conditions)
    statement = statement.with_for_update() if lock else statement
    row = connection.execute(statement).one_or_none()
    return None if row is None else run_of(row)


def get_run(connection: Connection, account_id: int, run_id: str, *, lock: bool = False) -> Run:
    """Return a run; raises `RunNotFound` if the account has none of that id."""
    mine = (RUNS.c.run_id == run_id, RUNS.c.account_id == account_id)
    found = find_run(connection, *mine, lock=lock)
    if found is None:
        raise RunNotFound(run_id)
    return found


def held_run(
    connection: Connection,
    account_id: int,
    run_id: str,
    attempt: int,
    *,
    unexpired_at: datetime | None = None,
) -> Run:
    """Return the run and keep others from changing it until the transaction ends.

    Parameters
    ----------
    unexpired_at
        The lease must reach beyond this instant of the database's clock; by default it may have
        run out, as long as nobody has taken the run away.

    Raises
    ------
    RunNotFound
        If the account has no such run.
    RunLost
        If it has ended, belongs to another attempt, or its lease has run out: the caller may
        write nothing for it.
    """
    found = get_run(connection, account_id, run_id, lock=True)
    refuse_lost(found, attempt)
    expires_at = found.lease_expires_at
    if unexpired_at is not None and (expires_at is None or expires_at <= unexpired_at):
        raise RunLost(attempt, found, is_lapsed=True)
    return found


def refuse_lost(found: Run, attempt: int) -> None:
    """Raise `RunLost` if the run is not in training in this attempt."""
    if found.status is not RunStatus.TRAINING or found.attempt != attempt:
        raise RunLost(attempt, found)


def active_run_ids(connection: Connection, account_id: int) -> frozenset[str]:
    """Return the ids of the account's runs that have not ended."""
    statement = select(RUNS.c.run_id).where(
        RUNS.c.account_id == account_id, RUNS.c.status.not_in(sorted(FINAL_STATUSES))
    )
    return frozenset(connection.scalars(statement))


def ended_run_ids(
    connection: Connection, account_id: int, among: Collection[str]
) -> frozenset[str]:
    """Return which of these ids belong to runs of the account that have ended."""
    statement = select(RUNS.c.run_id).where(
        RUNS.c.account_id == account_id,
        RUNS.c.run_id.in_(sorted(among)),
        RUNS.c.status.in_(sorted(FINAL_STATUSES)),
    )
    return frozenset(connection.scalars(statement))
