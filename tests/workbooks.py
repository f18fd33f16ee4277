"""Small Excel workbooks, written by hand so that hostile ones can be too."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from xml.sax.saxutils import escape

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{TYPE}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    # Style 1 is a date with a time.
    "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs count="2"><xf numFmtId="0"/>'
    '<xf numFmtId="22"/></cellXfs></styleSheet>',
}

Cell = str | int | float | bool | tuple[float] | None
"""A tuple holds a date: its days since 1899-12-30."""


def write_workbook(path: Path, rows: Sequence[Sequence[Cell]]) -> Path:
    """Write a workbook of one sheet; a text that begins with = is a formula whose value is 3."""
    told = "".join(
        f'<row r="{n}">{"".join(_cell(f"{c}{n}", v) for c, v in _lettered(row))}</row>'
        for n, row in enumerate(rows, 1)
    )
    return write_sheet(path, f"<sheetData>{told}</sheetData>")


def write_sheet(path: Path, xml: str) -> Path:
    """Write a workbook whose sheet holds this XML."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in PARTS.items():
            archive.writestr(name, head + text)
        sheet = f'{head}<worksheet xmlns="{SHEET}">{xml}</worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


def _lettered(row: Sequence[Cell]) -> zip[tuple[str, Cell]]:
    return zip(ascii_uppercase, row, strict=False)


def _cell(place: str, value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, tuple):
        return f'<c r="{place}" s="1"><v>{value[0]}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    if value.startswith("="):
        return f'<c r="{place}"><f>{escape(value[1:])}</f><v>3</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
