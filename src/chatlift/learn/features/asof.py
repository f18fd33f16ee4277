"""What a feature may see: the account's records strictly before each example's cutoff.

Input: a history and examples (`contact_id`, `cutoff`, `lead_id`). Output: an `AsOf` view whose
every answer has one number per example, in the examples' order, NaN where unknown. There is no
way through it to a message, fact or lead of the cutoff itself or later, nor to another contact.

Sums are whole numbers from running totals: the total up to the cutoff minus the total up to the
window's start. So the work grows with messages plus examples, and a value never depends on which
other contacts were read. A window that starts before the contact's source was observed is unknown.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import (
    NONE,
    Rows,
    Values,
    by_name,
    ids_of,
    joined_ranges,
    known_microseconds,
    looked_up,
    microseconds,
    running_totals,
)
from chatlift.learn.features.facts import DatedFacts
from chatlift.learn.features.quantiles import Buckets
from chatlift.learn.features.timeline import (
    DAY,
    HOUR,
    Column,
    Timeline,
    hour_of,
    local_time,
    weekday_of,
)
from chatlift.vocabulary import FactSubject, LeadOutcome

Measure = str | pl.Expr
"""A timeline column's name, or an expression over timeline columns, message by message."""

RUNNING_TOTALS_KEPT = 24
"""At most 8 bytes x messages each: the bound on the memory of a large account."""
ENTRIES_KEPT = 1_000_000
"""Of a small account, whose totals are few entries each, all totals are kept."""
BUCKETS_KEPT = 2

_Kept = TypeVar("_Kept")


