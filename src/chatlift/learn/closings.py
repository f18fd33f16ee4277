"""What was on record of leads or contacts when they were new, beside whether they are closed.

An attribute that says nothing of the outcome looks alike on closed and on open leads of the same
age. Input: a history and the names of attributes. Output: `Closings`, one row per lead (closed:
won or lost) or per contact (closed: churned), and how each attribute differs between the two.

Fields and values come and go with the years, and open leads are the newest. So whatever is held
against an attribute has to be there in each part of the closed ones, the newest too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import MICROSECOND, as_instants, known_microseconds, microseconds
from chatlift.learn.features.attributes import AttributeEncoder, attributes_as_of
from chatlift.learn.leak_scores import codes_of
from chatlift.vocabulary import FactSubject, LeadOutcome

Rows = NDArray[np.int64]

FEWEST = 20
"""Closed and open ones each, below which nothing can be said."""
NEW_FOR = timedelta(days=1) // MICROSECOND
"""Age at which attributes are compared, in microseconds."""
CHANCE = 1e-4
"""Chance below which it is no accident that no open one has the values in question."""
STANDARD_DEVIATIONS = 4.0
AT_CLOSING_FROM, AT_CLOSING_TO = -timedelta(hours=1), timedelta(days=1)
"""A value known in this span around the closing was written by it."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How one attribute differs between closed ones and open ones; shares from 0 to 1."""

    name: str
    filled_closed: float
    """Share of the closed ones that have a value, in that part of them which has fewest."""
    filled_open: float
    open_count: int
    only_closed: float
    """Share of the closed ones whose value no open one has, where that is no accident; else 0."""
    is_closing_date: float
    """Share of the closed ones with a date in it for which that is the day of closing."""
    at_closing: float
    """Share of the closed ones with a value that got their first one as they closed."""
    dated_at_closing: float
    """The same, of those only that did not get it with their creation."""


