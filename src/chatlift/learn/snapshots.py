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
from chatlift.learn.features.engine import compute_features
from chatlift.learn.features.text import TokenMatrix, hash_messages, inbound_windows

Rows = NDArray[np.int64]

TEXT_WINDOW_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Examples with everything that was known strictly before their cutoffs."""

    examples: pl.DataFrame
    """One row per example, with the columns of `specs.base.EXAMPLES`."""
    features: pl.DataFrame
    """One Float64 column per declared feature; null where unknown."""
    attributes: pl.DataFrame
    """One String column per attribute; null where unknown."""
    tokens: TokenMatrix
    """Hashed words of the account's inbound messages; shared by all examples."""
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
        return replace(
            self,
            examples=self.examples[chosen],
            features=_rows_of(self.features, chosen),
            attributes=_rows_of(self.attributes, chosen),
            starts=self.starts[chosen],
            ends=self.ends[chosen],
        )

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
    def keys(self) -> NDArray[np.uint64]:
        """A stable key per example, from its entity and cutoff: the same in every run."""
        parts = self.examples.select("entity_id", pl.col("cutoff").dt.timestamp("us")).rows()
        return np.array([_key(entity, cutoff) for entity, cutoff in parts], dtype=np.uint64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that was known and decided; equal data gives an equal one."""
        digest = hashlib.sha256()
        for frame in (self.examples, self.features, self.attributes):
            buffer = io.BytesIO()
            frame.rechunk().write_ipc(buffer)
            digest.update(buffer.getvalue())
        for array in (self.tokens.indptr, self.tokens.indices, self.starts, self.ends):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _rows_of(frame: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Return the named rows; a frame without columns keeps its height."""
    return frame[rows] if frame.width else pl.DataFrame(height=len(rows))


def _key(entity: int, cutoff: int) -> int:
    told = f"{entity}:{cutoff}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")


def take_snapshot(
    history: History, examples: pl.DataFrame, features: Sequence[Feature], *, key: bytes
) -> Snapshot:
    """Compute everything that was known at each example's cutoff.

    Parameters
    ----------
    key
        The account's key for hashing words; without it nobody can tell which words were seen.
    """
    messages, starts, ends = inbound_windows(history, examples, days=TEXT_WINDOW_DAYS)
    return Snapshot(
        examples=examples,
        features=compute_features(history, examples, features),
        attributes=attributes_as_of(history, examples),
        tokens=hash_messages(messages.get_column("text"), key),
        message_ids=messages.get_column("message_id").to_numpy(),
        starts=starts,
        ends=ends,
    )
