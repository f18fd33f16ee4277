"""The tables of work to be done: what runs tell, schedules and their slots, scores of everybody.

The database is the truth of all of it; a broker only wakes workers. Instants are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chatlift.store.base import BIG_INTEGER, Base, BigInt, PrimaryId
from chatlift.store.registry_tables import OptionalJson
from chatlift.store.tables import NUMBERS_ARE_NEVER_REUSED, AccountRef, ContactRef, LongText


class RunEventRow(Base):
    """One row per thing a run told, in the order told; listeners go on from an `event_id`."""

    __tablename__ = "run_events"
    __table_args__ = (Index(None, "account_id", "event_id"), NUMBERS_ARE_NEVER_REUSED)

    event_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    run_id: Mapped[str] = mapped_column(
        ForeignKey("training_runs.run_id", ondelete="CASCADE"), index=True
    )
    told_at: Mapped[datetime]
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


class ScheduleRow(Base):
    """One row per account and model that is trained by itself.

    `rhythm` is a word (daily ...) or a cron line, read in `time_zone`. Slots up to
    `decided_through` are decided; an edit begins a new `revision` and decides nothing before it.
    Null `paused_at`: it is not paused.
    """

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("account_id", "model"), NUMBERS_ARE_NEVER_REUSED)

    schedule_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    model: Mapped[str]
    """`all` or a model's name."""
    rhythm: Mapped[str]
    time_zone: Mapped[str]
    request: Mapped[dict[str, Any]]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    revised_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    decided_through: Mapped[datetime]


class ScheduleSlotRow(Base):
    """One row per instant at which a schedule was due, and what became of it.

    Null `run_id`: no run came of it, and `reason` says why.
    """

    __tablename__ = "schedule_slots"

    schedule_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("schedules.schedule_id", ondelete="CASCADE"), primary_key=True
    )
    slot_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    revision: Mapped[int]
    decision: Mapped[str]
    reason: Mapped[LongText]
    run_id: Mapped[str | None]
    decided_at: Mapped[datetime]


class ScoringJobRow(Base):
    """One row per scoring of everybody by one version; null `completed_at`: under way."""

    __tablename__ = "scoring_jobs"
    __table_args__ = (
        Index(None, "account_id", "model", "version_number"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    job_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    model: Mapped[str]
    version_number: Mapped[int]
    records_revision: Mapped[BigInt]
    """The account's `records_revision` when the job was made: what its scores rest on."""
    shard_count: Mapped[int]
    status: Mapped[str]
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class ScoringShardRow(Base):
    """One row per job and share of its contacts (by a hash of their ids): who works on it.

    Null `lease_expires_at`: nobody does. Null `error`: nothing failed.
    """

    __tablename__ = "scoring_shards"

    job_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("scoring_jobs.job_id", ondelete="CASCADE"), primary_key=True
    )
    shard: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(index=True)
    attempt: Mapped[int]
    claimed_by: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    error: Mapped[OptionalJson | None]


class ScoreRow(Base):
    """One row per entity and scoring job: what the version said of it.

    `probability` and `score` as an `Answer` has them; null `best_time`: another model.
    """

    __tablename__ = "scores"
    __table_args__ = (Index("ix_scores_ranked", "job_id", "state", "probability", "entity_id"),)

    job_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("scoring_jobs.job_id", ondelete="CASCADE"), primary_key=True
    )
    entity_id: Mapped[BigInt] = mapped_column(primary_key=True)
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    contact_id: Mapped[ContactRef] = mapped_column(index=True)
    external_id: Mapped[str]
    state: Mapped[str]
    probability: Mapped[float]
    score: Mapped[float]
    band: Mapped[str]
    trend: Mapped[str]
    reasons: Mapped[list[Any]]
    best_time: Mapped[str | None]
    features_fingerprint: Mapped[str]
    as_of: Mapped[datetime]
