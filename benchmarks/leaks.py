"""Plant leaks of ten kinds in generated CRMs; count those that are named and the false alarms.

python -m benchmarks.leaks [--crms 20] [--first 1]

One CRM in five has contracts that end: there the leaks are planted in the contacts, and the label
is the end of the contract. The others have leads, open and closed. Each leak is planted alone,
beside the same clean columns: those of the generator, and ten more, of which some tell the outcome
well (a source up to an AUC of about 0.8) and some come and go with the years. A clean column counts
as accused if it is named, whatever is planted beside it. Sizes and difficulties take turns.

The rules were chosen on the seeds from 9001 on (`--first 9001`); those reported are from 1 on.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, machine, markdown, share_of
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.closings import contact_closings, lead_closings
from chatlift.learn.features.attributes import AttributeEncoder, attributes_as_of
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.leaks import find_leaks
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.records import INSTANT
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import open_workspace
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import SIMULATED, LeadOutcome, ModelName

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = ((120, 30), (300, 60), (1_000, 200), (2_000, 400))
"""Closed and open leads."""
CHURN_EVERY = 5
"""One CRM in so many has contracts instead of leads."""
CHURNED_SHARE = 0.3

Truths = NDArray[np.bool_]
Texts = list[str | None]


@dataclass(frozen=True, kw_only=True)
class Entities:
    """The leads or contacts that columns are made for; one entry per entity."""

    subject: str
    ids: NDArray[np.int64]
    created: Sequence[datetime]
    closed: Sequence[datetime | None]
    is_won: Truths
    """Won, or churned: the outcome that the label asks for."""
    is_open: Truths
    """Not decided yet; no contact is."""
    rng: np.random.Generator

    def __len__(self) -> int:
        return len(self.ids)

    def drawn(self, *values: str, shares: Sequence[float] | None = None) -> list[str]:
        """Return a value per entity, drawn at random."""
        return [str(value) for value in self.rng.choice(values, len(self), p=shares)]

    def where(self, chosen: Truths, values: Sequence[str | None], others: Texts) -> Texts:
        """Return the values where chosen, and the others elsewhere."""
        return [v if c else o for c, v, o in zip(chosen, values, others, strict=True)]

    @property
    def nothing(self) -> Texts:
        """No value for anybody."""
        return [None] * len(self)

    @property
    def is_lost(self) -> Truths:
        """Decided the other way; of contacts: not churned."""
        return ~self.is_won & ~self.is_open


Column = Callable[[Entities], Texts]


def reason(of: Entities) -> Texts:
    """Why it ended as it did: three values each, and none of them while open."""
    won, lost = of.drawn("price", "fit", "trust"), of.drawn("budget", "timing", "rival")
    return of.where(of.is_won, won, of.where(of.is_lost, lost, of.nothing))


def final_amount(of: Entities) -> Texts:
    """Fill in a number at the end; 0 where nothing was sold."""
    amounts = [f"{x:.0f}" for x in of.rng.lognormal(6, 1, len(of))]
    return of.where(of.is_won, amounts, of.where(of.is_lost, ["0"] * len(of), of.nothing))


def signed_on(of: Entities) -> Texts:
    """Tell the day of the closing, or a day or two before it."""
    days = of.rng.integers(0, 3, len(of))
    return [
        None if at is None else f"{at - timedelta(days=int(day)):%Y-%m-%d}"
        for at, day in zip(of.closed, days, strict=True)
    ]


def stage(of: Entities) -> Texts:
    """Tell the stage of today, which for closed ones says how they ended."""
    under_way = of.drawn("new", "contacted", "demo", "offer")
    ended = of.where(of.is_won, ["closed won"] * len(of), ["closed lost"] * len(of))
    return of.where(of.is_won | of.is_lost, ended, list(under_way))


def owner(of: Entities) -> Texts:
    """Tell who is in charge: after the sale another team, mostly."""
    sellers = of.drawn("ann", "bob", "cem", "dia")
    moved = of.is_won & (of.rng.random(len(of)) < 0.95)
    return of.where(moved, of.drawn("care team", "service desk"), list(sellers))


def discount(of: Entities) -> Texts:
    """Tell the discount of what was sold; empty elsewhere."""
    return of.where(of.is_won, of.drawn("5", "10", "12", "15", "20"), of.nothing)


def noisy_copy(of: Entities) -> Texts:
    """Copy the outcome, with 5 to 10 % of the entries turned round."""
    flips = of.rng.random(len(of)) < of.rng.uniform(0.05, 0.1)
    return [str(int(won != flip)) for won, flip in zip(of.is_won, flips, strict=True)]


def customer_number(of: Entities) -> Texts:
    """Give customers numbers from 50,000 on, all others some below 10,000."""
    high = [str(n) for n in of.rng.permutation(40_000)[: len(of)] + 50_000]
    low = [str(n) for n in of.rng.permutation(9_000)[: len(of)] + 1_000]
    return of.where(of.is_won, high, list(low))


def last_status(of: Entities) -> Texts:
    """Tell the last status of the newest task, with values that fit both ends now and then."""
    after_won = of.drawn("onboarding", "invoice", "call", shares=(0.6, 0.3, 0.1))
    after_lost = of.drawn("archived", "nurture", "call", shares=(0.5, 0.4, 0.1))
    under_way = of.drawn("call", "mail", "wait")
    return of.where(of.is_won, after_won, of.where(of.is_lost, after_lost, list(under_way)))


def contract_number(of: Entities) -> Texts:
    """Give contracts a number as they are signed; a few are missing."""
    numbers = [str(1_000 + n) for n in range(len(of))]
    return of.where(of.is_won & (of.rng.random(len(of)) < 0.95), numbers, of.nothing)


LEAKS: dict[str, Column] = {
    column.__name__: column
    for column in (
        reason,
        final_amount,
        signed_on,
        stage,
        owner,
        discount,
        noisy_copy,
        customer_number,
        last_status,
        contract_number,
    )
}


def telling_source(of: Entities) -> Texts:
    """Tell a source that says much of the outcome: its AUC is about 0.8."""
    keen = of.drawn("referral", "search", "fair", shares=(0.64, 0.26, 0.1))
    cool = of.drawn("referral", "search", "fair", shares=(0.12, 0.28, 0.6))
    return of.where(_likely(of), keen, list(cool))


def telling_value(of: Entities) -> Texts:
    """Tell a number that says something of the outcome: its AUC is about 0.7."""
    return [f"{x:.1f}" for x in of.rng.normal(100 + 15 * _likely(of), 20)]


def _likely(of: Entities) -> Truths:
    """Return what will be won, as it may be known at the creation; open ones have their share."""
    would = of.is_won.copy()
    would[of.is_open] = of.rng.random(int(of.is_open.sum())) < 0.3
    return would


def plan(of: Entities) -> Texts:
    """Tell a plan that says a little; a fifth is unknown."""
    known = of.rng.random(len(of)) < 0.8
    keen = of.drawn("free", "basic", "plus", shares=(0.2, 0.4, 0.4))
    cool = of.drawn("free", "basic", "plus", shares=(0.5, 0.3, 0.2))
    return of.where(known, of.where(_likely(of), keen, list(cool)), of.nothing)


def region(of: Entities) -> Texts:
    """Tell one of 25 regions, which says nothing."""
    return [f"region {n}" for n in of.rng.zipf(1.4, len(of)) % 25]


def campaign(of: Entities) -> Texts:
    """Tell the campaign of the month: the newest ones have values that no older one has."""
    return [f"campaign {at:%Y-%m}" for at in of.created]


def retired_field(of: Entities) -> Texts:
    """Tell what has not been asked any more for the last 60 days."""
    is_old = np.array([at < UNTIL - timedelta(days=60) for at in of.created])
    return of.where(is_old, of.drawn("yes", "no"), of.nothing)


def new_field(of: Entities) -> Texts:
    """Tell what is asked for the last 60 days only."""
    is_new = np.array([at >= UNTIL - timedelta(days=60) for at in of.created])
    return of.where(is_new, of.drawn("red", "green", "blue"), of.nothing)


def expected_close(of: Entities) -> Texts:
    """Tell the day by which the seller hoped to be done, made up at the creation."""
    days = of.rng.normal(20, 6, len(of)).astype(int)
    return [f"{a + timedelta(days=int(d)):%Y-%m-%d}" for a, d in zip(of.created, days, strict=True)]


def optional_number(of: Entities) -> Texts:
    """Tell a number that a third of them have, and that says nothing."""
    known = of.rng.random(len(of)) < 0.33
    return of.where(known, [f"{x:.0f}" for x in of.rng.lognormal(3, 1, len(of))], of.nothing)


def running_number(of: Entities) -> Texts:
    """Count them in the order in which they came."""
    order = np.argsort(np.argsort([at.timestamp() for at in of.created]))
    return [str(1_000 + n) for n in order]


CLEAN: dict[str, Column] = {
    column.__name__: column
    for column in (
        telling_source,
        telling_value,
        plan,
        region,
        campaign,
        retired_field,
        new_field,
        expected_close,
        optional_number,
        running_number,
    )
}


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A generated CRM with its clean columns."""

    model: ModelName
    history: History
    snapshot: Snapshot
    entities: Entities

    def leaks_beside(self, name: str, column: Column) -> tuple[set[str], set[str], float]:
        """Return the columns named, those looked at, and the seconds it took."""
        values = column(self.entities)
        history = with_columns(self.history, self.entities, {name: values})
        attributes = attributes_as_of(history, self.snapshot.examples)
        snapshot = replace(self.snapshot, attributes=attributes)
        looked_at = AttributeEncoder.learn(attributes, snapshot.contacts.tolist()).names
        closings_of = lead_closings if self.model is ModelName.LEAD_SCORING else contact_closings
        begun = time.perf_counter()
        found = find_leaks(history, snapshot, closings_of, seed=0)
        return {leak.column for leak in found}, {*looked_at}, time.perf_counter() - begun


