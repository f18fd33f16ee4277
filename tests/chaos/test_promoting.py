"""Promotions and rollbacks under constant load: no answer fails, and none mixes two versions.

Two servers answer single predictions, batches and lists all the while, one of them also scoring
everybody anew. Whatever they say is compared with what the version that they name says by itself.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.servers import Server, serving
from tests.trained import business_on, train_twice

from chatlift.registry.scores import Prediction
from chatlift.registry.tokens import Tokens
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, Role
from chatlift.workflows.predict import PredictRequest, predict

IS_LONG = os.environ.get("CHATLIFT_CHAOS") == "long"
only_long = pytest.mark.skipif(not IS_LONG, reason="only in the long form: make chaos")
CYCLES = 100 if IS_LONG else 15
LATEST_SECONDS = 5.0
"""So soon every process has to know who serves."""
PATHS = {ModelName.CHURN: "churn", ModelName.ENGAGEMENT: "engagement"}
CALLERS = 4
SHOWN = ("score", "band", "trend", "recommendation", "best_time", "as_of")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="ends processes as Linux does"),
    pytest.mark.timeout(1200 if IS_LONG else 300),
]

Answers = dict[tuple[ModelName, int, str], dict[str, Any]]
"""What a version says of somebody, by model, version and external id."""


def answers_of(shop: Workspace) -> Answers:
    now = shop.database.now()
    return {
        (model, number, found.external_id): shown(found)
        for model in PATHS
        for number in (1, 2)
        for found in predict(
            shop, PredictRequest(model=model, version=str(number)), now=now
        ).predictions
    }


def shown(found: Prediction) -> dict[str, Any]:
    answer = found.answer
    as_of = answer.as_of.isoformat().replace("+00:00", "Z")
    return {name: getattr(answer, name) for name in SHOWN} | {
        "as_of": as_of,
        "probability": pytest.approx(answer.probability, abs=1e-9),
        "words": [reason.words for reason in answer.reasons],
    }


def read(row: dict[str, Any]) -> dict[str, Any]:
    words = [reason["words"] for reason in row["reasons"]]
    return {name: row[name] for name in (*SHOWN, "probability")} | {"words": words}


class Caller:
    """Asks one thing after the other, at random, and looks at every answer."""

    def __init__(self, servers: list[Server], answers: Answers, token: str, seed: int) -> None:
        self.wrong: list[str] = []
        self.seen: Counter[tuple[str, int]] = Counter()
        """Answered requests by kind and version."""
        self._chance = random.Random(seed)  # noqa: S311 - a choice, not a secret
        self._answers = answers
        self._names = {m: sorted({n for model, _, n in answers if model is m}) for m in PATHS}
        self._clients = [
            httpx.Client(
                base_url=server.client.base_url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            for server in servers
        ]

    def call_until(self, ended: threading.Event) -> None:
        while not ended.is_set():
            kind = self._chance.choice(("one", "batch", "list"))
            try:
                self._call(kind)
            except (httpx.HTTPError, AssertionError, KeyError, ValueError) as error:
                self.wrong.append(f"{kind}: {error!r}")
        for client in self._clients:
            client.close()

    def _call(self, kind: str) -> None:
        client, model = self._chance.choice(self._clients), self._chance.choice(list(PATHS))
        path, names = f"/api/v1/ml/{PATHS[model]}", self._names[model]
        if kind == "one":
            told = client.get(f"{path}/{self._chance.choice(names)}")
        elif kind == "batch":
            told = client.post(f"{path}/batch", json={"ids": self._chance.sample(names, 9)})
        else:
            told = client.get(path, params={"limit": 20})
        assert told.status_code == httpx.codes.OK, told.text
        body = told.json()
        rows = [body] if kind == "one" else body["predictions"]
        number = body["model_version"]
        assert {row["model_version"] for row in rows} == {number}
        for row in rows:
            assert read(row) == self._answers[model, number, row["external_id"]]
        self.seen[kind, number] += 1


@contextmanager
def calling(callers: list[Caller]) -> Iterator[None]:
    ended = threading.Event()
    with ThreadPoolExecutor(len(callers)) as pool:
        working = [pool.submit(caller.call_until, ended) for caller in callers]
        try:
            yield
        finally:
            ended.set()
            for work in working:
                work.result()


def seconds_until(server: Server, headers: dict[str, str], path: str, number: int) -> float:
    """Change has been told; return after how long this server answers by that version."""
    began = time.monotonic()
    while time.monotonic() - began < 2 * LATEST_SECONDS:
        told = server.client.get(path, params={"limit": 1}, headers=headers).json()
        if told["model_version"] == number:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, only_long])],
    indirect=True,
)
def test_promotions_and_rollbacks_under_load(tmp_path: Path, database_url: str) -> None:
    train_twice(tmp_path / "fits")
    environ = {"CHATLIFT_DATABASE_URL": database_url, "CHATLIFT_REQUESTS_PER_MINUTE": "1000000"}
    home = tmp_path / "home"
    with (
        business_on(database_url, home, tmp_path / "fits") as shop,
        serving(home, environ=environ) as working,
        serving(home, "--no-worker", environ=environ) as answering,
    ):
        tokens = Tokens(shop.database, shop.account.account_id)
        made = {r: tokens.create(f"t {r}", r, now=shop.database.now()).secret for r in Role}
        servers, answers = [working, answering], answers_of(shop)
        callers = [Caller(servers, answers, made[Role.VIEWER], seed) for seed in range(CALLERS)]
        headers = {"Authorization": f"Bearer {made[Role.ADMIN]}"}
        waited: list[float] = []
        with calling(callers):
            for cycle in range(CYCLES):
                model = list(PATHS)[cycle % len(PATHS)]
                for number, change in ((1, "rollback"), (2, "versions/2/promote")):
                    address = f"/api/v1/training/models/{model}/{change}"
                    told = servers[cycle % 2].client.post(
                        address, json={"reason": "to see"}, headers=headers
                    )
                    assert told.status_code == httpx.codes.OK, told.text
                    path = f"/api/v1/ml/{PATHS[model]}"
                    waited += [seconds_until(s, headers, path, number) for s in servers]
    assert [wrong for caller in callers for wrong in caller.wrong] == []
    seen = sum((caller.seen for caller in callers), Counter[tuple[str, int]]())
    assert {key for key, count in seen.items() if count > 3} == {
        (kind, number) for kind in ("one", "batch", "list") for number in (1, 2)
    }
    assert max(waited) < LATEST_SECONDS
    sys.stderr.write(
        f"\n{CYCLES} cycles, {seen.total()} answers, none wrong; a change was seen after at most "
        f"{max(waited):.2f} s\n"
    )
