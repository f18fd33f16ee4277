"""What the demo is asked for becomes the CRM that it generates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatlift.cli import demo
from chatlift.simulate.request import SimulationRequest


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SimulationRequest]:
    """Collect the requests that the demo would generate from."""
    requests: list[SimulationRequest] = []

    def shown(_opened: object, _at: object, request: SimulationRequest) -> int:
        requests.append(request)
        return 0

    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    monkeypatch.setenv("CHATLIFT_TIME_ZONE", "Europe/Madrid")
    monkeypatch.setattr(demo, "shown", shown)
    return requests


def test_seed_and_last_instant_can_be_chosen(asked: list[SimulationRequest]) -> None:
    done = CliRunner().invoke(demo.app, ["--seed", "12", "--until", "2026-06-01T10:00"])
    assert done.exit_code == 0
    # 10:00 in Madrid is 8:00 UTC in summer.
    expected = SimulationRequest(until=datetime(2026, 6, 1, 8, tzinfo=UTC), seed=12)
    assert [(one.seed, one.until) for one in asked] == [(12, expected.until)]


def test_without_options_it_is_the_default_data_until_now(asked: list[SimulationRequest]) -> None:
    before = datetime.now(UTC)
    assert CliRunner().invoke(demo.app, []).exit_code == 0
    [request] = asked
    assert before <= request.until <= datetime.now(UTC)
    assert request == SimulationRequest(until=request.until)


@pytest.mark.parametrize("wrong", [["--seed", "-1"], ["--until", "someday"]])
def test_what_cannot_be_used_is_wrong_usage_before_anything_runs(
    asked: list[SimulationRequest], wrong: list[str]
) -> None:
    assert CliRunner().invoke(demo.app, wrong).exit_code == 2
    assert asked == []
