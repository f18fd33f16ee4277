"""The prediction API: whom to call first, who is leaving, who will answer, and why.

The same four questions stand under the address of each model; `routes_of` declares them once.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime

from chatlift.errors import Conflict, NotFound, NotReady
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.versions import NoChampion
from chatlift.service.context import Service, ServiceDep
from chatlift.service.paging import Cursor, Limit, cursor_of, read_cursor
from chatlift.service.prediction_bodies import (
    BatchAnswerBody,
    BatchBody,
    BestTimeRow,
    BestTimesBody,
    NotScored,
    PredictionBody,
    PredictionsBody,
    SinglePredictionBody,
)
from chatlift.service.problems import REFUSALS, ProblemRoute, described
from chatlift.service.security import Caller, Viewer
from chatlift.vocabulary import ModelName
from chatlift.workflows.answer import Answering, AnswerReport, AnswerRequest, answer
from chatlift.workflows.data_check import check_readiness
from chatlift.workflows.predict import Prediction, PredictRequest, predict

TAG = "ML Predictions"
PREFIX = "/api/v1/ml"
PATHS = {
    ModelName.LEAD_SCORING: "lead-scoring",
    ModelName.CHURN: "churn",
    ModelName.ENGAGEMENT: "engagement",
}

router = APIRouter(prefix=PREFIX, tags=[TAG], route_class=ProblemRoute, responses=REFUSALS)

Band = Annotated[str | None, Query(max_length=20, description="Only this band.")]
Trend = Annotated[str | None, Query(max_length=20, description="Only this trend.")]
Search = Annotated[
    str | None, Query(min_length=1, max_length=100, description="Part of the external id.")
]
AsOf = Annotated[
    AwareDatetime | None,
    Query(description="What would have been said then, by the version that served then."),
]
EntityId = Annotated[
    str, Path(max_length=200, description="The id of its source, or the store's number.")
]


class NotReadyYet(NotReady):
    """No version serves, and here is what there is to learn from."""

    def __init__(self, model: ModelName, readiness: str) -> None:
        super().__init__(f"No version of {model} serves yet. {readiness}")


class NotScoredNow(Conflict):
    """The entity is known, and has no score."""

    def __init__(self, asked: str, reason: str) -> None:
        super().__init__(f"There is no score of {asked!r}: {reason}.")


class Unknown(NotFound):
    """Nobody has the id."""

    def __init__(self, entity: str, asked: str) -> None:
        super().__init__(
            f"No {entity} has the id {asked!r}. The list of this address names all that are scored."
        )


def answering_of(request: Request) -> Answering:
    """Return what the process answers with; the first prediction makes it."""
    state = request.app.state
    if not isinstance(getattr(state, "chatlift_answering", None), Answering):
        state.chatlift_answering = Answering()
    found: Answering = state.chatlift_answering
    return found


def listed(
    caller: Caller,
    service: Service,
    model: ModelName,
    wanted: dict[str, str | None],
    limit: int,
    cursor: str | None,
) -> PredictionsBody:
    """Return a page of all entities that can be scored, the highest score first."""
    behind = None if cursor is None else read_cursor(cursor, (float, int))
    try:
        report = predict(caller.workspace, PredictRequest(model=model), now=service.clock())
    except NoChampion as error:
        raise _not_ready(caller, model) from error
    chosen = [found for found in report.predictions if _is_wanted(found, wanted)]
    rest = [found for found in chosen if behind is None or _place(found) > _after(behind)]
    page = rest[:limit]
    last = page[-1].answer if page else None
    has_more = len(rest) > limit and last is not None
    return PredictionsBody(
        model=model,
        model_version=report.version_number,
        as_of=report.as_of,
        is_stale=report.is_stale,
        in_hindsight=report.in_hindsight,
        warnings=list(report.warnings),
        total=len(chosen),
        past_horizon_count=len(report.past_horizon),
        reaches_highest_band=report.has_high,
        predictions=[
            PredictionBody.of(found.external_id, found.answer, report.version_number)
            for found in page
        ],
        next_cursor=cursor_of([last.probability, last.entity_id]) if has_more and last else None,
    )


def asked(
    caller: Caller, service: Service, request: Request, wanted: AnswerRequest
) -> AnswerReport:
    """Return the answers about some entities, by the version that serves."""
    try:
        return answer(caller.workspace, answering_of(request), wanted, now=service.clock())
    except NoChampion as error:
        raise _not_ready(caller, wanted.model) from error


def one(
    caller: Caller, service: Service, request: Request, wanted: AnswerRequest
) -> SinglePredictionBody:
    """Return the answer about one entity, scored now."""
    report = asked(caller, service, request, wanted)
    (name,) = wanted.ids
    if name in report.unknown_ids:
        raise Unknown(SPECS[wanted.model].entity, name)
    if not report.answers:
        raise NotScoredNow(name, report.not_scored[name])
    found = report.answers[0]
    told = PredictionBody.of(found.external_id, found.answer, report.version_number)
    return SinglePredictionBody(
        **dict(told),
        is_stale=report.is_stale,
        in_hindsight=report.in_hindsight,
        warnings=list(report.warnings),
    )


def batch(
    caller: Caller, service: Service, request: Request, wanted: AnswerRequest
) -> BatchAnswerBody:
    """Return the answers about several entities."""
    report = asked(caller, service, request, wanted)
    return BatchAnswerBody(
        **_notes(report),
        predictions=[
            PredictionBody.of(found.external_id, found.answer, report.version_number)
            for found in report.answers
        ],
        not_scored=_not_scored(report),
    )


def routes_of(model: ModelName) -> None:
    """Declare the routes under the address of one model."""
    path = f"/{PATHS[model]}"

    def list_all(
        caller: Viewer,
        service: ServiceDep,
        band: Band = None,
        trend: Trend = None,
        search: Search = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> PredictionsBody:
        wanted = {"band": band, "trend": trend, "search": search}
        return listed(caller, service, model, wanted, limit, cursor)

    def show(
        caller: Viewer,
        service: ServiceDep,
        request: Request,
        entity_id: EntityId,
        as_of: AsOf = None,
    ) -> SinglePredictionBody:
        wanted = AnswerRequest(model=model, ids=(entity_id,), as_of=as_of)
        return one(caller, service, request, wanted)

    def answer_batch(
        caller: Viewer, service: ServiceDep, request: Request, body: BatchBody
    ) -> BatchAnswerBody:
        return batch(caller, service, request, AnswerRequest(model=model, ids=tuple(body.ids)))

    entity = SPECS[model].entity
    declared: tuple[tuple[str, str, str, str, Any], ...] = (
        ("GET", path, "list", f"List every {entity} that can be scored, by score.", list_all),
        ("GET", f"{path}/{{entity_id}}", "show", f"Score one {entity} now.", show),
        ("POST", f"{path}/batch", "batch", f"Score up to 1,000 {entity}s now.", answer_batch),
    )
    for method, address, name, summary, endpoint in declared:
        router.add_api_route(
            address,
            endpoint,
            methods=[method],
            operation_id=f"{model}_{name}",
            summary=summary,
            responses=described(404, 409),
        )


for name in ModelName:
    routes_of(name)


@router.post("/engagement/best-time", operation_id="engagement_best_time", responses=described(409))
def best_time(
    caller: Viewer, service: ServiceDep, request: Request, body: BatchBody
) -> BestTimesBody:
    """Tell in which part of the day contacts answered more often, where one stands out."""
    wanted = AnswerRequest(model=ModelName.ENGAGEMENT, ids=tuple(body.ids))
    report = asked(caller, service, request, wanted)
    return BestTimesBody(
        **_notes(report),
        best_times=[
            BestTimeRow(
                id=found.answer.entity_id,
                external_id=found.external_id,
                best_time=found.answer.best_time or "",
            )
            for found in report.answers
        ],
        not_scored=_not_scored(report),
    )


def _notes(report: AnswerReport) -> dict[str, Any]:
    return {
        "model": report.model,
        "model_version": report.version_number,
        "as_of": report.as_of,
        "is_stale": report.is_stale,
        "in_hindsight": report.in_hindsight,
        "warnings": list(report.warnings),
    }


def _not_scored(report: AnswerReport) -> list[NotScored]:
    entity = SPECS[report.model].entity
    unknown = dict.fromkeys(report.unknown_ids, f"no {entity} has this id")
    told = {**report.not_scored, **unknown}
    return [NotScored(id=name, reason=reason) for name, reason in told.items()]


def _not_ready(caller: Caller, model: ModelName) -> NotReadyYet:
    found = {told.model: told.sentence for told in check_readiness(caller.workspace)}
    return NotReadyYet(model, found[model])


def _is_wanted(found: Prediction, wanted: dict[str, str | None]) -> bool:
    band, trend, search = wanted["band"], wanted["trend"], wanted["search"]
    return (
        band in {None, found.answer.band}
        and trend in {None, found.answer.trend}
        and (search is None or search.casefold() in found.external_id.casefold())
    )


def _place(found: Prediction) -> tuple[float, int]:
    return (-found.answer.probability, found.answer.entity_id)


def _after(behind: tuple[Any, ...]) -> tuple[float, int]:
    probability, entity_id = behind
    return (-probability, entity_id)
