"""`kill -9` at random moments: whatever dies, every accepted run ends and nothing is half there.

A short form runs with all tests; `make chaos` runs the long one and tells its figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.brokers import free_port, redis_server
from tests.chaos.storm import MODELS, Storm, champion_of, members
from tests.fleets import Fleet, fleet

IS_LONG = os.environ.get("CHATLIFT_CHAOS") == "long"
SEED = int(os.environ.get("CHATLIFT_CHAOS_SEED", "0"))
KILLS = int(os.environ.get("CHATLIFT_CHAOS_KILLS", "40" if IS_LONG else "3"))
"""Of each storm; three storms make the long form."""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
    pytest.mark.timeout(3600 if IS_LONG else 300),
]
only_long = pytest.mark.skipif(not IS_LONG, reason="only in the long form: make chaos")


@pytest.fixture
def business(tmp_path: Path, database_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path / "home", database_url, lease_seconds=3 if IS_LONG else 2) as opened:
        champion_of(opened)
        yield opened


def survive(business: Fleet, commands: Sequence[Sequence[str]], logs: Path, **environ: str) -> None:
    with members(business, commands, logs, **environ) as started:
        for member in started:
            member.await_event("worker_started")
        calm = 6.0 if IS_LONG else 2.0
        models = MODELS if IS_LONG else MODELS[:1]
        storm = Storm(
            business, started, environ, seed=SEED, longest_calm_seconds=calm, models=models
        )
        storm.rage(KILLS)
        storm.assert_in_order()
    sys.stderr.write(f"\n{business.database.url.get_backend_name()} {commands} {storm.report()}\n")


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, only_long])],
    indirect=True,
)
def test_runs_end_and_versions_are_whole_whoever_is_killed(business: Fleet, tmp_path: Path) -> None:
    commands = [["serve", "--port", str(free_port())]] if IS_LONG else []
    survive(business, [["worker"], *commands], tmp_path / "logs")


@only_long
@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_runs_end_and_versions_are_whole_with_celery(business: Fleet, tmp_path: Path) -> None:
    with redis_server(free_port()) as url:
        commands = [["worker", "--celery"], ["worker", "--celery"]]
        commands += [["serve", "--port", str(free_port())]]
        survive(business, commands, tmp_path / "logs", CHATLIFT_BROKER_URL=url)
