"""Routes of the training API about schedules: when an account trains by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from chatlift.registry.schedule_rows import Schedule
from chatlift.registry.schedules import Schedules
from chatlift.service.context import ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.security import Caller, Operator, Viewer
from chatlift.service.training_bodies import (
    ScheduleBody,
    ScheduledBody,
    ScheduleRow,
    SchedulesBody,
    SlotRow,
    StartedBody,
)
from chatlift.vocabulary import parse_models
from chatlift.workflows.train import TrainRequest

router = APIRouter(prefix="/schedule", route_class=ProblemRoute)

Chosen = Annotated[str, Query(max_length=50, description="Which schedule: its model, or all.")]


@router.post("", operation_id="schedule_set", responses=described(409))
def put(caller: Operator, body: ScheduleBody) -> ScheduledBody:
    """Make the schedule of a model or of all, or edit the one there is; it never trains at once."""
    # By the database's clock, as slots are decided: no other may pass one by.
    now = caller.workspace.database.now()
    models = parse_models(body.model)
    found = _schedules(caller).put(
        body.model,
        rhythm=body.schedule,
        time_zone=body.time_zone or caller.account.time_zone,
        request=TrainRequest(models=models).to_json(),
        now=now,
    )
    return ScheduledBody(
        success=True,
        message=found.sentence,
        next_run_at=found.next_run_at(now),
    )


@router.get("", operation_id="schedule_show")
def show(caller: Viewer) -> SchedulesBody:
    """Show the account's schedules: when each trains next, and what became of its last slot."""
    kept = _schedules(caller)
    now = caller.workspace.database.now()
    rows = [
        ScheduleRow(
            model=found.model,
            schedule=found.rhythm,
            time_zone=found.time_zone,
            next_run_at=found.next_run_at(now),
            paused_at=found.paused_at,
            last=_last_slot(kept, found),
        )
        for found in kept.list()
    ]
    return SchedulesBody(schedules=rows)


@router.delete("", operation_id="schedule_remove", responses=described(404))
def remove(caller: Operator, model: Chosen = "all") -> ScheduledBody:
    """Remove a schedule; the runs that came of it stay."""
    parse_models(model)
    gone = _schedules(caller).remove(model)
    return ScheduledBody(
        success=True, message=f"{gone.model} is trained by itself no more.", next_run_at=None
    )


@router.post("/pause", operation_id="schedule_pause", responses=described(404, 409))
def pause(caller: Operator, model: Chosen = "all") -> ScheduledBody:
    """Let a schedule rest: it trains nothing until it is resumed."""
    parse_models(model)
    found = _schedules(caller).pause(model, now=caller.workspace.database.now())
    return ScheduledBody(
        success=True, message=f"{found.model} is not trained until resumed.", next_run_at=None
    )


@router.post("/resume", operation_id="schedule_resume", responses=described(404, 409))
def resume(caller: Operator, model: Chosen = "all") -> ScheduledBody:
    """Let a schedule go on; of the slots that it missed only the latest runs."""
    parse_models(model)
    found = _schedules(caller).resume(model)
    now = caller.workspace.database.now()
    return ScheduledBody(success=True, message=found.sentence, next_run_at=found.next_run_at(now))


@router.post(
    "/run-now",
    status_code=202,
    operation_id="schedule_run_now",
    responses=described(404, 409),
)
def run_now(caller: Operator, service: ServiceDep, model: Chosen = "all") -> StartedBody:
    """Train once what a schedule trains, beside its slots."""
    parse_models(model)
    now = caller.workspace.database.now()
    run = _schedules(caller).run_now(model, requested_by=caller.actor, now=now)
    service.wake()
    return StartedBody(
        success=True, message=f"Training started for {model}", model=model, run_id=run.run_id
    )


def _schedules(caller: Caller) -> Schedules:
    return Schedules(caller.workspace.database, caller.account.account_id)


def _last_slot(kept: Schedules, schedule: Schedule) -> SlotRow | None:
    for slot in kept.slots(schedule.model, limit=1):
        return SlotRow(
            slot_at=slot.slot_at, decision=slot.decision, reason=slot.reason, run_id=slot.run_id
        )
    return None
