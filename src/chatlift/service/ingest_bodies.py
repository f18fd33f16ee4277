"""What the routes of imports answer, each body with an example."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from chatlift.service.training_bodies import shown
from chatlift.sources.previews import TablePreview
from chatlift.store.imports import Batch
from chatlift.store.outcomes import TableCounts
from chatlift.workflows.ingest import IngestReport, TableReport
from chatlift.workflows.ingest_feeds import FeedReport

NOON = "2026-03-02T12:00:00Z"


COUNTED = {"read": 3, "accepted": 2, "updated": 0, "duplicate": 0, "rejected": 1}


class CountsBody(BaseModel):
    """What became of some rows; read = accepted + duplicate + rejected."""

    model_config = shown({"read": 3, "accepted": 2, "updated": 0, "duplicate": 1, "rejected": 0})

    read: int
    accepted: int = Field(description="Rows that changed something.")
    updated: int = Field(description="Of the accepted, those that updated what was there.")
    duplicate: int = Field(description="Rows that said nothing new.")
    rejected: int

    @classmethod
    def of(cls, counts: TableCounts) -> Self:
        """Return counts as they are answered."""
        return cls(
            read=counts.total,
            accepted=counts.accepted,
            updated=counts.updated,
            duplicate=counts.duplicate,
            rejected=counts.rejected,
        )


class TableBody(CountsBody):
    """What became of one file."""

    file_name: str
    form: str = Field(description="What the file was found to be, such as `CSV, utf-8, comma`.")
    import_known_columns: list[str] = Field(
        description="Columns that training cannot use for examples before this import."
    )
    ignored_columns: list[str]
    undated_outcome_count: int = Field(description="Closed leads without a closing date.")
    doubts: list[str] = Field(description="Columns whose values could be read in two ways.")
    unkept: dict[str, int] = Field(
        description="Rejected rows that are not kept, being too many, counted by reason."
    )

    @classmethod
    def of_table(cls, table: TableReport) -> Self:
        """Return what the report of one file says."""
        return cls(
            read=table.read_count,
            accepted=table.accepted_count,
            updated=table.updated_count,
            duplicate=table.duplicate_count,
            rejected=table.rejected_count,
            file_name=table.file_name,
            form=table.form,
            import_known_columns=list(table.import_known_columns),
            ignored_columns=list(table.ignored_columns),
            undated_outcome_count=table.undated_outcome_count,
            doubts=list(table.doubts),
            unkept=dict(table.unkept),
        )


class ImportBody(BaseModel):
    """What an import of files did."""

    model_config = shown(
        {
            "batch_id": 3,
            "tables": {
                "contacts": {
                    **COUNTED,
                    "file_name": "contacts.csv",
                    "form": "CSV, utf-8, comma",
                    "import_known_columns": ["city"],
                    "ignored_columns": [],
                    "undated_outcome_count": 0,
                    "doubts": [],
                    "unkept": {},
                }
            },
            "facts": {"read": 2, "accepted": 2, "updated": 0, "duplicate": 0, "rejected": 0},
            "observed_from": "2026-01-05T10:00:00Z",
            "observed_through": NOON,
            "contradictions": [],
            "resumed_rows": 0,
            "is_all_rejected": False,
        }
    )

    batch_id: int = Field(description="Names the import, so that its rejected rows can be read.")
    tables: dict[str, TableBody]
    facts: CountsBody = Field(description="Values of further columns.")
    observed_from: datetime | None
    observed_through: datetime | None
    contradictions: list[str] = Field(
        description="What the data says against columns known since their record's creation."
    )
    resumed_rows: int = Field(description="Rows that an earlier, cut-off run had done already.")
    is_all_rejected: bool = Field(description="Rows were read, and not one could be used.")

    @classmethod
    def of(cls, report: IngestReport) -> Self:
        """Return what the report of an import says."""
        return cls(
            batch_id=report.batch_id,
            tables={name: TableBody.of_table(told) for name, told in report.tables.items()},
            facts=CountsBody.of(report.facts),
            observed_from=report.observed_from,
            observed_through=report.observed_through,
            contradictions=list(report.contradictions),
            resumed_rows=report.resumed_rows,
            is_all_rejected=report.is_all_rejected,
        )


class ColumnBody(BaseModel):
    """What one column of a file stands for."""

    column: str
    field: str = Field(description="A field, `fact`, or empty where the column is left out.")
    because: str
    known: str = Field(description="Of a fact: since when its values are known.")


class TablePreviewBody(BaseModel):
    """How one file would be read."""

    file_name: str
    form: str
    read: int
    usable: int
    columns: list[ColumnBody]
    rows: list[dict[str, Any]] = Field(description="The first usable rows.")
    rejected: list[dict[str, Any]] = Field(description="The first rows that would be refused.")
    doubts: list[str]

    @classmethod
    def of(cls, preview: TablePreview) -> Self:
        """Return how a file would be read."""
        shown_rejected = preview.rejected.select("line_number", "column", "value", "reason")
        return cls(
            file_name=preview.file_name,
            form=preview.form,
            read=preview.read_count,
            usable=preview.usable_count,
            columns=[
                ColumnBody(
                    column=told.column, field=told.field, because=told.because, known=told.known
                )
                for told in preview.columns
            ],
            rows=preview.rows.to_dicts(),
            rejected=shown_rejected.to_dicts(),
            doubts=list(preview.doubts),
        )


class PreviewBody(BaseModel):
    """How files would be read; nothing was written."""

    model_config = shown(
        {
            "tables": {
                "contacts": {
                    "file_name": "contacts.csv",
                    "form": "CSV, utf-8, comma",
                    "read": 1,
                    "usable": 1,
                    "columns": [
                        {"column": "id", "field": "external_id", "because": "guessed", "known": ""}
                    ],
                    "rows": [{"external_id": "c-1001", "created_at": NOON}],
                    "rejected": [],
                    "doubts": [],
                }
            }
        }
    )

    tables: dict[str, TablePreviewBody]


class FeedImportBody(BaseModel):
    """What an import of conversations did."""

    model_config = shown(
        {
            "batch_id": 4,
            "feed_count": 1,
            "tables": {
                "messages": {
                    "read": 3,
                    "accepted": 3,
                    "updated": 0,
                    "duplicate": 0,
                    "rejected": 0,
                }
            },
            "completed_count": 0,
            "line_counts": {"message": 3, "system": 1},
            "passed_over": {"encryption": 1},
            "rejected_count": 0,
            "observed_from": "2026-01-05T10:00:00Z",
            "observed_through": NOON,
            "is_all_rejected": False,
        }
    )

    batch_id: int
    feed_count: int
    tables: dict[str, CountsBody]
    completed_count: int = Field(description="Messages that took the place of a placeholder.")
    line_counts: dict[str, int]
    passed_over: dict[str, int] = Field(description="Entries that are no record, by kind.")
    rejected_count: int = Field(description="Entries or whole chats that were refused.")
    observed_from: datetime | None
    observed_through: datetime | None
    is_all_rejected: bool

    @classmethod
    def of(cls, report: FeedReport) -> Self:
        """Return what the report of an import says."""
        return cls(
            batch_id=report.batch_id,
            feed_count=report.feed_count,
            tables={name: CountsBody.of(counts) for name, counts in report.tables.items()},
            completed_count=report.completed_count,
            line_counts=dict(report.line_counts),
            passed_over=dict(report.passed_over),
            rejected_count=report.rejected_count,
            observed_from=report.observed_from,
            observed_through=report.observed_through,
            is_all_rejected=report.is_all_rejected,
        )


BATCH = {
    "batch_id": 3,
    "source": "files",
    "imported_at": NOON,
    "finished_at": NOON,
    "tables": {"contacts": COUNTED},
    "passed_over": {},
    "rejected_count": 1,
    "unkept_count": 0,
}


class BatchBody(BaseModel):
    """One import, in numbers."""

    model_config = shown(BATCH)

    batch_id: int
    source: str
    imported_at: datetime
    finished_at: datetime | None = Field(description="Null: under way, or cut off.")
    tables: dict[str, CountsBody]
    passed_over: dict[str, int]
    rejected_count: int = Field(description="Refused rows and entries that are kept.")
    unkept_count: int = Field(description="Further refused rows: too many, so only counted.")

    @classmethod
    def of(cls, batch: Batch, rejected_count: int) -> Self:
        """Return an import as it is answered; who it was about is nowhere in it."""
        return cls(
            batch_id=batch.batch_id,
            source=batch.source,
            imported_at=batch.imported_at,
            finished_at=batch.finished_at,
            tables={name: CountsBody.of(counts) for name, counts in batch.table_counts().items()},
            passed_over=dict(batch.summary.get("passed_over", {})),
            rejected_count=rejected_count,
            unkept_count=batch.unkept_count,
        )


class BatchesBody(BaseModel):
    """A page of imports, the newest first."""

    model_config = shown({"batches": [BATCH], "next_cursor": None})

    batches: list[BatchBody]
    next_cursor: str | None = Field(description="Null: there are no more.")


class RejectedRowBody(BaseModel):
    """One row that could not be used."""

    table: str
    file_name: str
    row_number: int = Field(description="Among the rows of its file, from 0.")
    line_number: int | None = Field(description="Null: the file has no lines.")
    column: str
    value: str | None = Field(description="Null: the cell was empty, or is not kept.")
    reason: str
    cells: list[Any] | None = Field(
        description="All cells of the row, or the one body of a webhook; null: they are not kept."
    )


class RejectedBody(BaseModel):
    """A page of rows that an import refused, in the order of its files."""

    model_config = shown(
        {
            "batch_id": 3,
            "rejected": [
                {
                    "table": "contacts",
                    "file_name": "contacts.csv",
                    "row_number": 1,
                    "line_number": 3,
                    "column": "created_at",
                    "value": "soon",
                    "reason": "created_at is no date",
                    "cells": ["b", "soon"],
                }
            ],
            "next_cursor": None,
        }
    )

    batch_id: int
    rejected: list[RejectedRowBody]
    next_cursor: str | None
