"""`--log-file`: the plain report with timestamps, and where an error arose; never a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from chatlift.cli.console import Lines
from chatlift.errors import InvalidInput
from chatlift.private_files import open_private
from chatlift.registry.failures import failure_of

Clock = Callable[[], datetime]


class LogFile(Lines):
    """A text file that takes lines with the instant at which they were written (UTC)."""

    def __init__(self, file: TextIO, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    def write(self, line: str) -> None:
        """Add a line; it is on disk when this returns."""
        self._file.write(f"{self._clock():%Y-%m-%d %H:%M:%S} {line}".rstrip() + "\n")
        self._file.flush()


@contextmanager
def open_log(path: Path | None, clock: Clock) -> Iterator[tuple[LogFile, ...]]:
    """Open the file anew, if one is named; an error that passes by is written to it.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    if path is None:
        yield ()
        return
    try:
        file = open_private(path, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The log file {path} cannot be written ({type(error).__name__}). Name another."
        ) from error
    with file:
        log = LogFile(file, clock)
        try:
            yield (log,)
        except Exception as error:
            for line in failure_lines(failure_of(error)):
                log.write(line)
            raise


def failure_lines(failure: Any) -> list[str]:
    """Return a failure as the registry keeps it, one line per frame.

    Parameters
    ----------
    failure
        As `registry.failures.failure_of` builds it.
    """
    places = [failure, *failure.get("causes", ())]
    lines = [str(failure["sentence"])]
    for place in places:
        lines.append(f"{place['type']}, from the outermost call to the innermost:")
        lines.extend(f"  {f['file']}:{f['line']} in {f['function']}" for f in place["frames"])
    return lines
