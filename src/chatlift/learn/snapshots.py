"""The frozen frame of examples of one run: what was known at each cutoff, ready to be fitted.

Input: a history and examples (one row per entity and cutoff). Output: a `Snapshot`, whose parts
all have one row per example in the same order: declared features as numbers, attributes as they
were written, and the range of inbound messages that the text score may read.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.features.attributes import attributes_as_of
from chatlift.learn.features.declare import Feature
from chatlift.learn.features.engine import feature_values
from chatlift.learn.features.text import TokenMatrix, hash_messages, inbound_windows

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]

TEXT_WINDOW_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Examples with everything that was known strictly before their cutoffs."""

    examples: pl.DataFrame
    """One row per example, with the columns of `specs.base.EXAMPLES`."""
    feature_names: tuple[str, ...]
    """The declared features, in the order of the columns of `numbers`."""
    numbers: Matrix
    """One column per declared feature; NaN where unknown."""
    attributes: pl.DataFrame
    """One String column per attribute; null where unknown."""
    tokens: TokenMatrix
    """Hashed words of the inbound messages in any example's window; shared by all examples."""
    message_ids: Rows
    """One id per row of `tokens`."""
    starts: Rows
    ends: Rows
    """Per example the range of `tokens` rows that lie in its text window."""

    def __len__(self) -> int:
        return self.examples.height

    def take(self, rows: Sequence[int] | Rows | NDArray[np.bool_]) -> Snapshot:
        """Return the snapshot of the named examples only (row numbers or a mask)."""
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        taken = replace(
            self,
            examples=self.examples[chosen],
            numbers=self.numbers[chosen],
            attributes=_rows_of(self.attributes, chosen),
            starts=self.starts[chosen],
            ends=self.ends[chosen],
        )
        # What was read from the examples already need not be read again for a part of them.
        for name in _PER_EXAMPLE & self.__dict__.keys():
            taken.__dict__[name] = self.__dict__[name][chosen]
        return taken

    @property
    def features(self) -> pl.DataFrame:
        """One Float32 column per declared feature; null where unknown."""
        if not self.feature_names:
            return pl.DataFrame(height=len(self))
        frame = pl.from_numpy(self.numbers, schema=list(self.feature_names), orient="row")
        return frame.fill_nan(None)

    def columns_of(self, names: Sequence[str]) -> Matrix:
        """Return the named features side by side.

        Raises
        ------
        ValueError
            If one was not computed.
        """
        if tuple(names) == self.feature_names:
            return self.numbers
        return self.numbers[:, [self.feature_names.index(name) for name in names]]

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """0 or 1 per example; NaN while undecided."""
        return self.examples.get_column("label").cast(pl.Float64).fill_null(np.nan).to_numpy()

    @cached_property
    def contacts(self) -> Rows:
        """The contact of each example: the group that folds and resamples keep together."""
        return self.examples.get_column("contact_id").to_numpy()

    @cached_property
    def entities(self) -> Rows:
        """The entity of each example."""
        return self.examples.get_column("entity_id").to_numpy()

    @cached_property
    def is_leading(self) -> NDArray[np.bool_]:
        """Whether the leading figures are computed on the example."""
        return self.examples.get_column("is_leading").to_numpy()

    @cached_property
    def begun(self) -> Rows:
        """When each example began, by which time passes for it, in microseconds since 1970."""
        return self.examples.get_column("split_at").dt.timestamp("us").to_numpy()

    @cached_property
    def decided(self) -> Rows:
        """When the horizon of each example ended, in microseconds since 1970."""
        return self.examples.get_column("horizon_ends_at").dt.timestamp("us").to_numpy()

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """A stable key per example, from its entity and cutoff: the same in every run."""
        parts = self.examples.select("entity_id", pl.col("cutoff").dt.timestamp("us")).rows()
        return np.array([_key(entity, cutoff) for entity, cutoff in parts], dtype=np.uint64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that was known and decided; equal data gives an equal one."""
        digest = hashlib.sha256()
        for frame in (self.examples, self.attributes):
            buffer = io.BytesIO()
            frame.rechunk().write_ipc(buffer)
            digest.update(buffer.getvalue())
        digest.update("\n".join(self.feature_names).encode("utf-8"))
        arrays = (self.tokens.indptr, self.tokens.indices, self.starts, self.ends)
        for array in (self.numbers, *arrays):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


_PER_EXAMPLE = frozenset({"labels", "contacts", "entities", "is_leading", "begun", "decided"})


def _rows_of(frame: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Return the named rows; a frame without columns keeps its height."""
    return frame[rows] if frame.width else pl.DataFrame(height=len(rows))


def _key(entity: int, cutoff: int) -> int:
    told = f"{entity}:{cutoff}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")


def numbers_of(columns: pl.DataFrame) -> Matrix:
    """Return the columns as a matrix; NaN where a value is null."""
    if not columns.width:
        return np.empty((columns.height, 0), dtype=np.float32)
    known = [column.to_numpy() for column in columns.get_columns()]
    return _single_precision(np.column_stack(known))


def _single_precision(values: NDArray[np.float64]) -> Matrix:
    """Return finite numbers as float32; a larger one than that can hold becomes its largest."""
    largest = float(np.finfo(np.float32).max)
    return np.ascontiguousarray(np.clip(values, -largest, largest), np.float32)


def take_snapshot(
    history: History,
    examples: pl.DataFrame,
    features: Sequence[Feature],
    *,
    key: bytes,
    attributes: Sequence[str] | None = None,
) -> Snapshot:
    """Compute everything that was known at each example's cutoff.

    Parameters
    ----------
    key
        The account's key for hashing words; without it nobody can tell which words were seen.
    attributes
        The attributes to read, such as `contact.plan`; None: all.
    """
    inbound = inbound_windows(history, examples, days=TEXT_WINDOW_DAYS)
    return Snapshot(
        examples=examples,
        feature_names=tuple(feature.name for feature in features),
        numbers=_single_precision(feature_values(history, examples, features).T),
        attributes=attributes_as_of(history, examples, attributes),
        tokens=hash_messages(inbound.texts, key),
        message_ids=inbound.message_ids,
        starts=inbound.starts,
        ends=inbound.ends,
    )
