"""Stopping a run by command, also one whose process can no longer answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from tests.businesses import let_leases_run_out

from chatlift.cli import runs as command
from chatlift.cli.main import app, code_of
from chatlift.cli.surroundings import clock, workspace
from chatlift.registry.run_rows import Run
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, RunStatus


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty account, in which the command under test works too."""
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    monkeypatch.setattr(command, "ANSWER_WITHIN", timedelta(seconds=0.3))
    with workspace() as found:
        yield found


def begun(opened: Workspace) -> Run:
    """A run whose process reports no more."""
    models = [ModelName.CHURN]
    return opened.runs.start(models, requested_model="churn", request={}, now=clock())


def queued(opened: Workspace) -> Run:
    told = {"requested_model": "churn", "request": {}, "requested_by": "a test"}
    return opened.runs.enqueue([ModelName.CHURN], now=clock(), **told).run


def stop(*names: str) -> int:
    return code_of(lambda: app(["runs", "stop", *names], prog_name="chatlift"), debug=False)


def logs(*words: str) -> int:
    return code_of(lambda: app(["runs", "logs", *words], prog_name="chatlift"), debug=False)


@pytest.mark.parametrize("is_named", [True, False])
def test_the_run_of_a_dead_process_is_ended_and_frees_its_model(
    opened: Workspace, is_named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(opened)
    assert stop(*([run.run_id] if is_named else [])) == 0
    assert "its process did not answer" in capsys.readouterr().out
    assert opened.runs.get(run.run_id).status is RunStatus.CANCELLED
    begun(opened)


@pytest.mark.parametrize("is_named", [True, False])
def test_a_run_that_is_long_dead_is_told_as_what_it_is(
    opened: Workspace, is_named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(opened)
    let_leases_run_out(opened.database)
    assert stop(*([run.run_id] if is_named else [])) == 0
    assert f"Run {run.run_id} is interrupted." in capsys.readouterr().out
    assert stop(run.run_id) == 1
    assert "is interrupted already: nothing to stop" in capsys.readouterr().err


def test_a_queued_run_is_stopped_at_once(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run = queued(opened)
    assert stop() == 0
    assert "stopped before it began" in capsys.readouterr().out
    assert opened.runs.get(run.run_id).status is RunStatus.CANCELLED


def test_the_log_of_a_run_tells_its_way_and_follows_it_to_its_end(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run = queued(opened)
    assert logs() == 0
    assert capsys.readouterr().out.count("\n") == 1
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(logs, run.run_id, "--follow")
        opened.runs.stop(run.run_id, now=clock())
        assert followed.result() == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("queued: churn, asked for by a test")
    assert last.endswith("cancelled: The run was stopped before it began. Nothing was published.")


def test_without_a_run_there_is_nothing_to_stop(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stop() == 1
    assert "No training is under way" in capsys.readouterr().err
    assert stop("unknown") == 2
    assert opened.runs.latest() is None
