"""The mapping: which column of a file means what, and since when its values are known.

Read from a small TOML, YAML or JSON file, taken from a preset, or guessed from usual headers.
`docs/importing.md` explains it to the person who writes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput
from chatlift.sources.cells import MISSING, DateOrder

CREATION = "creation"
IMPORT = "import"
ALL_COLUMNS = "all"
"""In place of names of columns: every further column of contacts and leads."""

FIELDS: dict[str, tuple[str, ...]] = {
    "contacts": (
        "external_id",
        "name",
        "first_name",
        "last_name",
        "phone",
        "created_at",
        "churned_at",
        "churned",
    ),
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
"""What a column of each table can mean. `churned` is a flag without a date; `first_name` and
`last_name` stand for a `name` that is not there."""

_CONTACT = ("contact_external_id", "contact_id", "contact", "customer_id", "user_id")
_CREATED = ("created_at", "created", "created_on", "creation_date", "create_date", "date_created")
GUESSES: dict[str, dict[str, tuple[str, ...]]] = {
    "contacts": {
        "external_id": ("external_id", "id", "contact_id", "customer_id", "user_id"),
        "name": ("name", "full_name", "contact_name"),
        "first_name": ("first_name", "firstname", "given_name"),
        "last_name": ("last_name", "lastname", "surname", "family_name"),
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

FILE_OPTIONS = ("separator", "encoding", "sheet")
SPELLINGS = ("date_format", "date_order", "decimal", "missing", "time_zone")
OPTIONS = frozenset({"known", "known_at_creation", "ignore", *FILE_OPTIONS, *SPELLINGS, *VALUES})
WHOLE = frozenset(
    {"exported_at", "time_zone", "date_order", "decimal", "missing", "known_at_creation"}
)
"""What a mapping says about all its tables at once."""
YAML_WORDS = {True: ("yes", "true", "on"), False: ("no", "false", "off")}
"""YAML reads these words as flags, and they were written as words."""


@dataclass(frozen=True, kw_only=True)
class TableMapping:
    """How one table's file is read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field to column of the file; fields that are absent are guessed from the headers."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Further column to when its value is known: `creation`, `import` or a date column."""
    known_at_creation: frozenset[str] = frozenset()
    """Further columns known since the creation, unless `known` says otherwise; `all` names all.
    Those that the file does not have are columns of another one."""
    ignore: frozenset[str] = frozenset()
    """Further columns to leave out."""
    date_format: str | None = None
    """strftime pattern of all instants in the file; None: found from the values."""
    date_order: DateOrder | None = None
    """Whether dates begin with the day or the month; None: found from the values."""
    decimal: str | None = None
    """What begins the decimals of numbers, comma or point; None: found from the values."""
    missing: tuple[str, ...] = MISSING
    """What stands in cells of which nothing is known, in small letters."""
    time_zone: str = "UTC"
    """IANA zone of instants that carry none."""
    separator: str | None = None
    """What separates the cells of a CSV file; None: found from the file."""
    encoding: str | None = None
    """Of a CSV file; None: found from the file."""
    sheet: str | None = None
    """Of a workbook; None: the first."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Overrides of `VALUES`."""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a preset calls the column of a field; the first that a file has is taken."""

    def known_since(self, column: str) -> str:
        """Return since when the values of a further column are known."""
        return self.known.get(column, CREATION if self._is_vouched_for(column) else IMPORT)

    def _is_vouched_for(self, column: str) -> bool:
        return not self.known_at_creation.isdisjoint({column, ALL_COLUMNS})

    def words(self, name: str) -> list[str]:
        """Return the words of one value list, in small letters."""
        return [word.lower() for word in self.values.get(name, VALUES[name])]


@dataclass(frozen=True, kw_only=True)
class SourceMapping:
    """How the files of one import are read."""

    tables: Mapping[str, TableMapping] = field(default_factory=dict)
    exported_at: datetime | None = None
    """The instant up to which the files are complete; None: their last record's."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """All this as plain values, from which `parse_mapping` makes it again."""

    def of(self, table: str) -> TableMapping:
        """Return the mapping of one table; an empty one guesses everything."""
        return self.tables.get(table, TableMapping())


def parse_mapping(raw: Mapping[str, Any], *, preset: SourceMapping | None = None) -> SourceMapping:
    """Return the mapping that plain tables and lists describe.

    Parameters
    ----------
    preset
        What counts where the mapping says nothing.

    Raises
    ------
    InvalidInput
        If it names a table, field or option there is not, or a value that cannot be meant.
    """
    base = preset or SourceMapping()
    whole = {name: raw[name] for name in WHOLE & raw.keys() if name != "exported_at"}
    told = {name: value for name, value in raw.items() if name not in WHOLE}
    # Tables that the mapping does not speak of still have the zone of the whole.
    tables = {
        name: _table(name, whole | dict(_options(name, told.get(name, {}))), base.of(name))
        for name in dict.fromkeys([*FIELDS, *told])
    }
    return SourceMapping(
        tables=tables,
        exported_at=_instant(raw.get("exported_at")) or base.exported_at,
        told={"own": json.loads(json.dumps(raw, default=str)), "base": dict(base.told)},
    )


