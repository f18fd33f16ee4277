"""Tables of a CRM export: files in, records and rejected rows out, a piece of rows at a time.

A row with a bad cell is rejected with its line, column, value and reason; nothing else is
lost. Columns that stand for no field become dated facts, known since when the mapping says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from chatlift import records
from chatlift.records import INSTANT
from chatlift.sources.cells import EARLIEST, NO, YES, InstantForm, flag, instant, word
from chatlift.sources.mapping import CREATION, IMPORT, SourceMapping
from chatlift.sources.plans import REQUIRED, SUBJECTS, TablePlan, make_plan
from chatlift.sources.raw_tables import RawTable
from chatlift.vocabulary import Direction, FactSubject, LeadOutcome

REJECTED_ROWS = pl.Schema(
    {
        "row_number": pl.Int64,
        "line_number": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "reason": pl.String,
        "cells": pl.String,
    }
)
"""One row per refused row of a file. `row_number` counts data rows from 0; null
`line_number`: the file has no lines; null `value`: the cell was empty; `cells`: a JSON list of all
cells as they stood there."""

SCHEMAS: dict[str, pl.Schema] = {
    "contacts": records.CONTACTS,
    "conversations": records.CONVERSATIONS,
    "leads": records.LEADS,
    "messages": records.MESSAGES,
    "facts": records.FACTS,
}
SUBJECT_WORDS = {
    FactSubject.CONTACT: ("contact", "customer", "person"),
    FactSubject.LEAD: ("lead", "deal", "opportunity"),
    FactSubject.MESSAGE: ("message",),
}
WORDS = frozenset({"direction", "outcome", "subject"})
"""Fields whose cells hold one word out of a few."""


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
    """Some rows of one file, understood; `rows` and `rejected` together are all of them."""

    table: str
    read_count: int
    rows: pl.DataFrame
    """The records, in the schema of their table."""
    row_numbers: pl.Series
    """Per row of `rows` its number in the file, from 0."""
    line_numbers: pl.Series
    """Per row of `rows` the line on which it begins; null where the file has no lines."""
    raw: RawTable
    """All of the rows as they stood in the file."""
    is_kept: pl.Series
    """Per row of `raw` whether it is one of `rows`."""
    rejected: pl.DataFrame
    """The refused rows, as `REJECTED_ROWS`."""
    facts: pl.DataFrame = field(default_factory=records.FACTS.to_frame)
    """What the further columns say."""
    undated_outcome_count: int = 0
    """Closed leads without a closing date: their outcome is known by this import only."""


def parse_table(
    table: str, path: Path, mapping: SourceMapping, *, imported_at: datetime
) -> Iterator[ParsedTable]:
    """Yield what one file says, a piece of its rows at a time.

    Parameters
    ----------
    imported_at
        The instant from which on everything undated is known.

    Raises
    ------
    InvalidInput
        If the file cannot be read at all, or lacks a column without which none of its rows
        means anything.
    """
    plan = make_plan(table, path, mapping)
    yield from parse_planned(plan, imported_at=imported_at, exported_at=mapping.exported_at)


def parse_planned(
    plan: TablePlan, *, imported_at: datetime, exported_at: datetime | None = None
) -> Iterator[ParsedTable]:
    """Yield what a file says, read as planned; as `parse_table`."""
    ids = _MessageIds()
    first_row = 0
    for raw in plan.file.pieces(plan.piece_rows):
        parser = _Parser(plan, raw, first_row, imported_at, exported_at or imported_at)
        yield parser.parse(ids)
        first_row += raw.height


class _Parser:
    """Turns the cells of some rows into records, facts and rejected rows."""

    def __init__(
        self,
        plan: TablePlan,
        raw: RawTable,
        first_row: int,
        imported_at: datetime,
        churned_by: datetime,
    ) -> None:
        self.plan = plan
        self.table = plan.table
        self.columns = plan.columns
        self.words = plan.mapping.words
        self.imported_at = imported_at
        self.churned_by = churned_by
        self.raw = raw
        self.cells = plan.cells_of(raw.cells)
        # Each column is read once; the records and the judgement of rows both look at that.
        self.read = self.cells.select(
            **{name: self._read(name, column) for name, column in self.columns.items()}
        )
        self.place = pl.DataFrame({"line_number": raw.lines}).with_row_index(
            "row_number", offset=first_row
        )

    def parse(self, ids: _MessageIds) -> ParsedTable:
        typed = self._typed()
        bad = self._first_bad()
        is_kept = bad.is_null()
        rows = typed.filter(is_kept)
        if self.table == "messages":
            rows = ids.given_to(rows)
        place = self.place.filter(is_kept)
        return ParsedTable(
            table=self.table,
            read_count=typed.height,
            rows=rows,
            row_numbers=place["row_number"].cast(pl.Int64),
            line_numbers=place["line_number"],
            raw=self.raw,
            is_kept=is_kept,
            rejected=self._rejected(bad),
            facts=self._facts(rows, is_kept),
            undated_outcome_count=_undated(rows) if self.table == "leads" else 0,
        )

    def _typed(self) -> pl.DataFrame:
        values = {name: self._value(name) for name in SCHEMAS[self.table]}
        typed = self.read.select(**values)
        if self.table == "leads":
            typed = typed.with_columns(**_closing(self.imported_at))
        return typed.cast(dict(SCHEMAS[self.table]))  # type: ignore[arg-type]

    def _value(self, name: str) -> pl.Expr:
        """Return the typed value of a field; null where the file says nothing of it."""
        if name == "churned_at":
            return self._churned_at()
        if name in self.columns:
            return pl.col(name)
        if name == "name":
            return self._whole_name()
        return pl.lit(str(self.plan.subject) if name == "subject" else None, pl.String)

    def _read(self, name: str, column: str) -> pl.Expr:
        if name == "created_at" and column == IMPORT and column not in self.cells.columns:
            return pl.lit(self.imported_at, INSTANT)
        cell = pl.col(column)
        if name.endswith("_at"):
            return instant(cell, self.plan.instants.get(column, InstantForm()))
        if name in WORDS:
            return word(cell, self._meanings(name))
        if name == "churned":
            return word(cell, {"true": self.words("churned_values")}) == "true"
        return flag(cell) if name == "is_automatic" else cell

    def _meanings(self, name: str) -> Mapping[str, list[str]]:
        if name == "subject":
            return {subject: [*words] for subject, words in SUBJECT_WORDS.items()}
        if name == "direction":
            return {
                Direction.INBOUND: self.words("inbound_values"),
                Direction.OUTBOUND: self.words("outbound_values"),
            }
        return {
            LeadOutcome.WON: self.words("won_values"),
            LeadOutcome.LOST: self.words("lost_values"),
            LeadOutcome.OPEN: self.words("open_values"),
        }

    def _whole_name(self) -> pl.Expr:
        parts = [name for name in ("first_name", "last_name") if name in self.columns]
        if not parts:
            return pl.lit(None, pl.String)
        whole = pl.concat_str(parts, separator=" ", ignore_nulls=True)
        return pl.when(whole != "").then(whole)

    def _churned_at(self) -> pl.Expr:
        date = pl.col("churned_at") if "churned_at" in self.columns else pl.lit(None, INSTANT)
        if "churned" not in self.columns:
            return date
        return pl.coalesce(date, pl.when("churned").then(pl.lit(self.churned_by, INSTANT)))

    def _first_bad(self) -> pl.Series:
        """Per row the first field that cannot be used, empty for the row; null: it is good."""
        tests = [
            pl.when(self._is_bad(name)).then(pl.lit(name))
            for name, column in self.columns.items()
            if column in self.cells.columns
            and (name in REQUIRED[self.table] or self._is_typed(name))
        ]
        unfit = pl.when(self.raw.complaints.is_not_null()).then(pl.lit(""))
        return self.cells.select(pl.coalesce(unfit, *tests).alias("bad"))["bad"]

    def _is_typed(self, name: str) -> bool:
        return name.endswith("_at") or name in {*WORDS, "is_automatic"}

    def _is_bad(self, name: str) -> pl.Expr:
        unread = self.read[name].is_null() if self._is_typed(name) else pl.lit(value=False)
        empty = pl.lit(value=name in REQUIRED[self.table] or name == "subject")
        return pl.when(pl.col(self.columns[name]).is_null()).then(empty).otherwise(unread)

    def _rejected(self, bad: pl.Series) -> pl.DataFrame:
        if bad.null_count() == len(bad):
            return REJECTED_ROWS.to_frame()
        is_bad = bad.is_not_null()
        numbered = self.cells.with_columns(
            self.place["row_number"].cast(pl.Int64),
            self.place["line_number"],
            self.raw.complaints.alias("complaint"),
        ).filter(is_bad)
        whole = whole_rows(self.raw, is_bad)
        told = [
            self._told(numbered.filter(names == name), whole.filter(names == name), str(name))
            for names in [bad.drop_nulls()]
            for name in names.unique()
        ]
        return pl.concat([REJECTED_ROWS.to_frame(), *told]).sort("row_number")

    def _told(self, rows: pl.DataFrame, whole: pl.Series, name: str) -> pl.DataFrame:
        column = self.columns.get(name, "")
        cell = pl.col(column) if column else pl.lit(None, pl.String)
        reason = (
            pl.when(cell.is_null())
            .then(pl.lit(f"{name} is missing"))
            .otherwise(pl.lit(self._reason(name)))
            if name
            else pl.col("complaint")
        )
        return rows.select(
            "row_number",
            "line_number",
            pl.lit(column).alias("column"),
            cell.alias("value"),
            reason.alias("reason"),
            whole.alias("cells"),
        )

    def _reason(self, name: str) -> str:
        if name.endswith("_at"):
            form = self.plan.mapping.date_format
            known = f"in the form {form}" if form else "that can be read, such as 2026-01-31 17:05"
            return (
                f"{name} is no instant {known}, from {EARLIEST:%Y} on; name its form as date_format"
            )
        if name == "is_automatic":
            return f"{name} is none of {', '.join((*YES[:6], *NO[:6]))} ..."
        words = [word for listed in self._meanings(name).values() for word in listed]
        return f"{name} is none of {', '.join(words)}; name the words in the mapping"

    def _facts(self, rows: pl.DataFrame, is_kept: pl.Series) -> pl.DataFrame:
        subject = SUBJECTS.get(self.table)
        if subject is None or not self.plan.known:
            return records.FACTS.to_frame()
        cells = self.cells.filter(is_kept)
        told = [
            cells.select(
                pl.lit(str(subject)).alias("subject"),
                rows["external_id"].alias("subject_external_id"),
                pl.lit(column).alias("name"),
                self.plan.values[column].one_spelling(pl.col(column)).alias("value"),
                self._known_at(when, rows).alias("known_at"),
            ).drop_nulls()
            for column, when in self.plan.known.items()
        ]
        return pl.concat([records.FACTS.to_frame(), *told])

    def _known_at(self, when: str, rows: pl.DataFrame) -> pl.Expr:
        by_import = pl.lit(self.imported_at, INSTANT)
        if when == IMPORT:
            return by_import
        if when == CREATION:
            return pl.lit(rows["sent_at" if self.table == "messages" else "created_at"])
        return pl.coalesce(self._read("known_at", when), by_import)


def whole_rows(raw: RawTable, is_wanted: pl.Series) -> pl.Series:
    """Return the wanted rows as they stood in the file, each a JSON list of its cells."""
    cells, extras = raw.cells.filter(is_wanted), raw.extras.filter(is_wanted)
    whole = [
        json.dumps([*row, *(json.loads(extra) if extra else [])], ensure_ascii=False)
        for row, extra in zip(cells.iter_rows(), extras, strict=True)
    ]
    return pl.Series("cells", whole, pl.String)


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


class _MessageIds:
    """Gives messages without an id one made of what they say and which such message they are.

    The same export read again, or one that overlaps it, gives the same ids.
    """

    def __init__(self) -> None:
        self._seen = pl.DataFrame(schema={"said": pl.UInt64, "before": pl.UInt32})

    def given_to(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Return the messages, each with an id; pieces of one file have to come in order."""
        is_unnamed = messages["external_id"].is_null()
        if not is_unnamed.any():
            return messages
        ordinals = self._ordinals(messages.filter(is_unnamed))
        ids = pl.Series(
            [hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:32] for row in ordinals.rows()]
        )
        places = is_unnamed.arg_true()
        return messages.with_columns(messages["external_id"].scatter(places, ids))

    def _ordinals(self, unnamed: pl.DataFrame) -> pl.DataFrame:
        said = unnamed.select(
            pl.col("contact_external_id"),
            pl.col("sent_at").to_physical().cast(pl.String),
            pl.col("direction"),
            pl.col("text").fill_null(""),
        )
        keyed = said.with_columns(said.hash_rows().alias("said"))
        met = keyed.join(self._seen, on="said", how="left", maintain_order="left")
        both = pl.concat([self._seen, keyed.group_by("said").agg(before=pl.len().cast(pl.UInt32))])
        self._seen = both.group_by("said").agg(pl.col("before").sum().cast(pl.UInt32))
        ordinal = pl.int_range(pl.len()).over("said") + pl.col("before").fill_null(0)
        return met.select(*said.columns, ordinal.cast(pl.String).alias("ordinal"))