@dataclass(frozen=True, kw_only=True)
class Closings:
    """Closed and open ones of an account; one entry per lead, or per contact."""

    subject: FactSubject
    ids: Rows
    is_closed: NDArray[np.bool_]
    created: Rows
    """Microseconds since 1970."""
    closed: NDArray[np.float64]
    """Microseconds since 1970; NaN while open, or where nobody knows."""
    attributes: pl.DataFrame
    """One String column per attribute, as known at the age of a day and before the closing."""
    first_known: pl.DataFrame
    """One row per `name` and `subject_id`: when its first value was known (`known_at`)."""

    def differences(self, encoder: AttributeEncoder) -> list[Difference]:
        """Return how each attribute of the encoder differs; nothing where there are too few."""
        if min(self.is_closed.sum(), (~self.is_closed).sum()) < FEWEST:
            return []
        codes = codes_of(encoder, self.attributes, self._cutoffs)
        return [self._difference(name, codes[name], encoder) for name in encoder.names]

    @cached_property
    def _cutoffs(self) -> pl.Series:
        return as_instants("cutoff", self.created)

    @cached_property
    def _parts(self) -> list[Rows]:
        """The rows of the closed ones in three to ten parts of their creation, oldest first."""
        closed = np.flatnonzero(self.is_closed)
        count = int(np.clip(len(closed) // FEWEST, 3, 10))
        return np.array_split(closed[np.argsort(self.created[closed], kind="stable")], count)

    @property
    def _newest(self) -> Rows:
        """The rows of the newest closed ones: a field may have been given up just before them."""
        return self._parts[-1][-FEWEST // 2 :]

    @cached_property
    def _spans(self) -> list[Rows]:
        """The rows of the closed ones in thirds, and those of the newest part again."""
        return [*np.array_split(np.concatenate(self._parts), 3), self._parts[-1]]

    def _difference(self, name: str, codes: Rows, encoder: AttributeEncoder) -> Difference:
        is_filled = self.attributes.get_column(name).is_not_null().to_numpy()
        at_closing, dated = self._written_at_closing.get(name, (0.0, 0.0))
        [kind] = [one.kind for one in encoder.attributes if one.name == name]
        return Difference(
            name=name,
            filled_closed=min(
                float(is_filled[part].mean()) for part in (*self._parts, self._newest)
            ),
            filled_open=float(is_filled[~self.is_closed].mean()),
            open_count=int((~self.is_closed).sum()),
            only_closed=self._only_closed(codes, is_filled),
            is_closing_date=self._is_closing_date(name) if kind == "date" else 0.0,
            at_closing=at_closing,
            dated_at_closing=dated,
        )

    def _only_closed(self, codes: Rows, is_filled: NDArray[np.bool_]) -> float:
        """Return the share of closed ones whose value no open one has; 0 where chance does that."""
        size = int(codes.max()) + 1
        counts = [np.bincount(codes[s][is_filled[s]], minlength=size) for s in self._spans]
        is_lasting = np.min(counts, axis=0) > 0
        share = np.sum(counts[:3], axis=0) / self.is_closed.sum()
        open_rows = np.flatnonzero(~self.is_closed & is_filled)
        is_absent = np.bincount(codes[open_rows], minlength=size) == 0
        if not len(open_rows):
            return 0.0  # Whether they are filled at all is compared apart.
        absent = float(share[is_lasting & is_absent].sum())
        chances = (1 - share[is_lasting]) ** (~self.is_closed).sum()
        expected = float(share[is_lasting] @ chances)
        spread = float(np.sqrt((share[is_lasting] ** 2) @ (chances * (1 - chances))))
        is_accident = (1 - absent) ** (~self.is_closed).sum() > CHANCE
        if is_accident or absent < expected + STANDARD_DEVIATIONS * spread:
            return 0.0
        return absent

    def _is_closing_date(self, name: str) -> float:
        days = self.attributes.get_column(name).str.slice(0, 10).str.to_date(strict=False)
        known = days.cast(pl.Int32).cast(pl.Float64).fill_null(np.nan).to_numpy()
        gaps = np.abs(known - np.floor(self.closed / 86_400_000_000))
        gaps = gaps[np.isfinite(gaps)]
        return float((gaps <= 1).mean()) if len(gaps) >= FEWEST else 0.0

    @cached_property
    def _written_at_closing(self) -> dict[str, tuple[float, float]]:
        """Return `at_closing` and `dated_at_closing` of each attribute that was."""
        own = pl.DataFrame(
            {"subject_id": self.ids, "created": self.created, "closed": self.closed}
        ).filter(pl.col("closed").is_not_nan())
        known_at = pl.col("known_at").dt.timestamp("us")
        since = known_at - pl.col("closed")
        is_at = since.is_between(AT_CLOSING_FROM / MICROSECOND, AT_CLOSING_TO / MICROSECOND)
        is_dated = known_at > pl.col("created")
        counts = (
            self.first_known.join(own, on="subject_id")
            .group_by("name")
            .agg(written=(is_at & is_dated).sum(), dated=is_dated.sum(), all=pl.len())
            .filter(pl.col("written") >= FEWEST)
        )
        return {
            f"{self.subject}.{name}": (written / every, written / dated)
            for name, written, dated, every in counts.iter_rows()
        }


ClosingsOf = Callable[[History, Sequence[str]], Closings]
"""Takes a history and names of attributes, such as `lead.reason`."""


def lead_closings(history: History, names: Sequence[str]) -> Closings:
    """Return the leads of a history, with the named attributes as they were known at first."""
    leads = history.leads
    is_closed = (leads.get_column("outcome") != LeadOutcome.OPEN).to_numpy()
    closed = known_microseconds(leads.get_column("closed_at"))
    ids = leads.select("contact_id", "lead_id")
    return _closings(history, names, FactSubject.LEAD, ids, leads, is_closed, closed)


def contact_closings(history: History, names: Sequence[str]) -> Closings:
    """Return the contacts of a history; the closed ones are those that churned."""
    contacts = history.contacts
    closed = known_microseconds(contacts.get_column("churned_at"))
    ids = contacts.select("contact_id", lead_id=pl.lit(None, dtype=pl.Int64))
    return _closings(
        history, names, FactSubject.CONTACT, ids, contacts, np.isfinite(closed), closed
    )


def _closings(
    history: History,
    names: Sequence[str],
    subject: FactSubject,
    ids: pl.DataFrame,
    rows: pl.DataFrame,
    is_closed: NDArray[np.bool_],
    closed: NDArray[np.float64],
) -> Closings:
    created = microseconds(rows.get_column("created_at"))
    until = np.fmin(created + float(NEW_FOR), closed).astype(np.int64)
    cutoffs = as_instants("cutoff", np.maximum(until, created + 1))
    plain = [name.partition(".")[2] for name in names]
    facts = history.facts.filter(pl.col("subject") == subject, pl.col("name").is_in(plain))
    return Closings(
        subject=subject,
        ids=ids.get_column(f"{subject}_id").to_numpy(),
        is_closed=is_closed,
        created=created,
        closed=closed,
        attributes=attributes_as_of(history, ids.with_columns(cutoffs), names),
        first_known=facts.group_by("name", "subject_id").agg(pl.col("known_at").min()),
    )
