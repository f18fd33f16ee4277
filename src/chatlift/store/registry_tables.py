"""The tables of the registry: runs, versions, who was champion when, what was predicted.

What people must be able to look up later (ledger, predictions) names versions by number and
outlives them. Instants are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chatlift.store.base import BIG_INTEGER, Base, BigInt, PrimaryId
from chatlift.store.tables import NUMBERS_ARE_NEVER_REUSED, AccountRef, LongText

OptionalJson = Annotated[dict[str, Any], mapped_column(JSON(none_as_null=True))]


class TrainingRunRow(Base):
    """One row per execution of training, from the request to its outcome.

    Null `started_at`: still queued. Null `completed_at`: not ended. Null `claimed_by` and
    `lease_expires_at`: no process holds it. Null `cancel_requested_at`: nobody asked it to stop.
    Null `idempotency_key`: the request had none.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        Index("uq_training_runs_idempotency", "account_id", "idempotency_key", unique=True),
        Index(None, "account_id", "run_number"),
        Index(None, "status"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    run_number: Mapped[PrimaryId]
    run_id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[AccountRef]
    requested_model: Mapped[str]
    models: Mapped[list[Any]]
    status: Mapped[str]
    phase: Mapped[str]
    progress_percent: Mapped[float]
    current_model: Mapped[str | None]
    message: Mapped[LongText]
    request: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    verdicts: Mapped[dict[str, Any]]
    error: Mapped[OptionalJson | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    attempt: Mapped[int]
    """How often a process has taken it up: 0 while it was never begun."""
    attempts_allowed: Mapped[int] = mapped_column(server_default="1")
    """How often it may be taken up before it counts as interrupted."""
    requested_by: Mapped[str] = mapped_column(server_default="")
    idempotency_key: Mapped[str | None]
    claimed_by: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]


class RunLockRow(Base):
    """One row per account and model in training: the run that holds it."""

    __tablename__ = "run_locks"

    account_id: Mapped[AccountRef] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(
        ForeignKey("training_runs.run_id", ondelete="CASCADE"), index=True
    )


class VersionRow(Base):
    """One row per version: the immutable result of a fit; rows are added and deleted, only.

    `folder` is relative to the folder of all artifacts, with `/` between its parts.
    """

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("account_id", "model", "number"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    version_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    model: Mapped[str]
    number: Mapped[int]
    created_at: Mapped[datetime]
    run_id: Mapped[str]
    recipe_fingerprint: Mapped[str]
    data_fingerprint: Mapped[str]
    manifest_sha256: Mapped[str]
    folder: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[BigInt]
    verdict: Mapped[str]
    metrics: Mapped[dict[str, Any]]
    evaluation: Mapped[dict[str, Any]]
    gate: Mapped[dict[str, Any]]


class ModelStateRow(Base):
    """One row per account and model: the last number given out, and the version that serves.

    Null `champion_version_id`: no version serves. There is one place for it, so there cannot
    be two champions; whoever changes it locks the row first.

    The counts of the gate outlive the versions that they were counted on. Null
    `entities_at_look`: no new recipe was compared with a champion yet.
    """

    __tablename__ = "model_states"

    account_id: Mapped[AccountRef] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    last_number: Mapped[int]
    champion_version_id: Mapped[BigInt | None] = mapped_column(
        ForeignKey("versions.version_id", ondelete="SET NULL"), index=True
    )
    look_count: Mapped[int] = mapped_column(server_default="0")
    """How often a new recipe was compared with a champion on enough new data to count."""
    entities_at_look: Mapped[BigInt | None]
    """Mature entities at the last such comparison."""
    refresh_gain: Mapped[float] = mapped_column(server_default="0")
    """Sum of the Brier gains of the refreshes since the last new recipe."""
    refresh_variance: Mapped[float] = mapped_column(server_default="0")
    """Sum of the variances of those gains."""


class EvaluationPredictionRow(Base):
    """One row per example, repeat and fold that a version was judged on.

    Fold -1 is the temporal holdout, -2 what the shipped model itself answers. `is_leading`:
    the leading figures rest on it. The random `example_id` is the same in all rows of an
    example and means nothing outside. Null `entity_id` and `contact_id`: the contact was
    forgotten. Null `label`: undecided. Null `threshold`: no class was decided.
    """

    __tablename__ = "evaluation_predictions"
    __table_args__ = (
        Index(None, "version_id"),
        Index(None, "contact_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    evaluation_prediction_id: Mapped[PrimaryId]
    version_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("versions.version_id", ondelete="CASCADE")
    )
    example_id: Mapped[str]
    is_leading: Mapped[bool]
    repeat: Mapped[int]
    fold: Mapped[int]
    entity_id: Mapped[BigInt | None]
    contact_id: Mapped[BigInt | None]
    cutoff_at: Mapped[datetime]
    label: Mapped[float | None]
    probability: Mapped[float]
    threshold: Mapped[float | None]


class ChampionLedgerRow(Base):
    """One row per change of a champion; rows are added, never changed.

    Null `from_number`: none served before. Null `to_number`: none serves from then on.
    """

    __tablename__ = "champion_ledger"
    __table_args__ = (Index(None, "account_id", "model"), NUMBERS_ARE_NEVER_REUSED)

    ledger_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    model: Mapped[str]
    changed_at: Mapped[datetime]
    from_number: Mapped[int | None]
    to_number: Mapped[int | None]
    kind: Mapped[str]
    decided_by: Mapped[str]
    reason: Mapped[LongText]
    figures: Mapped[dict[str, Any]]


class PredictionRow(Base):
    """One row per answer that was served; rows are added, and deleted with their contact.

    Null `contact_id`: the entity belongs to none. `as_of` is the instant whose knowledge the
    answer rests on, `predicted_at` the one at which it was given.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "account_id", "model", "entity_id"),
        Index(None, "contact_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    prediction_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    model: Mapped[str]
    version_number: Mapped[int]
    entity_id: Mapped[BigInt]
    contact_id: Mapped[BigInt | None]
    features_fingerprint: Mapped[str]
    probability: Mapped[float]
    as_of: Mapped[datetime]
    predicted_at: Mapped[datetime]


class RetrainingMarkRow(Base):
    """One row per version and forgetting: it was trained on a contact that was forgotten since."""

    __tablename__ = "retraining_marks"

    version_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("versions.version_id", ondelete="CASCADE"), primary_key=True
    )
    forgetting_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("forgettings.forgetting_id", ondelete="CASCADE"), primary_key=True
    )
    contact_count: Mapped[int]
