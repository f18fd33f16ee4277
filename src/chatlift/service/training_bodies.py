"""What the training API takes and answers, each body with an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chatlift.learn.readiness import Support
from chatlift.registry.run_rows import Run
from chatlift.registry.standing import Standing
from chatlift.service.asked_bodies import AskedBody, asking
from chatlift.vocabulary import Rung, RunStatus
from chatlift.workflows.data_check import ModelReadiness

RUN_ID = "5f0c1a52-6d0e-4d1b-9f6e-0c8f6f6f8a11"
NOON = "2026-03-02T12:00:00Z"
LATER = "2026-03-02T12:00:09Z"
METRICS = {"churn": {"accuracy": 0.86, "precision": 0.85, "recall": 0.83, "f1": 0.84}}

Metrics = Mapping[str, Mapping[str, float | None]]
"""By model, then by metric: fractions 0 to 1, `mae` in points; null: it could not be measured."""


def shown(example: dict[str, Any]) -> ConfigDict:
    """Return a body's configuration with its example."""
    return ConfigDict(json_schema_extra={"example": example})


class StatusBody(BaseModel):
    """Where a run stands."""

    model_config = shown(
        {
            "status": "training",
            "current_model": "churn",
            "progress": 41.5,
            "message": "fold 3 of 5",
            "started_at": NOON,
            "completed_at": None,
            "metrics": {},
            "run_id": RUN_ID,
            "phase": "folds",
            "eta_seconds": 6.2,
        }
    )

    status: str = Field(description="idle before any run, else where the run stands.")
    current_model: str | None
    progress: float = Field(ge=0, le=100, description="Of the whole run, in percent.")
    message: str | None
    started_at: datetime | None
    completed_at: datetime | None
    metrics: Metrics | None = Field(description="Filled as each model finishes.")
    run_id: str | None
    phase: str | None
    eta_seconds: float | None = Field(description="Null where nobody can tell.")

    @classmethod
    def of(cls, run: Run | None, now: datetime) -> StatusBody:
        """Return the status of a run; of none: idle."""
        if run is None:
            return IDLE
        return cls(
            status=run.status,
            current_model=run.current_model,
            progress=run.progress_percent,
            message=run.message,
            started_at=run.started_at,
            completed_at=run.completed_at,
            metrics=run.metrics,
            run_id=run.run_id,
            phase=run.phase,
            eta_seconds=run.eta_seconds(now),
        )


IDLE = StatusBody(
    status="idle",
    current_model=None,
    progress=0,
    message=None,
    started_at=None,
    completed_at=None,
    metrics=None,
    run_id=None,
    phase=None,
    eta_seconds=None,
)


class StartBody(AskedBody):
    """What to train, and how to judge it."""

    model_config = asking({"model": "all", "test_size": 0.2, "cv_folds": 5}, strict=True)

    model: str = Field(
        default="all", max_length=50, description="all, lead_scoring, churn or engagement."
    )
    test_size: float = Field(
        default=0.2, ge=0.05, le=0.5, description="Share of the newest examples held out."
    )
    cv_folds: int = Field(default=5, ge=2, le=10)
    seed: int = Field(default=0, ge=0, le=1_000_000_000)
    require_targets: bool = Field(default=False, description="Refuse a version below a target.")
    promote: bool = Field(default=True, description="False: judge, and leave what serves alone.")


class StartedBody(BaseModel):
    """A run is in the queue."""

    model_config = shown(
        {
            "success": True,
            "message": "Training started for all",
            "model": "all",
            "run_id": RUN_ID,
        }
    )

    success: bool
    message: str
    model: str
    run_id: str


class StopBody(AskedBody):
    """Which run to stop."""

    model_config = asking({"run_id": RUN_ID}, strict=True)

    run_id: str | None = Field(
        default=None, max_length=100, description="None: the newest that has not ended."
    )


class DoneBody(BaseModel):
    """Something was done."""

    model_config = shown({"success": True, "message": "Run 5f0c1a52 is asked to stop."})

    success: bool
    message: str


class HistoryRow(BaseModel):
    """One run of the past, or the one under way."""

    id: str
    model: str
    status: RunStatus
    started_at: datetime | None = Field(description="Null while it is queued.")
    completed_at: datetime | None
    duration_seconds: float | None
    metrics: Metrics
    requested_by: str
    message: str

    @classmethod
    def of(cls, run: Run) -> HistoryRow:
        """Return a run as the history shows it."""
        return cls(
            id=run.run_id,
            model=run.requested_model,
            status=run.status,
            started_at=run.started_at,
            completed_at=run.completed_at,
            duration_seconds=_seconds(run),
            metrics=run.metrics,
            requested_by=run.requested_by,
            message=run.message,
        )


HISTORY_ROW = {
    "id": RUN_ID,
    "model": "churn",
    "status": "completed",
    "started_at": NOON,
    "completed_at": LATER,
    "duration_seconds": 9.0,
    "metrics": METRICS,
    "requested_by": "token shop-phone",
    "message": "churn: promote",
}


class HistoryBody(BaseModel):
    """Runs, the newest first."""

    model_config = shown({"total": 1, "history": [HISTORY_ROW], "next_cursor": None})

    total: int = Field(description="All runs of the account.")
    history: list[HistoryRow]
    next_cursor: str | None = Field(description="Null: there are no more.")


