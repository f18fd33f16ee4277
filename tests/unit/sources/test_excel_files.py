from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.workbooks import write_sheet, write_workbook

from chatlift.errors import InvalidInput
from chatlift.sources import excel_files
from chatlift.sources.excel_files import ExcelFile


def test_a_sheet_is_read_with_its_row_numbers_and_dates(tmp_path: Path) -> None:
    rows = [
        [None],
        ["id", "at", "vip", "sum"],
        ["a", (45_658.5,), True, "=1+2"],
        [None],
        ["b", 1.5],
    ]
    opened = ExcelFile(write_workbook(tmp_path / "rows.xlsx", rows))
    assert opened.form == "Excel, sheet Data"
    (piece,) = opened.pieces()
    # Day 45,658 after 1899-12-30 is 2025-01-01; a formula counts with its kept value.
    assert piece.cells.rows() == [
        ("a", "2025-01-01 12:00:00", "true", "3"),
        ("b", "1.5", None, None),
    ]
    assert piece.lines.to_list() == [3, 5]


def test_a_sheet_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "rows.xlsx", [["id"]])
    with pytest.raises(InvalidInput, match="sheet 'Deals'"):
        ExcelFile(path, sheet="Deals")


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', "cells"),
        ("<row r = '1048576'><c r = 'xfd1'><v>1</v></c></row>", "cells"),
        ('<row r="1"><c r="A1"><v>' + " " * 3_000_000 + "1</v></c></row>", "unfolds"),
    ],
)
def test_workbooks_that_unfold_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xml: str, told: str
) -> None:
    monkeypatch.setattr(excel_files, "MOST_UNPACKED_BYTES", 2_000_000)
    first = '<sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    path = write_sheet(tmp_path / "bomb.xlsx", first + xml + "</sheetData>")
    assert path.stat().st_size < 10_000
    with pytest.raises(InvalidInput, match=told):
        ExcelFile(path)


def test_a_zip_of_many_parts_or_of_none_is_no_workbook(tmp_path: Path) -> None:
    many, other = tmp_path / "many.xlsx", tmp_path / "other.xlsx"
    with zipfile.ZipFile(many, "w") as archive:
        for n in range(2_001):
            archive.writestr(f"part{n}", "")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("hello.txt", "hi")
    with pytest.raises(InvalidInput, match="2,001 parts"):
        ExcelFile(many)
    with pytest.raises(InvalidInput, match="workbook"):
        ExcelFile(other)
