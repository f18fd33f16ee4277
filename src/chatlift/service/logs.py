"""The log of a server: one JSON object a line on stderr, libraries' lines among them."""

from __future__ import annotations

import logging
import sys

import structlog

SHARED = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def log_as_json() -> None:
    """Let everything that this process logs from now on be JSON, at level info or above.

    Of an error's text nothing is told, since it may quote somebody's data: its type and place are.
    """
    structlog.configure(
        processors=[*SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *SHARED,
                structlog.stdlib.ExtraAdder(allow=["failure"]),
                _without_traces,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _without_traces(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace a traceback by the type of its error."""
    record = event.get("_record")
    exc_info = event.pop("exc_info", None) or getattr(record, "exc_info", None)
    if exc_info:
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        event["error"] = type(error).__name__
    if record is not None:
        record.exc_info = record.exc_text = None
    return event
