"""Scoring of everybody: a job per version and state of the records, cut into shards.

A shard is the contacts of one remainder of their number, because no feature crosses contacts. Any
worker claims one, with a lease and an attempt number; its scores and the word that it is done go in
one transaction, and a write of an attempt that lost its lease is refused. A job counts from the
moment when its last shard is done; until then lists go on with the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import polars as pl
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from chatlift.errors import Conflict
from chatlift.registry.champions import STATES, champion_number, lock_state
from chatlift.store.bulk import insert_new, table_of
from chatlift.store.database import Database
from chatlift.store.job_tables import ScoreRow, ScoringJobRow, ScoringShardRow
from chatlift.store.registry_tables import VersionRow
from chatlift.store.tables import AccountRow, ContactRow
from chatlift.vocabulary import ModelName

JOBS, SHARDS = table_of(ScoringJobRow), table_of(ScoringShardRow)
SCORES, ACCOUNTS = table_of(ScoreRow), table_of(AccountRow)
CONTACTS, VERSIONS = table_of(ContactRow), table_of(VersionRow)

SHARD_CONTACTS = 1_000
"""About so many contacts a shard: a second or two of work."""
SHARD_LEASE = timedelta(minutes=2)
ATTEMPTS = 3
"""So often a shard is tried; then its job has failed."""
SHORTEST_PAUSE = timedelta(minutes=1)
PAUSE_FACTOR = 10
"""The same version scores everybody again after a pause of so many times what it last took."""
AFTER_FAILURE = timedelta(hours=1)
VERSIONS_KEPT = 2
"""Of so many versions the scores are kept: going back to the one before needs no scoring."""


class JobStatus(StrEnum):
    """How far a scoring of everybody is."""

    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"


class ShardStatus(StrEnum):
    """How far one shard is."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """One scoring of everybody by one version."""

    job_id: int
    model: ModelName
    version_number: int
    records_revision: int
    """The account's count of changes when the job was made; its scores know at least those."""
    shard_count: int
    status: JobStatus
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ClaimedShard:
    """One attempt at one shard; its contacts are those whose number leaves `shard`."""

    account_id: int
    job_id: int
    shard: int
    shard_count: int
    attempt: int
    model: ModelName
    version_number: int


class ShardLost(Conflict):
    """An attempt at a shard is no longer its own, or its job is gone."""

    def __init__(self, claimed: ClaimedShard) -> None:
        super().__init__(
            f"Shard {claimed.shard} of scoring job {claimed.job_id} was taken by another process."
        )


