import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.businesses import quick, write
from tests.fleets import eventually
from tests.histories import business
from tests.services import Served, served

from chatlift.registry.tokens import Tokens
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, Role, Rung, RunStatus
from chatlift.workflows.train import train

PREFIX = "/api/v1/training"


class Calls:
    """Callers of a service, one of each role."""

    def __init__(self, at: Served) -> None:
        self.at = at
        self.headers = {role: at.headers(role) for role in Role}

    def get(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        return self.at.client.get(path, params=params, headers=self.headers[Role.VIEWER])

    def post(
        self, path: str, body: object, *, role: Role, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = self.headers[role] | (headers or {})
        return self.at.client.post(path, json=body, headers=sent)

    def call(self, method: str, path: str, *, role: Role) -> httpx.Response:
        return self.at.client.request(method, path, headers=self.headers[role])

    @property
    def workspace(self) -> Workspace:
        return self.at.workspace


@pytest.fixture
def at(tmp_path: Path, database_url: str) -> Iterator[Calls]:
    with served(tmp_path, database_url) as opened:
        yield Calls(opened)


def test_before_any_run_the_status_is_idle(at: Calls) -> None:
    told = at.get(f"{PREFIX}/status")
    assert told.status_code == 200
    assert told.json() == {
        "status": "idle",
        "current_model": None,
        "progress": 0,
        "message": None,
        "started_at": None,
        "completed_at": None,
        "metrics": None,
        "run_id": None,
        "phase": None,
        "eta_seconds": None,
    }


def test_a_start_is_queued_and_told(at: Calls) -> None:
    told = at.post(f"{PREFIX}/start", {"model": "all"}, role=Role.OPERATOR)
    assert told.status_code == 202
    found = told.json()
    assert (found["success"], found["message"], found["model"]) == (
        True,
        "Training started for all",
        "all",
    )
    status = at.get(f"{PREFIX}/status").json()
    assert (status["status"], status["run_id"]) == ("queued", found["run_id"])


def test_an_alias_is_told_by_the_name_of_its_model(at: Calls) -> None:
    told = at.post(f"{PREFIX}/start", {"model": "churn_prediction"}, role=Role.OPERATOR)
    assert told.json()["model"] == "churn"


def test_a_second_start_names_the_run_that_holds_the_models(at: Calls) -> None:
    first = at.post(f"{PREFIX}/start", {"model": "churn"}, role=Role.OPERATOR).json()
    second = at.post(f"{PREFIX}/start", {"model": "all"}, role=Role.OPERATOR)
    assert second.status_code == 409
    assert first["run_id"] in second.json()["detail"]


def test_the_same_key_starts_one_run(at: Calls) -> None:
    key = {"Idempotency-Key": "monday"}
    both = [
        at.post(f"{PREFIX}/start", {"model": "churn"}, role=Role.OPERATOR, headers=key).json()
        for _ in range(2)
    ]
    assert both[0] == both[1]
    other = at.post(f"{PREFIX}/start", {"model": "all"}, role=Role.OPERATOR, headers=key)
    assert other.status_code == 409
    assert at.get(f"{PREFIX}/history").json()["total"] == 1


def test_fifty_starts_at_once_make_one_run(at: Calls) -> None:
    def start(_number: int) -> int:
        return at.post(f"{PREFIX}/start", {"model": "all"}, role=Role.OPERATOR).status_code

    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(start, range(50)))
    assert sorted(codes) == [202, *[409] * 49]
    assert at.get(f"{PREFIX}/history").json()["total"] == 1


def test_a_queued_run_is_stopped_at_once_and_then_nothing_is_to_stop(at: Calls) -> None:
    run_id = at.post(f"{PREFIX}/start", {}, role=Role.OPERATOR).json()["run_id"]
    told = at.post(f"{PREFIX}/stop", None, role=Role.OPERATOR)
    assert (told.status_code, told.json()["success"]) == (200, True)
    status = at.get(f"{PREFIX}/status", params={"run_id": run_id}).json()
    assert status["status"] == "cancelled"
    assert at.post(f"{PREFIX}/stop", None, role=Role.OPERATOR).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"model": "weather"},
        {"test_size": 0.9},
        {"cv_folds": 1},
        {"cv_folds": "many"},
        {"modle": "all"},
        [],
        "all",
    ],
)
def test_what_cannot_be_trained_is_refused(at: Calls, body: object) -> None:
    told = at.post(f"{PREFIX}/start", body, role=Role.OPERATOR)
    assert (told.status_code, told.json()["type"]) == (422, "urn:chatlift:problem:invalid")
    assert at.get(f"{PREFIX}/history").json()["total"] == 0


def test_a_viewer_starts_and_stops_nothing(at: Calls) -> None:
    for path in ("start", "stop"):
        assert at.post(f"{PREFIX}/{path}", {}, role=Role.VIEWER).status_code == 403


