"""Whether the process is there, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from chatlift.errors import Unavailable
from chatlift.service.context import ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.training_bodies import shown

router = APIRouter(route_class=ProblemRoute, tags=["Health"])


class Health(BaseModel):
    """The process's state in a word."""

    model_config = shown({"status": "ok"})

    status: str


@router.get("/healthz", operation_id="healthz")
async def healthz() -> Health:
    """Tell that the process is there."""
    return Health(status="ok")


@router.get("/readyz", operation_id="readyz", responses=described(503))
def readyz(service: ServiceDep) -> Health:
    """Tell that requests can be answered: the database does, and the libraries are loaded."""
    if not service.warming.is_done:
        raise Unavailable("The learning libraries are being loaded. Try again in a moment.")
    try:
        with service.database.read() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as error:
        raise Unavailable("The database does not answer now. Try again in a moment.") from error
    return Health(status="ready")
