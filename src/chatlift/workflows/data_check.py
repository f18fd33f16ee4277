"""Data check: what is doubtful about the records, and which model they are enough for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from chatlift.errors import NotReady
from chatlift.history import History
from chatlift.learn.data_quality import Outside, Point, examine
from chatlift.learn.readiness import ReadinessReport, assess_history, conversation_count
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.serving import history_of
from chatlift.registry.standing import Standing, standing_of
from chatlift.registry.workspace import Workspace
from chatlift.store.accounts import Account
from chatlift.store.crm import RecordCounts
from chatlift.store.doubts import contacts_sharing_a_phone, messages_of_unknown_direction
from chatlift.store.forgetting import open_receipt
from chatlift.vocabulary import ModelName


@dataclass(frozen=True, kw_only=True)
class SourceSpan:
    """What one source is known to be complete for."""

    source: str
    observed_from: datetime
    observed_through: datetime


@dataclass(frozen=True, kw_only=True)
class ModelReadiness:
    """Whether there is enough for one model."""

    model: ModelName
    report: ReadinessReport
    sentence: str


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What a person should know before training."""

    counts: RecordCounts
    spans: tuple[SourceSpan, ...]
    points: tuple[Point, ...]
    readiness: tuple[ModelReadiness, ...]
    standings: tuple[Standing, ...]
    """What serves of each model of which there is a version, and what was refused."""
    is_forgetting_unfinished: bool
    """A forgetting was cut off; running the same command again completes it."""
    people_count: int
    """Contacts, one for each person however many sources tell of them."""
    told_once_count: int
    """Messages, one however many sources tell of it."""
    conversation_count: int
    """Conversations as learning counts them, each begun after 24 hours without a message."""
    ended_earlier_count: int
    """Contacts that are complete up to an earlier instant than their source, such as chats of an
    older export."""


def check_data(workspace: Workspace, *, now: datetime) -> DataReport:
    """Look at all records of the account.

    Raises
    ------
    NotReady
        If there is no record yet.
    """
    counts = workspace.crm.counts()
    if not counts.contacts:
        raise NotReady(
            "There is no data to check. Import some with `chatlift import`, or run "
            "`chatlift generate`."
        )
    history = history_of(workspace)
    outside = Outside(
        unknown_directions=messages_of_unknown_direction(workspace.crm),
        shared_phones=contacts_sharing_a_phone(workspace.crm),
    )
    leads = _choices(workspace, SPECS[ModelName.LEAD_SCORING])
    return DataReport(
        counts=counts,
        spans=tuple(SourceSpan(**row) for row in history.observations.iter_rows(named=True)),
        points=examine(history, outside, now=now, horizon_days=leads.spans.horizon_days),
        readiness=tuple(_readiness(workspace, history, spec, now) for spec in SPECS.values()),
        standings=_standings(workspace),
        is_forgetting_unfinished=open_receipt(workspace.crm) is not None,
        people_count=history.contacts.height,
        told_once_count=history.messages.height,
        conversation_count=conversation_count(history),
        ended_earlier_count=_ended_earlier(history),
    )


def _standings(workspace: Workspace) -> tuple[Standing, ...]:
    versions = workspace.versions.list()
    standings = [standing_of(model, versions) for model in ModelName]
    return tuple(found for found in standings if found.champion or found.passed_over)


def check_readiness(workspace: Workspace, *, now: datetime) -> tuple[ModelReadiness, ...]:
    """Tell for each model whether there is enough to learn from; of no records: there is not."""
    history = history_of(workspace)
    return tuple(_readiness(workspace, history, spec, now) for spec in SPECS.values())


_State = tuple[Account, int, date]
"""Account with its settings, revision of its records, and the day by which days are named."""


class KnownReadiness:
    """What `check_readiness` tells, kept per account while records, settings and the day stay.

    It reads the whole account, and a service is asked again and again for a model that is not there
    yet. Safe across threads.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[_State, tuple[ModelReadiness, ...]]] = {}

    def told(self, workspace: Workspace, *, now: datetime) -> tuple[ModelReadiness, ...]:
        """Return what there is to learn from now."""
        account = workspace.account
        state = (account, workspace.crm.records_revision(), now.date())
        kept = self._kept.get(account.account_id)
        if kept is None or kept[0] != state:
            kept = (state, check_readiness(workspace, now=now))
            self._kept[account.account_id] = kept
        return kept[1]


def _ended_earlier(history: History) -> int:
    sources = history.contacts.join(history.observations, on="source")
    own = history.contact_observations.rename({"observed_through": "own"})
    both = sources.join(own, on="contact_id")
    return both.filter(pl.col("own") < pl.col("observed_through")).height


def _readiness(
    workspace: Workspace, history: History, spec: ModelSpec, now: datetime
) -> ModelReadiness:
    choices = _choices(workspace, spec)
    examples = spec.examples(history, choices.spans)
    report = assess_history(history, examples, spec, choices, now=now)
    return ModelReadiness(model=spec.model, report=report, sentence=report.sentence(spec))


def _choices(workspace: Workspace, spec: ModelSpec) -> Choices:
    return Choices.of(spec, workspace.account.settings)
