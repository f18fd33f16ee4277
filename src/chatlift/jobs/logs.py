"""How long-running commands log: a line of JSON per event, with names and numbers, never values."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from time import monotonic
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

TOLD_AGAIN_SECONDS = 60.0
"""An error that comes again and again is told once in so long, with how often it came."""
MOST_KNOWN = 1_000
REPEATED = "repeated_count"


class Repeats:
    """Lets the first of equal errors pass, then one a minute; safe across threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}
        """By error when it was told last, and how often it came since."""
        self._lock = threading.Lock()

    def swallowed(self, error: str) -> int | None:
        """Return how often an error was swallowed before it is told now; None: swallow it too."""
        now = self._clock()
        with self._lock:
            told_at, count = self._known.get(error, (now - TOLD_AGAIN_SECONDS, 0))
            if now - told_at < TOLD_AGAIN_SECONDS:
                self._known[error] = (told_at, count + 1)
                return None
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[error] = (now, 0)
            return count


class RepeatFilter(logging.Filter):
    """Keeps the same line of a library, whatever it is about, from filling the disk."""

    def __init__(self, repeats: Repeats) -> None:
        super().__init__()
        self._repeats = repeats

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written; it is given the number of those that were not."""
        failure = getattr(record, "failure", "")
        count = self._repeats.swallowed(f"{record.name} {record.levelno} {record.msg} {failure}")
        if count:
            setattr(record, REPEATED, count)
        return count is not None


def set_up_logs(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Let all that is logged in this process go to a stream, one JSON object per line.

    Of an exception its type is told, nothing else: its text may quote somebody's data. Libraries'
    lines are among them, from level warning on. An error that repeats is told once a minute.
    """
    repeats = Repeats()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_as_type,
    ]
    structlog.configure(
        processors=[_without_repeats(repeats), *shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                _name_of_logger,
                *shared,
                structlog.stdlib.ExtraAdder(allow=["failure", REPEATED]),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(RepeatFilter(repeats))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _without_repeats(repeats: Repeats) -> Processor:
    """Return what drops an error of ours that is equal in every field to one told just now."""

    def drop(_logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        if method != "error":
            return event
        count = repeats.swallowed(repr(sorted(event.items(), key=str)))
        if count is None:
            raise structlog.DropEvent
        return {**event, REPEATED: count} if count else event

    return drop


def _name_of_logger(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add which library speaks."""
    event["logger"] = event["_record"].name
    return event


def _exception_as_type(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put the exception's type in place of its text and frames."""
    told = event.pop("exc_info", None)
    told = sys.exc_info() if told is True else told
    if isinstance(told, tuple) and told[0] is not None:
        event["error"] = told[0].__name__
    elif isinstance(told, BaseException):
        event["error"] = type(told).__name__
    return event
