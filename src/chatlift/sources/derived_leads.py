"""Leads out of conversations, where a business keeps no table of them. Pure: history in, leads out.

A lead begins with a contact's first inbound message, or the first after a quiet span, and belongs
to it until the next one begins. It ends with the first sign of its outcome. Its beginning rests on
earlier messages only, so nothing that came after it can change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_

import polars as pl

from chatlift.history import History
from chatlift.records import INSTANT
from chatlift.sources.outcome_rules import OutcomeRule, Term, TermKind
from chatlift.vocabulary import Direction, FactSubject, LeadOutcome

DERIVED = "derived"
"""The source of derived leads; their contacts keep their own."""
TAG_FACTS = ("tag", "tags", "label", "labels")
TEMPLATE_FACTS = ("template", "template_name")
NOTHING = ("", "false", "no", "0", "none", "null", "[]")
"""Values of a fact that say that it is not so."""

LEADS = pl.Schema(
    {
        "external_id": pl.String(),
        "contact_id": pl.Int64(),
        "created_at": INSTANT,
        "outcome": pl.String(),
        "closed_at": INSTANT,
        "sign": pl.String(),
        "message_id": pl.Int64(),
    }
)
"""One row per lead, sorted by contact and beginning. `sign`: the term that told the outcome, or the
days of silence; null while undecided; `message_id`: the message that told it, if one did."""
EVENTS = pl.Schema(
    {
        "contact_id": pl.Int64(),
        "happened_at": INSTANT,
        "outcome": pl.String(),
        "sign": pl.String(),
        "message_id": pl.Int64(),
    }
)
"""One row per sign of an outcome."""


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """What leads are and how they end."""

    won_when: OutcomeRule
    lost_when: OutcomeRule | None = None
    lost_after_days: float | None = None
    """Days without a word of the contact after which a lead without another sign is lost."""
    quiet_days: float = 30.0
    """Days without a word of the contact after which its next one begins a new lead."""


@dataclass(frozen=True, kw_only=True)
class DerivedLeads:
    """What conversations tell."""

    leads: pl.DataFrame
    """One row per lead, as `LEADS`."""
    sign_count: int
    """Signs that were found."""
    unused_sign_count: int
    """Of them, those before any inbound message, or after the lead's first sign."""
    shared_instant_count: int
    """The most signs from facts that carry one and the same instant: where that is most of them,
    it is the instant of an import rather than of what happened."""


def derive(history: History, derivation: Derivation) -> DerivedLeads:
    """Return the leads that a history holds by these rules."""
    spans = _spans(history, derivation.quiet_days)
    signs = _signs(history, derivation)
    placed = (
        signs.sort("happened_at")
        .join_asof(
            spans.select("contact_id", "created_at").sort("created_at"),
            left_on="happened_at",
            right_on="created_at",
            by="contact_id",
            check_sortedness=False,
        )
        .drop_nulls("created_at")
    )
    key = ["contact_id", "created_at"]
    # Of signs at one instant the won one counts.
    is_won = pl.col("outcome") == LeadOutcome.WON
    first = placed.sort(*key, "happened_at", ~is_won, maintain_order=True).unique(
        key, keep="first", maintain_order=True
    )
    silent = _silences(spans, derivation).join(first, on=key, how="anti")
    told = pl.concat([first, silent], how="diagonal").rename({"happened_at": "closed_at"})
    leads = spans.select(key).unique().join(told, on=key, how="left").sort(key)
    facts = signs.filter(pl.col("message_id").is_null())
    shared = facts.get_column("happened_at").value_counts().get_column("count").max()
    return DerivedLeads(
        leads=_named(leads),
        sign_count=signs.height,
        unused_sign_count=signs.height - first.height,
        shared_instant_count=shared if isinstance(shared, int) else 0,
    )


def _spans(history: History, quiet_days: float) -> pl.DataFrame:
    """Return one row per inbound message with the beginning of its lead and what follows it."""
    own = history.contact_observations.select("contact_id", own="observed_through")
    through = (
        history.contacts.select("contact_id", "source")
        .join(history.observations.select("source", "observed_through"), on="source", how="left")
        .join(own, on="contact_id", how="left")
        .select("contact_id", observed_through=pl.coalesce("own", "observed_through"))
    )
    inbound = (
        history.messages.filter(pl.col("direction") == Direction.INBOUND)
        .select("contact_id", "sent_at")
        .sort("contact_id", "sent_at")
        .join(through, on="contact_id", how="left", maintain_order="left")
    )
    pause = pl.col("sent_at").diff().over("contact_id")
    begins = (pause > timedelta(days=quiet_days)).fill_null(value=True)
    started = inbound.with_columns(
        created_at=pl.when(begins).then("sent_at").forward_fill().over("contact_id"),
        next_at=pl.col("sent_at").shift(-1).over("contact_id"),
    )
    return started.select("contact_id", "created_at", "sent_at", "next_at", "observed_through")


