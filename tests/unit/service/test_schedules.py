from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.services import Served, served

from chatlift.vocabulary import ModelName, Role

SCHEDULE = "/api/v1/training/schedule"


@pytest.fixture
def at(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with served(tmp_path, database_url) as opened:
        yield opened


def put(at: Served, body: object, role: Role = Role.OPERATOR) -> httpx.Response:
    return at.client.post(SCHEDULE, json=body, headers=at.headers(role))


def test_a_schedule_is_made_shown_edited_and_removed(at: Served) -> None:
    made = put(at, {"schedule": "weekly", "model": "all", "time_zone": "Europe/Madrid"}).json()
    assert made["success"]
    assert made["next_run_at"].endswith("Z")
    put(at, {"schedule": "0 6 * * 1-5", "model": "churn_prediction"})
    put(at, {"schedule": "daily", "model": "all"})
    shown = at.client.get(SCHEDULE, headers=at.headers(Role.VIEWER)).json()["schedules"]
    assert [(row["model"], row["schedule"], row["last"]) for row in shown] == [
        ("all", "daily", None),
        ("churn", "0 6 * * 1-5", None),
    ]
    gone = at.client.delete(SCHEDULE, headers=at.headers(Role.OPERATOR))
    assert (gone.status_code, gone.json()["next_run_at"]) == (200, None)
    again = at.client.delete(SCHEDULE, headers=at.headers(Role.OPERATOR))
    assert (again.status_code, again.json()["type"]) == (404, "urn:chatlift:problem:not_found")


def test_a_schedule_rests_goes_on_and_trains_once_beside_its_slots(at: Served) -> None:
    put(at, {"schedule": "weekly", "model": "churn"})
    headers = at.headers(Role.OPERATOR)

    def ask(what: str, model: str = "churn") -> httpx.Response:
        return at.client.post(f"{SCHEDULE}/{what}", params={"model": model}, headers=headers)

    assert ask("pause").json()["next_run_at"] is None
    assert at.client.get(SCHEDULE, headers=headers).json()["schedules"][0]["paused_at"]
    assert ask("resume").json()["next_run_at"]
    started = ask("run-now")
    assert started.status_code == 202
    run = at.workspace.runs.get(started.json()["run_id"])
    assert run.models == (ModelName.CHURN,)
    assert run.requested_by.startswith("token")
    assert ask("run-now").status_code == 409
    assert {ask(what, "all").status_code for what in ("pause", "resume", "run-now")} == {404}


@pytest.mark.parametrize(
    "body",
    [
        {"schedule": "sometimes"},
        {"schedule": "* * * * *"},
        {"schedule": "0 0 30 2 *"},
        {"schedule": "weekly", "model": "weather"},
        {"schedule": "weekly", "time_zone": "Nowhere/Land"},
        {"model": "all"},
    ],
)
def test_what_cannot_be_a_schedule_is_refused(at: Served, body: object) -> None:
    told = put(at, body)
    assert (told.status_code, told.headers["content-type"]) == (422, "application/problem+json")


def test_a_viewer_schedules_nothing(at: Served) -> None:
    assert put(at, {"schedule": "weekly"}, Role.VIEWER).status_code == 403


def test_nobody_sees_the_schedule_of_another_account(at: Served) -> None:
    put(at, {"schedule": "weekly"})
    headers = at.headers(Role.ADMIN, at.other_account())
    assert at.client.get(SCHEDULE, headers=headers).json() == {"schedules": []}
    assert at.client.delete(SCHEDULE, headers=headers).status_code == 404
