"""A worker and its training children, as they are: real processes on a real database."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.businesses import assert_at_rest
from tests.fleets import Fleet, eventually, fleet, training_children

from chatlift.jobs.duties import Duty
from chatlift.vocabulary import ModelName, RunStatus

LEADS, CHURN, ENGAGEMENT = ModelName


@pytest.fixture
def business(tmp_path: Path, database_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path / "home", database_url) as opened:
        yield opened


@pytest.fixture
def small_business(tmp_path: Path) -> Iterator[Fleet]:
    """On SQLite alone, where the database makes no difference."""
    url = f"sqlite:///{(tmp_path / 'home' / 'chatlift.db').as_posix()}"
    with fleet(tmp_path / "home", url) as opened:
        yield opened


def children() -> list[int]:
    return training_children(os.getpid())


def test_a_queued_run_is_trained_to_its_end(business: Fleet) -> None:
    run = business.enqueue(LEADS, ENGAGEMENT)
    with business.worker() as worker:
        training = business.await_training(run)
        ended = business.await_end(run)
    assert training.claimed_by == worker.name
    assert (ended.status, ended.attempt) == (RunStatus.COMPLETED, 1)
    assert set(ended.verdicts) == {LEADS, ENGAGEMENT}
    assert {version.model for version in business.workspace.versions.list()} == {LEADS, ENGAGEMENT}
    assert_at_rest(business.workspace)
    assert children() == []


def test_a_child_that_is_killed_is_noticed_at_once_and_its_run_tried_again(
    small_business: Fleet,
) -> None:
    """The lease of 30 seconds is still long; the row keeps how the child ended."""
    run = small_business.enqueue()
    with capture_logs() as logs, small_business.worker():
        small_business.await_training(run)
        (child,) = children()
        os.kill(child, signal.SIGKILL)
        broken = small_business.await_run(run, lambda found: found.error is not None)
        assert broken.error is not None
        assert broken.error["signal"] == "SIGKILL"
        ended = small_business.await_end(run)
    assert (ended.status, ended.attempt, ended.error) == (RunStatus.COMPLETED, 2, None)
    assert [entry["signal"] for entry in logs if entry["event"] == "training_broken"] == ["SIGKILL"]
    assert_at_rest(small_business.workspace)


def test_a_run_whose_child_dies_twice_is_interrupted_and_frees_its_model(
    small_business: Fleet,
) -> None:
    run = small_business.enqueue()
    with small_business.worker():
        for attempt in (1, 2):
            small_business.await_run(run, lambda found, n=attempt: found.attempt == n)  # type: ignore[misc]
            (child,) = eventually(children, lambda found: len(found) == 1)
            os.kill(child, signal.SIGKILL)
            eventually(children, lambda found, old=child: old not in found)  # type: ignore[misc]
        ended = small_business.await_end(run)
    assert ended.status is RunStatus.INTERRUPTED
    assert ended.error is not None
    assert ended.error["signal"] == "SIGKILL"
    assert "SIGKILL" in ended.message
    assert_at_rest(small_business.workspace)


def test_a_run_that_is_stopped_ends_as_cancelled_with_its_child(business: Fleet) -> None:
    run = business.enqueue()
    with business.worker() as worker:
        business.await_training(run)
        business.runs.stop(None, now=business.database.now())
        worker.wake()
        ended = business.await_end(run)
        assert eventually(children, lambda found: found == []) == []
    assert ended.status is RunStatus.CANCELLED
    assert "the champion is untouched" in ended.message
    assert business.workspace.versions.list() == ()
    assert_at_rest(business.workspace)


def test_a_worker_that_ends_in_order_gives_its_run_back(small_business: Fleet) -> None:
    run = small_business.enqueue()
    with small_business.worker():
        small_business.await_training(run)
    given_back = small_business.runs.get(run.run_id)
    assert (given_back.status, given_back.attempts_allowed) == (RunStatus.QUEUED, 3)
    assert children() == []
    with small_business.worker():
        assert small_business.await_end(run).status is RunStatus.COMPLETED


def test_a_training_that_tells_no_step_for_too_long_fails_with_that_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{(tmp_path / 'chatlift.db').as_posix()}"
    with fleet(tmp_path / "home", url, step_limit_seconds=2) as business:
        run = business.enqueue()
        with business.worker():
            (child,) = eventually(children, lambda found: len(found) == 1)
            os.kill(child, signal.SIGSTOP)
            ended = business.await_end(run)
        assert ended.status is RunStatus.FAILED
        assert ended.error is not None
        assert ended.error["type"] == "TrainingStuck"
        assert "CHATLIFT_STEP_LIMIT_SECONDS" in ended.message
        assert children() == []


def test_a_run_that_asks_for_the_impossible_fails_and_the_worker_goes_on(
    small_business: Fleet,
) -> None:
    first = small_business.enqueue(LEADS, parameters={LEADS: {"no_such": 1.0}})
    second = small_business.enqueue(CHURN)
    with small_business.worker():
        assert small_business.await_end(first).status is RunStatus.FAILED
        assert small_business.await_end(second).status is RunStatus.COMPLETED
    assert "no_such" in small_business.runs.get(first.run_id).message


def test_duties_are_seen_to_beside_trainings_also_after_one_failed(
    small_business: Fleet,
) -> None:
    seen: list[datetime] = []
    is_enough = threading.Event()

    def look(now: datetime) -> None:
        seen.append(now)
        if len(seen) == 1:
            raise ConnectionError("+34 600 111 222")
        is_enough.set()

    duty = Duty(name="look", run=look, every=timedelta(milliseconds=10))
    with capture_logs() as logs, small_business.worker(duties=[duty]):
        assert is_enough.wait(60)
    failed = [entry for entry in logs if entry["event"] == "duty_failed"]
    assert [(entry["duty"], entry["error"]) for entry in failed] == [("look", "ConnectionError")]
    assert "600" not in str(logs)
