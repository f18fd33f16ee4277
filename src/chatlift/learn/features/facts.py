"""Dated facts of contacts, leads and messages, read as they were known before an instant.

Input: `History.facts`. Output: for each asked id and cutoff the row of the newest value known
strictly before the cutoff, and the texts of such rows. Of two values of one instant the later row
counts.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl

from chatlift.learn.arrays import FEW_ROWS, NONE, Rows, first_row_from, microseconds
from chatlift.vocabulary import FactSubject


class DatedFacts:
    """The facts of a history."""

    def __init__(self, facts: pl.DataFrame) -> None:
        self._facts = facts

    def names(self) -> list[tuple[FactSubject, str]]:
        """Return what there are facts of: subjects and names, in order."""
        named = self._facts.select("subject", "name").unique().rows()
        return [(FactSubject(subject), name) for subject, name in sorted(named)]

    def rows_as_of(self, subject: FactSubject, name: str, ids: Rows, cutoffs: Rows) -> Rows:
        """Return per example the row of the value known strictly before the cutoff, or -1.

        Parameters
        ----------
        ids
            The contact, lead or message of each example; -1: none.
        cutoffs
            Microseconds per example.
        """
        rows = self._in_order(self._rows_told(subject, name))
        if not len(rows):
            return np.full(len(ids), NONE)
        owner = self._subject_id[rows]
        first = owner.searchsorted(ids, side="left")
        last = owner.searchsorted(ids, side="right")
        place = first_row_from(self._known_at[rows], first, last, cutoffs) - 1
        return np.where(place >= first, rows[place], NONE)

    def _rows_told(self, subject: FactSubject, name: str) -> Rows:
        if len(self._facts) <= FEW_ROWS:
            return np.array(self._few.get((subject.value, name), []), dtype=np.int64)
        is_told = (self._facts["subject"] == subject.value) & (self._facts["name"] == name)
        return np.flatnonzero(is_told.to_numpy())

    @cached_property
    def _few(self) -> dict[tuple[str, str], list[int]]:
        """The rows by subject and name; of a few, which are sooner sorted than compared."""
        found: dict[tuple[str, str], list[int]] = {}
        told = zip(self._facts["subject"].to_list(), self._facts["name"].to_list(), strict=True)
        for row, key in enumerate(told):
            found.setdefault(key, []).append(row)
        return found

    def values_at(self, rows: Rows) -> pl.Series:
        """Return the texts of rows; null where the row is -1 or the value is known to be empty."""
        return self._padded[np.where(rows >= 0, rows, len(self._facts))]

    @cached_property
    def _padded(self) -> pl.Series:
        """The values, and a null at the end."""
        values = self._facts["value"].cast(pl.String)
        return values.clone().append(pl.Series([None], dtype=pl.String))

    @cached_property
    def _subject_id(self) -> Rows:
        return self._facts["subject_id"].to_numpy()

    @cached_property
    def _known_at(self) -> Rows:
        return microseconds(self._facts["known_at"])

    def _in_order(self, rows: Rows) -> Rows:
        """Sort rows by subject and instant; those of one instant stay in their order."""
        owner, known_at = self._subject_id[rows], self._known_at[rows]
        same = owner[1:] == owner[:-1]
        is_sorted = (owner[1:] > owner[:-1]) | (same & (known_at[1:] >= known_at[:-1]))
        return rows if is_sorted.all() else rows[np.lexsort((known_at, owner))]
