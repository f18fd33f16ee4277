"""Files that say far more than their size: time and bytes stay a multiple of what was sent.

Work is counted, not timed: the bytes of all cells that a reader hands on, and the bytes that the
database keeps.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tests.histories import START

from chatlift.errors import InvalidInput
from chatlift.sources.files import open_table
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.raw_tables import (
    FREE_UNPACKED_BYTES,
    MOST_UNPACKED_RATIO,
    distinct_headers,
    unpacked_bytes,
)
from chatlift.sources.tables import TableFiles
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.past_imports import rejected_rows
from chatlift.workflows.ingest import FREE_KEPT_BYTES, MOST_KEPT_RATIO, ingest

NAMES = st.lists(st.sampled_from(["id", "id (2)", " id", "", "created_at"]), max_size=60)


def write_parquet(path: Path, rows: int, columns: int, text: str) -> None:
    table = {f"c{n}": pa.repeat(text, rows) for n in range(columns)}
    parquet.write_table(pa.table(table), path, compression="zstd")


def write_csv(path: Path, rows: int, columns: int, text: str) -> None:
    header = ",".join(["id", *(f"c{n}" for n in range(columns - 1))])
    path.write_text(header + "\n" + f"{text[:9]}\n" * rows, encoding="utf-8")


def write_json_lines(path: Path, rows: int, columns: int, text: str) -> None:
    first = json.dumps({f"c{n}": text[:9] for n in range(columns)})
    path.write_text(first + "\n" + '{"c0":1}\n' * rows, encoding="utf-8")


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Target="xl/workbook.xml" '
        f'Type="{RELATED}/officeDocument"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Target="worksheets/sheet1.xml" '
        f'Type="{RELATED}/worksheet"/><Relationship Id="r2" Target="sharedStrings.xml" '
        f'Type="{RELATED}/sharedStrings"/></Relationships>'
    ),
}


def write_workbook(path: Path, rows: int, columns: int, text: str) -> None:
    """Write a sheet whose every cell names the same shared text."""
    cells = '<c t="s"><v>0</v></c>' * columns
    sheet = "".join(f'<row r="{n + 1}">{cells}</row>' for n in range(rows))
    parts = PARTS | {
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData>'
        "</worksheet>",
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>{text}</t></si></sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


WRITERS: dict[str, Callable[[Path, int, int, str], None]] = {
    "a.parquet": write_parquet,
    "a.csv": write_csv,
    "a.jsonl": write_json_lines,
    "a.xlsx": write_workbook,
}


def read_bytes(path: Path) -> int:
    """Return what a file unfolds to until it ends or is refused."""
    seen = 0
    try:
        for piece in open_table(path).pieces():
            seen += unpacked_bytes(piece.cells)
    except InvalidInput:
        pass
    return seen


@pytest.mark.parametrize("name", WRITERS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.integers(1, 20_000),
    columns=st.integers(1, 30),
    text_bytes=st.sampled_from([1, 40, 3_000]),
)
def test_no_file_unfolds_to_more_than_a_multiple_of_its_size(
    tmp_path: Path, name: str, rows: int, columns: int, text_bytes: int
) -> None:
    path = tmp_path / name
    rows = min(rows, 2_000) if name == "a.xlsx" else rows
    WRITERS[name](path, rows, columns, "a" * text_bytes)
    assert read_bytes(path) <= FREE_UNPACKED_BYTES + MOST_UNPACKED_RATIO * path.stat().st_size


@pytest.mark.parametrize(
    ("name", "rows", "columns", "text_bytes"),
    [
        ("a.parquet", 200_000, 1, 3_000),
        ("a.parquet", 30_000_000, 1, 1),
        ("a.csv", 5_000, 1_900, 1),
        ("a.jsonl", 5_000, 1_900, 1),
        ("a.xlsx", 4_000, 20, 3_000),
    ],
)
def test_a_file_that_unfolds_is_refused_with_what_to_do(
    tmp_path: Path, name: str, rows: int, columns: int, text_bytes: int
) -> None:
    WRITERS[name](tmp_path / name, rows, columns, "a" * text_bytes)
    with pytest.raises(InvalidInput, match=r"(unfolds to|spans) more than .* as CSV"):
        for _ in open_table(tmp_path / name).pieces():
            pass


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_that_says_much_again_and_again_is_read(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, 500, 4, "a text that stands in every row")
    assert sum(piece.height for piece in open_table(tmp_path / name).pieces()) >= 499


@pytest.mark.parametrize("name", ["a", ""])
def test_equal_headers_are_told_apart_in_linear_work(name: str) -> None:
    headers = distinct_headers([name] * 1_900, "a.csv")
    assert len(set(headers)) == 1_900


@given(names=NAMES)
def test_headers_are_always_distinct(names: list[str]) -> None:
    assert len(set(distinct_headers(names, "a.csv"))) == len(names)


def rejected_everywhere(folder: Path, name: str) -> TableFiles:
    """Return contacts of which no row has an id."""
    path = folder / name
    rows = {"id": [""] * 60_000, "created_at": ["yesterday " * 5] * 60_000}
    frame = pl.DataFrame(rows)
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return TableFiles(contacts=path)


@pytest.mark.parametrize("name", ["contacts.parquet", "contacts.csv"])
def test_stored_rejections_stay_a_multiple_of_what_was_sent(
    database: Database, tmp_path: Path, name: str
) -> None:
    account = ensure_account(database, "default", time_zone="UTC")
    crm = Crm(database, account.account_id)
    files = rejected_everywhere(tmp_path, name)
    assert files.contacts is not None
    sent_bytes = files.contacts.stat().st_size
    told: dict[str, Any] = {"contacts": {"external_id": "id", "created_at": "created_at"}}
    if name.endswith(".parquet"):
        with pytest.raises(InvalidInput, match="unfolds"):
            ingest(files, parse_mapping(told), crm=crm, imported_at=START)
        return
    report = ingest(files, parse_mapping(told), crm=crm, imported_at=START)
    table = report.tables["contacts"]
    kept = rejected_rows(database, account.account_id, report.batch_id)
    texts = [pl.col(n).str.len_bytes().fill_null(0) for n in ("value", "reason", "cells")]
    stored = kept.select(pl.sum_horizontal(texts).sum()).item()
    assert table.rejected_count == 60_000 == kept.height + sum(table.unkept.values())
    assert table.unkept
    assert stored <= FREE_KEPT_BYTES + MOST_KEPT_RATIO * sent_bytes
