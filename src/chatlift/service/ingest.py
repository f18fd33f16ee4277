"""The ingest API: files and chat exports, webhooks, single records, and what became of them.

`router` holds all of `/api/v1/ingest`.
"""

from __future__ import annotations

from fastapi import APIRouter

from chatlift.service import (
    ingest_batches,
    ingest_dates,
    ingest_files,
    ingest_records,
    ingest_webhooks,
)
from chatlift.service.local_worker import lifespan_of_router
from chatlift.service.problems import REFUSALS, ProblemRoute

TAG = "Ingest"
PREFIX = "/api/v1/ingest"

router = APIRouter(
    prefix=PREFIX,
    tags=[TAG],
    route_class=ProblemRoute,
    responses=REFUSALS,
    lifespan=lifespan_of_router,
)
for part in (ingest_files, ingest_dates, ingest_batches, ingest_records, ingest_webhooks):
    router.include_router(part.router)
