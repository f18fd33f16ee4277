"""The one family of errors that Chatlift raises on purpose.

Every error carries a `kind` out of a closed set. The command line maps the kind to an exit
code and the service maps it to an HTTP status, so neither needs to know the classes below.
A message answers three questions: what was asked, what was found, what to do.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a request could not be served; closed, so that callers can map all of it."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    NOT_READY = "not_ready"
    UNAVAILABLE = "unavailable"


class ChatliftError(Exception):
    """Root of all errors raised on purpose; its text may be shown to a person as it is."""

    kind: ErrorKind = ErrorKind.INVALID


class InvalidInput(ChatliftError):
    """The request or the data handed over cannot be used as it is."""


class NotFound(ChatliftError):
    """The named thing does not exist in this account."""

    kind = ErrorKind.NOT_FOUND


class Conflict(ChatliftError):
    """The request collides with the present state, such as a running training."""

    kind = ErrorKind.CONFLICT


class NotReady(ChatliftError):
    """There is too little data, or no version yet, to answer honestly."""

    kind = ErrorKind.NOT_READY


class Unavailable(ChatliftError):
    """Something needed cannot be reached or trusted now, such as a damaged artifact."""

    kind = ErrorKind.UNAVAILABLE


class Cancelled(ChatliftError):
    """The work was asked to stop and did so cleanly; nothing of it was published."""

    kind = ErrorKind.CONFLICT
