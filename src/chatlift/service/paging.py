"""Cursors: where a list goes on, as a text that callers hand back and need not understand."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from chatlift.errors import InvalidInput
from chatlift.service.asked_bodies import is_storable

Place = str | int | float
HIGHEST_NUMBER = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=200, description="At most so many rows.")]
Cursor = Annotated[
    str | None,
    Query(max_length=500, description="`next_cursor` of the answer before; none: from the start."),
]


class BrokenCursor(InvalidInput):
    """A cursor is not one that this list gave out."""

    def __init__(self) -> None:
        super().__init__(
            "The cursor cannot be read. Hand back `next_cursor` as it was, or leave it out to "
            "begin at the start."
        )


def cursor_of(places: Sequence[Place]) -> str:
    """Return the cursor behind the row of these places.

    Examples
    --------
    >>> read_cursor(cursor_of([0.5, 7]), (float, int))
    (0.5, 7)
    """
    return base64.urlsafe_b64encode(json.dumps(list(places)).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kinds: tuple[type, ...]) -> tuple[Place, ...]:
    """Return the places that a cursor holds, each of the kind that the list goes by.

    Raises
    ------
    BrokenCursor
        If it is none of this list's.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BrokenCursor from error
    if not isinstance(found, list) or [type(place) for place in found] != list(kinds):
        raise BrokenCursor
    if not all(map(_is_storable, found)):
        raise BrokenCursor
    return tuple(found)


def _is_storable(place: Place) -> bool:
    """Tell whether a database could hold a place; one that none holds is none of ours."""
    if isinstance(place, str):
        return is_storable(place)
    return math.isfinite(place) and abs(place) <= HIGHEST_NUMBER
