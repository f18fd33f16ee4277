from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from tests.services import listening

from chatlift.errors import Conflict, InvalidInput, NotFound, NotReady, Unavailable
from chatlift.service.local_worker import lifespan_of_router
from chatlift.service.problems import ProblemRoute

ERRORS = {
    "invalid": (InvalidInput("No."), 422),
    "not_found": (NotFound("No."), 404),
    "conflict": (Conflict("No."), 409),
    "not_ready": (NotReady("No."), 409),
    "unavailable": (Unavailable("No."), 503),
}
SECRET = "chl_do_not_tell_this"  # noqa: S105 - stands for one


class Asked(BaseModel):
    folds: int = Field(ge=2)


router = APIRouter(route_class=ProblemRoute, lifespan=lifespan_of_router)


@router.post("/fail/{kind}")
def fail(kind: str) -> None:
    raise ERRORS[kind][0]


@router.post("/break")
def break_down() -> None:
    raise ValueError(SECRET)


@router.post("/asked")
def asked(body: Asked) -> int:
    return body.folds


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """Calls somebody else's application, which includes our router and nothing else."""
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    app = FastAPI()
    app.include_router(router)
    with listening(app) as opened:
        yield opened


@pytest.mark.parametrize("kind", list(ERRORS))
def test_each_kind_of_error_has_its_status_in_any_application(
    client: httpx.Client, kind: str
) -> None:
    told = client.post(f"/fail/{kind}")
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json() == {
        "type": f"urn:chatlift:problem:{kind}",
        "title": told.json()["title"],
        "status": ERRORS[kind][1],
        "detail": "No.",
        "instance": f"/fail/{kind}",
    }
    assert told.status_code == ERRORS[kind][1]


def test_a_wrong_field_is_named_and_its_value_is_not(client: httpx.Client) -> None:
    told = client.post("/asked", json={"folds": SECRET})
    assert told.status_code == 422
    assert [error["location"] for error in told.json()["errors"]] == ["body.folds"]
    assert SECRET not in told.text


@pytest.mark.parametrize("body", [b"{", b'{"folds": "\xff"}', b"[1", SECRET.encode()])
def test_a_body_that_is_no_json_is_an_invalid_request(client: httpx.Client, body: bytes) -> None:
    told = client.post("/asked", content=body, headers={"Content-Type": "application/json"})
    assert (told.status_code, told.json()["type"]) == (422, "urn:chatlift:problem:invalid")
    assert SECRET not in told.text


def test_an_unforeseen_error_tells_no_value(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    told = client.post("/break")
    assert (told.status_code, told.json()["type"]) == (500, "urn:chatlift:problem:internal")
    (record,) = caplog.records
    assert record.failure["type"] == "ValueError"  # type: ignore[attr-defined]
    assert SECRET not in told.text + str(vars(record))


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_that_is_too_large_is_not_read_to_its_end(
    client: httpx.Client, is_announced: bool
) -> None:
    pieces = [b"x" * 500_000, b"x" * 500_001]
    told = client.post("/asked", content=b"".join(pieces) if is_announced else iter(pieces))
    assert (told.status_code, told.json()["type"]) == (413, "urn:chatlift:problem:body_too_large")
    assert "1000000 bytes" in told.json()["detail"]
