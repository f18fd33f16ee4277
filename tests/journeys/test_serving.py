"""The service as its users meet it: `chatlift serve`, and its router in another application."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps.api.app.api.v1.training import router
from fastapi import FastAPI
from tests.businesses import account_of
from tests.fleets import eventually
from tests.histories import business
from tests.servers import START_SECONDS, serving
from tests.services import listening

from chatlift.registry.tokens import Tokens
from chatlift.service.context import utc_now
from chatlift.vocabulary import Role

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/api/v1/training"
TRAINING_SECONDS = 200


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose account holds a small story."""
    folder: Path = tmp_path_factory.mktemp("home")
    with account_of(folder, business(3)):
        pass
    return folder


def token_of(home: Path, role: Role) -> dict[str, str]:
    with account_of(home) as opened:
        tokens = Tokens(opened.database, opened.account.account_id)
        secret = tokens.create("journey", role, now=utc_now()).secret
    return {"Authorization": f"Bearer {secret}"}


def ended(client: httpx.Client, headers: dict[str, str], run_id: str) -> dict[str, Any]:
    """Wait for a run's end and return its status."""
    deadline = time.monotonic() + TRAINING_SECONDS
    while time.monotonic() < deadline:
        params = {"run_id": run_id}
        found: dict[str, Any] = client.get(
            f"{PREFIX}/status", params=params, headers=headers
        ).json()
        if found["status"] not in {"queued", "training"}:
            return found
        time.sleep(0.2)
    pytest.fail("the training did not end in time")


def test_one_command_signs_in_trains_and_ends_in_order(home: Path) -> None:
    headers = token_of(home, Role.OPERATOR)
    with serving(home) as server:
        link = re.search(r"http://\S+/sign-in\?link=\S+", server.said.read_text(encoding="utf-8"))
        assert link is not None
        entered = server.client.get(link[0])
        assert (entered.status_code, entered.headers["location"]) == (303, "/docs")
        # The cookie of the session is enough from here on; the link is used up.
        assert server.client.get(f"{PREFIX}/status").json()["status"] == "idle"
        assert server.client.get(link[0]).status_code == 401
        server.client.cookies.clear()
        body = {"model": "lead_scoring", "cv_folds": 2}
        started = server.client.post(f"{PREFIX}/start", json=body, headers=headers)
        assert started.status_code == 202
        found = ended(server.client, headers, started.json()["run_id"])
        assert found["status"] == "completed", found
        assert found["metrics"]["lead_scoring"].keys() >= {"mae", "r2"}
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_SECONDS) == 0


def test_the_training_router_works_in_somebody_elses_application(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATLIFT_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    headers = token_of(home, Role.ADMIN)
    platform = FastAPI()
    platform.include_router(router)
    with listening(platform) as client:
        assert client.get(f"{PREFIX}/status").status_code == 401
        client.headers.update(headers)
        before = client.get(f"{PREFIX}/history").json()["total"]
        started = client.post(f"{PREFIX}/start", json={"model": "churn", "cv_folds": 2}).json()
        assert client.post(f"{PREFIX}/stop").status_code == 200
        assert ended(client, headers, started["run_id"])["status"] == "cancelled"
        assert client.get(f"{PREFIX}/history").json()["total"] == before + 1
        assert client.get(f"{PREFIX}/models").status_code == 200
        gone = client.request("DELETE", f"{PREFIX}/models/engagement")
        assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.skipif(sys.platform == "win32", reason="finds processes by /proc")
def test_several_processes_answer_and_none_outlives_the_first(home: Path) -> None:
    headers = token_of(home, Role.VIEWER)
    with serving(home, "--processes", "2") as server:
        first, second = eventually(lambda: answering(server.process.pid), lambda f: len(f) == 2)
        os.kill(first, signal.SIGKILL)
        two_others = eventually(
            lambda: answering(server.process.pid), lambda f: len(f) == 2 and first not in f
        )
        assert second in two_others
        for _ in range(20):
            with httpx.Client(base_url=server.client.base_url) as client:
                assert client.get(f"{PREFIX}/status", headers=headers).status_code == 200
        server.process.kill()
        eventually(lambda: [n for n in two_others if is_running(n)], lambda left: not left)


def test_behind_a_proxy_nobody_guesses_from_addresses_that_they_make_up(home: Path) -> None:
    environ = {"CHATLIFT_FAILED_SIGN_INS_PER_MINUTE": "5"}
    with serving(home, "--behind-proxy", "--no-worker", environ=environ) as server:

        def ask(number: int) -> int:
            headers = {
                "Authorization": f"Bearer guess-{number}",
                "X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7",
            }
            return server.client.get(f"{PREFIX}/status", headers=headers).status_code

        assert [ask(number) for number in range(6)] == [401] * 5 + [429]


def answering(parent: int) -> list[int]:
    """Return the numbers of the processes that answer for a server."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_child = f"PPid:\t{parent}\n" in (folder / "status").read_text(encoding="utf-8")
            if is_child and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def is_running(number: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
