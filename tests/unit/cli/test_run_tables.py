"""Runs, as a person reads them."""

from dataclasses import replace

from tests.unit.cli.samples import failed, run

from chatlift.cli.run_tables import list_lines, run_lines
from chatlift.vocabulary import RunStatus


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