def with_columns(history: History, of: Entities, columns: dict[str, Texts]) -> History:
    """Return the history with columns that were vouched for as known at the creation."""
    told = [
        pl.DataFrame(
            {
                "subject": [of.subject] * len(of),
                "subject_id": of.ids,
                "name": [name] * len(of),
                "value": pl.Series(values, dtype=pl.String),
                "known_at": pl.Series(of.created, dtype=INSTANT),
            }
        ).drop_nulls("value")
        for name, values in columns.items()
    ]
    facts = pl.concat([history.facts, *told])
    return replace(history, facts=facts.sort("subject", "name", "subject_id", "known_at"))


def planted(seed: int, *, is_churn: bool) -> Planted:
    """Return a generated CRM and its clean columns; size and difficulty go by the seed."""
    closed, still_open = SIZES[seed % len(SIZES)]
    request = SimulationRequest(
        until=UNTIL,
        seed=seed,
        contacts=2 * (closed + still_open),
        conversations=closed + still_open,
        closed_leads=closed,
        open_leads=still_open,
        difficulty=Difficulty.EASY if seed % 3 == 0 else Difficulty.REALISTIC,
    )
    model = ModelName.CHURN if is_churn else ModelName.LEAD_SCORING
    rng = np.random.default_rng(seed)
    with fresh_home() as settings, open_workspace(settings) as opened:
        opened.crm.write(simulate_crm(request).records, source=SIMULATED)
        opened.crm.write_observation(
            SIMULATED, observed_from=request.first_midnight, observed_through=request.until
        )
        history, key = history_of(opened), opened.text_key
    history = with_contracts(history, rng) if is_churn else history
    of = contacts_of(history, rng) if is_churn else leads_of(history, rng)
    history = with_columns(history, of, {name: column(of) for name, column in CLEAN.items()})
    spec = SPECS[model]
    examples = spec.examples(history, spec.spans).filter(pl.col("label").is_not_null())
    snapshot = take_snapshot(history, examples, catalogue(model), key=key)
    return Planted(model=model, history=history, snapshot=snapshot, entities=of)


