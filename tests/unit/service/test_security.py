from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter
from tests.services import Served, served

from chatlift.registry.tokens import Tokens
from chatlift.service.problems import ProblemRoute
from chatlift.service.security import Admin, Operator, Viewer, roles_of
from chatlift.vocabulary import Role

router = APIRouter(route_class=ProblemRoute, prefix="/things")


@router.get("")
def read(caller: Viewer) -> str:
    return f"{caller.account.name}: {caller.actor}"


@router.post("")
def write(caller: Operator) -> str:
    return caller.role


@router.delete("")
def delete(caller: Admin) -> str:
    return caller.role


@pytest.fixture
def at(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with served(tmp_path, database_url) as opened:
        opened.app.include_router(router)
        yield opened


def test_a_role_may_do_all_that_lower_ones_may(at: Served) -> None:
    for role, answers in (
        (Role.VIEWER, [200, 403, 403]),
        (Role.OPERATOR, [200, 200, 403]),
        (Role.ADMIN, [200, 200, 200]),
    ):
        headers = at.headers(role)
        told = [at.client.request(m, "/things", headers=headers) for m in ("GET", "POST", "DELETE")]
        assert [answer.status_code for answer in told] == answers


def test_without_a_known_token_nothing_is_told(at: Served) -> None:
    for header in ("", "Bearer", "Bearer chl_x", "Basic YTpi", "bearer a.b.c"):
        told = at.client.get("/things", headers={"Authorization": header})
        assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")
        assert told.json()["type"] == "urn:chatlift:problem:unauthorized"


def test_a_token_acts_for_its_own_account(at: Served) -> None:
    told = at.client.get("/things", headers=at.headers(Role.VIEWER, at.other_account()))
    assert told.json() == "other: token test viewer"


def test_an_expired_token_opens_nothing(at: Served) -> None:
    now = at.service.clock()
    tokens = Tokens(at.service.database, at.account.account_id)
    made = tokens.create("old", Role.ADMIN, now=now - timedelta(days=2), expires_at=now)
    told = at.client.get("/things", headers={"Authorization": f"Bearer {made.secret}"})
    assert told.status_code == 401


def test_a_refused_caller_is_told_so_before_the_body_is_read(at: Served) -> None:
    told = at.client.post("/things", content=b"{", headers={"Content-Type": "application/json"})
    assert told.status_code == 401


def test_each_route_tells_its_role(at: Served) -> None:
    roles = [role for path, role in roles_of(at.app) if path == "/things"]
    assert roles == [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
