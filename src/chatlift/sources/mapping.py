"""The mapping: which column of a file means what, and since when its values are known.

Read from a small TOML or JSON file, or guessed from usual headers where none is given.
`docs/importing.md` explains it to the person who writes one.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput

CREATION = "creation"
IMPORT = "import"

FIELDS: dict[str, tuple[str, ...]] = {
    "contacts": ("external_id", "name", "phone", "created_at", "churned_at", "churned"),
    "conversations": ("external_id", "contact_external_id", "started_at"),
    "leads": ("external_id", "contact_external_id", "created_at", "outcome", "closed_at"),
    "messages": (
        "external_id",
        "contact_external_id",
        "conversation_external_id",
        "direction",
        "kind",
        "text",
        "sent_at",
        "is_automatic",
    ),
    "facts": ("subject", "subject_external_id", "name", "value", "known_at"),
}
"""What a column of each table can mean. `churned` is a flag without a date."""

_CONTACT = ("contact_external_id", "contact_id", "contact", "customer_id", "user_id")
_CREATED = ("created_at", "created", "created_on", "creation_date", "create_date", "date_created")
GUESSES: dict[str, dict[str, tuple[str, ...]]] = {
    "contacts": {
        "external_id": ("external_id", "id", "contact_id", "customer_id", "user_id"),
        "name": ("name", "full_name", "contact_name"),
        "phone": ("phone", "phone_number", "mobile", "whatsapp"),
        "created_at": _CREATED,
        "churned_at": ("churned_at", "cancelled_at", "canceled_at"),
        "churned": ("churned", "churn"),
    },
    "conversations": {
        "external_id": ("external_id", "id", "conversation_id"),
        "contact_external_id": _CONTACT,
        "started_at": ("started_at", *_CREATED),
    },
    "leads": {
        "external_id": ("external_id", "id", "lead_id"),
        "contact_external_id": _CONTACT,
        "created_at": _CREATED,
        "outcome": ("outcome", "status", "result"),
        "closed_at": ("closed_at", "close_date", "closed_on"),
    },
    "messages": {
        "external_id": ("external_id", "id", "message_id"),
        "contact_external_id": _CONTACT,
        "conversation_external_id": ("conversation_external_id", "conversation_id"),
        "direction": ("direction",),
        "kind": ("kind", "type", "message_type"),
        "text": ("text", "body", "content", "message"),
        "sent_at": ("sent_at", "timestamp", *_CREATED),
        "is_automatic": ("is_automatic", "automatic", "is_bot"),
    },
    "facts": {name: (name,) for name in FIELDS["facts"]},
}
"""Usual headers, in small letters with underscores; the first that a file has is taken."""

VALUES: dict[str, tuple[str, ...]] = {
    "won_values": ("won", "closed won", "converted", "yes", "true", "1"),
    "lost_values": ("lost", "closed lost", "not converted", "no", "false", "0"),
    "open_values": ("open", "new", "in progress", "contacted", "qualified"),
    "inbound_values": ("in", "inbound", "incoming", "received", "customer", "contact"),
    "outbound_values": ("out", "outbound", "outgoing", "sent", "agent", "business", "bot"),
    "churned_values": ("churned", "yes", "true", "1"),
}
"""What the words in a column mean, read without regard to upper and lower case."""

OPTIONS = frozenset({"known", "ignore", "date_format", "time_zone", *VALUES})


@dataclass(frozen=True, kw_only=True)
class TableMapping:
    """How one table's file is read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field to column of the file; fields that are absent are guessed from the headers."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Further column to when its value is known: `creation`, `import` or a date column."""
    ignore: frozenset[str] = frozenset()
    """Further columns to leave out."""
    date_format: str | None = None
    """strftime pattern of all instants in the file; None: ISO 8601 or Unix time."""
    time_zone: str = "UTC"
    """IANA zone of instants that carry none."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Overrides of `VALUES`."""

    def words(self, name: str) -> list[str]:
        """Return the words of one value list, in small letters."""
        return [word.lower() for word in self.values.get(name, VALUES[name])]