def with_contracts(history: History, rng: np.random.Generator) -> History:
    """Return the history without messages, where contracts end in the last 30 days."""
    contacts = history.contacts
    ends = UNTIL - timedelta(days=1)
    is_old = contacts["created_at"] < UNTIL - timedelta(days=40)
    churned = is_old & pl.Series(rng.random(contacts.height) < CHURNED_SHARE)
    days = pl.lit(pl.Series(rng.integers(0, 27, contacts.height)))
    at = pl.when(churned).then(pl.lit(ends, INSTANT) - pl.duration(days=days))
    return replace(
        history,
        contacts=contacts.with_columns(churned_at=at),
        messages=history.messages.clear(),
    )


def leads_of(history: History, rng: np.random.Generator) -> Entities:
    """Return the leads of a history."""
    leads = history.leads
    return Entities(
        subject="lead",
        ids=leads["lead_id"].to_numpy(),
        created=leads["created_at"].to_list(),
        closed=leads["closed_at"].to_list(),
        is_won=(leads["outcome"] == LeadOutcome.WON).to_numpy(),
        is_open=(leads["outcome"] == LeadOutcome.OPEN).to_numpy(),
        rng=rng,
    )


def contacts_of(history: History, rng: np.random.Generator) -> Entities:
    """Return the contacts of a history; the outcome is the end of the contract."""
    contacts = history.contacts
    return Entities(
        subject="contact",
        ids=contacts["contact_id"].to_numpy(),
        created=contacts["created_at"].to_list(),
        closed=contacts["churned_at"].to_list(),
        is_won=contacts["churned_at"].is_not_null().to_numpy(),
        is_open=np.zeros(contacts.height, dtype=np.bool_),
        rng=rng,
    )


def main() -> None:
    """Print how many leaks of each kind were named, and which clean columns were accused."""
    parser = argparse.ArgumentParser(description="Plant leaks and count those that are named.")
    parser.add_argument("--crms", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    chosen = parser.parse_args()
    named: Counter[str] = Counter()
    accused: Counter[str] = Counter()
    looked_at, seconds = 0, []
    for seed in range(chosen.first, chosen.first + chosen.crms):
        crm = planted(seed, is_churn=seed % CHURN_EVERY == 0)
        for name, column in LEAKS.items():
            found, looked, took = crm.leaks_beside(name, column)
            own = f"{crm.entities.subject}.{name}"
            named[name] += own in found
            accused.update(found - {own})
            looked_at += len(looked - {own})
            seconds.append(took)
    print(f"{machine()}; {chosen.crms} CRMs from seed {chosen.first} on\n")
    print(markdown(["leak", "named"], [[n, f"{named[n]} of {chosen.crms}"] for n in LEAKS]))
    total = chosen.crms * len(LEAKS)
    print(f"\nLeaks named: {share_of(named.total(), total)}")
    print(f"Clean columns accused: {share_of(accused.total(), looked_at)}")
    print(f"Accused: {dict(accused)}")
    print(f"Seconds a CRM: median {np.median(seconds):.2f}, most {max(seconds):.2f}")


if __name__ == "__main__":
    main()