class RunBody(HistoryRow):
    """One run, with what became of each model."""

    model_config = shown(
        {
            **HISTORY_ROW,
            "phase": "gate",
            "progress": 100.0,
            "created_at": NOON,
            "attempt": 1,
            "request": {"test_size": 0.2, "cv_folds": 5},
            "verdicts": {"churn": {"verdict": "promote", "version_number": 3}},
            "error": None,
        }
    )

    phase: str
    progress: float
    created_at: datetime
    attempt: int
    request: Mapping[str, Any]
    verdicts: Mapping[str, Any]
    error: Mapping[str, Any] | None = Field(description="Type and place; never a value.")

    @classmethod
    def of(cls, run: Run) -> RunBody:
        """Return a run with all that its row tells."""
        return cls(
            **HistoryRow.of(run).model_dump(),
            phase=run.phase,
            progress=run.progress_percent,
            created_at=run.created_at,
            attempt=run.attempt,
            request=run.request,
            verdicts=run.verdicts,
            error=run.error,
        )


class NextBasesRow(BaseModel):
    """What the next rungs of the ladder need."""

    bases: list[Rung]
    found_count: int = Field(description="Mature entities that there are.")
    needed_count: int = Field(description="From about so many they are usually worth it.")
    pace: str = Field(
        description="dated; due: enough by now, if newer records were imported; too_slow: not "
        "within two years; none: nothing came in lately."
    )
    ready_on: datetime | None = Field(
        description="At the pace of the last 90 observed days; never a day that has passed."
    )

    @classmethod
    def of(cls, support: Support) -> NextBasesRow | None:
        """Return what is missing; None where nothing is."""
        need = support.next_need
        if need is None or need.pace is None:
            return None
        return cls(
            bases=list(support.next_rungs),
            found_count=need.found,
            needed_count=need.needed,
            pace=need.pace,
            ready_on=need.ready_on,
        )


class ReadinessRow(BaseModel):
    """Whether there is enough to learn from, for one model."""

    model: str
    is_ready: bool
    sentence: str
    undecided_count: int
    supported_bases: list[Rung] = Field(
        description="What so much data usually supports, the simplest first; empty: not ready."
    )
    next: NextBasesRow | None = Field(
        description="What a little more data would support; null: not ready, or nothing is missing."
    )
    serving: str = Field(
        description="What serves, and which newer version was refused, by what check."
    )

    @classmethod
    def of(cls, found: ModelReadiness, standing: Standing) -> ReadinessRow:
        """Return what is known of one model."""
        support = found.report.support
        return cls(
            model=found.model,
            is_ready=found.report.is_ready,
            sentence=found.sentence,
            undecided_count=found.report.undecided,
            supported_bases=list(support.rungs) if support else [],
            next=NextBasesRow.of(support) if support else None,
            serving=standing.sentence,
        )


class ReadinessBody(BaseModel):
    """What there is, what is missing, and when it will be enough."""

    model_config = shown(
        {
            "models": [
                {
                    "model": "churn",
                    "is_ready": True,
                    "sentence": "There is enough data to train churn.",
                    "undecided_count": 210,
                    "supported_bases": ["rule", "shrunken"],
                    "next": {
                        "bases": ["full", "blend"],
                        "found_count": 130,
                        "needed_count": 150,
                        "pace": "dated",
                        "ready_on": NOON,
                    },
                    "serving": "churn v3 serves.",
                }
            ]
        }
    )

    models: list[ReadinessRow]


class ScheduleBody(AskedBody):
    """When to train by itself."""

    model_config = asking({"schedule": "weekly", "model": "all"}, strict=True)

    schedule: str = Field(
        max_length=100, description="daily, weekly, biweekly, monthly, or a cron line."
    )
    model: str = Field(default="all", max_length=50)
    time_zone: str | None = Field(
        default=None, max_length=100, description="IANA name; by default the account's."
    )


class ScheduledBody(BaseModel):
    """A schedule is in force, or was removed."""

    model_config = shown(
        {"success": True, "message": "all is trained weekly.", "next_run_at": NOON}
    )

    success: bool
    message: str
    next_run_at: datetime | None


class SlotRow(BaseModel):
    """What became of one instant at which a schedule was due."""

    slot_at: datetime
    decision: str
    reason: str
    run_id: str | None


class ScheduleRow(BaseModel):
    """One schedule, and how it went lately."""

    model: str
    schedule: str
    time_zone: str
    next_run_at: datetime | None = Field(description="Null while it is paused.")
    paused_at: datetime | None
    last: SlotRow | None = Field(description="The latest slot that was decided; null: none yet.")


class SchedulesBody(BaseModel):
    """The account's schedules."""

    model_config = shown(
        {
            "schedules": [
                {
                    "model": "all",
                    "schedule": "weekly",
                    "time_zone": "Europe/Madrid",
                    "next_run_at": NOON,
                    "paused_at": None,
                    "last": None,
                }
            ]
        }
    )

    schedules: list[ScheduleRow]


def _seconds(run: Run) -> float | None:
    if run.started_at is None or run.completed_at is None:
        return None
    return (run.completed_at - run.started_at).total_seconds()