def test_the_history_goes_on_where_a_page_ended(at: Calls) -> None:
    run_ids = []
    for _ in range(5):
        run_ids.append(at.post(f"{PREFIX}/start", {}, role=Role.OPERATOR).json()["run_id"])
        at.post(f"{PREFIX}/stop", None, role=Role.OPERATOR)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = at.get(f"{PREFIX}/history", params=params).json()
        assert page["total"] == 5
        seen += [row["id"] for row in page["history"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == run_ids[::-1]


@pytest.mark.parametrize("path", ["runs/%00", "status?run_id=%00", "history?limit=1&cursor=%00"])
def test_a_nul_in_an_address_is_refused(at: Calls, path: str) -> None:
    told = at.get(f"{PREFIX}/{path}")
    assert (told.status_code, told.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("stop", {"run_id": "\0"}),
        ("start", {"model": "all\0"}),
        ("start", {"test_size": "0.2"}),
        ("start", {"promote": "yes"}),
        ("schedule", {"schedule": "weekly", "time_zone": "\0"}),
        ("models/churn/rollback", {"reason": "\0"}),
    ],
)
def test_a_body_of_other_values_than_described_is_refused(
    at: Calls, path: str, body: object
) -> None:
    assert at.post(f"{PREFIX}/{path}", body, role=Role.ADMIN).status_code == 422


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "W10", "bnVsbA", "W3RydWVd"])
def test_a_broken_cursor_is_refused(at: Calls, cursor: str) -> None:
    assert at.get(f"{PREFIX}/history", params={"cursor": cursor}).status_code == 422


def test_an_unknown_run_is_not_found(at: Calls) -> None:
    for path in ("runs/nothing", "status?run_id=nothing", "events?run_id=nothing"):
        told = at.get(f"{PREFIX}/{path}")
        assert (told.status_code, told.json()["type"]) == (404, "urn:chatlift:problem:not_found")


def test_without_data_nothing_is_ready_and_it_says_what_is_missing(at: Calls) -> None:
    rows = at.get(f"{PREFIX}/readiness").json()["models"]
    assert [row["model"] for row in rows] == list(ModelName)
    assert not any(row["is_ready"] for row in rows)
    assert "0 mature leads of 100 needed" in rows[0]["sentence"]


def test_models_of_which_there_is_none_are_not_found(at: Calls) -> None:
    assert at.get(f"{PREFIX}/models").json() == {"total": 0, "models": []}
    for method, path in (
        ("DELETE", "models/churn"),
        ("GET", "models/weather/versions"),
        ("GET", "models/churn/versions/1"),
        ("POST", "models/churn/versions/1/promote"),
        ("DELETE", "models/churn/versions/1"),
        ("DELETE", "models/all"),
    ):
        assert at.call(method, f"{PREFIX}/{path}", role=Role.ADMIN).status_code == 404, path
    rolled = at.call("POST", f"{PREFIX}/models/churn/rollback", role=Role.ADMIN)
    assert rolled.status_code == 409


@pytest.mark.slow
def test_a_model_is_trained_shown_replaced_rolled_back_and_deleted(at: Calls) -> None:
    """One journey over two versions."""
    write(at.workspace, business(3))
    first = trained(at)
    trained(at)
    models = at.get(f"{PREFIX}/models").json()
    assert models["total"] == 1
    (row,) = models["models"]
    assert (row["name"], row["filename"]) == ("lead_scoring", "lead_scoring_model.ubj")
    assert row["size_mb"] > 0
    base = f"{PREFIX}/models/lead_scoring"
    for number in (1, 2):
        if at.get(f"{base}/versions/{number}").json()["role"] != "champion":
            promoted = at.post(
                f"{base}/versions/{number}/promote", {"reason": "looked at"}, role=Role.OPERATOR
            )
            assert promoted.status_code == 200, promoted.text
    listed = at.get(f"{base}/versions").json()
    assert [found["version"] for found in listed["versions"]] == [2, 1]
    assert listed["ledger"][-1]["to_version"] in {1, 2}
    rolled = at.post(f"{base}/rollback", {"reason": "too many calls"}, role=Role.OPERATOR).json()
    assert rolled["role"] == "champion"
    kept = at.call("DELETE", base, role=Role.ADMIN)
    assert (kept.status_code, kept.json()["status"]) == (409, 409)
    other = 3 - rolled["version"]
    assert at.call("DELETE", f"{base}/versions/{other}", role=Role.ADMIN).status_code == 200
    gone = at.call("DELETE", f"{base}?force=true", role=Role.ADMIN).json()
    assert gone["deleted_versions"] == [rolled["version"]]
    assert first["metrics"]["lead_scoring"].keys() >= {"mae", "r2"}
    assert at.get(f"{PREFIX}/history").json()["total"] == 2


