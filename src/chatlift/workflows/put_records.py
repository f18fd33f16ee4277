"""Put records: what a program tells of one contact or lead, or of some messages, as it happens.

Told again, nothing changes. The rules are those of imports: of two words the later counts, facts
are added with the instant since which they are known, and an outcome that is told stands until a
later one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import polars as pl

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.records import (
    CONTACTS,
    FACTS,
    IDENTITY_FACTS,
    INSTANT,
    LEADS,
    MESSAGES,
    Records,
    conversations_named_in,
)
from chatlift.store.crm import Crm
from chatlift.store.imports import write_piece
from chatlift.store.linking import link
from chatlift.store.mixing import refuse_mixing
from chatlift.store.outcomes import (
    REJECTIONS,
    ROW_NUMBER,
    Check,
    TableCounts,
    WriteCounts,
    split,
)
from chatlift.store.told_records import (
    ToldLead,
    is_lead_forgotten,
    told_contact,
    told_lead,
)
from chatlift.store.tombstones import FORGOTTEN
from chatlift.vocabulary import FactSubject, LeadOutcome

Value = str | int | float | bool | None
EARLIEST = datetime(1901, 1, 1, tzinfo=UTC)
"""Programs write 0001-01-01 or 1900-01-01 where they know no date."""
CLOCKS_DIFFER_BY = timedelta(minutes=5)
NOT_POSSIBLE = "lies in the future or before 1901"
MOST_MESSAGES = 1_000


class Change(StrEnum):
    """What telling a record did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class ContactForgotten(Conflict):
    """A record is about somebody who was forgotten."""

    def __init__(self) -> None:
        super().__init__(
            "The record was told and is refused as forgotten: it belongs to a contact who was "
            "forgotten and stays out. Leave it out of what you send."
        )


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told beside the fields of a record."""

    attributes: Mapping[str, Value] = field(default_factory=dict)
    """Further values by name; None: known to be empty."""
    known_at: datetime | None = None
    """Since when the attributes are known; None: since now."""


@dataclass(frozen=True, kw_only=True)
class ContactWords(Told):
    """What is told of a contact; None: nothing is said of it."""

    name: str | None = None
    phone: str | None = None
    created_at: datetime | None = None
    churned_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LeadWords(Told):
    """What is told of a lead; None: nothing is said of it."""

    contact_external_id: str
    created_at: datetime | None = None
    outcome: LeadOutcome | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class MessageWords:
    """What is told of a message."""

    external_id: str
    contact_external_id: str
    direction: str
    sent_at: datetime
    conversation_external_id: str | None = None
    kind: str = "text"
    text: str | None = None
    is_automatic: bool = False


@dataclass(frozen=True, kw_only=True)
class LeadReport:
    """What telling a lead did, and how it stands now."""

    change: Change
    lead: ToldLead


@dataclass(frozen=True, kw_only=True)
class MessagesReport:
    """What became of some messages."""

    counts: TableCounts
    rejections: pl.DataFrame = field(default_factory=REJECTIONS.to_frame)
    """One row per refused message, as `REJECTIONS`; `row_number` is its place in what was told."""


def put_contact(
    crm: Crm, external_id: str, words: ContactWords, *, source: str, now: datetime
) -> Change:
    """Make a contact, or bring it up to date.

    Raises
    ------
    InvalidInput
        If an instant lies in the future, or an attribute's name is ours.
    ContactForgotten
        If the contact was forgotten.
    Conflict
        If the account holds generated records.
    """
    refuse_mixing(crm, source)
    _check_instants(now, words, "created_at", "churned_at", "known_at")
    row = {
        "external_id": external_id,
        "name": words.name,
        "phone": words.phone,
        "created_at": words.created_at or now,
        "churned_at": words.churned_at,
    }
    before = told_contact(crm, external_id, source=source)
    told = Records(
        contacts=pl.DataFrame([row], CONTACTS),
        facts=_facts(FactSubject.CONTACT, external_id, words, now),
    )
    written = _written(crm, told, source, now)
    _observe(crm, source, [words.churned_at], now)
    after = told_contact(crm, external_id, source=source)
    return _change(is_new=before is None, is_other=before != after, facts=written.facts)


def put_lead(
    crm: Crm, external_id: str, words: LeadWords, *, source: str, now: datetime
) -> LeadReport:
    """Make a lead of a contact there is, or bring it up to date.

    Raises
    ------
    InvalidInput
        If there is no such contact, an instant cannot be meant, or an attribute's name is ours.
    Conflict
        If it is another contact's, was closed and is told to be open, or the account holds
        generated records; as `ContactForgotten`, if its contact was forgotten.
    """
    refuse_mixing(crm, source)
    _check_instants(now, words, "created_at", "closed_at", "known_at")
    before = told_lead(crm, external_id, source=source)
    _check_lead(before, words, now)
    outcome = words.outcome or LeadOutcome.OPEN
    is_open = outcome is LeadOutcome.OPEN
    row = {
        "external_id": external_id,
        "contact_external_id": words.contact_external_id,
        "created_at": words.created_at or _created_at(before, now),
        "outcome": outcome,
        "closed_at": words.closed_at,
        "outcome_known_at": None if is_open else words.closed_at or now,
    }
    told = Records(
        leads=pl.DataFrame([row], LEADS), facts=_facts(FactSubject.LEAD, external_id, words, now)
    )
    written = _written(crm, told, source, now)
    after = told_lead(crm, external_id, source=source)
    if after is None:
        raise ContactForgotten
    _observe(crm, source, [after.created_at, words.closed_at], now)
    change = _change(is_new=before is None, is_other=before != after, facts=written.facts)
    return LeadReport(change=change, lead=after)


def put_outcome(
    crm: Crm,
    external_id: str,
    outcome: LeadOutcome,
    *,
    closed_at: datetime | None = None,
    source: str,
    now: datetime,
) -> LeadReport:
    """Tell what became of a lead there is.

    Raises
    ------
    NotFound
        If there is no such lead.
    InvalidInput, Conflict
        As `put_lead`.
    """
    lead = told_lead(crm, external_id, source=source)
    if lead is None and is_lead_forgotten(crm, external_id, source=source):
        raise ContactForgotten
    if lead is None:
        raise NotFound(
            f"The source {source!r} has told of no lead with this id. Tell the lead first, or name "
            "its source."
        )
    words = LeadWords(
        contact_external_id=lead.contact_external_id, outcome=outcome, closed_at=closed_at
    )
    return put_lead(crm, external_id, words, source=source, now=now)


def post_messages(
    crm: Crm, messages: Sequence[MessageWords], *, source: str, now: datetime
) -> MessagesReport:
    """Write messages of contacts there are; each one that cannot be used is refused alone.

    Raises
    ------
    InvalidInput
        If there are more than `MOST_MESSAGES`.
    Conflict
        If the account holds generated records.
    """
    refuse_mixing(crm, source)
    if len(messages) > MOST_MESSAGES:
        raise InvalidInput(
            f"{len(messages):,} messages were sent at once, and at most {MOST_MESSAGES:,} are "
            "taken. Send them in several requests, or as a file."
        )
    rows = pl.DataFrame([vars(message) for message in messages], MESSAGES)
    placed = rows.with_row_index(ROW_NUMBER)
    good, refused = split(placed, "messages", [_within("sent_at", now)])
    records = Records(messages=good.drop(ROW_NUMBER))
    conversations = conversations_named_in(records.messages)
    written = _write(crm, replace(records, conversations=conversations), source, now)
    completed = crm.settle(records, source=source)
    known = crm.contact_ids_of(good["contact_external_id"].unique().to_list(), source=source)
    link(crm.database, crm.account_id, list(known.values()), are_contacts_news=False)
    _observe(crm, source, good["sent_at"].to_list(), now)
    by_store = written.rejections.filter(pl.col("table") == "messages")
    places = good[ROW_NUMBER].cast(pl.Int64).gather(by_store[ROW_NUMBER])
    return MessagesReport(
        counts=written.messages
        + TableCounts(
            accepted=completed, updated=completed, duplicate=-completed, rejected=refused.height
        ),
        rejections=pl.concat([refused, by_store.with_columns(places)]).sort(ROW_NUMBER),
    )


def _write(crm: Crm, told: Records, source: str, now: datetime) -> WriteCounts:
    return write_piece(
        crm, told, source=source, imported_at=now, told_at=now, also=lambda *_written: None
    )


def _written(crm: Crm, told: Records, source: str, now: datetime) -> WriteCounts:
    """Write one contact or lead; raise if it was refused."""
    written = _write(crm, told, source, now)
    for column, reason in written.rejections.select("column", "reason").iter_rows():
        if reason == FORGOTTEN:
            raise ContactForgotten
        raise InvalidInput(f"The record was refused for its {column}: {reason}.")
    if not told.contacts.is_empty():
        crm.settle(Records(contacts=told.contacts), source=source)
    return written


def _facts(subject: FactSubject, external_id: str, words: Told, now: datetime) -> pl.DataFrame:
    known_at = words.known_at or now
    ours = sorted(words.attributes.keys() & set(IDENTITY_FACTS))
    if ours:
        raise InvalidInput(
            f"An attribute is called {ours[0]!r}, by which Chatlift ties records together. Call it "
            "something else."
        )
    rows = [(subject, external_id, n, _text(v), known_at) for n, v in words.attributes.items()]
    return pl.DataFrame(rows, FACTS, orient="row")


def _text(value: Value) -> str | None:
    """Return a value as facts have it.

    Examples
    --------
    >>> [_text(value) for value in (True, 3, 2.5, "gold", None)]
    ['true', '3', '2.5', 'gold', None]
    """
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, str) else str(value)


def _change(*, is_new: bool, is_other: bool, facts: TableCounts) -> Change:
    if is_new:
        return Change.CREATED
    return Change.UPDATED if is_other or facts.accepted else Change.UNCHANGED


def _created_at(before: ToldLead | None, now: datetime) -> datetime:
    return now if before is None else before.created_at


def _check_lead(before: ToldLead | None, words: LeadWords, now: datetime) -> None:
    is_closing = words.outcome not in (None, LeadOutcome.OPEN)
    if before is not None and before.contact_external_id != words.contact_external_id:
        raise Conflict(
            "The lead was told as another contact's, and a lead stays with its contact. Give it an "
            "id of its own."
        )
    if before and words.outcome is LeadOutcome.OPEN and before.outcome is not LeadOutcome.OPEN:
        raise Conflict(
            f"The lead is told to be open and is {before.outcome} already; an outcome stays. If "
            "the chance is a new one, tell it as a lead of its own."
        )
    if words.closed_at is not None and not is_closing:
        raise InvalidInput("A closing date was told without an outcome. Say won or lost with it.")
    created_at = words.created_at or _created_at(before, now)
    if words.closed_at is not None and words.closed_at < created_at:
        raise InvalidInput(
            "The lead is told to be closed before it was created. Correct one of the two dates; "
            "without `created_at`, a new lead is created now."
        )


def _check_instants(now: datetime, words: Told, *names: str) -> None:
    for name in names:
        instant = getattr(words, name)
        if instant is not None and not EARLIEST <= instant <= now + CLOCKS_DIFFER_BY:
            raise InvalidInput(f"{name} {NOT_POSSIBLE}.")


def _within(column: str, now: datetime) -> Check:
    is_possible = pl.col(column).is_between(
        pl.lit(EARLIEST, INSTANT), pl.lit(now + CLOCKS_DIFFER_BY, INSTANT)
    )
    return Check(column=column, is_broken=~is_possible, reason=f"{column} {NOT_POSSIBLE}")


def _observe(crm: Crm, source: str, instants: Iterable[datetime | None], now: datetime) -> None:
    """Let time pass for the source up to what was told, as an import of the same would.

    What a program has not told yet is unknown, so the clock says nothing.
    """
    past = sorted(at for at in instants if at is not None and at <= now)
    if past:
        crm.write_observation(source, observed_from=past[0], observed_through=past[-1])
