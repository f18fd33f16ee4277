"""What is doubtful about an account's records, each thing counted and said in a sentence.

Pure: a history in, points out. A point that is no problem is told too, so that a person sees what
was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from chatlift.history import History
from chatlift.learn.specs.lead_scoring import IS_UNDATED
from chatlift.learn.specs.observing import with_observation
from chatlift.vocabulary import LeadOutcome

QUIET_DAYS = 7
"""Days without any message from which on a source that is else lively was probably not heard."""
LIVELY_SHARE = 0.5
"""Share of the days with messages from which on a source is lively."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing that was looked at."""

    name: str
    count: int
    """Rows concerned."""
    total: int | None
    """Rows looked at; None where there is nothing to be a share of."""
    sentence: str
    """What it is and what to do about it, as the rest of "so many of so many ..."."""

    @property
    def is_problem(self) -> bool:
        """Whether there is any."""
        return self.count > 0


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What the history does not show, counted in the database."""

    unknown_directions: int = 0
    """Messages refused because nobody said who wrote them."""
    shared_phones: int = 0
    """Contacts that have the phone of another contact of the same source."""


def examine(
    history: History, outside: Outside, *, now: datetime, horizon_days: float
) -> tuple[Point, ...]:
    """Return all points, in the order contacts, messages, time, leads.

    Parameters
    ----------
    now
        Messages after it lie in the future.
    horizon_days
        Days after which a lead without an outcome is overdue.
    """
    return (
        *_contacts(history, outside),
        *_messages(history, outside),
        *_clocks(history, now),
        *_gaps(history),
        *_leads(history, horizon_days),
    )


def _contacts(history: History, outside: Outside) -> Iterator[Point]:
    contacts = history.contacts
    silent = contacts.join(history.messages, on="contact_id", how="anti").height
    yield _point(
        "contacts_without_messages",
        silent,
        contacts.height,
        "contacts have no message at all; import their messages, or leave them: no model is "
        "harmed by them",
    )
    yield _point(
        "contacts_sharing_a_phone",
        outside.shared_phones,
        contacts.height,
        "contacts have the phone of another contact of their source; if they are one person, "
        "merge them there and import again",
    )


def _messages(history: History, outside: Outside) -> Iterator[Point]:
    messages = history.messages
    same = ["contact_id", "direction", "kind", "text", "sent_at"]
    told_twice = messages.height - messages.select(same).n_unique() if messages.height else 0
    yield _point(
        "repeated_messages",
        told_twice,
        messages.height,
        "messages repeat another one to the second; look whether their source gives the same "
        "message several ids",
    )
    yield _point(
        "unknown_directions",
        outside.unknown_directions,
        messages.height + outside.unknown_directions,
        "messages were refused because it is unknown who wrote them; map the column `direction` "
        "and import them again",
    )


def _clocks(history: History, now: datetime) -> Iterator[Point]:
    messages = history.messages
    seen = with_observation(messages.select("contact_id", "sent_at"), history)
    future = seen.filter(pl.col("sent_at") > now).height
    yield _point(
        "messages_in_the_future",
        future,
        messages.height,
        "messages are dated after now; check the time zone of the import",
    )
    unobserved = seen.filter(
        (pl.col("sent_at") > pl.col("observed_through")) & (pl.col("sent_at") <= now)
    ).height
    yield _point(
        "messages_after_the_observed_end",
        unobserved,
        messages.height,
        "messages come after the end up to which their source is said to be complete; state the "
        "right export date",
    )
    created = history.contacts.select("contact_id", "created_at")
    early = messages.join(created, on="contact_id").filter(pl.col("sent_at") < pl.col("created_at"))
    yield _point(
        "messages_before_their_contact",
        early.height,
        messages.height,
        "messages are older than their contact; check what the column `created_at` means",
    )
    steps = messages.sort("contact_id", "message_id").select(
        pl.col("sent_at").diff().over("contact_id").alias("step")
    )
    backwards = steps.filter(pl.col("step") < timedelta(0)).height
    yield _point(
        "messages_out_of_order",
        backwards,
        messages.height,
        "messages came in after a later one of their contact; harmless where files are sorted "
        "otherwise, else a sign of a wrong clock",
    )


def _gaps(history: History) -> Iterator[Point]:
    yield _point(
        "recorded_gaps",
        history.gaps.height,
        None,
        "spans are recorded in which a source was not listening; outcomes that touch them stay "
        "undecided",
    )
    spans = quiet_spans(history)
    longest = spans.sort("days").tail(1).rows(named=True)
    told = "".join(
        f"; the longest lasts {row['days']} days from {row['from_day']:%Y-%m-%d} in {row['source']}"
        for row in longest
    )
    yield _point(
        "quiet_spans",
        spans.height,
        None,
        f"spans of {QUIET_DAYS} days or more are without any message in a source that is else "
        f"lively{told}; if it was not listening then, record the gap",
    )


def quiet_spans(history: History) -> pl.DataFrame:
    """Return one row per suspicious silence: `source`, `from_day`, `days` without any message."""
    days = (
        history.messages.join(history.contacts.select("contact_id", "source"), on="contact_id")
        .select("source", day=pl.col("sent_at").dt.date())
        .unique()
        .sort("source", "day")
    )
    here = pl.col("day")
    whole = (here.max() - here.min()).dt.total_days().over("source") + 1
    quiet = (here.shift(-1) - here).dt.total_days().over("source") - 1
    return (
        days.with_columns(days=quiet, whole=whole, lively=pl.len().over("source"))
        .filter(
            (pl.col("days") >= QUIET_DAYS)
            & (pl.col("lively") >= LIVELY_SHARE * (pl.col("whole") - pl.col("days")))
        )
        .select("source", from_day=here + pl.duration(days=1), days="days")
    )


def _leads(history: History, horizon_days: float) -> Iterator[Point]:
    seen = with_observation(history.leads, history)
    is_open = pl.col("outcome") == LeadOutcome.OPEN
    due = pl.col("created_at") + timedelta(days=horizon_days) < pl.col("observed_through")
    yield _point(
        "leads_without_outcome",
        seen.filter(is_open & due).height,
        seen.height,
        f"leads are still open {horizon_days:g} days after they came; close the lost ones in your "
        "CRM: an open lead counts as not won",
    )
    yield _point(
        "outcomes_without_a_date",
        seen.filter(IS_UNDATED).height,
        seen.height,
        "leads are closed without a closing date, so at which age they were open is unknown: "
        "training leaves them out, or judges all leads as they were created (`chatlift settings "
        'set undated_outcomes at_creation`); to bring the dates, map closed_at = "your column" '
        "under [leads] and import the file again",
    )
    yield _point(
        "leads_closed_before_they_came",
        seen.filter(pl.col("closed_at") < pl.col("created_at")).height,
        seen.height,
        "leads were closed before they were created; check the two columns and their time zone",
    )
    unheard = history.leads.join(history.messages, on="contact_id", how="anti").height
    yield _point(
        "leads_without_messages",
        unheard,
        seen.height,
        "leads have a contact without messages; nothing but their own columns tells them apart",
    )


def _point(name: str, count: int, total: int | None, sentence: str) -> Point:
    return Point(name=name, count=count, total=total, sentence=sentence)
