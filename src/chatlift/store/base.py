"""What all tables share: the declarative base, ids and instants.

Instants are stored as whole microseconds since 1970-01-01 UTC in a 64-bit integer column,
on SQLite as on PostgreSQL: exact, ordered, the same bytes on both, and read into a frame
without parsing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Return whole microseconds since the epoch.

    Raises
    ------
    ValueError
        If `instant` carries no time zone: which moment it means cannot be known.

    Examples
    --------
    >>> to_microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    if instant.tzinfo is None:
        raise ValueError(f"The instant {instant!r} has no time zone. Pass an aware datetime.")
    return (instant - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the instant in UTC; the inverse of `to_microseconds`."""
    return EPOCH + timedelta(microseconds=microseconds)


class UtcInstant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since the epoch, read back in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn an instant into its stored number; a naive one raises ValueError."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn the stored number back into an instant."""
        return None if value is None else from_microseconds(value)


BIG_INTEGER = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; SQLite numbers rows by itself only where the type reads INTEGER."""

PrimaryId = Annotated[int, mapped_column(BIG_INTEGER, primary_key=True, autoincrement=True)]
"""A row's own number, given by the database and never used twice."""

BigInt = Annotated[int, mapped_column(BIG_INTEGER)]
"""A 64-bit number, such as a reference to another row."""


class Base(DeclarativeBase):
    """Base of all tables; names constraints, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain dict here
        datetime: UtcInstant,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: String,
    }