@dataclass(frozen=True, kw_only=True)
class SourceMapping:
    """How the files of one import are read."""

    tables: Mapping[str, TableMapping] = field(default_factory=dict)
    exported_at: datetime | None = None
    """The instant up to which the files are complete; None: their last record's."""

    def of(self, table: str) -> TableMapping:
        """Return the mapping of one table; an empty one guesses everything."""
        return self.tables.get(table, TableMapping())


def load_mapping(path: Path) -> SourceMapping:
    """Read a mapping from a `.toml` or `.json` file.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or names a table, field or option there is not.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"The mapping {path.name} cannot be read ({type(error).__name__}). "
            "Write it as TOML, or as JSON with the ending .json, in UTF-8."
        ) from error
    return parse_mapping(raw)


def parse_mapping(raw: Mapping[str, Any]) -> SourceMapping:
    """Return the mapping that plain tables and lists describe; as `load_mapping`."""
    zone = raw.get("time_zone", "UTC")
    tables = {
        name: _table(name, {"time_zone": zone} | dict(value))
        for name, value in raw.items()
        if name not in {"time_zone", "exported_at"}
    }
    # Tables that the mapping does not speak of still have the zone of the whole.
    unsaid = {name: TableMapping(time_zone=_zone(zone)) for name in FIELDS}
    return SourceMapping(tables=unsaid | tables, exported_at=_instant(raw.get("exported_at")))


def _table(name: str, raw: Mapping[str, Any]) -> TableMapping:
    if name not in FIELDS:
        raise InvalidInput(
            f"The mapping speaks of {name!r}, which is no table. "
            f"There are: {', '.join(FIELDS)}, and the options exported_at and time_zone."
        )
    unknown = [key for key in raw if key not in OPTIONS and key not in FIELDS[name]]
    if unknown:
        raise InvalidInput(
            f"The mapping of {name} has {unknown[0]!r}, which is no field or option. "
            f"Fields: {', '.join(FIELDS[name])}. Options: {', '.join(sorted(OPTIONS))}."
        )
    return TableMapping(
        columns={key: str(raw[key]) for key in FIELDS[name] if key in raw},
        known={str(column): str(when) for column, when in raw.get("known", {}).items()},
        ignore=frozenset(raw.get("ignore", ())),
        date_format=raw.get("date_format"),
        time_zone=_zone(raw["time_zone"]),
        values={key: tuple(str(v) for v in raw[key]) for key in VALUES if key in raw},
    )


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(
            f"The mapping's time_zone is {name!r}, which is no IANA time zone. "
            "Use a name such as Europe/Madrid or UTC."
        ) from error
    return name


def _instant(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant.replace(tzinfo=instant.tzinfo or UTC)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "The mapping's exported_at is no instant. Write it like 2026-01-31T23:59:59Z."
        ) from error


def resolve_columns(table: str, mapping: TableMapping, headers: Sequence[str]) -> dict[str, str]:
    """Return field to column of the file: as mapped, else as guessed from the headers.

    Raises
    ------
    InvalidInput
        If the mapping names a column that the file does not have.

    Examples
    --------
    >>> resolve_columns("leads", TableMapping(columns={"outcome": "Won?"}), ["Lead ID", "Won?"])
    {'external_id': 'Lead ID', 'outcome': 'Won?'}
    """
    named = [*mapping.columns.values(), *mapping.known]
    for column in named:
        if column not in headers:
            raise InvalidInput(
                f"The mapping of {table} names the column {column!r}, and the file has: "
                f"{', '.join(headers)}. Correct the mapping."
            )
    taken = set(named) | mapping.ignore
    plain = {_plain(header): header for header in headers if header not in taken}
    resolved: dict[str, str] = {}
    for name in FIELDS[table]:
        guessed = [plain[guess] for guess in GUESSES[table][name] if guess in plain]
        candidates = [mapping.columns[name]] if name in mapping.columns else guessed
        free = [c for c in candidates if c not in resolved.values()]
        resolved.update((name, column) for column in free[:1])
    return resolved


def _plain(header: str) -> str:
    return header.strip().lower().replace(" ", "_").replace("-", "_")
