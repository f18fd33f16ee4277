"""The store's numbers of records by their external ids, kept as long as nobody else changes them.

An import asks for the same contacts and conversations piece after piece. Asking the database
again each time took a quarter of the import's time.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

MOST_KEPT = 300_000
"""Numbers of one kind kept in memory, at some 50 bytes each."""

Ask = Callable[[pl.Series], pl.DataFrame]
"""Asks the database for these records: returns a row of `KNOWN` for each that is there."""

KNOWN = pl.Schema({"external_id": pl.String(), "number": pl.Int64()})


class KnownIds:
    """What was found so far of one source of one account; new for each write, or for an import."""

    def __init__(self) -> None:
        self._known: dict[str, pl.DataFrame] = {}
        self._revision: int | None = None

    def take_up(self, revision: int) -> None:
        """Go on in a new transaction; forget everything if others have changed records since.

        Parameters
        ----------
        revision
            The account's count of changes as the transaction begins.
        """
        if revision != self._revision:
            self._known.clear()
        # Were this transaction undone, what it found would not be so.
        self._revision = None

    def keep(self, revision: int) -> None:
        """Keep what was found for the next transaction, this one being committed.

        Parameters
        ----------
        revision
            The account's count of changes as the transaction ended.
        """
        self._revision = revision

    def numbers(self, key: str, wanted: pl.Series, ask: Ask) -> pl.Series:
        """Return the number of each wanted record, in order; null: it is not there.

        Parameters
        ----------
        key
            Name of the number, such as `contact_id`.
        """
        names = wanted.drop_nulls().unique()
        known = self._of(key)
        missing = names.filter(~names.is_in(known["external_id"].implode()))
        if known.height + missing.len() > MOST_KEPT:
            known, missing = KNOWN.to_frame(), names
        if not missing.is_empty():
            known = known.vstack(ask(missing.sort()))
        self._known[key] = known
        looked_up = wanted.to_frame("external_id").join(
            known, on="external_id", how="left", maintain_order="left"
        )
        return looked_up["number"]

    def are_found(self, key: str, names: pl.Series) -> pl.Series:
        """Tell of each record whether it was found before; nobody is asked."""
        return names.is_in(self._of(key)["external_id"].implode())

    def _of(self, key: str) -> pl.DataFrame:
        return self._known.get(key, KNOWN.to_frame())
