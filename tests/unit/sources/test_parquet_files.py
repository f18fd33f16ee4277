from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.parquet_files import ParquetFile


def test_columns_that_are_no_cells_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"id": [1], "list": [[1, 2]], "bytes": [b"x"], "kind": ["a"]}).with_columns(
        pl.col("kind").cast(pl.Categorical)
    ).write_parquet(path)
    opened = ParquetFile(path)
    assert opened.headers == ("id", "kind")
    assert [piece.cells.rows() for piece in opened.pieces()] == [[("1", "a")]]


def test_a_small_file_of_too_many_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"id": pl.repeat("a", 2_000_000, eager=True)}).write_parquet(path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InvalidInput, match="unfolds to more than"):
        ParquetFile(path)
