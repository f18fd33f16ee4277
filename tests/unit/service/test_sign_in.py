from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.services import Served, served

from chatlift.registry.sessions import make_sign_in_link
from chatlift.service.admission import SESSION_COOKIE
from chatlift.vocabulary import Role


@pytest.fixture
def at(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with served(tmp_path, database_url) as opened:
        yield opened


def link(at: Served) -> str:
    now = at.service.clock()
    return make_sign_in_link(at.service.database, at.account.account_id, Role.ADMIN, now=now)


def enter(at: Served) -> httpx.Response:
    return at.client.get("/sign-in", params={"link": link(at)})


def origin(at: Served) -> dict[str, str]:
    return {"Origin": str(at.client.base_url).rstrip("/")}


def test_a_link_signs_in_once_and_leads_on(at: Served) -> None:
    params = {"link": link(at)}
    told = at.client.get("/sign-in", params=params)
    assert (told.status_code, told.headers["location"]) == (303, "/docs")
    assert at.client.post("/sign-out", headers=origin(at)).status_code == 204
    assert at.client.get("/sign-in", params=params).status_code == 401


def test_scripts_and_other_sites_do_not_get_at_the_cookie(at: Served) -> None:
    told = enter(at).headers["set-cookie"].lower()
    assert all(word in told for word in ("httponly", "samesite=strict", "path=/"))
    assert "secure" not in told  # Plain HTTP on this machine itself.


def test_the_cookie_of_any_other_host_travels_by_tls_only(at: Served) -> None:
    headers = {"Host": "shop.example"}
    told = at.client.get("/sign-in", params={"link": link(at)}, headers=headers)
    assert "secure" in told.headers["set-cookie"].lower()


def test_signing_out_ends_the_session_on_the_server(at: Served) -> None:
    enter(at)
    cookie = at.client.cookies[SESSION_COOKIE]
    assert at.client.post("/sign-out", headers=origin(at)).status_code == 204
    at.client.cookies.set(SESSION_COOKIE, cookie)
    assert at.client.post("/sign-out", headers=origin(at)).status_code == 401


def test_another_site_cannot_make_the_browser_change_anything(at: Served) -> None:
    enter(at)
    for sender in (
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://["},
        {"Origin": origin(at)["Origin"].replace("http://", "https://")},
        {"Origin": origin(at)["Origin"] + "/"},
        {"Origin": origin(at)["Origin"].replace("http://", "http://a@")},
    ):
        told = at.client.post("/sign-out", headers=sender)
        assert (told.status_code, told.json()["type"]) == (403, "urn:chatlift:problem:forbidden")
