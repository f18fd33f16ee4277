"""Parquet files: typed columns, turned into the texts that a CSV would hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from chatlift.errors import InvalidInput
from chatlift.sources.raw_tables import (
    PIECE_ROWS,
    RawTable,
    TableFile,
    distinct_headers,
    piece_of_frame,
)

MOST_ROWS = 200_000_000
LARGEST_GROUP_BYTES = 2_000_000_000
"""Uncompressed: a small file may claim to unfold to more than any machine has."""


class ParquetFile(TableFile):
    """A Parquet file; columns of lists, structs or bytes are left out."""

    def __init__(self, path: Path) -> None:
        """Read the file's footer.

        Raises
        ------
        InvalidInput
            If it is no Parquet, or would unfold to more than can be held.
        """
        self.name = path.name
        self._path = path
        with self._open() as opened:
            _refuse_bombs(opened.metadata, path.name)
            names = opened.schema_arrow.names
            types = opened.schema_arrow.types
        self._places = [place for place, kind in enumerate(types) if _is_flat(kind)]
        self.headers = distinct_headers([names[place] for place in self._places], path.name)
        self.form = "Parquet"

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[RawTable]:
        """Yield all rows in order."""
        with self._open() as opened:
            for batch in opened.iter_batches(batch_size=rows):
                flat = pa.table(
                    [batch.column(place) for place in self._places], names=list(self.headers)
                )
                cells = pl.DataFrame(pl.from_arrow(flat))
                texts = cells.select(_as_text(n, dtype) for n, dtype in cells.schema.items())
                lines = pl.repeat(None, cells.height, dtype=pl.Int64, eager=True)
                yield piece_of_frame(texts, lines)

    @contextmanager
    def _open(self) -> Iterator[parquet.ParquetFile]:
        try:
            with parquet.ParquetFile(self._path) as opened:
                yield opened
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
            raise InvalidInput(
                f"The file {self.name} is no readable Parquet. Export it again."
            ) from error


def _refuse_bombs(metadata: parquet.FileMetaData, name: str) -> None:
    groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
    largest = max((group.total_byte_size for group in groups), default=0)
    if metadata.num_rows > MOST_ROWS or largest > LARGEST_GROUP_BYTES:
        raise InvalidInput(
            f"The file {name} would unfold to {metadata.num_rows:,} rows, the largest group to "
            f"{largest:,} bytes; at most {MOST_ROWS:,} rows and {LARGEST_GROUP_BYTES:,} bytes a "
            "group are read. Export it in parts."
        )


def _is_flat(kind: pa.DataType) -> bool:
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not pa.types.is_nested(kind) and not is_bytes


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if not isinstance(dtype, pl.Datetime):
        return column.cast(pl.String)
    if dtype.time_zone is None:
        return column.dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00")
