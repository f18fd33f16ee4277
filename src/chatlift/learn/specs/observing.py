"""Which part of each contact's time has been seen: maturity by observation, not by the clock.

A label counts only once its whole horizon lies inside what the contact's source observed, or where
that is known apart, what was observed of the contact, and touches no gap. Frames here have one row
per example and a `contact_id`.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from chatlift.history import History
from chatlift.records import INSTANT


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
        One row per example, with `source`, `observed_through` and the two named columns.

    Returns
    -------
    pl.Series
        True where the source was complete through `end` and no gap overlaps the span.
    """
    complete = rows.select((pl.col(end) <= pl.col("observed_through")).fill_null(value=False))
    mature = complete.to_series()
    if history.gaps.is_empty():
        return mature
    spans = rows.select("source", pl.col(start).alias("start"), pl.col(end).alias("end"))
    touched = (
        spans.with_row_index("row")
        .join(history.gaps, on="source", how="inner")
        .filter((pl.col("gap_from") < pl.col("end")) & (pl.col("gap_through") > pl.col("start")))
        .get_column("row")
        .unique()
    )
    rows_touched = pl.int_range(rows.height, eager=True).is_in(touched.implode())
    return mature & ~rows_touched


def ends_of_contacts(history: History, as_of: datetime) -> pl.DataFrame:
    """Return until when each contact can be spoken of: `as_of`, or its observed end before.

    Returns
    -------
    pl.DataFrame
        One row per contact: `contact_id`, `source`, `end`. A source without an observation ends at
        `as_of`.
    """
    seen = with_observation(history.contacts.select("contact_id"), history)
    end = pl.min_horizontal("observed_through", pl.lit(as_of, dtype=INSTANT))
    return seen.select("contact_id", "source", end=end)


def observed_through(history: History) -> datetime | None:
    """Return the last instant that any source of the account has seen; None without sources."""
    latest = history.observations.get_column("observed_through").max()
    return latest if isinstance(latest, datetime) else None
