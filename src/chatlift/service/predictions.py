"""The prediction API: whom to call first, who is leaving, who will answer, and why.

The same four questions stand under the address of each model; `routes_of` declares them once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel

from chatlift.errors import Conflict, InvalidInput, NotFound, NotReady
from chatlift.learn.scoring import Answer, Trend
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.prediction_log import ServedAnswers
from chatlift.registry.scores import Filters, Place
from chatlift.registry.versions import NoChampion
from chatlift.service.context import Service, ServiceDep
from chatlift.service.paging import Cursor, Limit, cursor_of, read_cursor
from chatlift.service.prediction_bodies import (
    LONGEST_ID,
    BatchAnswerBody,
    BestTimeRow,
    BestTimesBody,
    IdsBody,
    NotScored,
    PredictionBody,
    PredictionsBody,
    SinglePredictionBody,
    Texts,
)
from chatlift.service.problems import REFUSALS, ProblemRoute, described
from chatlift.service.security import Caller, Viewer
from chatlift.vocabulary import ModelName, Role
from chatlift.workflows.answer import AnswerReport, AnswerRequest, answer
from chatlift.workflows.listing import ListReport, ListRequest, list_scores

TAG = "ML Predictions"
PREFIX = "/api/v1/ml"
PATHS = {
    ModelName.LEAD_SCORING: "lead-scoring",
    ModelName.CHURN: "churn",
    ModelName.ENGAGEMENT: "engagement",
}

router = APIRouter(prefix=PREFIX, tags=[TAG], route_class=ProblemRoute, responses=REFUSALS)

OfBand = Annotated[
    str | None, Query(max_length=20, description="Only this band: one that answers name.")
]
OfTrend = Annotated[Trend | None, Query(description="Only this trend.")]
Search = Annotated[
    str | None, Query(min_length=1, max_length=100, description="Part of the external id.")
]
AsOf = Annotated[
    AwareDatetime | None,
    Query(description="What would have been said then, by the version that served then."),
]
EntityId = Annotated[
    str, Path(max_length=LONGEST_ID, description="The id of its source, or the store's number.")
]


class NotReadyYet(NotReady):
    """No version serves: which was refused, by what, and what there is to learn from."""

    def __init__(self, missing: NoChampion, readiness: str) -> None:
        super().__init__(f"{missing.sentence} {readiness}")


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


def listed(caller: Caller, service: Service, wanted: ListRequest) -> PredictionsBody:
    """Return a page of all entities that can be scored, the highest score first."""
    now = service.clock()
    try:
        report = list_scores(caller.workspace, service.listing, wanted, now=now)
    except NoChampion as error:
        raise _not_ready(caller, service, wanted.model, error) from error
    answers = [found.answer for found in report.predictions]
    _log(caller, service, wanted.model, report.version_number, answers, now)
    texts = _texts(caller, answers)
    last = report.predictions[-1] if report.predictions else None
    return PredictionsBody(
        **_notes(report),
        total=report.total,
        past_horizon_count=report.past_horizon_count,
        reaches_highest_band=report.has_high,
        records_have_changed=report.records_have_changed,
        predictions=[
            PredictionBody.of(
                found.external_id, found.answer, report.version_number, report.basis, texts
            )
            for found in report.predictions
        ],
        next_cursor=cursor_of(last.place) if report.has_more and last else None,
    )


def asked(caller: Caller, service: Service, wanted: AnswerRequest) -> AnswerReport:
    """Return the answers about some entities, by the version that serves.

    An answer as of the past is not logged: the log is judged as what was foretold.
    """
    now = service.clock()
    try:
        report = answer(caller.workspace, service.answering, wanted, now=now)
    except NoChampion as error:
        raise _not_ready(caller, service, wanted.model, error) from error
    if wanted.as_of is None:
        answers = [found.answer for found in report.answers]
        _log(caller, service, wanted.model, report.version_number, answers, now)
    return report


def one(caller: Caller, service: Service, wanted: AnswerRequest) -> SinglePredictionBody:
    """Return the answer about one entity, scored now."""
    report = asked(caller, service, wanted)
    (name,) = wanted.ids
    if name in report.unknown_ids:
        raise Unknown(SPECS[wanted.model].entity, name)
    if not report.answers:
        raise NotScoredNow(name, report.not_scored[name])
    found = report.answers[0]
    texts = report.texts if _may_read_messages(caller) else {}
    told = PredictionBody.of(
        found.external_id, found.answer, report.version_number, report.basis, texts
    )
    return SinglePredictionBody(
        **dict(told),
        is_stale=report.is_stale,
        in_hindsight=report.in_hindsight,
        warnings=list(report.warnings),
    )


def batch(caller: Caller, service: Service, wanted: AnswerRequest) -> BatchAnswerBody:
    """Return the answers about several entities."""
    report = asked(caller, service, wanted)
    texts = report.texts if _may_read_messages(caller) else {}
    return BatchAnswerBody(
        **_notes(report),
        predictions=[
            PredictionBody.of(
                found.external_id, found.answer, report.version_number, report.basis, texts
            )
            for found in report.answers
        ],
        not_scored=_not_scored(report),
    )


def _may_read_messages(caller: Caller) -> bool:
    return caller.role.includes(Role.OPERATOR)


def _texts(caller: Caller, answers: Sequence[Answer]) -> Texts:
    """Return the messages behind the reasons, as far as the caller may read messages."""
    if not _may_read_messages(caller):
        return {}
    behind = {r.message_id for a in answers for r in a.reasons if r.message_id is not None}
    return caller.workspace.crm.message_texts(sorted(behind)) if behind else {}


def _log(
    caller: Caller,
    service: Service,
    model: ModelName,
    version_number: int,
    answers: Sequence[Answer],
    now: datetime,
) -> None:
    service.prediction_log.add(
        ServedAnswers(
            account_id=caller.account.account_id,
            model=model,
            version_number=version_number,
            answers=answers,
            served_at=now,
        )
    )


def routes_of(model: ModelName) -> None:
    """Declare the routes under the address of one model."""
    path = f"/{PATHS[model]}"

    def list_all(
        caller: Viewer,
        service: ServiceDep,
        band: OfBand = None,
        trend: OfTrend = None,
        search: Search = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        _refuse_band(model, band)
        wanted = ListRequest(
            model=model,
            filters=Filters(band=band, trend=trend, search=search),
            limit=limit,
            behind=None if cursor is None else _place(cursor),
        )
        return _written(listed(caller, service, wanted))

    def show(
        caller: Viewer,
        service: ServiceDep,
        entity_id: EntityId,
        as_of: AsOf = None,
    ) -> Response:
        wanted = AnswerRequest(model=model, ids=(entity_id,), as_of=as_of)
        return _written(one(caller, service, wanted))

    def answer_batch(caller: Viewer, service: ServiceDep, body: IdsBody) -> Response:
        wanted = AnswerRequest(model=model, ids=tuple(body.ids))
        return _written(batch(caller, service, wanted))

    entity = SPECS[model].entity
    summary = f"List every {entity} that can be scored, by score."
    _declare("GET", path, f"{model}_list", summary, list_all, PredictionsBody)
    summary = f"Score one {entity} now."
    _declare("GET", f"{path}/{{entity_id}}", f"{model}_show", summary, show, SinglePredictionBody)
    summary = f"Score up to 1,000 {entity}s now."
    _declare("POST", f"{path}/batch", f"{model}_batch", summary, answer_batch, BatchAnswerBody)


def _declare(
    method: str,
    address: str,
    operation_id: str,
    summary: str,
    endpoint: Callable[..., Response],
    body: type[BaseModel],
) -> None:
    router.add_api_route(
        address,
        endpoint,
        methods=[method],
        operation_id=operation_id,
        summary=summary,
        response_model=body,
        responses=described(404, 409),
    )


def _written(body: BaseModel) -> Response:
    """Return a body as JSON; the framework would check it anew, on another thread."""
    return Response(body.model_dump_json(by_alias=True), media_type="application/json")


for name in ModelName:
    routes_of(name)


@router.post("/engagement/best-time", operation_id="engagement_best_time", responses=described(409))
def best_time(caller: Viewer, service: ServiceDep, body: IdsBody) -> BestTimesBody:
    """Tell in which part of the day contacts answered more often, where one stands out."""
    wanted = AnswerRequest(model=ModelName.ENGAGEMENT, ids=tuple(body.ids))
    report = asked(caller, service, wanted)
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


def _notes(report: AnswerReport | ListReport) -> dict[str, Any]:
    return {
        "model": report.model,
        "model_version": report.version_number,
        "basis": report.basis,
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


def _refuse_band(model: ModelName, band: str | None) -> None:
    bands = SPECS[model].bands.names
    if band not in {None, *bands}:
        raise InvalidInput(f"There is no such band of {model}: it is one of {', '.join(bands)}.")


def _place(cursor: str) -> Place:
    probability, entity_id = read_cursor(cursor, (float, int))
    return float(probability), int(entity_id)


def _not_ready(
    caller: Caller, service: Service, model: ModelName, missing: NoChampion
) -> NotReadyYet:
    known = service.readiness.told(caller.workspace, now=service.clock())
    return NotReadyYet(missing, next(row.sentence for row in known if row.model == model))
