"""Any file of a table, opened: CSV, Excel, Parquet or JSON Lines, told apart by its first bytes."""

from __future__ import annotations

from pathlib import Path

from chatlift.errors import InvalidInput
from chatlift.sources.csv_files import CsvFile
from chatlift.sources.json_lines import JsonLinesFile
from chatlift.sources.raw_tables import TableFile

JSON_ENDINGS = frozenset({".jsonl", ".ndjson", ".json"})
FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls). Save it as .xlsx or CSV",
    b"\x1f\x8b": "packed with gzip. Unpack it",
    b"%PDF": "a PDF. Export the table as CSV",
    b"\x89PNG": "a picture. Export the table as CSV",
    b"\xff\xd8\xff": "a picture. Export the table as CSV",
}
"""How files begin that people hand over by mistake, and what to do."""


def open_table(
    path: Path,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> TableFile:
    """Open a file of rows.

    Parameters
    ----------
    separator, encoding
        Of a CSV file; None: found out.
    sheet
        Of a workbook; None: the first.

    Raises
    ------
    InvalidInput
        If the file is missing, empty, hostile or of a kind that is not read.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(8)
    except OSError as error:
        raise InvalidInput(
            f"The file {path} cannot be read ({type(error).__name__}). Check its path."
        ) from error
    for mark, told in FOREIGN.items():
        if beginning.startswith(mark):
            raise InvalidInput(f"The file {path.name} is {told}.")
    if beginning.startswith(b"PK\x03\x04"):
        # Both libraries take a while to load, and most imports are CSV.
        from chatlift.sources.excel_files import ExcelFile  # noqa: PLC0415

        return ExcelFile(path, sheet=sheet)
    if beginning.startswith(b"PAR1") or path.suffix.lower() == ".parquet":
        from chatlift.sources.parquet_files import ParquetFile  # noqa: PLC0415

        return ParquetFile(path)
    if path.suffix.lower() in JSON_ENDINGS:
        return JsonLinesFile(path)
    return CsvFile(path, separator=separator, encoding=encoding)
