"""What the process stands in."""

import io
from datetime import UTC
from pathlib import Path

import pytest

from chatlift.cli.progress import CREATED
from chatlift.cli.surroundings import announced, clock, desk, has_colour, is_live
from chatlift.vocabulary import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "live"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_may_ask_for_plain_text(environ: dict[str, str], live: bool) -> None:
    assert is_live(Terminal(), environ) is live
    assert not is_live(io.StringIO(), environ)


def test_an_old_windows_console_gets_no_colour_codes() -> None:
    assert not has_colour(Terminal(), {}, "win32")
    assert has_colour(Terminal(), {"WT_SESSION": "1"}, "win32")
    assert has_colour(Terminal(), {}, "linux")


def test_results_go_to_stdout_and_progress_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with desk() as at:
        at.report(Progress(phase="messages", fraction=0.5, message="Writing"))
        at.report(Progress(phase=CREATED, fraction=1.0, message="Created 3 leads"))
    told = capsys.readouterr()
    assert told.out == "Created 3 leads\n"
    assert "messages: Writing" in told.err


def test_json_leaves_stdout_to_the_document(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with desk(as_json=True, log_file=tmp_path / "log.txt") as at:
        at.report(Progress(phase="messages", fraction=0.5))
        at.console.say("Model Performance")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
    assert "Model Performance" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_a_heading_waits_for_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    with desk(quiet=True) as at:
        report = announced(at, ["CHATLIFT TRAINING PIPELINE"])
        assert capsys.readouterr().out == ""
        for _ in range(2):
            report(Progress(phase="history", fraction=0.0))
    assert capsys.readouterr().out == "CHATLIFT TRAINING PIPELINE\n"


def test_the_clock_is_in_utc() -> None:
    assert clock().tzinfo is UTC
