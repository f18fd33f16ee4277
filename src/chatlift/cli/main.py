"""The entry point: the table of commands, and how an error ends the process.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data not ready or not valid, 4 refused by the gate,
130 stopped (Ctrl-C, or the system's request to end). Nothing heavy is imported before a command
runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated, Any

import typer

from chatlift.cli.console import mend_streams
from chatlift.cli.lazy import Door, Invocation, LazyGroup
from chatlift.cli.stopping import STOPPED, hear_requests, is_asked_to_stop, stop
from chatlift.errors import Cancelled, ChatliftError, ErrorKind

EXIT_CODES: Mapping[ErrorKind, int] = MappingProxyType(
    {
        ErrorKind.INVALID: 3,
        ErrorKind.NOT_FOUND: 2,
        ErrorKind.CONFLICT: 1,
        ErrorKind.NOT_READY: 3,
        ErrorKind.UNAVAILABLE: 1,
    }
)
DEBUG = "--debug"


class Commands(LazyGroup):
    """All commands, in the order in which one meets them."""

    doors = MappingProxyType(
        {
            "demo": Door(
                module="chatlift.cli.demo",
                help="Generate, train, test and list the ten best leads, in one go.",
            ),
            "generate": Door(
                module="chatlift.cli.generate",
                help="Make a synthetic CRM to try everything on.",
            ),
            "import": Door(
                module="chatlift.cli.importing",
                help="Read the files of a CRM export, chats or webhooks.",
            ),
            "webhook": Door(
                module="chatlift.cli.webhook",
                help="Make addresses that WhatsApp and Chatwoot call, and exchange secrets.",
            ),
            "leads": Door(
                module="chatlift.cli.leads",
                help="Derive leads from conversations, where nobody keeps a table of them.",
            ),
            "data": Door(
                module="chatlift.cli.data",
                help="Tell what is doubtful about the records, and what they are enough for.",
            ),
            "train": Door(
                module="chatlift.cli.train",
                help="Train the models, judge them, and put the good ones to work.",
            ),
            "test": Door(
                module="chatlift.cli.test",
                help="Run the model test suite on what serves.",
            ),
            "predict": Door(
                module="chatlift.cli.predict",
                help="Say whom to call, who fades, who would answer, and why.",
            ),
            "models": Door(
                module="chatlift.cli.models",
                help="List, compare, promote, roll back or delete versions.",
            ),
            "export": Door(
                module="chatlift.cli.export",
                help="Write all of one contact's data as JSON.",
            ),
            "forget": Door(
                module="chatlift.cli.forget",
                help="Remove one contact everywhere, for good.",
            ),
            "settings": Door(
                module="chatlift.cli.settings",
                help="Show or change targets, floors, time zone and what counts as leaving.",
            ),
            "account": Door(
                module="chatlift.cli.account",
                help="Make or list accounts, one per business.",
            ),
            "token": Door(
                module="chatlift.cli.token",
                help="Make, list or revoke the tokens that open the service.",
            ),
            "serve": Door(
                module="chatlift.cli.serve",
                help="Answer the API, and train what it is asked for.",
            ),
            "schedule": Door(
                module="chatlift.cli.schedule",
                help="Let models be trained by themselves, and see how that went.",
            ),
            "runs": Door(
                module="chatlift.cli.runs",
                help="List the trainings, show how one went, follow or stop one.",
            ),
            "worker": Door(
                module="chatlift.cli.worker",
                help="Train what is queued; run it on as many machines as you like.",
            ),
            "beat": Door(
                module="chatlift.cli.beat",
                help="Tick schedules over the broker, for workers that run with --celery.",
            ),
        }
    )

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command; without this, Ctrl-C would end with 1 and a word of the library's."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            stop()


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"chatlift {version('chatlift')}")
        raise typer.Exit


@app.callback()
def chatlift(
    ctx: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(DEBUG, help="Tell where an error arose; works behind any command too."),
    ] = False,
) -> None:
    """Learn from a business's own chats whom to call, who fades, and when to write.

    Data lies in the folder CHATLIFT_HOME (by default in your own data folder). Try it:
    chatlift demo
    """
    ctx.obj = Invocation(debug=debug)


def main() -> None:
    """Run the command line of this process."""
    run(sys.argv[1:])


def run(arguments: Sequence[str]) -> None:
    """Run `chatlift` with these arguments and end the process with its exit code."""
    mend_streams(sys.stdout, sys.stderr)
    hear_requests()
    words, debug = hoisted(arguments)
    sys.exit(code_of(lambda: app(words, prog_name="chatlift"), debug=debug))


def hoisted(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments with `--debug` in front, wherever it stood, and whether it did.

    Examples
    --------
    >>> hoisted(["train", "churn", "--debug"])
    (['--debug', 'train', 'churn'], True)
    """
    rest = [word for word in arguments if word != DEBUG]
    debug = len(rest) < len(arguments)
    return ([DEBUG, *rest] if debug else rest), debug


def code_of(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and return its exit code; an error is told on stderr in a sentence."""
    try:
        command()
    except SystemExit as ending:
        return _code(ending)
    except ChatliftError as error:
        _tell(error, str(error), debug=debug)
        return STOPPED if isinstance(error, Cancelled) else EXIT_CODES[error.kind]
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        return STOPPED
    except Exception as error:  # noqa: BLE001 - the outermost edge: nobody else could tell it
        if is_asked_to_stop():
            # A library was interrupted where it cannot be, and made another error of it.
            typer.echo("Stopped.", err=True)
            return STOPPED
        sentence = f"Something broke that Chatlift did not foresee ({type(error).__name__})."
        hint = "" if debug else " Run the command again with --debug to see where."
        _tell(error, sentence + hint, debug=debug)
        return 1
    return 0


def _code(ending: SystemExit) -> int:
    if ending.code is None:
        return 0
    return ending.code if isinstance(ending.code, int) else 1


def _tell(error: Exception, sentence: str, *, debug: bool) -> None:
    typer.echo(f"Error: {sentence}", err=True)
    if debug:
        for line in frames_of(error):
            typer.echo(line, err=True)


def frames_of(error: BaseException) -> list[str]:
    """Return type and frames of an error and its causes, without any value of the data."""
    lines = []
    found: BaseException | None = error
    while found is not None:
        lines.append(f"{type(found).__name__}, from the outermost call to the innermost:")
        lines.extend(_frames(found))
        found = found.__cause__ or found.__context__
    return lines


def _frames(error: BaseException) -> list[str]:
    lines = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{trace.tb_lineno} in {code.co_qualname}")
        trace = trace.tb_next
    return lines
