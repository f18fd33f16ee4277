"""Ask a running service as fast as it answers; print latencies and requests per second.

python -m benchmarks.load [contacts]

A generated account is trained and everybody is scored; then one server process answers with
authentication, limits and logging on, as `chatlift serve` does. Beside our routes stands a bare
FastAPI route of the same process, under the same middleware: what the framework itself allows.
Callers are processes of their own with one connection each.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from benchmarks.common import fresh_home, machine, markdown, now
from benchmarks.generate import request_of

from chatlift.jobs.logs import set_up_logs
from chatlift.registry.tokens import Tokens
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.service.app import create_app
from chatlift.service.context import Service
from chatlift.service.running import listening_socket
from chatlift.settings import Settings
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, Role
from chatlift.workflows.generate import generate
from chatlift.workflows.predict import PredictRequest, predict
from chatlift.workflows.score_everybody import plan_scorings, score_waiting
from chatlift.workflows.train import TrainRequest, train

CONTACTS = 2_000
SECONDS = 8.0
"""So long each kind of request is sent."""
CALLERS = 4
SHOWN_IDS = 200
BARE = "/bare"
PATHS = {
    ModelName.LEAD_SCORING: "lead-scoring",
    ModelName.CHURN: "churn",
    ModelName.ENGAGEMENT: "engagement",
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to ask of which port."""

    port: int
    token: str
    paths: Sequence[str]
    """Asked in turn."""
    seconds: float = SECONDS


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Latencies of all answers, in milliseconds, and how many came in a second."""

    milliseconds: Sequence[float]
    per_second: float

    def cells(self) -> list[str]:
        """Return p50, p99 and requests per second."""
        ordered = sorted(self.milliseconds)
        p99 = ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]
        return [f"{statistics.median(ordered):.1f}", f"{p99:.1f}", f"{self.per_second:,.0f}"]


def call(load: Load) -> list[float]:
    """Ask over one connection; return the milliseconds of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", load.port)
    headers = {"Authorization": f"Bearer {load.token}"}
    took: list[float] = []
    until = time.perf_counter() + load.seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        connection.request("GET", load.paths[len(took) % len(load.paths)], headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took.append(1000 * (time.perf_counter() - begun))
        if answer.status != http.client.OK:
            raise RuntimeError(f"{answer.status}: {body[:300]!r}")
    connection.close()
    return took


def measured(load: Load, callers: int) -> Measured:
    """Ask from several processes at once."""
    with multiprocessing.get_context("spawn").Pool(callers) as pool:
        found = pool.map(call, [load] * callers, chunksize=1)
    took = [one for some in found for one in some]
    return Measured(milliseconds=took, per_second=len(took) / load.seconds)


def serve(port: int) -> None:
    """Answer until the process is ended; run in a process of its own."""
    home = Path(os.environ["CHATLIFT_HOME"])
    settings = Settings.from_environment(os.environ, default_home=home)
    service = Service(settings=settings, database=Database.open(settings.database_url))
    set_up_logs(sys.stderr)
    app = create_app(service)
    app.add_api_route(BARE, lambda: {"said": "nothing"}, methods=["GET"])
    service.warming.begin()
    config = uvicorn.Config(app, log_config=None, access_log=False)
    uvicorn.Server(config).run([listening_socket("127.0.0.1", port)])


ONE_PROCESS = ("benchmarks.load", "serve")
"""One process, with the bare route."""
TWO_PROCESSES = ("chatlift", "serve", "--no-worker", "--processes", "2", "--port")


@contextmanager
def serving(settings: Settings, port: int, words: Sequence[str]) -> Iterator[None]:
    """Let a server run in a process of its own; its log goes to a file."""
    environ = os.environ | {
        "CHATLIFT_HOME": str(settings.home),
        "CHATLIFT_REQUESTS_PER_MINUTE": "10000000",
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
    }
    command = [sys.executable, "-m", *words, str(port)]
    with (settings.home / "server.log").open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    try:
        await_ready(port)
        yield
    finally:
        process.terminate()
        process.wait()


def await_ready(port: int) -> None:
    """Wait until the server can predict."""
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise RuntimeError("The server was not ready after 30 s.")


def starts(load: Load, count: int) -> Measured:
    """Start a training and stop it again, so many times; measure the starts."""
    connection = http.client.HTTPConnection("127.0.0.1", load.port)
    headers = {"Authorization": f"Bearer {load.token}", "Content-Type": "application/json"}
    took = []

    def post(path: str, body: object) -> dict[str, object]:
        connection.request("POST", f"/api/v1/training/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        told: dict[str, object] = json.loads(answer.read())
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(str(told))
        return told

    for _ in range(count):
        begun = time.perf_counter()
        post("start", {"model": "lead_scoring"})
        took.append(1000 * (time.perf_counter() - begun))
        post("stop", {})
    connection.close()
    return Measured(milliseconds=took, per_second=1000 * len(took) / sum(took))


def prepared(workspace: Workspace, contacts: int) -> dict[str, list[str]]:
    """Fill, train and score an account; return the ids to ask for, by path."""
    request = replace(request_of(contacts), until=now())
    generate(request, crm=workspace.crm, truth_folder=workspace.truth_folder)
    train(workspace, TrainRequest(models=tuple(ModelName)), clock=now)
    ids = {}
    for model, path in PATHS.items():
        if workspace.versions.champion(model) is None:
            workspace.versions.promote(model, 1, by="benchmark", reason="to ask it", now=now())
        report = predict(workspace, PredictRequest(model=model), now=now())
        ids[path] = [found.external_id for found in report.predictions[:SHOWN_IDS]]
    return ids


def score_all(workspace: Workspace) -> tuple[int, float]:
    """Score everybody in this process; return how many scores and in how many seconds."""
    plan_scorings(workspace.database, now=workspace.database.now())
    begun = time.perf_counter()
    score_waiting(workspace.database, workspace.settings, "benchmark", go_on=lambda: True)
    return workspace.crm.counts().contacts, time.perf_counter() - begun


@contextmanager
def busy(settings: Settings) -> Iterator[None]:
    """Keep a training under way in a process of its own, as beside a server."""
    ended = threading.Event()
    environ = os.environ | {"CHATLIFT_HOME": str(settings.home), "OMP_NUM_THREADS": "1"}
    command = [
        "nice",
        "-n",
        "5",
        sys.executable,
        "-m",
        "chatlift",
        "train",
        "all",
        "--no-promote",
        "--quiet",
    ]

    def go_on() -> None:
        while not ended.is_set():
            process = subprocess.Popen(
                command,
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while process.poll() is None and not ended.wait(0.1):
                pass
            process.kill()
            process.wait()

    thread = threading.Thread(target=go_on)
    thread.start()
    time.sleep(6)
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Measure and print tables."""
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
        return
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else CONTACTS
    with fresh_home() as settings, open_workspace(settings) as workspace:
        ids = prepared(workspace, contacts)
        counts = workspace.crm.counts()
        scored, seconds = score_all(workspace)
        print(f"{machine()}; {counts.contacts:,} contacts, {counts.messages:,} messages")
        print(f"everybody scored by three models: {scored:,} contacts in {seconds:.1f} s\n")
        tokens = Tokens(workspace.database, workspace.account.account_id)
        token = tokens.create("benchmark", Role.ADMIN, now=now()).secret
        port = 8765
        with serving(settings, port, ONE_PROCESS):
            rows = all_measured(settings, port, token, ids)
        with serving(settings, port, TWO_PROCESSES):
            rows += measured_on_two(port, token, ids)
        logged = workspace.predictions.list(ModelName.CHURN, limit=10_000_000).height
    print(markdown(["request", "callers", "p50 ms", "p99 ms", "requests/s"], rows))
    print(f"\n{logged:,} answers about churn are in the log of predictions")


def all_measured(
    settings: Settings, port: int, token: str, ids: dict[str, list[str]]
) -> list[list[str]]:
    """Return a row per kind of request and number of callers."""
    asked = {"bare route": [BARE]}
    asked |= {
        f"one {path}, fresh": [f"/api/v1/ml/{path}/{name}" for name in names]
        for path, names in ids.items()
    }
    asked["stored list of 1, churn"] = ["/api/v1/ml/churn?limit=1"]
    asked["stored list of 50, churn"] = ["/api/v1/ml/churn?limit=50"]
    rows = []
    for kind, paths in asked.items():
        call(Load(port=port, token=token, paths=paths, seconds=1.0))
        for callers in (1, CALLERS):
            load = Load(port=port, token=token, paths=paths)
            rows.append([kind, str(callers), *measured(load, callers).cells()])
    load = Load(port=port, token=token, paths=asked["one churn, fresh"])
    rows.append(["start of a training", "1", *starts(load, 50).cells()])
    with busy(settings):
        rows.append(["one churn, fresh, beside a training", "1", *measured(load, 1).cells()])
    return rows


def measured_on_two(port: int, token: str, ids: dict[str, list[str]]) -> list[list[str]]:
    """Return the rows of a server whose two processes answer."""
    asked = {
        f"two processes: one {path}, fresh": [f"/api/v1/ml/{path}/{name}" for name in names]
        for path, names in ids.items()
    }
    asked["two processes: stored list of 50, churn"] = ["/api/v1/ml/churn?limit=50"]
    rows = []
    for kind, paths in asked.items():
        load = Load(port=port, token=token, paths=paths)
        measured(replace(load, seconds=2.0), CALLERS)
        rows.append([kind, str(CALLERS), *measured(load, CALLERS).cells()])
    return rows


if __name__ == "__main__":
    main()
