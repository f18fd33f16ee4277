"""The queue that workers take runs from, over all accounts of one database.

A worker claims a run by compare-and-set: of any number that try at once one gets it, with a lease
and an attempt number. From then on it renews the lease while its training child is well, and says
what became of the attempt. Whatever it writes about an attempt that is no longer its own is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from chatlift.registry.run_changes import claim, end, expire_leases, lose, requeue
from chatlift.registry.run_rows import (
    LEASE,
    RUNS,
    SHOWN,
    Run,
    get_run,
    held_run,
    refuse_lost,
    run_of,
)
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.tables import AccountRow
from chatlift.vocabulary import RunStatus

ACCOUNTS = table_of(AccountRow)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One attempt at a run that a worker has taken up."""

    run: Run
    """As it stood when it was claimed."""
    account: str
    """Name of the business it belongs to."""
    worker: str

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.run.run_id

    @property
    def attempt(self) -> int:
        """Number of the attempt; every write names it."""
        return self.run.attempt


class RunQueue:
    """The runs of all accounts that wait for a worker or have one; safe across processes."""

    def __init__(self, database: Database, *, lease: timedelta = LEASE) -> None:
        self._database = database.across_accounts()
        self._lease = lease

    def queued(self, *, limit: int = 1_000) -> tuple[str, ...]:
        """Return the ids of the runs that wait for a worker, the longest waiting first."""
        statement = (
            select(RUNS.c.run_id)
            .where(RUNS.c.status == RunStatus.QUEUED)
            .order_by(RUNS.c.run_number)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(connection.scalars(statement))

    def claim_next(self, worker: str) -> Claim | None:
        """Claim the run that has waited longest; None where none waits."""
        for run_id in self.queued():
            claimed = self.claim(run_id, worker)
            if claimed is not None:
                return claimed
        return None

    def claim(self, run_id: str, worker: str) -> Claim | None:
        """Claim this run; None where it does not wait, as when another has it already.

        Parameters
        ----------
        worker
            Name of the process, told with the run.
        """
        waiting = (
            select(*SHOWN)
            .where(RUNS.c.run_id == run_id, RUNS.c.status == RunStatus.QUEUED)
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as connection:
            row = connection.execute(waiting).one_or_none()
            if row is None:
                return None
            now = self._database.now(connection)
            expires_at = now + self._lease
            run = claim(
                connection, run_of(row), claimed_by=worker, now=now, lease_expires_at=expires_at
            )
            of_account = ACCOUNTS.c.account_id == run.account_id
            account: str = connection.scalars(select(ACCOUNTS.c.name).where(of_account)).one()
            return Claim(run=run, account=account, worker=worker)

    def look(self, claimed: Claim) -> Run:
        """Return the run as it stands; raises `RunLost` if the attempt is no longer its own."""
        with self._of_account(claimed).read() as connection:
            run = get_run(connection, claimed.run.account_id, claimed.run_id)
        refuse_lost(run, claimed.attempt)
        return run

    def renew(self, claimed: Claim) -> Run:
        """Renew the lease and return the run; raises `RunLost` as `look`."""
        with self._held(claimed) as (connection, run):
            expires_at = self._database.now(connection) + self._lease
            mine = (RUNS.c.account_id == run.account_id) & (RUNS.c.run_id == run.run_id)
            connection.execute(update(RUNS).where(mine).values(lease_expires_at=expires_at))
            return run

    def give_back(self, claimed: Claim, *, message: str) -> Run:
        """Put the run back into the queue, because its worker ends in order: no attempt is lost.

        One that was asked to stop ends as cancelled. Raises `RunLost` as `look`.
        """
        with self._held(claimed) as (connection, run):
            now = self._database.now(connection)
            if run.cancel_requested_at is not None:
                return end(connection, run, RunStatus.CANCELLED, message=message, now=now)
            # Attempt numbers only ever grow, since they fence; so one more is allowed instead.
            allowed = run.attempts_allowed + 1
            return requeue(connection, run, message=message, now=now, attempts_allowed=allowed)

    def give_up(self, claimed: Claim, *, message: str, error: Mapping[str, Any]) -> Run:
        """Say that the attempt broke: the run is queued again, or interrupted after its last.

        Parameters
        ----------
        error
            As `failure_of` builds it; the row keeps it until another attempt ends the run.

        Raises
        ------
        RunLost
            As `look`.
        """
        with self._held(claimed) as (connection, run):
            now = self._database.now(connection)
            return lose(connection, run, message=message, now=now, error=error)

    def finish(
        self,
        claimed: Claim,
        status: RunStatus,
        *,
        message: str,
        error: Mapping[str, Any] | None = None,
    ) -> Run:
        """End the run for its child; raises `RunLost` as `look`, also if the child ended it."""
        with self._held(claimed) as (connection, run):
            now = self._database.now(connection)
            return end(connection, run, status, message=message, now=now, error=error)

    def expire(self) -> tuple[Run, ...]:
        """Take the runs whose lease has run out from their processes; see `Runs.expire`."""
        return expire_leases(self._database)

    def _of_account(self, claimed: Claim) -> Database:
        return self._database.of_account(claimed.run.account_id)

    @contextmanager
    def _held(self, claimed: Claim) -> Iterator[tuple[Connection, Run]]:
        with self._of_account(claimed).write() as connection:
            account_id = claimed.run.account_id
            yield connection, held_run(connection, account_id, claimed.run_id, claimed.attempt)
