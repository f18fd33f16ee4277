"""`/metrics` for Prometheus: this process's requests, and the runs and versions of the caller's."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

from chatlift.registry.prediction_log import PredictionLog
from chatlift.registry.workspace import Workspace
from chatlift.service.context import ServiceDep
from chatlift.service.observing import RequestFigures
from chatlift.service.problems import REFUSALS, ProblemRoute
from chatlift.service.security import Viewer
from chatlift.vocabulary import RunStatus

router = APIRouter(route_class=ProblemRoute, tags=["Health"], responses=REFUSALS)


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(caller: Viewer, request: Request, service: ServiceDep) -> Response:
    """Tell the figures that Prometheus collects; of runs and versions, those of one account."""
    told = generate_latest(account_figures(caller.workspace))
    told += generate_latest(prediction_figures(service.prediction_log))
    figures = getattr(request.app.state, "chatlift_figures", None)
    if isinstance(figures, RequestFigures):
        told = generate_latest(figures.registry) + told
    return Response(told, media_type=CONTENT_TYPE_LATEST)


def prediction_figures(kept: PredictionLog) -> CollectorRegistry:
    """Return how many served answers came into the log of predictions, and how many did not."""
    registry = CollectorRegistry()
    for name, meaning, count in (
        ("chatlift_predictions_logged", "Served answers written into the log.", kept.kept_count),
        ("chatlift_predictions_lost", "Served answers that are not in the log.", kept.lost_count),
    ):
        Counter(name, meaning, registry=registry).inc(count)
    return registry


def account_figures(workspace: Workspace) -> CollectorRegistry:
    """Return an account's runs by status and the version of each model that serves."""
    registry = CollectorRegistry()
    runs = Gauge("chatlift_runs", "Runs by status.", ("account", "status"), registry=registry)
    counts = workspace.runs.count_by_status()
    for status in RunStatus:
        runs.labels(workspace.account.name, status).set(counts.get(status, 0))
    serving = Gauge(
        "chatlift_serving_version",
        "Number of the version that serves.",
        ("account", "model"),
        registry=registry,
    )
    for version in workspace.versions.list():
        if version.is_champion:
            serving.labels(workspace.account.name, version.model).set(version.number)
    return registry
