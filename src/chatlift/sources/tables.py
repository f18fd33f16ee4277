"""Tables of a CRM export: CSV or Parquet files in, records and rejected rows out.

A row with a bad cell is rejected with its line, column, value and reason; nothing else is
lost. Columns that stand for no field become dated facts, known since when the mapping says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from chatlift import records
from chatlift.errors import InvalidInput
from chatlift.records import INSTANT
from chatlift.sources.cells import NO, YES, cleaned, flag, instant, word
from chatlift.sources.files import RawTable, read_table
from chatlift.sources.mapping import (
    CREATION,
    IMPORT,
    SourceMapping,
    TableMapping,
    resolve_columns,
)
from chatlift.vocabulary import Direction, FactSubject, LeadOutcome

REJECTED_ROWS = pl.Schema(
    {
        "row_number": pl.Int64,
        "line_number": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "reason": pl.String,
    }
)
"""One row per refused row of a file. `row_number` counts data rows from 0; null
`line_number`: the file has no lines; null `value`: the cell was empty."""

SCHEMAS: dict[str, pl.Schema] = {
    "contacts": records.CONTACTS,
    "conversations": records.CONVERSATIONS,
    "leads": records.LEADS,
    "messages": records.MESSAGES,
    "facts": records.FACTS,
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "contacts": ("external_id", "created_at"),
    "conversations": ("external_id", "contact_external_id", "started_at"),
    "leads": ("external_id", "contact_external_id", "created_at", "outcome"),
    "messages": ("contact_external_id", "direction", "sent_at"),
    "facts": ("subject", "subject_external_id", "name", "known_at"),
}
SUBJECTS = {
    "contacts": FactSubject.CONTACT,
    "leads": FactSubject.LEAD,
    "messages": FactSubject.MESSAGE,
}
"""What the further columns of a table are facts about. Those of messages are left out unless
the mapping says since when they are known: there would be millions that nobody asked for."""


@dataclass(frozen=True, kw_only=True)
class TableFiles:
    """The files of one import; None: there is none."""

    contacts: Path | None = None
    conversations: Path | None = None
    leads: Path | None = None
    messages: Path | None = None
    facts: Path | None = None

    def present(self) -> dict[str, Path]:
        """Return table to file, in the order in which records name each other."""
        named = {name: getattr(self, name) for name in SCHEMAS}
        return {name: path for name, path in named.items() if path is not None}


@dataclass(frozen=True, kw_only=True)
class ParsedTable:
    """One file, understood; the rows of `rows` and `rejected` together are all of it."""

    table: str
    file_name: str
    read_count: int
    rows: pl.DataFrame
    """The records, in the schema of their table."""
    row_numbers: pl.Series
    """Per row of `rows` its number in the file, from 0."""
    line_numbers: pl.Series
    """Per row of `rows` the line on which it begins; null where the file has no lines."""
    rejected: pl.DataFrame
    """The refused rows, as `REJECTED_ROWS`."""
    facts: pl.DataFrame = field(default_factory=records.FACTS.to_frame)
    """What the further columns say."""
    import_known_columns: tuple[str, ...] = ()
    """Further columns whose values are known by this import only: no example before it may
    use them."""
    ignored_columns: tuple[str, ...] = ()
    undated_outcome_count: int = 0
    """Closed leads without a closing date: their outcome is known by this import only."""


def parse_files(
    files: TableFiles, mapping: SourceMapping, *, imported_at: datetime
) -> dict[str, ParsedTable]:
    """Return table to what its file says.

    Parameters
    ----------
    imported_at
        The instant from which on everything undated is known.

    Raises
    ------
    InvalidInput
        If a file cannot be read at all, or lacks a column without which none of its rows
        means anything.
    """
    return {
        table: parse_table(table, path, mapping, imported_at=imported_at)
        for table, path in files.present().items()
    }


def parse_table(
    table: str, path: Path, mapping: SourceMapping, *, imported_at: datetime
) -> ParsedTable:
    """Return what one file says; as `parse_files`."""
    raw = read_table(path)
    parser = _Parser(table, mapping, raw, path.name, imported_at)
    return parser.parse()


class _Parser:
    """Turns the cells of one file into records, facts and rejected rows."""

    def __init__(
        self, table: str, mapping: SourceMapping, raw: RawTable, name: str, imported_at: datetime
    ) -> None:
        self.table = table
        self.mapping: TableMapping = mapping.of(table)
        self.file_name = name
        self.headers = raw.cells.columns
        self.columns = resolve_columns(table, self.mapping, self.headers)
        self.imported_at = imported_at
        self.churned_by = mapping.exported_at or imported_at
        self.cells = raw.cells.select(cleaned(name).alias(name) for name in self.headers)
        self.place = pl.DataFrame({"line_number": raw.lines, "is_overlong": raw.overlong})
        self._require_columns()

    def parse(self) -> ParsedTable:
        typed = self._typed()
        bad = self._first_bad()
        rejected = self._rejected(bad)
        is_kept = bad.is_null()
        rows = typed.filter(is_kept)
        if self.table == "messages":
            rows = _with_message_ids(rows)
        lines = self.place["line_number"]
        numbers = pl.int_range(typed.height, dtype=pl.Int64, eager=True)
        return ParsedTable(
            table=self.table,
            file_name=self.file_name,
            read_count=typed.height,
            rows=rows,
            row_numbers=numbers.filter(is_kept),
            line_numbers=lines.filter(is_kept),
            rejected=rejected,
            facts=self._facts(rows, is_kept),
            import_known_columns=tuple(c for c, when in self._known().items() if when == IMPORT),
            ignored_columns=self._ignored(),
            undated_outcome_count=_undated(rows) if self.table == "leads" else 0,
        )

    def _require_columns(self) -> None:
        missing = [name for name in REQUIRED[self.table] if name not in self.columns]
        if missing:
            raise InvalidInput(
                f"No column of {self.file_name} stands for {missing[0]} of {self.table}; it has: "
                f"{', '.join(self.headers)}. Name it in the mapping: "
                f'[{self.table}] {missing[0]} = "<column>".'
            )

    def _typed(self) -> pl.DataFrame:
        values = {name: self._value(name) for name in SCHEMAS[self.table]}
        typed = self.cells.select(**values)
        if self.table == "leads":
            typed = typed.with_columns(**_closing(self.imported_at))
        return typed.cast(dict(SCHEMAS[self.table]))  # type: ignore[arg-type]

    def _value(self, name: str) -> pl.Expr:
        """Return the typed value of a field; null where the file says nothing of it."""
        if name == "churned_at":
            return self._churned_at()
        column = self.columns.get(name)
        return pl.lit(None) if column is None else self._read(name, pl.col(column))

    def _read(self, name: str, cell: pl.Expr) -> pl.Expr:
        if name.endswith("_at"):
            form, zone = self.mapping.date_format, self.mapping.time_zone
            return instant(cell, date_format=form, time_zone=zone)
        if name in {"direction", "outcome"}:
            return word(cell, self._meanings(name))
        if name == "churned":
            return word(cell, {"true": self.mapping.words("churned_values")}) == "true"
        return flag(cell) if name == "is_automatic" else cell

    def _meanings(self, name: str) -> Mapping[str, list[str]]:
        words = self.mapping.words
        if name == "direction":
            return {
                Direction.INBOUND: words("inbound_values"),
                Direction.OUTBOUND: words("outbound_values"),
            }
        return {
            LeadOutcome.WON: words("won_values"),
            LeadOutcome.LOST: words("lost_values"),
            LeadOutcome.OPEN: words("open_values"),
        }

    def _churned_at(self) -> pl.Expr:
        dated = self.columns.get("churned_at")
        flagged = self.columns.get("churned")
        date = pl.lit(None, INSTANT) if dated is None else self._read("churned_at", pl.col(dated))
        if flagged is None:
            return date
        churned = pl.when(self._read("churned", pl.col(flagged)))
        return pl.coalesce(date, churned.then(pl.lit(self.churned_by, INSTANT)))

    def _first_bad(self) -> pl.Series:
        """Per row the first field that cannot be used; null: the row is good."""
        tests = [
            pl.when(self._is_bad(name)).then(pl.lit(name))
            for name in self.columns
            if name in REQUIRED[self.table] or self._is_typed(name)
        ]
        overlong = pl.when(self.place["is_overlong"]).then(pl.lit(""))
        return self.cells.select(pl.coalesce(overlong, *tests).alias("bad"))["bad"]

    def _is_typed(self, name: str) -> bool:
        return name.endswith("_at") or name in {"direction", "outcome", "is_automatic"}

    def _is_bad(self, name: str) -> pl.Expr:
        cell = pl.col(self.columns[name])
        unread = self._read(name, cell).is_null() if self._is_typed(name) else pl.lit(value=False)
        empty = pl.lit(value=name in REQUIRED[self.table])
        return pl.when(cell.is_null()).then(empty).otherwise(unread)

    def _rejected(self, bad: pl.Series) -> pl.DataFrame:
        numbered = self.cells.with_columns(
            row_number=pl.int_range(self.cells.height, dtype=pl.Int64),
            line_number=self.place["line_number"],
        )
        told = [
            self._told(numbered.filter(bad == name), str(name))
            for name in bad.drop_nulls().unique()
        ]
        return pl.concat([REJECTED_ROWS.to_frame(), *told]).sort("row_number")

    def _told(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        column = self.columns.get(name, "")
        cell = pl.col(column) if column else pl.lit(None, pl.String)
        reason = pl.when(cell.is_null() & (name != "")).then(pl.lit(f"{name} is missing"))
        return rows.select(
            "row_number",
            "line_number",
            pl.lit(column).alias("column"),
            cell.alias("value"),
            reason.otherwise(pl.lit(self._reason(name))).alias("reason"),
        )

    def _reason(self, name: str) -> str:
        if not name:
            return "the row has more cells than the header"
        if name.endswith("_at"):
            form = self.mapping.date_format or "ISO 8601, such as 2026-01-31 17:05"
            return f"{name} is no instant in the form {form}; name another as date_format"
        if name == "is_automatic":
            return f"{name} is none of {', '.join(YES + NO)}"
        words = [word for listed in self._meanings(name).values() for word in listed]
        return f"{name} is none of {', '.join(words)}; name the words in the mapping"

    def _known(self) -> dict[str, str]:
        """Return each column that becomes a fact, with since when its values are known."""
        taken = {*self.columns.values(), *self.mapping.ignore, *self.mapping.known.values()}
        free = self.headers if self.table in {"contacts", "leads"} else list(self.mapping.known)
        return {c: self.mapping.known.get(c, IMPORT) for c in free if c not in taken}

    def _ignored(self) -> tuple[str, ...]:
        used = {*self.columns.values(), *self._known(), *self.mapping.known.values()}
        return tuple(c for c in self.headers if c not in used)

    def _facts(self, rows: pl.DataFrame, is_kept: pl.Series) -> pl.DataFrame:
        subject = SUBJECTS.get(self.table)
        if subject is None:
            return records.FACTS.to_frame()
        cells = self.cells.filter(is_kept)
        told = [
            cells.select(
                pl.lit(str(subject)).alias("subject"),
                rows["external_id"].alias("subject_external_id"),
                pl.lit(column).alias("name"),
                pl.col(column).alias("value"),
                self._known_at(when, rows).alias("known_at"),
            ).drop_nulls()
            for column, when in self._known().items()
        ]
        return pl.concat([records.FACTS.to_frame(), *told])

    def _known_at(self, when: str, rows: pl.DataFrame) -> pl.Expr:
        by_import = pl.lit(self.imported_at, INSTANT)
        if when == IMPORT:
            return by_import
        if when == CREATION:
            return pl.lit(rows["sent_at" if self.table == "messages" else "created_at"])
        if when not in self.headers:
            raise InvalidInput(
                f"The mapping says that a column of {self.table} is known since {when!r}, and "
                f"{self.file_name} has: {', '.join(self.headers)}. "
                "Write creation, import or one of these."
            )
        return pl.coalesce(self._read("known_at", pl.col(when)), by_import)


def _closing(imported_at: datetime) -> dict[str, pl.Expr]:
    is_closed = pl.col("outcome") != LeadOutcome.OPEN
    known_at = pl.coalesce(pl.col("closed_at").cast(INSTANT), pl.lit(imported_at, INSTANT))
    return {
        "closed_at": pl.when(is_closed).then("closed_at"),
        "outcome_known_at": pl.when(is_closed).then(known_at),
    }


def _undated(leads: pl.DataFrame) -> int:
    is_closed = leads["outcome"] != LeadOutcome.OPEN
    return int((is_closed & leads["closed_at"].is_null()).sum())


def _with_message_ids(messages: pl.DataFrame) -> pl.DataFrame:
    """Give messages without an id one made of what they say and which such message they are.

    The same export read again, or one that overlaps it, gives the same ids.
    """
    said = ["contact_external_id", "sent_at", "direction", "text"]
    unnamed = messages.filter(pl.col("external_id").is_null())
    if unnamed.is_empty():
        return messages
    counted = messages.select(
        pl.col("contact_external_id"),
        pl.col("sent_at").to_physical().cast(pl.String),
        pl.col("direction"),
        pl.col("text").fill_null(""),
        pl.int_range(pl.len()).over([*said, pl.col("external_id").is_null()]).cast(pl.String),
    )
    derived = [
        hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:32] for row in counted.iter_rows()
    ]
    return messages.with_columns(pl.coalesce("external_id", pl.Series(derived, dtype=pl.String)))
