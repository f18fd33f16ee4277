"""What the training API tells of models and their versions, each body with an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from chatlift.registry.artifacts import MAIN_FILES
from chatlift.registry.champions import LedgerEntry
from chatlift.registry.standing import Standing
from chatlift.registry.versions import Version
from chatlift.service.asked_bodies import AskedBody, asking
from chatlift.service.training_bodies import METRICS, NOON, RUN_ID, shown
from chatlift.vocabulary import Rung

MEGABYTE = 1_000_000
OF_BASIS = "What its scores are made of: rule, shrunken, full or blend."
MODEL_ROW = {
    "name": "churn",
    "filename": "churn_model.ubj",
    "size_mb": 0.41,
    "created_at": NOON,
    "modified_at": NOON,
    "version": 3,
    "basis": "blend",
    "metrics": METRICS["churn"],
    "role": "champion",
    "serving": "churn v3 serves.",
}


class ModelRow(BaseModel):
    """One model: its champion, or the newest version where none serves."""

    name: str
    filename: str = Field(description="Its main file.")
    size_mb: float = Field(description="All its files, in millions of bytes.")
    created_at: datetime
    modified_at: datetime = Field(description="Versions never change: when it was written.")
    version: int
    basis: Rung = Field(description=OF_BASIS)
    metrics: Mapping[str, float | None]
    role: str = Field(description="champion, or candidate where it does not serve.")
    serving: str = Field(
        description="What serves, and which newer version was refused, by what check."
    )

    @classmethod
    def of(cls, version: Version, standing: Standing) -> ModelRow:
        """Return a version as the list of models shows it."""
        created_at = version.created_at.astimezone(UTC)
        return cls(
            name=version.model,
            filename=MAIN_FILES[version.model],
            size_mb=round(version.size_bytes / MEGABYTE, 3),
            created_at=created_at,
            modified_at=created_at,
            version=version.number,
            basis=version.basis,
            metrics=version.metrics,
            role="champion" if version.is_champion else "candidate",
            serving=standing.sentence,
        )


class ModelsBody(BaseModel):
    """The models of which there is a version."""

    model_config = shown({"total": 1, "models": [MODEL_ROW]})

    total: int
    models: list[ModelRow]


class VersionRow(BaseModel):
    """One version, in short."""

    version: int
    created_at: datetime
    role: str
    basis: Rung = Field(description=OF_BASIS)
    verdict: str
    failed_check: str | None = Field(
        description="The gate's first check that stood in the way; null: none did."
    )
    notes: list[str] = Field(description="What to know of it, though it refused nothing.")
    metrics: Mapping[str, float | None]
    run_id: str
    size_mb: float
    forgotten_count: int = Field(
        description="Contacts it was trained on that were forgotten since."
    )


VERSION_ROW = {
    "version": 3,
    "created_at": NOON,
    "role": "champion",
    "basis": "blend",
    "verdict": "promote",
    "failed_check": None,
    "notes": [],
    "metrics": METRICS["churn"],
    "run_id": RUN_ID,
    "size_mb": 0.41,
    "forgotten_count": 0,
}


class LedgerRow(BaseModel):
    """One change of the champion."""

    changed_at: datetime
    from_version: int | None
    to_version: int | None
    kind: str
    decided_by: str
    reason: str

    @classmethod
    def of(cls, entry: LedgerEntry) -> LedgerRow:
        """Return an entry of the ledger."""
        return cls(
            changed_at=entry.changed_at,
            from_version=entry.from_number,
            to_version=entry.to_number,
            kind=entry.kind,
            decided_by=entry.decided_by,
            reason=entry.reason,
        )


class VersionsBody(BaseModel):
    """A model's versions, the newest first, and who served when."""

    model_config = shown({"model": "churn", "versions": [VERSION_ROW], "ledger": []})

    model: str
    versions: list[VersionRow]
    ledger: list[LedgerRow] = Field(description="Every change of the champion, oldest first.")


class VersionBody(VersionRow):
    """One version with all that was measured of it, and the gate's verdict."""

    model_config = shown({**VERSION_ROW, "model": "churn", "evaluation": {}, "gate": {}})

    model: str
    evaluation: Mapping[str, Any]
    gate: Mapping[str, Any]

    @classmethod
    def of(cls, version: Version) -> VersionBody:
        """Return a version with its evidence."""
        return cls(
            **version_row(version).model_dump(),
            model=version.model,
            evaluation=version.evaluation,
            gate=version.gate,
        )


class ChampionChangeBody(AskedBody):
    """Why the champion shall change."""

    model_config = asking({"reason": "checked by hand"}, strict=True)

    reason: str = Field(
        default="",
        max_length=1_000,
        description="The ledger keeps it. Needed to promote against the gate's verdict.",
    )


class DeletedBody(BaseModel):
    """Versions are gone, rows and files; ledger and history stay."""

    model_config = shown(
        {
            "success": True,
            "message": "Deleted 2 versions of churn.",
            "model": "churn",
            "deleted_versions": [2, 1],
        }
    )

    success: bool
    message: str
    model: str
    deleted_versions: list[int]


def version_row(version: Version) -> VersionRow:
    """Return a version in short."""
    return VersionRow(
        version=version.number,
        created_at=version.created_at,
        role="champion" if version.is_champion else "candidate",
        basis=version.basis,
        verdict=version.verdict,
        failed_check=version.first_failed_check,
        notes=list(version.notes),
        metrics=version.metrics,
        run_id=version.run_id,
        size_mb=round(version.size_bytes / MEGABYTE, 3),
        forgotten_count=version.forgotten_count,
    )
