"""The training API: start, watch and stop runs, keep schedules, choose what serves.

`router` holds all of `/api/v1/training`; the platform includes it under its own address.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from chatlift.errors import InvalidInput
from chatlift.registry.run_events import RunEvent
from chatlift.registry.standing import standing_of
from chatlift.service import schedules, versions
from chatlift.service.admission import credentials_of, is_known
from chatlift.service.context import ServiceDep
from chatlift.service.event_hub import EventHub
from chatlift.service.local_worker import lifespan_of_router
from chatlift.service.paging import Cursor, Limit, cursor_of, read_cursor
from chatlift.service.problems import REFUSALS, ProblemRoute, described
from chatlift.service.security import Operator, Viewer
from chatlift.service.training_bodies import (
    DoneBody,
    HistoryBody,
    HistoryRow,
    ReadinessBody,
    ReadinessRow,
    RunBody,
    StartBody,
    StartedBody,
    StatusBody,
    StopBody,
)
from chatlift.vocabulary import parse_models
from chatlift.workflows.data_check import check_readiness
from chatlift.workflows.train import TrainRequest

TAG = "ML Training"
PREFIX = "/api/v1/training"
LONGEST_STREAM_SECONDS = 600
"""Then a listener has to come back, and to show its token again."""
HEARTBEAT_SECONDS = 15
HIGHEST_EVENT = 2**62

router = APIRouter(
    prefix=PREFIX,
    tags=[TAG],
    route_class=ProblemRoute,
    responses=REFUSALS,
    lifespan=lifespan_of_router,
)


@router.get("/status", operation_id="training_status", responses=described(404))
def status(
    caller: Viewer,
    service: ServiceDep,
    run_id: Annotated[str | None, Query(max_length=100, description="Another run.")] = None,
) -> StatusBody:
    """Tell where the newest active run stands, else the last one; idle before any."""
    runs = caller.workspace.runs
    runs.expire()
    return StatusBody.of(runs.get(run_id) if run_id else runs.latest(), service.clock())


@router.post("/start", status_code=202, operation_id="training_start", responses=described(409))
def start(
    caller: Operator,
    service: ServiceDep,
    body: StartBody,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="Your name for this start, to repeat it."),
    ] = None,
) -> StartedBody:
    """Put a training in the queue; it goes on elsewhere, and `status` tells of it.

    The same `Idempotency-Key` again answers with the same run and starts nothing.
    """
    models = parse_models(body.model)
    name = "all" if body.model == "all" else str(models[0])
    request = TrainRequest(
        models=models, requested_model=name, **body.model_dump(exclude={"model"})
    )
    asked = caller.workspace.runs.enqueue(
        models,
        requested_model=name,
        request=request.to_json(),
        requested_by=caller.actor,
        now=service.clock(),
        idempotency_key=idempotency_key,
    )
    service.wake()
    return StartedBody(
        success=True,
        message=f"Training started for {name}",
        model=name,
        run_id=asked.run.run_id,
    )


@router.post("/stop", operation_id="training_stop", responses=described(404, 409))
def stop(caller: Operator, service: ServiceDep, body: StopBody | None = None) -> DoneBody:
    """Stop a run; what serves is untouched. Nothing under way is a conflict."""
    run = caller.workspace.runs.stop(body.run_id if body else None, now=service.clock())
    service.wake()
    told = "is cancelled" if run.is_final else "is asked to stop"
    return DoneBody(success=True, message=f"Run {run.run_id} {told}.")


@router.get("/history", operation_id="training_history")
def history(caller: Viewer, limit: Limit = 50, cursor: Cursor = None) -> HistoryBody:
    """List the account's runs, the newest first."""
    before = None if cursor is None else int(read_cursor(cursor, (int,))[0])
    runs = caller.workspace.runs
    found = runs.list(limit=limit + 1, before=before)
    page = found[:limit]
    return HistoryBody(
        total=runs.count(),
        history=[HistoryRow.of(run) for run in page],
        next_cursor=cursor_of([page[-1].run_number]) if len(found) > limit else None,
    )


@router.get("/runs/{run_id}", operation_id="training_run", responses=described(404))
def run(caller: Viewer, run_id: str) -> RunBody:
    """Show one run, with what became of each model and where it broke, if it did."""
    return RunBody.of(caller.workspace.runs.get(run_id))


@router.get("/readiness", operation_id="training_readiness")
def readiness(caller: Viewer, service: ServiceDep) -> ReadinessBody:
    """Tell for each model which rungs the data supports, what is missing, and when it will do."""
    versions = caller.workspace.versions.list()
    rows = [
        ReadinessRow.of(found, standing_of(found.model, versions))
        for found in check_readiness(caller.workspace, now=service.clock())
    ]
    return ReadinessBody(models=rows)


@router.get(
    "/events",
    operation_id="training_events",
    response_class=EventSourceResponse,
    responses=described(404)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    caller: Viewer,
    service: ServiceDep,
    request: Request,
    last_event_id: Annotated[
        str | None, Header(max_length=30, description="The last event seen; go on behind it.")
    ] = None,
    run_id: Annotated[str | None, Query(max_length=100, description="Only this run's.")] = None,
) -> EventSourceResponse:
    """Stream what the account's runs tell as server-sent events; the event's id resumes it."""
    after = _event_number(last_event_id)
    if run_id is not None:
        await run_in_threadpool(caller.workspace.runs.get, run_id)
    credentials = credentials_of(request)

    async def may_listen() -> bool:
        return credentials is not None and await is_known(service, credentials)

    end = service.limits.begin_stream(caller.key)
    heard = hub_of(request, service).listen(caller.account.account_id, after=after)
    return Stream(_told(heard, run_id, may_listen), end)


class Stream(EventSourceResponse):
    """A stream of events that counts as its caller's until it has ended."""

    def __init__(self, told: AsyncIterator[Any], end: Callable[[], None]) -> None:
        super().__init__(told, ping=HEARTBEAT_SECONDS)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, until there are no more or nobody listens."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def hub_of(request: Request, service: ServiceDep) -> EventHub:
    """Return the application's hub of events; the first listener makes it."""
    state = request.app.state
    if not isinstance(getattr(state, "chatlift_events", None), EventHub):
        state.chatlift_events = EventHub(service.database)
    hub: EventHub = state.chatlift_events
    return hub


async def _told(
    heard: AsyncIterator[RunEvent],
    run_id: str | None,
    may_listen: Callable[[], Awaitable[bool]],
) -> AsyncIterator[Any]:
    """Yield the events as they are sent, as long as the listener's token is good."""
    try:
        async with asyncio.timeout(LONGEST_STREAM_SECONDS):
            async for event in heard:
                if not await may_listen():
                    return
                if run_id in {None, event.run_id}:
                    yield _server_sent(event)
    except TimeoutError:
        return


def _server_sent(event: RunEvent) -> ServerSentEvent:
    told = {"run_id": event.run_id, "told_at": event.told_at.isoformat(), **event.data}
    return ServerSentEvent(id=str(event.event_id), event=event.kind, data=json.dumps(told))


def _event_number(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if text.isascii() and text.isdecimal() and int(text) <= HIGHEST_EVENT:
        return int(text)
    raise InvalidInput("Last-Event-ID is no number of an event. Leave it out to begin with news.")


router.include_router(versions.router)
router.include_router(schedules.router)
