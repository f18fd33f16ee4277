"""A story written into a real account on SQLite, and what tests ask of a trained one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import func, select, update
from tests.histories import at

from chatlift.history import History
from chatlift.records import CONTACTS as TOLD_CONTACTS
from chatlift.records import CONVERSATIONS, FACTS, LEADS, MESSAGES, Records
from chatlift.registry.run_rows import LOCKS, RUNS
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName
from chatlift.workflows.train import TrainRequest

SOURCE = "story"
QUICK = {
    ModelName.LEAD_SCORING: {"trees": 20.0},
    ModelName.CHURN: {"trees": 20.0},
    ModelName.ENGAGEMENT: {"text_strength": 0.5},
}
"""Hyperparameters with which a fit takes a moment."""


class Clock:
    """A clock that moves on by a second each time somebody looks."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def quick(*models: ModelName, **choices: Any) -> TrainRequest:
    """A request for these models (all by default) that is trained in a moment."""
    chosen = {"cv_folds": 2, "parameters": QUICK} | choices
    return TrainRequest(models=models or tuple(ModelName), **chosen)


def nothing_waits() -> None:
    """What reads the deliveries of an account that has no webhooks."""


@contextmanager
def account_of(
    home: Path, history: History | None = None, *, settings: dict[str, Any] | None = None
) -> Iterator[Workspace]:
    """Open a new account that holds the story, with settings of its own."""
    with open_workspace(Settings.from_environment({}, default_home=home)) as workspace:
        if history is not None:
            write(workspace, history)
        account = replace(workspace.account, settings=settings or {})
        yield replace(workspace, account=account)


def write(workspace: Workspace, history: History) -> None:
    """Write a story into the account; telling it again changes nothing."""
    workspace.crm.write(records_of(history), source=SOURCE)
    for row in history.observations.iter_rows(named=True):
        workspace.crm.write_observation(
            SOURCE, observed_from=row["observed_from"], observed_through=row["observed_through"]
        )


def records_of(history: History) -> Records:
    """Return the story as a source would hand it over, one conversation per contact."""
    who = pl.format("c{}", pl.col("contact_id"))
    contacts = history.contacts.with_columns(name=None, phone=None)
    conversations = history.contacts.select(
        external_id=pl.format("k{}", pl.col("contact_id")),
        contact_external_id=who,
        started_at=pl.col("created_at"),
    )
    messages = history.messages.with_columns(
        external_id=pl.format("m{}", pl.col("message_id")),
        contact_external_id=who,
        conversation_external_id=pl.format("k{}", pl.col("contact_id")),
    )
    facts = history.facts.with_columns(
        subject_external_id=pl.col("subject").str.slice(0, 1) + pl.col("subject_id").cast(pl.String)
    )
    return Records(
        contacts=_shaped(contacts, TOLD_CONTACTS),
        conversations=_shaped(conversations, CONVERSATIONS),
        messages=_shaped(messages, MESSAGES),
        leads=_shaped(history.leads.with_columns(contact_external_id=who), LEADS),
        facts=_shaped(facts, FACTS),
    )


def _shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def assert_at_rest(workspace: Workspace) -> None:
    """The newest run has ended, no lock remains, and every folder belongs to a version."""
    newest = workspace.runs.latest()
    assert newest is not None
    assert newest.status in FINAL_STATUSES
    assert locks(workspace) == 0
    assert folders(workspace) == {version.folder for version in workspace.versions.list()}


def locks(workspace: Workspace) -> int:
    """How many models are locked by a run."""
    with workspace.database.across_accounts().read() as connection:
        return connection.scalar(select(func.count()).select_from(LOCKS)) or 0


def let_leases_run_out(database: Database) -> None:
    """Make every run look as if its process had been silent for longer than its lease."""
    past = database.now() - timedelta(seconds=1)
    with database.across_accounts().write() as connection:
        held = update(RUNS).where(RUNS.c.lease_expires_at.is_not(None))
        connection.execute(held.values(lease_expires_at=past))


def folders(workspace: Workspace) -> set[Path]:
    """The folders of artifacts on disk, half-written ones among them."""
    root = workspace.settings.artifacts / str(workspace.account.account_id)
    return set(root.glob("*/*"))


def clock_at(days: float) -> Clock:
    """A clock that starts this many days into the story."""
    return Clock(at(days))
