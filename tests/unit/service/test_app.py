import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.services import Served, served

from chatlift.service import app as service_app
from chatlift.service.security import UndeclaredRoute, refuse_undeclared, roles_of


@pytest.fixture
def at(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with served(tmp_path, database_url) as opened:
        yield opened


def test_anybody_may_ask_whether_the_process_is_there_and_ready(at: Served) -> None:
    assert at.client.get("/healthz").json() == {"status": "ok"}
    assert at.client.get("/readyz").json() == {"status": "ready"}


def test_a_service_without_its_database_is_not_ready(at: Served) -> None:
    at.service.database.close()
    at.service.database._readers = None  # type: ignore[assignment]
    told = at.client.get("/readyz")
    assert (told.status_code, told.json()["type"]) == (503, "urn:chatlift:problem:unavailable")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is in use")
def test_a_service_whose_data_folder_was_deleted_accepts_nothing(tmp_path: Path) -> None:
    """A start was answered 202, with a run that existed nowhere."""
    with served(tmp_path / "home") as at:
        headers = at.headers()
        assert at.client.get("/readyz").status_code == 200
        shutil.rmtree(tmp_path / "home")
        told = at.client.get("/readyz")
        started = at.client.post("/api/v1/training/start", json={}, headers=headers)
        for answer in (told, started):
            assert answer.status_code == 503, answer.text
            assert "was removed, moved or exchanged" in answer.json()["detail"]


def test_an_unknown_path_is_told_as_a_problem(at: Served) -> None:
    told = at.client.get("/nowhere")
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json() == {
        "type": "urn:chatlift:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address. /docs lists all addresses.",
        "instance": "/nowhere",
    }


def test_another_method_is_told_as_a_problem(at: Served) -> None:
    told = at.client.post("/healthz")
    assert (told.status_code, told.json()["status"]) == (405, 405)


def test_a_route_without_a_role_is_no_route_of_ours() -> None:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/secrets", lambda: "all of them")
    with pytest.raises(UndeclaredRoute, match="/secrets"):
        refuse_undeclared(app)


def test_every_router_is_in_the_application(at: Served) -> None:
    included = {path for path, _ in roles_of(at.app)}
    for router in service_app.ROUTERS:
        assert {str(found.path) for found in iter_route_contexts(router.routes)} <= included
