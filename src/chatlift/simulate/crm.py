"""The synthetic CRM: records as an importer would hand them over, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

import numpy as np
import polars as pl

from chatlift.records import CONTACTS, FACTS, INSTANT, Records
from chatlift.simulate.attributes import contact_facts, lead_facts, names_and_phones
from chatlift.simulate.behaviour import behaviour_of
from chatlift.simulate.days import Days, live_days
from chatlift.simulate.grammar import compose_pools
from chatlift.simulate.leads import LeadDraw, draw_leads
from chatlift.simulate.messages import KINDS, Cast, all_messages
from chatlift.simulate.population import Floats, Population, draw_population
from chatlift.simulate.request import SimulationRequest
from chatlift.simulate.truth import Truth, contact_truth
from chatlift.vocabulary import (
    Direction,
    FactSubject,
    LeadOutcome,
    Progress,
    ReportProgress,
    no_progress,
)

CONCERNS = 6
LONGEST_ACQUAINTANCE_HOURS = 20 * 24
MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A synthetic CRM and what its maker knows."""

    records: Records
    truth: Truth


def simulate_crm(request: SimulationRequest, *, report: ReportProgress = no_progress) -> Simulation:
    """Make a synthetic CRM; the same request gives the same records on any machine.

    Parameters
    ----------
    report
        Told before each step; it may raise `Cancelled`.
    """
    seeds = np.random.SeedSequence(request.seed).spawn(CONCERNS)
    people, deals, life, words, talk, fields = (np.random.default_rng(s) for s in seeds)
    behaviour = behaviour_of(request.difficulty)
    report(Progress(phase="contacts", fraction=0.0, message="Drawing contacts and leads"))
    population = draw_population(request, behaviour, people)
    leads = draw_leads(request, behaviour, population, deals)
    report(Progress(phase="days", fraction=0.1, message=f"Living through {request.days} days"))
    days = live_days(request, behaviour, population, life)
    report(Progress(phase="messages", fraction=0.4, message="Writing messages"))
    cast = Cast(request=request, behaviour=behaviour, population=population, leads=leads)
    messages = all_messages(cast, days, talk)
    pools = compose_pools(words)
    report(Progress(phase="records", fraction=0.7, message="Putting the records together"))
    records = _records(request, population, leads, days, messages, pools, fields)
    report(Progress(phase="truth", fraction=0.9, message="Working out the true probabilities"))
    writers = records.contacts.get_column("external_id").head(population.size)
    truth = Truth(
        leads=pl.DataFrame(
            {
                "external_id": records.leads["external_id"],
                "probability": leads.probability,
                "probability_after_week": leads.probability_after_week,
            }
        ),
        sends=_send_truth(messages, records.messages),
        contacts=contact_truth(request, behaviour, population, days, writers),
    )
    report(Progress(phase="truth", fraction=1.0, message="Simulated"))
    return Simulation(records=records, truth=truth)


def _records(
    request: SimulationRequest,
    population: Population,
    leads: LeadDraw,
    days: Days,
    messages: pl.DataFrame,
    pools: pl.Series,
    rng: np.random.Generator,
) -> Records:
    contacts = _contact_records(request, population, rng)
    lead_rows = _lead_records(request, population, leads, contacts)
    ids = contacts.get_column("external_id")
    message_rows = _message_records(request, messages, ids, pools)
    facts = [
        contact_facts(contacts, rng),
        lead_facts(lead_rows, leads, rng),
        _opt_out_facts(request, days, ids),
        _failure_facts(messages, message_rows),
    ]
    return Records(
        contacts=contacts,
        conversations=_conversation_records(message_rows),
        messages=message_rows,
        leads=lead_rows,
        facts=pl.concat(facts),
    )


def _contact_records(
    request: SimulationRequest, population: Population, rng: np.random.Generator
) -> pl.DataFrame:
    """Contacts that write were known up to weeks before, or are new; the others at any time."""
    known_for = rng.uniform(0.0, LONGEST_ACQUAINTANCE_HOURS, population.size)
    is_new = rng.random(population.size) < 0.7
    writers = population.start_hour - np.where(is_new, 0.01, known_for)
    others = rng.uniform(0.0, request.hours, request.contacts - population.size)
    created = np.maximum(np.concatenate([writers, others]), 0.0)
    return (
        names_and_phones(request.contacts, rng)
        .select(
            external_id=_ids("contact-", request.contacts),
            name="name",
            phone="phone",
            created_at=_instants(request, created),
            churned_at=pl.lit(None, dtype=INSTANT),
        )
        .select(list(CONTACTS))
    )