def _silences(spans: pl.DataFrame, derivation: Derivation) -> pl.DataFrame:
    """Return one row per lead that fell silent for long enough, at the instant it was."""
    days = derivation.lost_after_days
    if days is None:
        return pl.DataFrame(schema=EVENTS | {"created_at": INSTANT})
    ends = pl.col("sent_at") + timedelta(days=days)
    heard = pl.coalesce("next_at", "observed_through")
    return (
        spans.with_columns(happened_at=ends)
        .filter(ends <= heard)
        .group_by("contact_id", "created_at")
        .agg(pl.col("happened_at").min())
        .with_columns(
            outcome=pl.lit(str(LeadOutcome.LOST)), sign=pl.lit(f"silent for {days:g} days")
        )
    )


def _signs(history: History, derivation: Derivation) -> pl.DataFrame:
    rules = [(derivation.won_when, LeadOutcome.WON), (derivation.lost_when, LeadOutcome.LOST)]
    found = [EVENTS.to_frame()]
    for rule, outcome in rules:
        for term in rule.terms if rule else ():
            events = _found(history, term).with_columns(
                outcome=pl.lit(str(outcome)), sign=pl.lit(term.told())
            )
            found.append(events.select(list(EVENTS)))
    return pl.concat(found).unique(maintain_order=True)


def _found(history: History, term: Term) -> pl.DataFrame:
    """Return one row per place where a term holds: contact, instant, message."""
    if term.kind is TermKind.TAG:
        return _tagged(history, term)
    if term.kind is TermKind.TEMPLATE:
        return _templates(history, term)
    if term.kind is TermKind.FACT:
        return _facts(history, term)
    return _phrases(history, term)


def _phrases(history: History, term: Term) -> pl.DataFrame:
    sides = {TermKind.PHRASE_IN: [Direction.INBOUND], TermKind.PHRASE_OUT: [Direction.OUTBOUND]}
    told = _normalised(pl.col("text"))
    holds = reduce(or_, (told.str.contains(value, literal=True) for value in term.values))
    said = pl.col("direction").is_in(sides.get(term.kind, list(Direction)))
    return _of_messages(history.messages.filter(said & holds.fill_null(value=False)))


def _templates(history: History, term: Term) -> pl.DataFrame:
    named = _of_subject(history, FactSubject.MESSAGE, TEMPLATE_FACTS).filter(
        _normalised(pl.col("value")).is_in(term.values)
    )
    is_named = pl.col("message_id").is_in(named.get_column("subject_id").implode())
    is_told = (pl.col("kind") == "template") & _normalised(pl.col("text")).is_in(term.values)
    sent = history.messages.filter(pl.col("direction") == Direction.OUTBOUND)
    return _of_messages(sent.filter(is_named | is_told.fill_null(value=False)))


def _of_messages(messages: pl.DataFrame) -> pl.DataFrame:
    return messages.select("contact_id", "message_id", happened_at="sent_at")


def _tagged(history: History, term: Term) -> pl.DataFrame:
    bare = _normalised(pl.col("value")).str.replace_all(r"[\[\]\"']", "")
    tags = bare.str.replace_all("[;|]", ",").str.split(",")
    has = tags.list.eval(pl.element().str.strip_chars().is_in(term.values)).list.any()
    told = _of_subject(history, FactSubject.CONTACT, TAG_FACTS)
    return _dated(history, told.filter(has.fill_null(value=False)))


def _facts(history: History, term: Term) -> pl.DataFrame:
    value = _normalised(pl.col("value"))
    found = []
    for told in term.values:
        name, sign, wanted = told.partition("=")
        holds = value == wanted if sign else ~value.is_in(NOTHING)
        named = history.facts.filter(_normalised(pl.col("name")) == name)
        found.append(named.filter(holds.fill_null(value=False)))
    return _dated(history, pl.concat(found))


def _of_subject(history: History, subject: FactSubject, names: tuple[str, ...]) -> pl.DataFrame:
    named = _normalised(pl.col("name")).is_in(names)
    return history.facts.filter((pl.col("subject") == subject) & named)


def _dated(history: History, facts: pl.DataFrame) -> pl.DataFrame:
    """Return the contact and instant of facts of contacts and messages; a lead's are left out."""
    senders = history.messages.select("contact_id", subject_id="message_id")
    of_message = facts.filter(pl.col("subject") == FactSubject.MESSAGE).join(
        senders, on="subject_id"
    )
    of_contact = facts.filter(pl.col("subject") == FactSubject.CONTACT)
    both = [
        of_contact.select(contact_id="subject_id", happened_at="known_at"),
        of_message.select("contact_id", happened_at="known_at"),
    ]
    return pl.concat(both).with_columns(message_id=pl.lit(None, dtype=pl.Int64))


def _normalised(text: pl.Expr) -> pl.Expr:
    return (
        text.str.normalize("NFC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    )


def _named(leads: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("created_at").dt.strftime("%Y%m%d")
    return leads.with_columns(
        external_id=pl.format("c{}-{}", pl.col("contact_id"), day),
        outcome=pl.col("outcome").fill_null(str(LeadOutcome.OPEN)),
    ).select(pl.col(name).cast(dtype) for name, dtype in LEADS.items())
