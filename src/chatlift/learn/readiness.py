"""Is there enough to learn from? If not: what there is, what is missing, and when it will do.

Counts are of mature examples; the day is an estimate at the pace of the last 90 observed days, and
never one that has passed or lies more than two years ahead. Both outcomes are counted among the
examples that are judged: those that lead the report. Beyond the floors the report says which rungs
of the ladder as much data usually supports, and what the next ones need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import polars as pl

from chatlift.history import History
from chatlift.learn.features.timeline import Timeline
from chatlift.learn.ladder_words import listed_rungs
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.churn import rule_of
from chatlift.learn.specs.lead_scoring import IS_UNDATED
from chatlift.learn.specs.observing import observed_through
from chatlift.records import INSTANT
from chatlift.vocabulary import ChurnRule, LeadOutcome, ModelName, Rung, UndatedOutcomes

PACE_DAYS = 90
LONGEST_WAIT_DAYS = 2 * 365
"""A day further ahead is not named: no pace stays the same for so long."""
RUNGS_FROM: Mapping[ModelName, Mapping[Rung, int]] = MappingProxyType(
    {
        ModelName.LEAD_SCORING: {Rung.RULE: 0, Rung.SHRUNKEN: 0, Rung.FULL: 150, Rung.BLEND: 150},
        ModelName.CHURN: {Rung.RULE: 0, Rung.SHRUNKEN: 0, Rung.FULL: 150, Rung.BLEND: 150},
        ModelName.ENGAGEMENT: {Rung.RULE: 0, Rung.SHRUNKEN: 0, Rung.FULL: 150, Rung.BLEND: 150},
    }
)
"""Mature entities from about which a rung is usually worth its freedom; 0: as soon as the floors
are met. A round figure for planning: on realistic development accounts of 100 contacts (60 closed
leads) 77 to 83 % of the fits took the full algorithm or the blend, at 200 contacts 75 to 93 %.
Which rung ships is chosen by log loss."""


class Pace(StrEnum):
    """When something that is missing will be there, at the pace of the last 90 observed days."""

    DATED = "dated"
    """On a day that can be named."""
    DUE = "due"
    """By now; the data ends before."""
    TOO_SLOW = "too_slow"
    """Not within two years."""
    NONE = "none"
    """Nothing came in, so never."""


PACE_WORDS = {
    Pace.DUE: "at the present pace there is enough by now: import what came in since",
    Pace.TOO_SLOW: "not at this pace",
    Pace.NONE: "none came in lately",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """One floor and where the data stands."""

    what: str
    found: int
    needed: int
    pace: Pace | None = None
    """When it will be enough; None: there is enough."""
    ready_on: datetime | None = None
    """The day it will be enough, which lies ahead; None unless the pace is `DATED`."""
    remedy: str = ""
    """What the account can change, beside waiting."""

    @property
    def is_met(self) -> bool:
        """Whether there is enough."""
        return self.found >= self.needed

    @property
    def when(self) -> str:
        """Say when it will be enough, as a clause; empty where it is."""
        if self.pace is None:
            return ""
        if self.ready_on is not None:
            return f"at the present pace by {self.ready_on:%Y-%m-%d}"
        return PACE_WORDS[self.pace]


@dataclass(frozen=True, kw_only=True)
class Support:
    """What data beyond the floors is enough for."""

    rungs: tuple[Rung, ...]
    """Rungs that so much data usually supports, the simplest first."""
    entity: str
    """What is counted: `lead` or `contact`."""
    found: int
    """Mature entities."""
    next_rungs: tuple[Rung, ...] = ()
    """The rungs that the least more would support; empty: all are supported."""
    next_need: Need | None = None
    """What these need."""

    @property
    def sentence(self) -> str:
        """Say which rungs the data supports and what the next ones need."""
        counted = f"With {self.found:,} mature {self.entity}s"
        if self.next_need is None:
            return f"{counted} it usually supports every rung: {listed_rungs(self.rungs)}."
        need = self.next_need
        return (
            f"{counted} it usually supports {listed_rungs(self.rungs)}; "
            f"{listed_rungs(self.next_rungs)} from about {need.needed:,}: about "
            f"{need.needed - need.found:,} more, {need.when}."
        )


@dataclass(frozen=True, kw_only=True)
class UndatedLeads:
    """Leads that closed on an unknown day."""

    count: int
    won: int
    """Of them, the won ones."""
    closed: int
    """All closed leads."""
    treated_as: UndatedOutcomes

    @property
    def sentence(self) -> str:
        """Say how many there are, what becomes of them and how to bring their dates."""
        told = (
            f"{self.count} of {self.closed} closed leads ({self.won} of them won) have no closing "
            "date, so at which age they were still open is unknown"
        )
        bring = (
            "To bring their dates, name the column under [leads] in the mapping (closed_at = "
            '"your column") and import the file again, or tell closed_at over the API'
        )
        if self.treated_as is UndatedOutcomes.AT_CREATION:
            return f"{told}: all leads are judged on what was known at their creation. {bring}."
        return (
            f"{told}: they are left out, and if wins and losses lack it unequally, the share of "
            f"wins is off. {bring}. Or let all leads be judged on what was known at their "
            "creation alone: `chatlift settings set undated_outcomes at_creation`."
        )


@dataclass(frozen=True, kw_only=True)
class ReadinessReport:
    """All floors of one model."""

    needs: tuple[Need, ...]
    undecided: int
    """Examples whose horizon is not over yet."""
    undated: UndatedLeads | None = None
    """Leads that closed on an unknown day; None: there is none, or the model is not of leads."""
    support: Support | None = None
    """Which rungs the data supports; None: the floors are not met."""

    @property
    def is_ready(self) -> bool:
        """Whether the model may be trained."""
        return all(need.is_met for need in self.needs)

    def sentence(self, spec: ModelSpec) -> str:
        """Say what there is, what is missing and when it will be enough."""
        if self.is_ready:
            supports = f" {self.support.sentence}" if self.support else ""
            return f"There is enough data to train {spec.model}.{supports}"
        missing = "; ".join(_missing(need) for need in self.needs if not need.is_met)
        waiting = f" {self.undecided} more examples are still undecided." if self.undecided else ""
        undated = f" {self.undated.sentence}" if self.undated else ""
        return (
            f"Not enough data to train {spec.model}: {missing}.{waiting}{undated} "
            "Import more history, or wait and train again."
        )


def _missing(need: Need) -> str:
    when = f", {need.when}" if need.when else ""
    remedy = f" ({need.remedy})" if need.remedy else ""
    return f"{need.found} {need.what} of {need.needed} needed{when}{remedy}"


def assess_history(
    history: History,
    examples: pl.DataFrame,
    spec: ModelSpec,
    choices: Choices,
    *,
    now: datetime | None = None,
) -> ReadinessReport:
    """Count a model's examples, and what else its readiness rests on, against the floors.

    Parameters
    ----------
    examples
        One row per example of the history, decided or not.
    now
        The present instant, before which no day is named; None: the last observed one.
    """
    by_silence = rule_of(history, choices.spans) is ChurnRule.SILENCE
    counts_conversations = by_silence and choices.floors.conversations > 0
    report = assess(
        examples,
        spec,
        choices,
        conversations=conversation_starts(history) if counts_conversations else None,
        through=observed_through(history),
        now=now,
    )
    if spec.model is not ModelName.LEAD_SCORING:
        return report
    return replace(report, undated=undated_leads(history, choices.spans.undated_outcomes))


def conversation_count(history: History) -> int:
    """Count conversations, each begun after 24 hours without a message either way.

    By the same rule as the features, whatever a source names: tables and the Cloud API name no
    conversation, and a chat export is one for ever.
    """
    return len(conversation_starts(history))


def conversation_starts(history: History) -> pl.Series:
    """Return when each conversation began, in no order; see `conversation_count`."""
    line = Timeline.of(history)
    begun = line.sent_at[line.column("starts_conversation")]
    return pl.Series("begun_at", begun, dtype=pl.Int64).cast(INSTANT)


def undated_leads(history: History, treated_as: UndatedOutcomes) -> UndatedLeads | None:
    """Count the leads that closed on an unknown day; None where there is none."""
    undated = history.leads.filter(IS_UNDATED)
    if undated.is_empty():
        return None
    return UndatedLeads(
        count=undated.height,
        won=undated.filter(pl.col("outcome") == LeadOutcome.WON).height,
        closed=history.leads.filter(pl.col("outcome") != LeadOutcome.OPEN).height,
        treated_as=treated_as,
    )


def assess(
    examples: pl.DataFrame,
    spec: ModelSpec,
    choices: Choices,
    *,
    conversations: pl.Series | None,
    through: datetime | None,
    now: datetime | None = None,
) -> ReadinessReport:
    """Count mature examples against the floors.

    Parameters
    ----------
    examples
        One row per example, decided or not.
    conversations
        When each conversation of the account began; None where they do not count.
    through
        The last observed instant; None where nothing was observed.
    now
        The present instant, before which no day is named; None: the last observed one.
    """
    floors = choices.floors
    mature = examples.filter(pl.col("label").is_not_null())
    span = _Span(through=through, now=now or through)
    needs = [
        _need(f"mature {spec.entity}s", mature, floors.entities, span, of="entity_id"),
        _need("mature examples", mature, floors.examples, span, of=None),
        *_judged_needs(mature, spec, choices, span),
    ]
    if conversations is not None:
        needs.append(_conversations_need(conversations, floors.conversations, span))
    undecided = examples.height - mature.height
    report = ReadinessReport(needs=tuple(needs), undecided=undecided)
    return replace(report, support=_support(mature, spec, span)) if report.is_ready else report


@dataclass(frozen=True, kw_only=True)
class _Span:
    """What was observed, and when that is looked at."""

    through: datetime | None
    now: datetime | None

    @property
    def since(self) -> datetime | None:
        """Where the days begin whose pace counts."""
        return self.through - timedelta(days=PACE_DAYS) if self.through else None

    def need(self, what: str, found: int, needed: int, came: int) -> Need:
        """Return a need with its day; `came`: how many came in during the days that count."""
        if found >= needed:
            return Need(what=what, found=found, needed=needed)
        if not came or self.through is None or self.now is None:
            return Need(what=what, found=found, needed=needed, pace=Pace.NONE)
        days = math.ceil((needed - found) / came * PACE_DAYS)
        # Compared in days first: a far one does not fit the calendar.
        if days > LONGEST_WAIT_DAYS + (self.now - self.through).days:
            return Need(what=what, found=found, needed=needed, pace=Pace.TOO_SLOW)
        day = self.through + timedelta(days=days)
        if day.date() <= self.now.date():
            return Need(what=what, found=found, needed=needed, pace=Pace.DUE)
        return Need(what=what, found=found, needed=needed, pace=Pace.DATED, ready_on=day)


def _conversations_need(begun: pl.Series, needed: int, span: _Span) -> Need:
    came = 0 if span.since is None else int((begun >= span.since).sum())
    return span.need("conversations", len(begun), needed, came)


def _support(mature: pl.DataFrame, spec: ModelSpec, span: _Span) -> Support:
    """Return which rungs so many mature entities support, and what the next ones need."""
    least = RUNGS_FROM[spec.model]
    found = mature.get_column("entity_id").n_unique()
    support = Support(
        rungs=tuple(rung for rung in Rung if least[rung] <= found), entity=spec.entity, found=found
    )
    missing = [number for number in least.values() if number > found]
    if not missing:
        return support
    needed = min(missing)
    need = _need(f"mature {spec.entity}s", mature, needed, span, of="entity_id")
    next_rungs = tuple(rung for rung in Rung if least[rung] == needed)
    return replace(support, next_rungs=next_rungs, next_need=need)


def _judged_needs(
    mature: pl.DataFrame, spec: ModelSpec, choices: Choices, span: _Span
) -> Iterator[Need]:
    """Yield what is needed of both outcomes, counted where the leading figures are measured."""
    leading = mature.filter("is_leading")
    judged = f"{spec.entity}s {spec.judged_words(choices.spans)}".strip()
    if choices.floors.per_class == 0:
        yield _need(judged, leading, 1, span, of="entity_id")
    for label, word in ((1, "positive"), (0, "negative")):
        rows = leading.filter(pl.col("label") == label)
        what = f"{judged} with a {word} outcome"
        needed = choices.floors.per_class
        need = _need(what, rows, needed, span, of="entity_id")
        all_ages = mature.filter(pl.col("label") == label).get_column("entity_id").n_unique()
        yield need if need.is_met else replace(need, remedy=_remedy(spec, all_ages, needed))


def _remedy(spec: ModelSpec, all_ages: int, needed: int) -> str:
    """Say how leads that close too soon to be judged can be judged all the same."""
    if all_ages < needed:
        return ""
    return (
        f"{all_ages} in all, the others closed before: judge {spec.entity}s younger, such as with "
        f"`chatlift settings set {spec.model}.spans.leading_age_days 1`"
    )


def _need(what: str, rows: pl.DataFrame, needed: int, span: _Span, *, of: str | None) -> Need:
    """Count rows, or the different values of a column, against what is needed."""
    is_recent = (
        pl.lit(value=False) if span.since is None else pl.col("horizon_ends_at") >= span.since
    )
    recent = rows.filter(is_recent)
    found, came = (part.get_column(of).n_unique() if of else part.height for part in (rows, recent))
    return span.need(what, found, needed, came)
