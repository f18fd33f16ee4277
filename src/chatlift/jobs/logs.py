"""How long-running commands log: a line of JSON per event, with names and numbers, never values."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog


def set_up_logs(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Let all that is logged in this process go to a stream, one JSON object per line.

    Of an exception its type is told, nothing else: its text may quote somebody's data. Libraries'
    lines are among them, from level warning on.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_as_type,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
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
                structlog.stdlib.ExtraAdder(allow=["failure"]),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


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
