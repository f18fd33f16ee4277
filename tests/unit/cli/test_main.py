"""How the command line ends: exit codes, sentences, and help without heavy imports."""

import signal
import subprocess
import sys

import pytest

from chatlift.cli.main import EXIT_CODES, Commands, app, code_of, frames_of, hoisted
from chatlift.errors import Cancelled, ChatliftError, Conflict, ErrorKind, InvalidInput, NotReady

CELL = "a customer's words"
STOPS = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


def raising(error: BaseException) -> object:
    def command() -> object:
        raise error

    return command


def test_every_kind_of_error_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(ErrorKind)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x"), 3),
        (NotReady("x"), 3),
        (Conflict("x"), 1),
        (Cancelled("x"), 130),
        (KeyboardInterrupt(), 130),
        (SystemExit(4), 4),
        (SystemExit(None), 0),
        (SystemExit("words"), 1),
        (ValueError("x"), 1),
    ],
)
def test_an_error_ends_with_its_exit_code(error: BaseException, code: int) -> None:
    assert code_of(raising(error), debug=False) == code


@pytest.mark.parametrize("name", STOPS)
def test_whoever_asks_a_command_to_end_it_stops_with_one_line(name: str) -> None:
    """Whatever it does: here it is still opening its door."""
    told = (
        "import signal, sys\n"
        "from chatlift.cli import main\n"
        "def command(group, ctx, name):\n"
        f"    signal.raise_signal(signal.{name})\n"
        "main.Commands.get_command = command\n"
        "main.run(['generate'])\n"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_a_library_that_makes_another_error_of_ctrl_c_is_stopped_all_the_same() -> None:
    told = (
        "import signal, sys\n"
        "from chatlift.cli import main\n"
        "def command(group, ctx, name):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise TypeError('no string') from None\n"
        "main.Commands.get_command = command\n"
        "main.run(['generate'])\n"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_ctrl_c_while_it_starts_ends_with_one_line() -> None:
    told = (
        "import sys\n"
        "from chatlift import __main__ as start\n"
        "def broken(name):\n"
        "    raise KeyboardInterrupt\n"
        "start.import_module = broken\n"
        "start.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_an_own_error_is_told_as_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code_of(raising(ChatliftError("Do this instead.")), debug=False)
    assert capsys.readouterr().err == "Error: Do this instead.\n"


def test_an_unforeseen_error_never_tells_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    code_of(raising(ValueError(CELL)), debug=True)
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "test_main.py" in told
    assert CELL not in told


def test_frames_name_the_causes_too() -> None:
    try:
        try:
            raise KeyError(CELL)
        except KeyError as error:
            raise NotReady("later") from error
    except NotReady as error:
        told = "\n".join(frames_of(error))
    assert "KeyError" in told
    assert CELL not in told


def test_debug_may_stand_anywhere() -> None:
    assert hoisted(["models", "list"]) == (["models", "list"], False)
    assert hoisted(["models", "--debug", "list"]) == (["--debug", "models", "list"], True)


@pytest.mark.parametrize("name", list(Commands.doors))
def test_every_door_opens_a_command_with_help(name: str) -> None:
    command = Commands(name="chatlift").get_command(None, name)  # type: ignore[arg-type]
    assert command.name == name
    assert command.help


def test_help_imports_nothing_heavy() -> None:
    told = (
        "import sys\n"
        "from chatlift.cli.main import run\n"
        "try:\n"
        "    run(['--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'polars', 'sqlalchemy', 'numpy', 'rich', 'xgboost'} & set(sys.modules)\n"
        "    sys.stderr.write(' '.join(sorted(heavy)))\n"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, fixed words
        [sys.executable, "-c", told], capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert "Commands:" in done.stdout
    assert done.stderr == ""


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:

    assert code_of(lambda: app(["fly"], prog_name="chatlift"), debug=False) == 2
    assert "fly" in capsys.readouterr().err