@pytest.mark.slow
def test_after_a_refusal_each_address_says_what_was_refused_and_by_what(at: Calls) -> None:
    write(at.workspace, business(3))
    request = quick(ModelName.LEAD_SCORING, require_targets=True)
    targets = {"lead_scoring": {"targets": {"mae": 0.001}}}
    account = replace(at.workspace.account, settings=targets)
    train(replace(at.workspace, account=account), request, clock=at.at.service.clock)
    refused = "No version of lead_scoring serves. v1 was refused by the check "
    (row,) = at.get(f"{PREFIX}/models").json()["models"]
    assert row["serving"].startswith(refused)
    assert row["basis"] in set(Rung)
    (version,) = at.get(f"{PREFIX}/models/lead_scoring/versions").json()["versions"]
    assert version["failed_check"] is not None
    assert version["basis"] == row["basis"]
    leads, churn, _ = at.get(f"{PREFIX}/readiness").json()["models"]
    assert leads["serving"] == row["serving"]
    assert leads["supported_bases"] == ["rule", "shrunken"]
    assert leads["next"]["bases"] == ["full", "blend"]
    assert churn["serving"] == "No version of churn serves yet: there is none."
    for path in ("lead-scoring", "lead-scoring/l1"):
        problem = at.get(f"/api/v1/ml/{path}")
        assert problem.status_code == 409
        detail = problem.json()["detail"]
        assert detail.startswith(refused)
        assert version["failed_check"] in detail
        assert "There is enough data to train lead_scoring." in detail
        assert "Train one" not in detail


def trained(at: Calls) -> dict[str, Any]:
    """Train leads quickly and return what the status says of it."""
    report = train(at.workspace, quick(ModelName.LEAD_SCORING), clock=at.at.service.clock)
    found: dict[str, Any] = at.get(f"{PREFIX}/status", {"run_id": report.run.run_id}).json()
    assert found["status"] == RunStatus.COMPLETED, found
    return found


def test_what_runs_tell_is_streamed_and_goes_on_where_a_listener_left(at: Calls) -> None:
    at.post(f"{PREFIX}/start", {}, role=Role.OPERATOR)
    at.post(f"{PREFIX}/stop", None, role=Role.OPERATOR)
    first, number = next_event(at, after="0")
    assert first == "queued"
    second, _ = next_event(at, after=number)
    assert second == "ended"


def test_a_listener_whose_token_is_revoked_hears_nothing_more(at: Calls) -> None:
    tokens = Tokens(at.workspace.database, at.at.account.account_id)
    made = tokens.create("listener", Role.VIEWER, now=at.at.service.clock())
    headers = {"Authorization": f"Bearer {made.secret}", "Last-Event-ID": "0"}
    with at.at.client.stream("GET", f"{PREFIX}/events", headers=headers) as stream:
        tokens.revoke(made.token.token_id, now=at.at.service.clock())
        time.sleep(1.1)  # So long at most a revoked token is believed.
        at.post(f"{PREFIX}/start", {}, role=Role.OPERATOR)
        assert [line for line in stream.iter_lines() if line.startswith("event:")] == []


def test_nobody_listens_to_more_streams_than_are_allowed(at: Calls) -> None:
    limits = at.at.service.limits
    most = at.at.service.settings.service.concurrent_requests
    with at.at.client.stream("GET", f"{PREFIX}/events", headers=at.headers[Role.VIEWER]) as first:
        assert first.status_code == 200
        (key,) = limits._streams
        ends = [limits.begin_stream(key) for _ in range(most - 1)]
        told = at.get(f"{PREFIX}/events")
        assert (told.status_code, "Retry-After" in told.headers) == (429, True)
        ends.pop()()
    eventually(lambda: limits._streams[key], lambda count: count == most - 2)


@pytest.mark.parametrize("text", ["x", "-1", "9" * 25])
def test_an_event_that_cannot_be_is_refused(at: Calls, text: str) -> None:
    headers = at.headers[Role.VIEWER] | {"Last-Event-ID": text}
    told = at.at.client.get(f"{PREFIX}/events", headers=headers)
    assert (told.status_code, told.headers["content-type"]) == (422, "application/problem+json")


def next_event(at: Calls, *, after: str) -> tuple[str, str]:
    """The kind and number of the first event behind `after`."""
    headers = at.headers[Role.VIEWER] | {"Last-Event-ID": after}
    with at.at.client.stream("GET", f"{PREFIX}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told: dict[str, str] = {}
        for line in stream.iter_lines():
            if not line and "data" in told:
                break
            name, _, value = line.partition(": ")
            told[name] = value
    return told["event"], told["id"]