def _lead_records(
    request: SimulationRequest, population: Population, leads: LeadDraw, contacts: pl.DataFrame
) -> pl.DataFrame:
    size = len(leads.interest)
    closed_at = _instants(request, leads.close_hour)
    outcome = pl.Series(leads.is_won).replace_strict(
        {True: str(LeadOutcome.WON), False: str(LeadOutcome.LOST)}, return_dtype=pl.String
    )
    return pl.DataFrame(
        {
            "external_id": _ids("lead-", size),
            "contact_external_id": contacts["external_id"].head(size),
            "created_at": _instants(request, population.start_hour[:size]),
            "outcome": outcome,
            "closed_at": closed_at,
            "outcome_known_at": closed_at,
        }
    ).with_columns(
        outcome=pl.when(pl.col("closed_at").is_null())
        .then(pl.lit(str(LeadOutcome.OPEN)))
        .otherwise("outcome")
    )


def _message_records(
    request: SimulationRequest, messages: pl.DataFrame, contact_ids: pl.Series, pools: pl.Series
) -> pl.DataFrame:
    size = messages.height
    conversation_ids = _ids("chat-", len(contact_ids))
    text = pools.gather(messages["sentence"])
    return messages.select(
        external_id=_ids("msg-", size),
        contact_external_id=contact_ids.gather(messages["contact"]),
        conversation_external_id=conversation_ids.gather(messages["contact"]),
        direction=pl.when("is_out")
        .then(pl.lit(str(Direction.OUTBOUND)))
        .otherwise(pl.lit(str(Direction.INBOUND))),
        kind=pl.Series(KINDS).gather(messages["kind"]),
        text=pl.when(pl.col("kind") == 0).then(text),
        sent_at=_instants(request, messages["hour"].to_numpy()),
        is_automatic="is_automatic",
    )


def _conversation_records(messages: pl.DataFrame) -> pl.DataFrame:
    firsts = messages.unique("conversation_external_id", keep="first", maintain_order=True)
    return firsts.select(
        external_id="conversation_external_id",
        contact_external_id="contact_external_id",
        started_at="sent_at",
    )


def _opt_out_facts(request: SimulationRequest, days: Days, contact_ids: pl.Series) -> pl.DataFrame:
    known_at = _instants(request, np.asarray(days.opt_outs["hour"], dtype=np.float64))
    return (
        pl.DataFrame(
            {
                "subject_external_id": contact_ids.gather(days.opt_outs["contact"]),
                "known_at": known_at,
            }
        )
        .filter(pl.col("known_at") < request.until)
        .select(
            pl.lit(str(FactSubject.CONTACT)).alias("subject"),
            "subject_external_id",
            pl.lit("opted_out").alias("name"),
            pl.lit("true").alias("value"),
            "known_at",
        )
    )


def _failure_facts(messages: pl.DataFrame, message_rows: pl.DataFrame) -> pl.DataFrame:
    return (
        message_rows.filter(messages["is_failed"])
        .select(
            pl.lit(str(FactSubject.MESSAGE)).alias("subject"),
            subject_external_id="external_id",
            name=pl.lit("status"),
            value=pl.lit("failed"),
            known_at="sent_at",
        )
        .select(list(FACTS))
    )


def _send_truth(messages: pl.DataFrame, message_rows: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "external_id": message_rows["external_id"],
            "contact_external_id": message_rows["contact_external_id"],
            "sent_at": message_rows["sent_at"],
            "probability": messages["probability"].cast(pl.Float64),
        }
    ).filter(pl.col("probability").is_not_null())


def _ids(prefix: str, size: int) -> pl.Series:
    return pl.Series("id", np.arange(1, size + 1)).cast(pl.String).str.replace("^", prefix)


def _instants(request: SimulationRequest, hours: Floats) -> pl.Series:
    """Return instants, to the second; NaN becomes null."""
    start = int(request.first_midnight.astimezone(UTC).timestamp())
    known = np.isfinite(hours)
    seconds = start + (np.where(known, hours, 0.0) * 3600).astype(np.int64)
    told = pl.Series(seconds * MICROSECONDS_PER_SECOND).cast(INSTANT)
    return told.zip_with(pl.Series(known), pl.Series([None], dtype=INSTANT))
