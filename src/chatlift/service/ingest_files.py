"""Files of a CRM and chat exports, streamed to the disk and imported while the caller waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from chatlift.errors import Cancelled, InvalidInput
from chatlift.registry.upload_folders import upload_folder
from chatlift.service.context import Service, ServiceDep
from chatlift.service.form_fields import (
    CHAT_FORM,
    TABLE_FORM,
    ChatFields,
    TableFields,
    fields_of,
)
from chatlift.service.ingest_bodies import FeedImportBody, ImportBody, PreviewBody, TablePreviewBody
from chatlift.service.multipart import Form, FormParts, received_form
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.security import BodyLimit, Caller, Operator
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.mapping_files import chosen_mapping
from chatlift.sources.previews import preview_tables
from chatlift.sources.tables import SCHEMAS, TableFiles
from chatlift.sources.whatsapp_export.alignment import aligned
from chatlift.sources.whatsapp_export.chats import chat_reader, read_chats
from chatlift.workflows.ingest import ingest
from chatlift.workflows.ingest_feeds import ingest_feeds

TABLES = FormParts(files=(*SCHEMAS, "mapping"), fields=tuple(TableFields.model_fields))
CHATS = FormParts(files=("file",), fields=tuple(ChatFields.model_fields), most_of_each=100)

router = APIRouter(route_class=ProblemRoute)


@router.post(
    "/files",
    operation_id="import_files",
    responses=described(409),
    dependencies=[Depends(BodyLimit("upload_bytes"))],
    openapi_extra=TABLE_FORM,
)
async def import_files(
    caller: Operator,
    service: ServiceDep,
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Tell how the files are read; write nothing.")
    ] = False,
) -> ImportBody | PreviewBody:
    """Import tables as CSV, Excel, Parquet or JSON Lines; the same files again change nothing.

    One part per table. The answer comes when all is written; if the connection breaks meanwhile,
    the import stops, and goes on from there when the same is sent again.
    """
    async with received(service, caller, request, TABLES) as form:
        fields = fields_of(TableFields, form)
        work = _previewed if dry_run else _imported
        async with leaving(request) as refuse_left:
            return await run_in_threadpool(work, caller, form, fields, service.clock(), refuse_left)


@router.post(
    "/whatsapp-exports",
    operation_id="import_whatsapp_exports",
    responses=described(409),
    dependencies=[Depends(BodyLimit("upload_bytes"))],
    openapi_extra=CHAT_FORM,
)
async def import_whatsapp_exports(
    caller: Operator, service: ServiceDep, request: Request
) -> FeedImportBody:
    """Import chats that a phone exported, as .txt or .zip; a later export adds what is new.

    Several `file` parts are taken as exported together. Of several, one that cannot be read is
    refused alone.
    """
    async with received(service, caller, request, CHATS) as form:
        fields = fields_of(ChatFields, form)
        async with leaving(request) as refuse_left:
            return await run_in_threadpool(
                _chats_imported, caller, form, fields, service.clock(), refuse_left
            )


@asynccontextmanager
async def received(
    service: Service, caller: Caller, request: Request, parts: FormParts
) -> AsyncIterator[Form]:
    """Give the form of a request, whose files lie on the disk until the block ends.

    The place of an import is taken once all has come: a slow caller keeps nobody waiting.

    Raises
    ------
    TooManyRequests
        If the account sends too much already, or this process reads as many files as it can.
    """
    account_id = caller.account.account_id
    folder = upload_folder(service.settings.home)
    with service.limits.one_upload(account_id):
        async with contextmanager_in_threadpool(folder) as place:
            form = await received_form(request, place, parts)
            with service.limits.one_import(account_id):
                yield form


@asynccontextmanager
async def leaving(request: Request) -> AsyncIterator[Callable[[], None]]:
    """Give what raises `Cancelled` once the caller of a request whose body is read has left."""
    has_left = threading.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_left.set()

    def refuse_left() -> None:
        if has_left.is_set():
            raise Cancelled("Whoever sent the files has left, so their import was stopped.")

    watching = asyncio.create_task(watch())
    try:
        yield refuse_left
    finally:
        watching.cancel()


def _imported(
    caller: Caller,
    form: Form,
    fields: TableFields,
    now: datetime,
    refuse_left: Callable[[], None],
) -> ImportBody:
    report = ingest(
        _tables_of(form),
        _mapping_of(form, fields),
        crm=caller.workspace.crm,
        imported_at=now,
        source=fields.source,
        report=lambda _step: refuse_left(),
    )
    return ImportBody.of(report)


def _previewed(
    _caller: Caller,
    form: Form,
    fields: TableFields,
    now: datetime,
    refuse_left: Callable[[], None],
) -> PreviewBody:
    mapping = _mapping_of(form, fields)
    previews = preview_tables(_tables_of(form), mapping, imported_at=now, between=refuse_left)
    return PreviewBody(tables={told.table: TablePreviewBody.of(told) for told in previews})


def _chats_imported(
    caller: Caller,
    form: Form,
    fields: ChatFields,
    now: datetime,
    refuse_left: Callable[[], None],
) -> FeedImportBody:
    paths = form.files.get("file", ())
    if not paths:
        raise InvalidInput("No chat was sent. Send each export as a part `file`.")
    report = ingest_feeds(
        read_chats(
            paths,
            chat_reader(fields.choices(), chat_count=len(paths), now=now),
            tell_refused=_tell_nobody,
        ),
        crm=caller.workspace.crm,
        imported_at=now,
        source=fields.source,
        align=aligned,
        report=lambda _step: refuse_left(),
    )
    return FeedImportBody.of(report)


def _tell_nobody(_error: InvalidInput) -> None:
    """Say nothing: the refusal is a rejected row of the batch."""


def _tables_of(form: Form) -> TableFiles:
    sent = {table: form.file(table) for table in SCHEMAS}
    if not any(sent.values()):
        raise InvalidInput(f"No file was sent. Send at least one as a part: {', '.join(SCHEMAS)}.")
    return TableFiles(**sent)


def _mapping_of(form: Form, fields: TableFields) -> SourceMapping:
    return chosen_mapping(
        form.file("mapping"),
        fields.preset,
        date_order=fields.date_order,
        known_at_creation=fields.known_at_creation,
    )
