from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.workbooks import write_workbook

from chatlift.errors import InvalidInput
from chatlift.sources.files import open_table

ROWS = [{"id": "a", "text": "Grüße, 你好"}, {"id": "b", "text": "two\nlines"}]


def write(path: Path, kind: str) -> Path:
    frame = pl.DataFrame(ROWS)
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "jsonl":
        frame.write_ndjson(path)
    elif kind == "xlsx":
        write_workbook(path, [frame.columns, *frame.rows()])
    else:
        path.write_bytes(frame.write_csv(separator=";").encode(kind))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "jsonl",
        "parquet",
        "xlsx",
    ],
)
def test_the_same_rows_are_read_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"rows.{kind if kind in {'jsonl', 'parquet', 'xlsx'} else 'csv'}", kind)
    opened = open_table(path)
    assert opened.headers == ("id", "text")
    for _ in range(2):  # A file can be read again.
        pieces = [*opened.pieces(1)]
        assert pl.concat([piece.cells for piece in pieces]).to_dicts() == ROWS


@pytest.mark.parametrize(
    ("beginning", "told"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "xlsx"),
        (b"\x1f\x8b\x08\x00", "Unpack"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04broken", "readable Excel"),
        (b"PAR1broken", "Parquet"),
    ],
)
def test_files_handed_over_by_mistake_are_told_apart(
    tmp_path: Path, beginning: bytes, told: str
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(beginning)
    with pytest.raises(InvalidInput, match=told):
        open_table(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Check its path"):
        open_table(tmp_path / "none.csv")
