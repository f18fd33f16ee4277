"""What callers send as JSON: no unknown fields, and no text that a database cannot hold."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


def asking(example: dict[str, Any], *, strict: bool = False) -> ConfigDict:
    """Return the configuration of a body that is asked for, with its example.

    Parameters
    ----------
    strict
        Take values of the described types alone: no text where a number is meant.
    """
    return ConfigDict(extra="forbid", strict=strict, json_schema_extra={"example": example})


class Strict(BaseModel):
    """A body that callers send, in which a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")


class AskedBody(Strict):
    """A body whose texts are looked up or kept as they are, so that a database has to hold them.

    Records are none: their texts lose what no database holds as they are written.
    """

    @field_validator("*")
    @classmethod
    def _can_be_stored(cls, value: object) -> object:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not is_storable(text):
                raise ValueError("a text holds a NUL or half a character")
        return value


def is_storable(text: str) -> bool:
    r"""Tell whether both databases can hold a text.

    Examples
    --------
    >>> is_storable("né"), is_storable("a\0b"), is_storable("\ud800")
    (True, False, False)
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
