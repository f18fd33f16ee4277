"""What is kept of an exception: its type, where it arose, a sentence; never a value."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Any

from chatlift.errors import ChatliftError

PACKAGE = "chatlift"
LIBRARIES = "site-packages"
FRAME_LIMIT = 40
CAUSE_LIMIT = 5
GENERIC_SENTENCE = (
    "Something broke that Chatlift did not foresee. The type and place of the error are kept "
    "with the run; run again with --debug to see more, and report it if it comes back."
)


def failure_of(error: BaseException) -> dict[str, Any]:
    """Return an exception as JSON values that hold nothing of anybody's data.

    Returns
    -------
    dict
        `type`; `kind` (of a `ChatliftError`, else `internal`); `sentence` for a person, which
        is the error's text only where Chatlift wrote it, because a library's text may quote a
        cell; `frames`, oldest first, each `file` (relative to its package), `line`,
        `function`; `causes`, the same `type` and `frames` of what led to it.
    """
    is_ours = isinstance(error, ChatliftError)
    return {
        **_place(error),
        "kind": str(error.kind) if isinstance(error, ChatliftError) else "internal",
        "sentence": str(error) if is_ours else GENERIC_SENTENCE,
        "causes": [_place(cause) for cause in _causes(error)],
    }


def _place(error: BaseException) -> dict[str, Any]:
    summary = traceback.extract_tb(error.__traceback__)[-FRAME_LIMIT:]
    return {
        "type": type(error).__name__,
        "frames": [
            {"file": _relative(frame.filename), "line": frame.lineno, "function": frame.name}
            for frame in summary
        ],
    }


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause = _cause(error)
    while cause is not None and len(found) < CAUSE_LIMIT:
        found.append(cause)
        cause = _cause(cause)
    return found


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _relative(filename: str) -> str:
    """Return a path without the machine's folders: from the package on, or the bare name."""
    parts = PurePath(filename.replace("\\", "/")).parts
    if LIBRARIES in parts:
        return "/".join(parts[parts.index(LIBRARIES) + 1 :])
    if PACKAGE in parts:
        return "/".join(parts[len(parts) - 1 - parts[::-1].index(PACKAGE) :])
    return parts[-1] if parts else filename
