"""Runs, as a person reads them."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.cli.samples import failed, run

from chatlift.cli.run_tables import event_line, list_lines, run_lines
from chatlift.registry.run_events import RunEvent
from chatlift.vocabulary import RunEventKind, RunStatus


def test_a_run_is_listed_with_its_state_and_how_long_it_took() -> None:
    assert list_lines([run()])[1].split() == [
        "run-1", "all", "completed", "2026-03-01", "12:00", "30", "s",
    ]  # fmt: skip


def test_a_run_under_way_shows_its_progress() -> None:
    under_way = replace(run(RunStatus.TRAINING), completed_at=None, progress_percent=42.0)
    assert list_lines([under_way])[1].endswith("42 %")


def test_without_runs_it_says_what_to_do() -> None:
    assert "chatlift train" in list_lines([])[0]


def test_one_run_tells_its_models_and_figures() -> None:
    told = "\n".join(run_lines(run()))
    assert "Run run-1: completed" in told
    assert "churn: v7 serves now." in told
    assert "Accuracy 80.0 %" in told


def test_a_failed_run_tells_where_it_broke() -> None:
    broken = replace(run(RunStatus.FAILED), error=failed().error)
    assert run_lines(broken)[-1] == "  chatlift/learn/fitting.py:7 in fit"


STEP = {"phase": "folds", "percent": 42.4, "message": "fold 2 of 5", "model": "churn"}


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("started", {"attempt": 2}, "started: attempt 2"),
        ("progress", STEP, " 42 % churn, folds: fold 2 of 5"),
        ("model", {"model": "churn", "sentence": "v7 serves now."}, "churn: v7 serves now."),
        ("stopping", {}, "somebody asked it to stop"),
        (
            "requeued",
            {"attempt": 1, "message": "It broke."},
            "queued again after attempt 1: It broke.",
        ),
        ("ended", {"status": "completed", "message": "done"}, "completed: done"),
    ],
)
def test_an_event_is_told_in_words(kind: str, data: dict[str, Any], told: str) -> None:
    event = RunEvent(
        event_id=1, run_id="run-1", told_at=run().created_at, kind=RunEventKind(kind), data=data
    )
    assert event_line(event) == f"2026-03-01 12:00:00 {told}"
