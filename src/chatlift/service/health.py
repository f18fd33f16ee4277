"""Whether the process is there, and whether it can answer."""

from __future__ import annotations

from anyio import move_on_after, to_thread
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from chatlift.errors import Unavailable
from chatlift.service.context import ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.training_bodies import shown
from chatlift.store.database import Database, DatabaseAway

LOOK_SECONDS = 1.5
"""A frozen database is told within two seconds, whatever its driver waits for."""

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
async def readyz(service: ServiceDep) -> Health:
    """Tell that requests can be answered: the database does, and the libraries are loaded."""
    if not service.warming.is_done:
        raise Unavailable("The learning libraries are being loaded. Try again in a moment.")
    with move_on_after(LOOK_SECONDS):
        await to_thread.run_sync(
            _look, service.database, abandon_on_cancel=True, limiter=service.looks
        )
        return Health(status="ready")
    raise DatabaseAway


def _look(database: Database) -> None:
    """Ask the database for anything; raises `DatabaseAway` if it does not answer."""
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
        database.refuse_taken_away()
    except DatabaseAway:
        raise
    except Exception as error:
        raise DatabaseAway from error
