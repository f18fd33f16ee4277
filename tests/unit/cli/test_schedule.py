"""Schedules by command: what is told, and how each command ends."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of
from chatlift.cli.surroundings import workspace
from chatlift.jobs.scheduler import tick
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import RunStatus, SlotDecision

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty account in Kathmandu, in which the command under test works too."""
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    monkeypatch.setenv("CHATLIFT_TIME_ZONE", "Asia/Kathmandu")
    with workspace() as found:
        yield found


def schedule(*words: str) -> int:
    return code_of(lambda: app(["schedule", *words], prog_name="chatlift"), debug=False)


def test_a_schedule_is_made_with_the_defaults_of_training_and_the_accounts_zone(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schedule("set", "weekly") == 0
    told = capsys.readouterr().out
    assert "all is trained weekly in Asia/Kathmandu. Next run: Mon " in told
    assert " 03:00 +05:45." in told
    assert "while `chatlift serve` or `chatlift worker` runs" in told
    (made,) = opened.schedules.list()
    assert (made.request["test_size"], made.request["cv_folds"]) == (0.2, 5)
    assert opened.runs.list() == ()


def test_a_cron_line_for_one_model_in_a_zone_of_its_own(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", "churn_prediction", "--time-zone", "Europe/Madrid", "--test-size", "0.3"]
    assert schedule("set", "0 6 * * 1-5", *words, "--cv-folds", "3") == 0
    assert 'churn is trained by the cron line "0 6 * * 1-5" in Europe/Madrid.' in (
        capsys.readouterr().out
    )
    made = opened.schedules.get("churn")
    assert (made.request["test_size"], made.request["cv_folds"]) == (0.3, 3)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["often"], "The rhythm 'often' cannot be read"),
        (["0 0 30 2 *"], "it would never be due"),
        (["weekly", "--time-zone", "Mars/Olympus"], "no IANA time zone"),
        (["weekly", "--model", "sales"], "No model is called 'sales'"),
        (["weekly", "--test-size", "0.9"], "it takes 0.05 to 0.5"),
    ],
)
def test_what_cannot_be_a_schedule_is_wrong_usage(
    opened: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert schedule("set", *words) == 2
    assert sentence in capsys.readouterr().err
    assert opened.schedules.list() == ()


def test_show_tells_next_run_last_run_why_skipped_and_how_often_to_train(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule("set", "daily", "--time-zone", "UTC")
    made = opened.schedules.get("all").created_at
    tick(opened.database, made + timedelta(days=1))
    tick(opened.database, made + timedelta(days=2))
    capsys.readouterr()
    assert schedule("show") == 0
    told = capsys.readouterr().out
    ran, skipped = opened.schedules.slots("all")[::-1]
    assert "all: daily in UTC, revision 1" in told
    assert f"last run  {ran.slot_at:%a %Y-%m-%d} 03:00 +00:00, queued, {ran.run_id}" in told
    assert f"skipped     {skipped.slot_at:%a %Y-%m-%d} 03:00 +00:00  The run {ran.run_id}" in told
    assert "monthly is often enough" in told


def test_what_show_tells_programs_holds_everything(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule("set", "daily")
    schedule("set", "weekly", "--model", "churn")
    tick(opened.database, opened.schedules.get("all").created_at + timedelta(days=1))
    capsys.readouterr()
    assert schedule("show", "all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (shown,) = told["schedules"]
    assert (shown["model"], shown["rhythm"], shown["paused_at"]) == ("all", "daily", None)
    assert shown["last_run_id"] == shown["slots"][0]["run_id"]
    assert shown["last_run_status"] == RunStatus.QUEUED
    assert shown["slots"][0]["decision"] == SlotDecision.RAN
    assert told["advice"]["rhythm"] == "monthly"


def test_without_schedules_show_says_how_to_make_one(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schedule("show") == 0
    assert "Make one with: chatlift schedule set weekly" in capsys.readouterr().out


def test_a_paused_schedule_waits_and_says_so_until_it_is_resumed(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule("set", "daily")
    assert schedule("pause") == 0
    assert schedule("show") == 0
    assert schedule("set", "weekly") == 0
    told = capsys.readouterr().out
    assert "next run  none: it is paused" in told
    assert "It is paused; go on with `chatlift schedule resume all`." in told
    assert schedule("resume") == 0
    told = capsys.readouterr().out
    assert "The schedule of all goes on." in told
    assert "all is trained weekly in Asia/Kathmandu. Next run: Mon " in told
    assert not opened.schedules.get("all").is_paused


def test_resuming_tells_that_a_missed_slot_is_made_up_for(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    a_week_ago = opened.database.now() - timedelta(days=7)
    opened.schedules.put("all", rhythm="daily", time_zone="UTC", request={}, now=a_week_ago)
    opened.schedules.pause("all", now=a_week_ago)
    assert schedule("resume") == 0
    assert "It missed a slot meanwhile and trains soon." in capsys.readouterr().out


def test_a_run_by_hand_waits_for_a_worker_and_a_second_is_refused(
    opened: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule("set", "monthly", "--model", "churn")
    assert schedule("run-now", "churn") == 0
    (run,) = opened.runs.list()
    assert (run.status, run.requested_by) == (RunStatus.QUEUED, "command line")
    assert run.run_id in capsys.readouterr().out
    assert schedule("run-now", "churn") == 1
    assert run.run_id in capsys.readouterr().err


@pytest.mark.parametrize("command", ["pause", "resume", "run-now", "remove", "show"])
def test_a_schedule_that_is_not_there_is_said_to_be_missing(
    opened: Workspace, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert schedule(command, "churn") == 2
    assert "No schedule trains churn" in capsys.readouterr().err
    assert schedule(command, "sales") == 2
    assert "No model is called 'sales'" in capsys.readouterr().err


def test_a_removed_schedule_is_gone(opened: Workspace) -> None:
    schedule("set", "daily")
    assert schedule("remove", "all") == 0
    assert opened.schedules.list() == ()


def test_the_commands_of_the_page_run_in_their_order(opened: Workspace) -> None:
    page = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
    commands = page.split("```")[1].strip().splitlines()
    assert len(commands) == 7
    for command in commands:
        program, group, *words = shlex.split(command, comments=True)
        assert (program, group) == ("chatlift", "schedule")
        assert schedule(*words) == 0, command
    assert [made.model for made in opened.schedules.list()] == ["all"]
