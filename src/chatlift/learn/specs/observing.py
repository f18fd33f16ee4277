"""Which part of each contact's time has been seen: maturity by observation, not by the clock.

A label counts only once its whole horizon lies inside what the contact's source observed, or where
that is known apart, what was observed of the contact, and touches no gap. Frames here have one row
per example and a `contact_id`.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import (
    Rows,
    Values,
    as_instants,
    by_name,
    ids_of,
    known_microseconds,
    looked_up,
    microsecond_of,
    microseconds,
    places_of,
)


class Observed:
    """Until when each contact of a history was observed, and between which gaps."""

    def __init__(self, history: History) -> None:
        self._contacts, self._gaps = history.contacts, history.gaps
        sources, own = history.observations, history.contact_observations
        ends = known_microseconds(sources["observed_through"])
        by_source = by_name(self._contacts["source"], sources["source"], ends)
        own_ends = known_microseconds(own["observed_through"])
        of_contact = looked_up(self._contacts["contact_id"].to_numpy(), own["contact_id"], own_ends)
        self.through = np.where(np.isnan(of_contact), by_source, of_contact)
        """One entry per contact, in their order; NaN where nothing is known."""

    def through_of(self, contact_ids: Rows) -> Values:
        """Return until when each of the contacts was observed, NaN where that is unknown."""
        return looked_up(contact_ids, self._contacts["contact_id"], self.through)

    def is_whole(self, contact_ids: Rows, starts: Rows, ends: Rows) -> NDArray[np.bool_]:
        """Tell per span of a contact whether it was wholly observed: to its end, without a gap."""
        seen = ends <= self.through_of(contact_ids)
        if self._gaps.is_empty():
            return seen
        place = places_of(contact_ids, self._contacts["contact_id"])
        gaps = zip(
            self._gaps["source"],
            known_microseconds(self._gaps["gap_from"]),
            known_microseconds(self._gaps["gap_through"]),
            strict=True,
        )
        for source, gap_from, gap_through in gaps:
            is_of_source = (self._contacts["source"] == source).to_numpy()[place]
            seen &= ~(is_of_source & (gap_from < ends) & (gap_through > starts))
        return seen


def with_observation(rows: pl.DataFrame, history: History) -> pl.DataFrame:
    """Add `source`, `observed_from`, `observed_through` of each row's contact (null: unknown)."""
    seen = history.contacts.select("contact_id", "source").join(
        history.observations, on="source", how="left"
    )
    own = history.contact_observations.select("contact_id", own="observed_through")
    ended = seen.join(own, on="contact_id", how="left").with_columns(
        observed_through=pl.coalesce("own", "observed_through")
    )
    return rows.join(ended.drop("own"), on="contact_id", how="left", maintain_order="left")


def is_observed(rows: pl.DataFrame, history: History, *, start: str, end: str) -> pl.Series:
    """Tell per row whether the span from `start` to `end` was wholly observed.

    Parameters
    ----------
    rows
        One row per example, with `contact_id` and the two named columns.

    Returns
    -------
    pl.Series
        True where the source was complete through `end` and no gap overlaps the span.
    """
    spans = microseconds(rows[start]), microseconds(rows[end])
    return pl.Series(Observed(history).is_whole(ids_of(rows["contact_id"]), *spans))


def ends_of_contacts(history: History, as_of: datetime) -> pl.DataFrame:
    """Return until when each contact can be spoken of: `as_of`, or its observed end before.

    Returns
    -------
    pl.DataFrame
        One row per contact: `contact_id`, `source`, `end`. A source without an observation ends at
        `as_of`.
    """
    ends = np.fmin(Observed(history).through, microsecond_of(as_of)).astype(np.int64)
    contacts = history.contacts
    return pl.DataFrame([contacts["contact_id"], contacts["source"], as_instants("end", ends)])


def observed_through(history: History) -> datetime | None:
    """Return the last instant that any source of the account has seen; None without sources."""
    latest = history.observations.get_column("observed_through").max()
    return latest if isinstance(latest, datetime) else None
