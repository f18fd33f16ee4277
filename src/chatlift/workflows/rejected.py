"""Refused rows out and in again: files that a person can mend, read back as they were."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from chatlift.errors import Conflict, InvalidInput
from chatlift.private_files import make_private_folder, open_private
from chatlift.sources.csv_files import CsvFile
from chatlift.sources.mapping import SourceMapping, mapping_again, parse_mapping
from chatlift.sources.spreadsheet_text import escaped, unescaped
from chatlift.sources.tables import SCHEMAS, TableFiles
from chatlift.store.database import Database
from chatlift.store.imports import Batch
from chatlift.store.past_imports import batch_of, rejected_rows

PLACE = ("rejected in file", "rejected line", "rejected column", "rejected value", "reason")
"""Columns in front of the row's own; they tell what to mend and are not read back."""
BEYOND = "beyond the header"
"""Begins the names of columns for cells that a row had too many."""
BODY = "body"
"""Names the column of a webhook's refused deliveries, which hold their whole body as JSON."""
ENCODING = "utf-8-sig"
"""With the mark by which spreadsheets know UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One file of refused rows."""

    table: str
    path: Path
    row_count: int
    withheld_count: int
    """Rows whose cells were not kept, such as those about forgotten contacts."""
    is_mendable: bool = True
    """False: of conversations, whose entries have no cells; it tells what to mend where."""


def export_rejected(
    database: Database, account_id: int, batch_id: int, folder: Path
) -> list[Exported]:
    """Write the refused rows of an import, a CSV per table.

    Each row has where it stood and why it was refused, then all its cells under the headers of its
    file; of a webhook the whole body, of other conversations none. Texts that a spreadsheet would
    run as formulas have an apostrophe in front.

    Raises
    ------
    NotFound
        If there is no such import.
    InvalidInput
        If the import is unfinished.
    Conflict
        If the folder holds such a file already; nothing is written then.
    """
    batch = batch_of(database, account_id, batch_id)
    is_of_tables = "headers" in batch.summary or batch.finished_at is None
    headers = _headers(batch) if is_of_tables else {}
    rows = rejected_rows(database, account_id, batch_id)
    if rows.height:
        _refuse_written_on(folder)
    make_private_folder(folder)
    written = []
    for (table,), told in rows.group_by("table_name", maintain_order=True):
        kept = told.drop_nulls("cells") if is_of_tables else told
        lines = [
            [*place, *map(_cell, json.loads(cells or "[]"))]
            for *place, cells in kept.select(
                "file_name", "line_number", "column_name", "value", "reason", "cells"
            ).iter_rows()
        ]
        path = folder / f"{table}.csv"
        _write(path, headers[str(table)] if is_of_tables else _body_header(kept), lines)
        written.append(
            Exported(
                table=str(table),
                path=path,
                row_count=kept.height,
                withheld_count=told.height - kept.height,
                is_mendable=is_of_tables,
            )
        )
    return written


def mended_files(
    database: Database, account_id: int, batch_id: int, folder: Path, *, scratch: Path
) -> tuple[Batch, TableFiles, SourceMapping]:
    """Return what `ingest` needs to import mended rows as their files were: batch, files, mapping.

    Parameters
    ----------
    folder
        Holds the files that `export_rejected` wrote, mended; those that are gone are left out.
    scratch
        An empty folder that outlives the import; takes the rows as they stood in their files.

    Raises
    ------
    NotFound
        If there is no such import.
    InvalidInput
        If the folder holds no such file, or the import was none of tables.
    """
    batch = batch_of(database, account_id, batch_id)
    _headers(batch)
    paths = {table: folder / f"{table}.csv" for table in SCHEMAS}
    present = {table: path for table, path in paths.items() if path.exists()}
    if not present:
        raise InvalidInput(
            f"The folder {folder} holds none of {', '.join(p.name for p in paths.values())}. "
            f"Write them with: chatlift import rejected export {batch_id}"
        )
    for path in present.values():
        _restore(path, scratch / path.name)
    written = {"separator": ",", "encoding": "utf-8"}
    found = batch.summary.get("found", {})
    mapping = parse_mapping(
        {table: {**found.get(table, {}), **written} for table in present},
        preset=mapping_again(batch.mapping or {}),
    )
    return batch, TableFiles(**{table: scratch / f"{table}.csv" for table in present}), mapping


# A folder may hold what the rows came from, or rows half mended; and `retry` reads all that lies
# there, so files of two imports must not meet either.
def _refuse_written_on(folder: Path) -> None:
    held = [f"{table}.csv" for table in SCHEMAS if (folder / f"{table}.csv").exists()]
    if held:
        raise Conflict(
            f"The folder {folder} already holds {', '.join(held)}, and files are not written over. "
            "Name an empty folder with --folder, or move them away."
        )


def _headers(batch: Batch) -> Mapping[str, list[str]]:
    headers: Mapping[str, list[str]] | None = batch.summary.get("headers")
    if headers is None:
        raise InvalidInput(
            f"Import batch {batch.batch_id} holds no rows of tables: it is unfinished, or was an "
            "import of conversations. Import its files again instead."
        )
    return headers


def _body_header(rows: pl.DataFrame) -> list[str]:
    return [BODY] if rows["cells"].null_count() < rows.height else []


def _cell(value: Any) -> str | None:
    """Return a cell as it is written; of a webhook's body the JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


# Every cell is quoted: left to itself, the module does not quote a bare carriage return.
def _write(path: Path, headers: list[str], lines: list[list[str | int | None]]) -> None:
    widest = max([len(line) - len(PLACE) for line in lines], default=0)
    beyond = [f"{BEYOND} {n}" for n in range(1, widest - len(headers) + 1)]
    with open_private(path, encoding=ENCODING, newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([escaped(name) for name in (*PLACE, *headers, *beyond)])
        for line in lines:
            writer.writerow([escaped(c) if isinstance(c, str) else c for c in line])


def _restore(path: Path, target: Path) -> None:
    """Write the rows as they stood in their file, each on the line on which it now is."""
    mended = CsvFile(path)
    names = [unescaped(name) for name in mended.headers]
    own = [n for n, name in enumerate(names) if name not in PLACE and not name.startswith(BEYOND)]
    beyond = [n for n, name in enumerate(names) if name.startswith(BEYOND)]
    with open_private(target, encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([names[n] for n in own])
        line = 2
        for piece in mended.pieces():
            for begins, row in zip(piece.lines, piece.cells.iter_rows(), strict=True):
                cells = [unescaped(cell or "") for cell in row]
                more = [cells[n] for n in beyond]
                while more and not more[-1]:
                    more.pop()
                file.write("\n" * (begins - line))
                writer.writerow([*(cells[n] for n in own), *more])
                line = begins + 1 + sum(_breaks(cell) for cell in cells)


def _breaks(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")