class ScoringJobs:
    """The scorings of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def plan(self, model: ModelName, *, now: datetime) -> ScoringJob | None:
        """Make the job that is due, if one is; delete those that nothing will need.

        Due is a job where a version serves and everybody was not yet scored by it as the records
        stand. Of the same version there is a pause in between, in proportion to what a scoring
        takes, so that records that come all day do not keep a machine busy.
        """
        if not self._may_be_due(model, now):
            return None
        with self._database.write() as connection:
            number = lock_state(connection, self._account_id, model)
            self._delete_stale(connection, model, number)
            revision = self._revision(connection)
            if number is None or not self._is_due(connection, model, number, revision, now):
                return None
            return self._made(connection, model, number, revision, now)

    def latest(self, model: ModelName, version_number: int) -> ScoringJob | None:
        """Return the newest completed scoring by a version; None where there is none."""
        with self._database.read() as connection:
            return self._latest(connection, model, version_number)

    def write(self, claimed: ClaimedShard, scores: pl.DataFrame, *, now: datetime) -> None:
        """Keep the scores of a shard; the last shard of a job completes it.

        Parameters
        ----------
        scores
            One row per entity; the columns of `ScoreRow` but for job and account.

        Raises
        ------
        ShardLost
            If the attempt is no longer its own; nothing is written.
        """
        with self._database.write() as connection:
            # The job's row first, as in `plan`: two last shards must not miss each other.
            job = self._locked(connection, claimed.job_id)
            done = self._set(connection, claimed, status=ShardStatus.DONE, lease_expires_at=None)
            if job is None or not done:
                raise ShardLost(claimed)
            owned = scores.with_columns(
                job_id=pl.lit(claimed.job_id), account_id=pl.lit(self._account_id)
            )
            insert_new(connection, SCORES, owned)
            waiting = self._shards_of(claimed.job_id) & (SHARDS.c.status != ShardStatus.DONE)
            if not connection.scalar(select(func.count()).select_from(SHARDS).where(waiting)):
                self._end(connection, claimed.job_id, JobStatus.COMPLETED, now)
                self._delete_replaced(connection, claimed.model)

    def give_up(self, claimed: ClaimedShard, *, error: Mapping[str, Any], now: datetime) -> None:
        """Say that an attempt broke: the shard waits again, or its job has failed.

        Parameters
        ----------
        error
            As `failure_of` builds it.
        """
        with self._database.write() as connection:
            self._locked(connection, claimed.job_id)
            kept = {"status": ShardStatus.WAITING, "lease_expires_at": None, "error": dict(error)}
            if self._set(connection, claimed, **kept) and claimed.attempt >= ATTEMPTS:
                self._end(connection, claimed.job_id, JobStatus.FAILED, now)

    def _may_be_due(self, model: ModelName, now: datetime) -> bool:
        """Look without a lock, since mostly nothing is due."""
        with self._database.read() as connection:
            number = champion_number(connection, self._account_id, model)
            if number is None:
                return False
            return self._is_due(connection, model, number, self._revision(connection), now)

    def _is_due(
        self, connection: Connection, model: ModelName, number: int, revision: int, now: datetime
    ) -> bool:
        mine = self._jobs_of(model) & (JOBS.c.version_number == number)
        newest = connection.execute(
            select(*JOBS.c).where(mine).order_by(JOBS.c.job_id.desc()).limit(1)
        ).one_or_none()
        if newest is None:
            return True
        job = _job(newest)
        if job.status is JobStatus.OPEN or job.completed_at is None:
            return False
        if job.status is JobStatus.FAILED:
            return now - job.completed_at >= AFTER_FAILURE
        pause = max(SHORTEST_PAUSE, PAUSE_FACTOR * (job.completed_at - job.created_at))
        return job.records_revision != revision and now - job.completed_at >= pause

    def _made(
        self, connection: Connection, model: ModelName, number: int, revision: int, now: datetime
    ) -> ScoringJob:
        mine = CONTACTS.c.account_id == self._account_id
        contacts = connection.scalar(select(func.count()).select_from(CONTACTS).where(mine)) or 0
        shard_count = max(1, -(-contacts // SHARD_CONTACTS))
        failed = self._jobs_of(model) & (JOBS.c.status == JobStatus.FAILED)
        connection.execute(delete(JOBS).where(failed))
        values = {
            "account_id": self._account_id,
            "model": model,
            "version_number": number,
            "records_revision": revision,
            "shard_count": shard_count,
            "status": JobStatus.OPEN,
            "created_at": now,
        }
        row = connection.execute(insert(JOBS).values(values).returning(*JOBS.c)).one()
        owner = {"job_id": row.job_id, "account_id": self._account_id}
        waiting = {"status": ShardStatus.WAITING, "attempt": 0}
        connection.execute(
            insert(SHARDS), [owner | waiting | {"shard": shard} for shard in range(shard_count)]
        )
        return _job(row)

    def _delete_stale(self, connection: Connection, model: ModelName, number: int | None) -> None:
        """Delete what is under way by a version that serves no more, and jobs of deleted ones."""
        exist = select(VERSIONS.c.number).where(
            VERSIONS.c.account_id == self._account_id, VERSIONS.c.model == model
        )
        others = (JOBS.c.status != JobStatus.COMPLETED) & (JOBS.c.version_number != (number or 0))
        gone = JOBS.c.version_number.not_in(exist)
        connection.execute(delete(JOBS).where(self._jobs_of(model), or_(others, gone)))

    def _delete_replaced(self, connection: Connection, model: ModelName) -> None:
        """Keep the newest completed job of each of the last versions scored, and no other."""
        done = self._jobs_of(model) & (JOBS.c.status == JobStatus.COMPLETED)
        newest = (
            select(func.max(JOBS.c.job_id).label("job_id"))
            .where(done)
            .group_by(JOBS.c.version_number)
            .order_by(func.max(JOBS.c.job_id).desc())
            .limit(VERSIONS_KEPT)
        )
        kept = connection.scalars(newest).all()
        connection.execute(delete(JOBS).where(done, JOBS.c.job_id.not_in(kept)))

    def _latest(
        self, connection: Connection, model: ModelName, version_number: int
    ) -> ScoringJob | None:
        mine = self._jobs_of(model) & (JOBS.c.version_number == version_number)
        row = connection.execute(
            select(*JOBS.c)
            .where(mine, JOBS.c.status == JobStatus.COMPLETED)
            .order_by(JOBS.c.job_id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _job(row)

    def _locked(self, connection: Connection, job_id: int) -> ScoringJob | None:
        mine = (JOBS.c.account_id == self._account_id) & (JOBS.c.job_id == job_id)
        row = connection.execute(select(*JOBS.c).where(mine).with_for_update()).one_or_none()
        return None if row is None else _job(row)

    def _set(self, connection: Connection, claimed: ClaimedShard, **values: Any) -> bool:
        """Change the shard if the attempt is still its own; tell whether."""
        mine = and_(
            self._shards_of(claimed.job_id),
            SHARDS.c.shard == claimed.shard,
            SHARDS.c.attempt == claimed.attempt,
            SHARDS.c.status == ShardStatus.CLAIMED,
        )
        return bool(connection.execute(update(SHARDS).where(mine).values(values)).rowcount)

    def _end(self, connection: Connection, job_id: int, status: JobStatus, now: datetime) -> None:
        mine = (JOBS.c.account_id == self._account_id) & (JOBS.c.job_id == job_id)
        connection.execute(update(JOBS).where(mine).values(status=status, completed_at=now))

    def _revision(self, connection: Connection) -> int:
        mine = ACCOUNTS.c.account_id == self._account_id
        return connection.scalar(select(ACCOUNTS.c.records_revision).where(mine)) or 0

    def _jobs_of(self, model: ModelName) -> ColumnElement[bool]:
        return (JOBS.c.account_id == self._account_id) & (JOBS.c.model == model)

    def _shards_of(self, job_id: int) -> ColumnElement[bool]:
        return (SHARDS.c.account_id == self._account_id) & (SHARDS.c.job_id == job_id)


def served_models(database: Database) -> tuple[tuple[int, ModelName], ...]:
    """Return the account and model of every version that serves."""
    serving = select(STATES.c.account_id, STATES.c.model).where(
        STATES.c.champion_version_id.is_not(None)
    )
    with database.across_accounts().read() as connection:
        rows = connection.execute(serving.order_by(STATES.c.account_id, STATES.c.model))
        return tuple((row.account_id, ModelName(row.model)) for row in rows)


def has_shards(database: Database, *, now: datetime) -> bool:
    """Tell whether any account has a shard that waits for a worker."""
    with database.across_accounts().read() as connection:
        return bool(connection.scalar(select(_free(now).exists())))


def claim_shard(database: Database, worker: str, *, now: datetime) -> ClaimedShard | None:
    """Claim a shard of any account that waits, or whose process died; None where none does.

    A shard whose processes died again and again is not tried for ever: its job has failed then.

    Parameters
    ----------
    worker
        Name of the process.
    """
    locked = _free(now).with_for_update(skip_locked=True, of=SHARDS)
    with database.across_accounts().write() as connection:
        while (row := connection.execute(locked).one_or_none()) is not None:
            if row.attempt >= ATTEMPTS:
                failed = {"status": JobStatus.FAILED, "completed_at": now}
                connection.execute(update(JOBS).where(JOBS.c.job_id == row.job_id).values(failed))
                continue
            mine = (SHARDS.c.job_id == row.job_id) & (SHARDS.c.shard == row.shard)
            claim = {
                "status": ShardStatus.CLAIMED,
                "attempt": row.attempt + 1,
                "claimed_by": worker,
                "lease_expires_at": now + SHARD_LEASE,
            }
            connection.execute(update(SHARDS).where(mine).values(claim))
            values = dict(row._mapping)
            values |= {"attempt": row.attempt + 1, "model": ModelName(row.model)}
            return ClaimedShard(**values)
    return None


def _free(now: datetime) -> Any:
    """Select the shard that has waited longest for a worker."""
    lapsed = (SHARDS.c.status == ShardStatus.CLAIMED) & (SHARDS.c.lease_expires_at <= now)
    return (
        select(
            *(SHARDS.c[name] for name in ("account_id", "job_id", "shard", "attempt")),
            *(JOBS.c[name] for name in ("shard_count", "model", "version_number")),
        )
        .join(JOBS, JOBS.c.job_id == SHARDS.c.job_id)
        .where(
            JOBS.c.status == JobStatus.OPEN,
            or_(SHARDS.c.status == ShardStatus.WAITING, lapsed),
        )
        .order_by(SHARDS.c.job_id, SHARDS.c.shard)
        .limit(1)
    )


def _job(row: Row[Any]) -> ScoringJob:
    values = dict(row._mapping)
    del values["account_id"]
    values |= {"model": ModelName(values["model"]), "status": JobStatus(values["status"])}
    return ScoringJob(**values)
