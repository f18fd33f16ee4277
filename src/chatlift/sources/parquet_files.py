"""Parquet files: typed columns, turned into the texts that a CSV would hold.

A few bytes of Parquet can say a long text a million times. Columns of texts are therefore read as
the file keeps them, each text once, and measured before they are written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from chatlift.errors import InvalidInput
from chatlift.sources.raw_tables import (
    RawTable,
    TableFile,
    Unfolds,
    distinct_headers,
    most_unpacked_bytes,
    piece_of_frame,
)


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
        self.sent_bytes = path.stat().st_size
        self._path = path
        self._texts: list[str] = []
        with self._open() as opened:
            self._refuse_bombs(opened.metadata)
            names = opened.schema_arrow.names
            types = opened.schema_arrow.types
        self._places = [place for place, kind in enumerate(types) if _is_flat(kind)]
        self._texts = [names[place] for place in self._places if _is_text(types[place])]
        self.headers = distinct_headers([names[place] for place in self._places], path.name)
        self.form = "Parquet"

    def _pieces(self, rows: int) -> Iterator[RawTable]:
        """Yield all rows in order."""
        most = most_unpacked_bytes(self.sent_bytes)
        with self._open() as opened:
            for batch in opened.iter_batches(batch_size=rows):
                columns = [batch.column(place) for place in self._places]
                if sum(map(_expanded_bytes, columns)) > most:
                    raise Unfolds(self.name, self.sent_bytes)
                flat = pa.table([*map(_plain, columns)], names=list(self.headers))
                cells = pl.DataFrame(pl.from_arrow(flat))
                texts = cells.select(_as_text(n, dtype) for n, dtype in cells.schema.items())
                lines = pl.repeat(None, cells.height, dtype=pl.Int64, eager=True)
                yield piece_of_frame(texts, lines)

    def _refuse_bombs(self, metadata: parquet.FileMetaData) -> None:
        """Refuse what the footer announces, before any of it is unfolded."""
        groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
        unpacked = sum(group.total_byte_size for group in groups)
        cells = metadata.num_rows * max(metadata.num_columns, 1)
        if max(unpacked, cells) > most_unpacked_bytes(self.sent_bytes):
            raise Unfolds(self.name, self.sent_bytes)

    @contextmanager
    def _open(self) -> Iterator[parquet.ParquetFile]:
        try:
            with parquet.ParquetFile(self._path, read_dictionary=self._texts) as opened:
                yield opened
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
            raise InvalidInput(
                f"The file {self.name} is no readable Parquet. Export it again."
            ) from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _expanded_bytes(column: pa.Array) -> int:
    """Return how many bytes the texts of a column take where each stands by itself."""
    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = pc.binary_length(column.dictionary.cast(pa.large_string()))
    return pc.sum(lengths.cast(pa.int64()).take(column.indices)).as_py() or 0


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


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