def refuse_unknown_columns(mapping: SourceMapping, headers: Sequence[str]) -> None:
    """See that the columns known since the creation are there.

    Parameters
    ----------
    headers
        The columns of all files of the import.

    Raises
    ------
    InvalidInput
        If one is in none of the files.
    """
    named = {name for table in mapping.tables.values() for name in table.known_at_creation}
    unknown = sorted(named - {*headers, ALL_COLUMNS})
    if unknown:
        raise InvalidInput(
            f"The column {unknown[0]!r} was said to be known since the creation, and the files "
            f"have: {', '.join(headers)}. Correct its name, or write all."
        )


def mapping_again(told: Mapping[str, Any]) -> SourceMapping:
    """Return the mapping whose `told` this was."""
    if not told:
        return SourceMapping()
    return parse_mapping(told["own"], preset=mapping_again(told["base"]))


def _options(table: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InvalidInput(
        f"The mapping's {table!r} is {value!r} where a table of fields and options should stand."
    )


def _table(name: str, raw: Mapping[str, Any], base: TableMapping) -> TableMapping:
    if name not in FIELDS:
        raise InvalidInput(
            f"The mapping speaks of {name!r}, which is no table. "
            f"There are: {', '.join(FIELDS)}, and the options {', '.join(sorted(WHOLE))}."
        )
    unknown = [key for key in raw if key not in OPTIONS and key not in FIELDS[name]]
    if unknown:
        raise InvalidInput(
            f"The mapping of {name} has {unknown[0]!r}, which is no field or option. "
            f"Fields: {', '.join(FIELDS[name])}. Options: {', '.join(sorted(OPTIONS))}."
        )
    fields = {key: raw[key] for key in FIELDS[name] if key in raw}
    lists = {key: _texts(value) for key, value in fields.items() if isinstance(value, list)}
    return replace(
        base,
        columns={
            **base.columns,
            **{key: str(value) for key, value in fields.items() if key not in lists},
        },
        headers={**base.headers, **lists},
        known={**base.known, **{str(c): str(when) for c, when in raw.get("known", {}).items()}},
        known_at_creation=base.known_at_creation
        | frozenset(_texts(raw.get("known_at_creation", []))),
        ignore=base.ignore | frozenset(_texts(raw.get("ignore", []))),
        values={**base.values, **{key: _texts(raw[key]) for key in VALUES if key in raw}},
        **_spellings(raw),
    )


def _spellings(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: str(raw[key]) for key in ("date_format", *FILE_OPTIONS) if key in raw
    }
    if "time_zone" in raw:
        found["time_zone"] = _zone(str(raw["time_zone"]))
    if "date_order" in raw:
        found["date_order"] = _choice("date_order", str(raw["date_order"]), list(DateOrder))
    if "decimal" in raw:
        found["decimal"] = _choice("decimal", str(raw["decimal"]), [",", "."])
    if "missing" in raw:
        found["missing"] = tuple(word.lower() for word in _texts(raw["missing"]))
    return found


def _choice(option: str, value: str, choices: Sequence[str]) -> str:
    for choice in choices:
        if choice == value:
            return choice
    raise InvalidInput(
        f"The mapping's {option} is {value!r}. Choose one of: {', '.join(map(repr, choices))}."
    )


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        values = [values]
    texts: list[str] = []
    for value in values:
        texts += YAML_WORDS[value] if isinstance(value, bool) else [str(value)]
    return tuple(texts)


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

    `created_at` may stand for no column but for `import`: records are as old as their import.

    Raises
    ------
    InvalidInput
        If the mapping names a column that the file does not have.

    Examples
    --------
    >>> resolve_columns("leads", TableMapping(columns={"outcome": "Won?"}), ["Lead ID", "Won?"])
    {'external_id': 'Lead ID', 'outcome': 'Won?'}
    """
    for column in [*mapping.columns.values(), *mapping.known]:
        if column not in headers and column != IMPORT:
            raise InvalidInput(
                f"The mapping of {table} names the column {column!r}, and the file has: "
                f"{', '.join(headers)}. Correct the mapping."
            )
    taken = {*mapping.columns.values(), *mapping.known, *mapping.ignore}
    plain = {_plain(header): header for header in headers if header not in taken}
    resolved: dict[str, str] = {}
    for name in FIELDS[table]:
        candidates = (
            [mapping.columns[name]]
            if name in mapping.columns
            else [
                plain[_plain(guess)]
                for guess in (*mapping.headers.get(name, ()), *GUESSES[table][name])
                if _plain(guess) in plain
            ]
        )
        free = [c for c in candidates if c not in resolved.values() or c == IMPORT]
        resolved.update((name, column) for column in free[:1])
    if IMPORT in mapping.headers.get("created_at", ()):
        resolved.setdefault("created_at", IMPORT)
    return resolved


def _plain(header: str) -> str:
    return header.strip().lower().replace(" ", "_").replace("-", "_")
