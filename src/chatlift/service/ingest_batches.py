"""What imports did: lists in numbers for everybody, refused rows for those who may mend them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from chatlift.errors import InvalidInput, NotFound
from chatlift.registry.upload_folders import upload_folder
from chatlift.service.context import ServiceDep
from chatlift.service.ingest_bodies import (
    BatchBody,
    BatchesBody,
    RejectedBody,
    RejectedRowBody,
)
from chatlift.service.paging import Cursor, Limit, cursor_of, read_cursor
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.security import Operator, Viewer
from chatlift.store.past_imports import batch_of, batches, rejected_counts, rejected_page
from chatlift.workflows.rejected import Exported, export_rejected

HIGHEST_NUMBER = 2**63 - 1
PIECE_BYTES = 64 * 2**10

BatchId = Annotated[int, InPath(ge=1, le=HIGHEST_NUMBER, description="The import's number.")]
router = APIRouter(prefix="/batches", route_class=ProblemRoute)


@router.get("", operation_id="list_batches")
def list_batches(caller: Viewer, limit: Limit = 50, cursor: Cursor = None) -> BatchesBody:
    """List the account's imports, the newest first.

    All that one webhook brought in a day is one of them.
    """
    crm = caller.workspace.crm
    before = _place(cursor) if cursor else None
    found = batches(crm.database, crm.account_id, most=limit + 1, before=before)
    page = found[:limit]
    counts = rejected_counts(crm.database, crm.account_id, [batch.batch_id for batch in page])
    return BatchesBody(
        batches=[BatchBody.of(batch, counts.get(batch.batch_id, 0)) for batch in page],
        next_cursor=cursor_of([page[-1].batch_id]) if len(found) > limit else None,
    )


@router.get("/{batch_id}", operation_id="get_batch", responses=described(404))
def get_batch(caller: Viewer, batch_id: BatchId) -> BatchBody:
    """Tell what one import did."""
    crm = caller.workspace.crm
    batch = batch_of(crm.database, crm.account_id, batch_id)
    counts = rejected_counts(crm.database, crm.account_id, [batch_id])
    return BatchBody.of(batch, counts.get(batch_id, 0))


@router.get("/{batch_id}/rejected", operation_id="list_rejected", responses=described(404))
def list_rejected(
    caller: Operator, batch_id: BatchId, limit: Limit = 50, cursor: Cursor = None
) -> RejectedBody:
    """List the rows that an import could not use, with where they stood and why."""
    crm = caller.workspace.crm
    batch_of(crm.database, crm.account_id, batch_id)
    after = _place(cursor) if cursor else 0
    found = rejected_page(crm.database, crm.account_id, batch_id, most=limit + 1, after=after)
    page = found.head(limit)
    is_more = found.height > limit
    return RejectedBody(
        batch_id=batch_id,
        rejected=[
            RejectedRowBody(
                table=row["table_name"],
                file_name=row["file_name"],
                row_number=row["row_number"],
                line_number=row["line_number"],
                column=row["column_name"],
                value=row["value"],
                reason=row["reason"],
                cells=None if row["cells"] is None else json.loads(row["cells"]),
            )
            for row in page.iter_rows(named=True)
        ],
        next_cursor=cursor_of([page["rejected_row_id"][-1]]) if is_more else None,
    )


@router.get(
    "/{batch_id}/rejected.csv",
    operation_id="download_rejected",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}, **described(404)},
)
def download_rejected(
    caller: Operator,
    service: ServiceDep,
    batch_id: BatchId,
    table: Annotated[
        str | None,
        Query(max_length=50, description="Whose rows; it may be left out where there is one."),
    ] = None,
) -> StreamingResponse:
    """Download the refused rows of one table as a CSV that can be mended.

    Texts that a spreadsheet would run as formulas have an apostrophe in front.
    """
    crm = caller.workspace.crm
    with ExitStack() as stack:
        folder = stack.enter_context(upload_folder(service.settings.home))
        written = export_rejected(crm.database, crm.account_id, batch_id, folder)
        chosen = _only(written, table)
        kept = stack.pop_all()
    name = f"rejected-{batch_id}-{chosen.table}.csv"
    return StreamingResponse(
        _pieces(chosen.path, kept),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _only(written: list[Exported], table: str | None) -> Exported:
    found = [told for told in written if table in (None, told.table)]
    if not found:
        raise NotFound("This import refused no row of that table: there is nothing to download.")
    if len(found) > 1:
        raise InvalidInput(
            f"This import refused rows of {', '.join(told.table for told in found)}. Name one of "
            "them as `table`."
        )
    return found[0]


def _pieces(path: Path, kept: ExitStack) -> Iterator[bytes]:
    """Yield a file a piece at a time, and let its folder go at the end."""
    with kept, path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _place(cursor: str) -> int:
    (place,) = read_cursor(cursor, (int,))
    return min(int(place), HIGHEST_NUMBER)