class AsOf:
    """One number per example out of what was known strictly before its cutoff."""

    def __init__(self, history: History, examples: pl.DataFrame) -> None:
        self._history = history
        self._contact_id: Rows = examples["contact_id"].cast(pl.Int64).to_numpy()
        self._lead_id = ids_of(examples["lead_id"])
        self._cutoff = microseconds(examples["cutoff"])
        self._line = _timeline_of(history, self._contact_id)
        self._start, end = self._line.rows_of(self._contact_id)
        self._end = self._line.first_row_from(self._start, end, self._cutoff)
        self._windows: dict[float | None, tuple[Rows, NDArray[np.bool_]]] = {}
        self._answers: dict[object, Values] = {}
        self._last_rows: dict[object, Rows] = {}
        self._totals: OrderedDict[object, Column] = OrderedDict()
        self._buckets: OrderedDict[object, Buckets] = OrderedDict()

    def __len__(self) -> int:
        return len(self._cutoff)

    @property
    def unknown(self) -> Values:
        """NaN for every example."""
        return np.full(len(self), np.nan)

    # Messages

    def total(
        self, measure: Measure, days: float | None = None, *, since: Values | None = None
    ) -> Values:
        """Sum a whole-number measure over the window's messages.

        Parameters
        ----------
        measure
            Timeline column or expression with one whole number or boolean per message.
        days
            Length of the window before the cutoff; None: everything before the cutoff.
        since
            Instead of `days`: the instant at which each example's window starts.

        Returns
        -------
        Values
            NaN where the window starts before the contact's source was observed, or `since` is
            unknown.
        """
        if since is not None:
            return self._total(self._running_total(measure), *self._window(days, since))
        key = ("total", _key(measure), days)
        if key not in self._answers:
            running = self._running_total(measure)
            self._answers[key] = self._total(running, *self._window(days, None))
        return self._answers[key].copy()

    def _total(self, running: Column, start: Rows, is_known: NDArray[np.bool_]) -> Values:
        return np.where(is_known, (running[self._end] - running[start]).astype(np.float64), np.nan)

    def share(self, part: Measure, whole: Measure, days: float | None = None) -> Values:
        """Return total of `part` / total of `whole`, 0 to 1; NaN where the whole is empty."""
        return ratio(self.total(part, days), self.total(whole, days))

    def last_at(self, where: Measure) -> Values:
        """Return the instant of the last message that satisfies `where`, in microseconds."""
        return self._at(self._line.sent_at, self._last_row(where))

    def hours_since_last(self, where: Measure) -> Values:
        """Return the hours from the last message that satisfies `where` to the cutoff."""
        return self.hours_since(self.last_at(where))

    def last_value(self, column: str, where: Measure) -> Values:
        """Return a timeline column's entry at the last message that satisfies `where`."""
        return self._at(self._line.column(column), self._last_row(where))

    def first_at(self, where: Measure, *, since: Values | None = None) -> Values:
        """Return the instant of the window's first message that satisfies `where`."""
        running = self._running_total(where)
        start, is_known = self._window(None, since)
        rows = np.flatnonzero(self._line_mask(where))
        nth = running[start]
        exists = is_known & (running[self._end] > nth)
        return self._at(self._line.sent_at, _pick(rows, nth, exists))

    def quantile(
        self,
        column: str,
        share: float,
        days: float | None = None,
        *,
        since: Values | None = None,
    ) -> Values:
        """Return a quantile of a timeline column over the window; entries below 0 do not count.

        Off by at most 10 %; see `quantiles`. NaN where nothing counts.
        """
        if since is not None:
            return self._quantile(column, share, *self._window(days, since))
        key = ("quantile", column, share, days)
        if key not in self._answers:
            self._answers[key] = self._quantile(column, share, *self._window(days, None))
        return self._answers[key].copy()

    def _quantile(
        self, column: str, share: float, start: Rows, is_known: NDArray[np.bool_]
    ) -> Values:
        running = self._running_events(column)
        values = self._buckets_of(column).quantile(running[start], running[self._end], share)
        return np.where(is_known, values, np.nan)

    # Time

    @property
    def cutoff_hour(self) -> Rows:
        """Hour of the cutoff on the business's clock, 0 to 23."""
        return hour_of(self._local_cutoff)

    @property
    def cutoff_weekday(self) -> Rows:
        """Weekday of the cutoff on the business's calendar, 0 Monday to 6 Sunday."""
        return weekday_of(self._local_cutoff)

    @cached_property
    def _local_cutoff(self) -> Rows:
        return local_time(self._cutoff, self._history.time_zone)

    def hours_since(self, instants: Values) -> Values:
        """Return the hours from instants in microseconds to the cutoff."""
        return np.asarray((self._cutoff - instants) / HOUR, dtype=np.float64)

    def window_hours(self, start: Values, end: Values) -> Values:
        """Return the hours from one instant in microseconds to another."""
        return np.asarray((end - start) / HOUR, dtype=np.float64)

    @cached_property
    def observed_from(self) -> Values:
        """Instant from which the contact's source is known to be complete, in microseconds."""
        contacts, observed = self._history.contacts, self._history.observations
        starts = known_microseconds(observed["observed_from"])
        begins = by_name(contacts["source"], observed["source"], starts)
        return looked_up(self._contact_id, contacts["contact_id"], begins)

    # Contact, lead and facts

    @cached_property
    def contact_created_at(self) -> Values:
        """Instant at which the contact was created; NaN if that was not before the cutoff."""
        contacts = self._history.contacts
        created = looked_up(
            self._contact_id, contacts["contact_id"], known_microseconds(contacts["created_at"])
        )
        return self._before_cutoff(created)

    @cached_property
    def lead_created_at(self) -> Values:
        """Instant at which the example's lead was created; NaN without one before the cutoff."""
        leads = self._history.leads
        created_at = known_microseconds(leads["created_at"])
        created = looked_up(self._lead_id, leads["lead_id"], created_at)
        return self._before_cutoff(created)

    def earlier_leads(self, *, is_won: bool = False) -> Values:
        """Count the contact's leads before this one; `is_won`: those known to be won.

        Counted are leads created before the example's own lead (without one: before the cutoff);
        a win counts only if it was known before the cutoff.
        """
        row, lead = self._earlier_pairs
        if is_won:
            leads = self._history.leads
            won = (leads["outcome"] == LeadOutcome.WON).to_numpy()
            known = known_microseconds(leads["outcome_known_at"])
            row = row[won[lead] & (known[lead] < self._cutoff[row])]
        return np.bincount(row, minlength=len(self)).astype(np.float64)

    @cached_property
    def _earlier_pairs(self) -> tuple[Rows, Rows]:
        """Return each pair of an example and a lead of the same contact that came in before."""
        own = np.where(np.isnan(self.lead_created_at), self._cutoff, self.lead_created_at)
        leads = self._history.leads
        contact_id = leads["contact_id"].to_numpy()
        created = known_microseconds(leads["created_at"])
        by_contact = np.argsort(contact_id, kind="stable")
        ordered = contact_id[by_contact]
        first = ordered.searchsorted(self._contact_id, side="left")
        count = ordered.searchsorted(self._contact_id, side="right") - first
        row = np.repeat(np.arange(len(self)), count)
        lead = by_contact[joined_ranges(first, count)]
        is_before = created[lead] < own[row]
        return row[is_before], lead[is_before]

    def fact(self, subject: FactSubject, name: str) -> pl.Series:
        """Return the text of a fact of the contact or lead as known before the cutoff, or null."""
        ids = self._lead_id if subject is FactSubject.LEAD else self._contact_id
        rows = self._facts.rows_as_of(subject, name, ids, self._cutoff)
        return self._facts.values_at(rows)

    @cached_property
    def _facts(self) -> DatedFacts:
        return DatedFacts(self._history.facts)

    # Underneath

    def _before_cutoff(self, instants: Values) -> Values:
        return np.where(instants < self._cutoff, instants, np.nan)

    def _line_mask(self, where: Measure) -> Column:
        return self._measure(where) > 0

    def _measure(self, measure: Measure) -> Column:
        if isinstance(measure, str):
            return self._line.column(measure)
        return self._line.measured(measure)

    def _running_total(self, measure: Measure) -> Column:
        """Entry i: the measure's total over all messages before row i."""
        return self._running(_key(measure), lambda: self._measure(measure))

    def _running_events(self, column: str) -> Column:
        """Entry i: the messages before row i that have an entry in the column."""
        return self._running((column, "counted"), lambda: self._line.column(column) >= 0)

    def _running(self, key: object, build: Callable[[], Column]) -> Column:
        most = max(RUNNING_TOTALS_KEPT, ENTRIES_KEPT // max(len(self._line), 1))
        return _kept(self._totals, key, most, lambda: _sum_up(build()))

    def _buckets_of(self, column: str) -> Buckets:
        def build() -> Buckets:
            values = self._line.column(column)
            return Buckets(values[values >= 0])

        return _kept(self._buckets, column, BUCKETS_KEPT, build)

    def _last_row(self, where: Measure) -> Rows:
        key = _key(where)
        if key not in self._last_rows:
            running = self._running_total(where)
            rows = np.flatnonzero(self._line_mask(where))
            nth = running[self._end]
            self._last_rows[key] = _pick(rows, nth - 1, nth > running[self._start])
        return self._last_rows[key]

    def _at(self, column: Column, rows: Rows) -> Values:
        return np.where(rows >= 0, _pick(column, rows, rows >= 0), np.nan)

    def _window(self, days: float | None, since: Values | None) -> tuple[Rows, NDArray[np.bool_]]:
        """Return the first row of each window, and whether the window was observed."""
        if since is not None:
            is_known = ~np.isnan(since)
            instants = np.where(is_known, since, self._cutoff).astype(np.int64)
            return self._first_row_from(np.minimum(instants, self._cutoff)), is_known
        if days not in self._windows:
            self._windows[days] = self._window_of(days)
        return self._windows[days]

    def _window_of(self, days: float | None) -> tuple[Rows, NDArray[np.bool_]]:
        if days is None:
            return self._start, np.ones(len(self), dtype=np.bool_)
        begin = self._cutoff - round(days * DAY)
        return self._first_row_from(begin), begin >= self.observed_from

    def _first_row_from(self, instants: Rows) -> Rows:
        return self._line.first_row_from(self._start, self._end, instants)


def _key(measure: Measure) -> object:
    return measure if isinstance(measure, str) else measure.meta.serialize()


def ratio(part: Values, whole: Values) -> Values:
    """Return part / whole; NaN where the whole is 0 or unknown.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    is_empty = ~(whole > 0)
    return np.where(is_empty, np.nan, part / np.where(is_empty, 1.0, whole))


def _timeline_of(history: History, contacts: Rows) -> Timeline:
    """Return the timeline of the asked contacts, or of all where that spares nothing."""
    asked = pl.Series("contact_id", np.unique(contacts))
    if 2 * len(asked) > history.contacts.height:
        return Timeline.of(history)
    theirs = history.messages.filter(pl.col("contact_id").is_in(asked.implode()))
    return Timeline(theirs, history.time_zone)


def _sum_up(values: Column) -> Column:
    return running_totals(values, np.int32 if values.dtype == np.bool_ else np.int64)


def _pick(column: Column, rows: Rows, exists: NDArray[np.bool_]) -> Column:
    """Return the entries at the rows that exist, -1 elsewhere."""
    picked = np.full(len(rows), NONE, dtype=np.int64)
    picked[exists] = column[rows[exists]]
    return picked


def _kept(
    cache: OrderedDict[object, _Kept], key: object, most: int, build: Callable[[], _Kept]
) -> _Kept:
    """Return a cached value, building it if need be and dropping the one unused for longest."""
    if key not in cache:
        cache[key] = build()
        if len(cache) > most:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]
