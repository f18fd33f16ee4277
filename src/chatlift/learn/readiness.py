"""Is there enough to learn from? If not: what there is, what is missing, and when it will do.

Counts are of mature examples; the day is an estimate at the pace of the last 90 observed days.
Both outcomes are counted among the examples that are judged: those that lead the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from chatlift.history import History
from chatlift.learn.features.timeline import Timeline
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.churn import rule_of
from chatlift.learn.specs.lead_scoring import IS_UNDATED
from chatlift.learn.specs.observing import observed_through
from chatlift.vocabulary import ChurnRule, LeadOutcome, ModelName, UndatedOutcomes

PACE_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Need:
    """One floor and where the data stands."""

    what: str
    found: int
    needed: int
    ready_on: datetime | None = None
    """The day it will be enough at the present pace; None: already, or never at this pace."""
    remedy: str = ""
    """What the account can change, beside waiting."""

    @property
    def is_met(self) -> bool:
        """Whether there is enough."""
        return self.found >= self.needed


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

    @property
    def is_ready(self) -> bool:
        """Whether the model may be trained."""
        return all(need.is_met for need in self.needs)

    def sentence(self, spec: ModelSpec) -> str:
        """Say what there is, what is missing and when it will be enough."""
        if self.is_ready:
            return f"There is enough data to train {spec.model}."
        missing = "; ".join(_missing(need) for need in self.needs if not need.is_met)
        waiting = f" {self.undecided} more examples are still undecided." if self.undecided else ""
        undated = f" {self.undated.sentence}" if self.undated else ""
        return (
            f"Not enough data to train {spec.model}: {missing}.{waiting}{undated} "
            "Import more history, or wait and train again."
        )


def _missing(need: Need) -> str:
    when = (
        f", at the present pace by {need.ready_on:%Y-%m-%d}"
        if need.ready_on
        else ", and none came in lately"
    )
    remedy = f" ({need.remedy})" if need.remedy else ""
    return f"{need.found} {need.what} of {need.needed} needed{when}{remedy}"


def assess_history(
    history: History, examples: pl.DataFrame, spec: ModelSpec, choices: Choices
) -> ReadinessReport:
    """Count a model's examples, and what else its readiness rests on, against the floors.

    Parameters
    ----------
    examples
        One row per example of the history, decided or not.
    """
    by_silence = rule_of(history, choices.spans) is ChurnRule.SILENCE
    counts_conversations = by_silence and choices.floors.conversations > 0
    report = assess(
        examples,
        spec,
        choices,
        conversations=conversation_count(history) if counts_conversations else None,
        through=observed_through(history),
    )
    if spec.model is not ModelName.LEAD_SCORING:
        return report
    return replace(report, undated=undated_leads(history, choices.spans.undated_outcomes))


def conversation_count(history: History) -> int:
    """Count conversations, each begun after 24 hours without a message either way.

    By the same rule as the features, whatever a source names: tables and the Cloud API name no
    conversation, and a chat export is one for ever.
    """
    return int(Timeline.of(history).column("starts_conversation").sum())


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
    conversations: int | None,
    through: datetime | None,
) -> ReadinessReport:
    """Count mature examples against the floors.

    Parameters
    ----------
    examples
        One row per example, decided or not.
    conversations
        Conversations of the account; None where they do not count.
    through
        The last observed instant; None where nothing was observed.
    """
    floors = choices.floors
    mature = examples.filter(pl.col("label").is_not_null())
    since = through - timedelta(days=PACE_DAYS) if through else None
    needs = [
        _need(f"mature {spec.entity}s", mature, floors.entities, since, through, of="entity_id"),
        _need("mature examples", mature, floors.examples, since, through, of=None),
        *_judged_needs(mature, spec, choices, since, through),
    ]
    if conversations is not None:
        needs.append(Need(what="conversations", found=conversations, needed=floors.conversations))
    undecided = examples.height - mature.height
    return ReadinessReport(needs=tuple(needs), undecided=undecided)


def _judged_needs(
    mature: pl.DataFrame,
    spec: ModelSpec,
    choices: Choices,
    since: datetime | None,
    through: datetime | None,
) -> Iterator[Need]:
    """Yield what is needed of both outcomes, counted where the leading figures are measured."""
    leading = mature.filter("is_leading")
    judged = f"{spec.entity}s {spec.judged_words(choices.spans)}".strip()
    if choices.floors.per_class == 0:
        yield _need(judged, leading, 1, since, through, of="entity_id")
    for label, word in ((1, "positive"), (0, "negative")):
        rows = leading.filter(pl.col("label") == label)
        what = f"{judged} with a {word} outcome"
        needed = choices.floors.per_class
        need = _need(what, rows, needed, since, through, of="entity_id")
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


def _need(
    what: str,
    rows: pl.DataFrame,
    needed: int,
    since: datetime | None,
    through: datetime | None,
    *,
    of: str | None,
) -> Need:
    found = rows.get_column(of).n_unique() if of else rows.height
    if found >= needed or since is None or through is None:
        return Need(what=what, found=found, needed=needed)
    recent = rows.filter(pl.col("horizon_ends_at") >= since)
    came = recent.get_column(of).n_unique() if of else recent.height
    if not came:
        return Need(what=what, found=found, needed=needed)
    days = math.ceil((needed - found) / came * PACE_DAYS)
    return Need(what=what, found=found, needed=needed, ready_on=through + timedelta(days=days))
