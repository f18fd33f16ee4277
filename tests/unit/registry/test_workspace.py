"""Two businesses that call everything alike see their own alone, by every way of reading."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from chatlift.errors import NotFound
from chatlift.records import CONTACTS, CONVERSATIONS, FACTS, LEADS, MESSAGES, Records
from chatlift.registry.predictions import SERVED
from chatlift.registry.versions import EVALUATION_PREDICTIONS
from chatlift.registry.workspace import Workspace, workspace_in
from chatlift.settings import Settings
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEAD_SCORING = ModelName.LEAD_SCORING
SOURCE = "shop"

Read = Callable[[Workspace], Any]

READ: dict[str, Read] = {
    "crm.read_history": lambda w: w.crm.read_history(),
    "crm.records_revision": lambda w: w.crm.records_revision(),
    "crm.contact_ids": lambda w: w.crm.contact_ids(),
    "crm.has_few_messages": lambda w: w.crm.has_few_messages(1),
    "crm.message_texts": lambda w: w.crm.message_texts(range(1, 9)),
    "crm.counts": lambda w: w.crm.counts(),
    "crm.sources": lambda w: w.crm.sources(),
    "crm.contact_ids_of": lambda w: w.crm.contact_ids_of(["ana"]),
    "crm.lead_ids_of": lambda w: w.crm.lead_ids_of(["order"]),
    "crm.message_ids_of": lambda w: w.crm.message_ids_of(["ana"], source=SOURCE),
    "crm.masked": lambda w: w.crm.masked("chat with ana", source=SOURCE),
    "crm.are_some_forgotten": lambda w: w.crm.are_some_forgotten(people("x"), SOURCE),
    "runs.get": lambda w: [w.runs.get(run.run_id) for run in w.runs.list()],
    "runs.latest": lambda w: w.runs.latest(),
    "runs.list": lambda w: w.runs.list(),
    "runs.count": lambda w: w.runs.count(),
    "runs.count_by_status": lambda w: w.runs.count_by_status(),
    "versions.list": lambda w: w.versions.list(),
    "versions.get": lambda w: w.versions.get(LEAD_SCORING, 1),
    "versions.champion": lambda w: w.versions.champion(LEAD_SCORING),
    "versions.gate_counts": lambda w: w.versions.gate_counts(LEAD_SCORING),
    "versions.ledger": lambda w: w.versions.ledger(LEAD_SCORING),
    "versions.compare": lambda w: w.versions.compare(LEAD_SCORING, 1, "champion"),
    "versions.load": lambda w: w.versions.load(w.versions.get(LEAD_SCORING, 1)),
    "versions.damage": lambda w: w.versions.damage(w.versions.get(LEAD_SCORING, 1)),
    "versions.load_serving": lambda w: w.versions.load_serving(LEAD_SCORING, now=NOW),
    "versions.load_served_at": lambda w: w.versions.load_served_at(LEAD_SCORING, NOW, now=NOW),
    "versions.evaluation_predictions": lambda w: w.versions.evaluation_predictions(
        w.versions.get(LEAD_SCORING, 1)
    ),
    "predictions.list": lambda w: w.predictions.list(LEAD_SCORING),
    "schedules.get": lambda w: w.schedules.get(LEAD_SCORING),
    "schedules.list": lambda w: w.schedules.list(),
    "schedules.slots": lambda w: w.schedules.slots(LEAD_SCORING),
}
"""Every way to read, by handle and method."""

WRITE = {
    "crm": {"write", "settle", "link", "write_observation", "write_contact_observations"}
    | {"write_gap", "delete_source", "tombstones"},
    "runs": {"enqueue", "start", "progress", "renew", "record_model", "finish", "stop"}
    | {"end_unanswered", "expire"},
    "versions": {"register", "promote", "rollback", "delete", "delete_model", "sweep_orphans"}
    | {"no_champion"},
    "predictions": {"log", "log_all"},
    "schedules": {"put", "pause", "resume", "remove", "run_now"},
}
"""What changes something, or needs a connection of the caller's own."""


def frame(schema: pl.Schema, **values: Any) -> pl.DataFrame:
    return pl.DataFrame({name: [values.get(name)] for name in schema}, schema)


def people(name: str) -> pl.DataFrame:
    return frame(CONTACTS, external_id="ana", name=f"Ana of {name}", created_at=NOW)


def records(name: str) -> Records:
    """One contact, message and lead; only their words differ between businesses."""
    by = {"contact_external_id": "ana"}
    text = {"direction": "in", "kind": "text", "text": f"words to {name}", "is_automatic": False}
    closed = {"outcome": "won", "closed_at": NOW, "outcome_known_at": NOW}
    fact = {"subject": "contact", "subject_external_id": "ana", "name": "told", "value": name}
    return Records(
        contacts=people(name),
        conversations=frame(CONVERSATIONS, external_id="chat", started_at=NOW, **by),
        messages=frame(MESSAGES, external_id="m", sent_at=NOW, **by, **text),
        leads=frame(LEADS, external_id="order", created_at=NOW, **by, **closed),
        facts=frame(FACTS, known_at=NOW, **fact),
    )


def fill(workspace: Workspace) -> Workspace:
    """Give a business one of everything."""
    name = workspace.account.name
    workspace.crm.write(records(name), source=SOURCE)
    workspace.crm.write_observation(SOURCE, observed_from=NOW, observed_through=NOW)
    run = workspace.runs.start([LEAD_SCORING], requested_model=name, request={}, now=NOW)
    (contact_id,) = workspace.crm.contact_ids_of(["ana"]).values()
    of_contact = {"entity_id": contact_id, "contact_id": contact_id, "probability": 0.5}
    judged = {"cutoff": NOW, "is_leading": True, "repeat": 0, "fold": 0}
    workspace.versions.register(
        run_id=run.run_id,
        attempt=1,
        model=LEAD_SCORING,
        files={"lead_scoring_model.ubj": b"{L" + name.encode()},
        manifest={"model": LEAD_SCORING},
        recipe_fingerprint=name,
        data_fingerprint="d",
        metrics={},
        evaluation={},
        gate={"checks": []},
        verdict=Verdict.PROMOTE,
        promote=True,
        expected_champion=None,
        predictions=frame(EVALUATION_PREDICTIONS, **of_contact, **judged),
        now=NOW,
    )
    workspace.runs.finish(run.run_id, 1, RunStatus.COMPLETED, now=NOW, message=name)
    logged = {"version_number": 1, "features_fingerprint": name, "as_of": NOW}
    workspace.predictions.log(LEAD_SCORING, frame(SERVED, **of_contact, **logged), now=NOW)
    asked: dict[str, Any] = {"rhythm": "daily", "time_zone": "UTC", "request": {"by": name}}
    workspace.schedules.put(LEAD_SCORING, now=NOW, **asked)
    return workspace


def told(answer: Any) -> str:
    """All that an answer holds, frames cell by cell."""
    fields = getattr(answer, "__dataclass_fields__", {})
    frames = [value for name in fields if isinstance(value := getattr(answer, name), pl.DataFrame)]
    if isinstance(answer, pl.DataFrame):
        frames = [answer]
    return "\n".join([repr(answer), *(str(table.rows()) for table in frames)])


@pytest.fixture
def open_account(database: Database, tmp_path: Path) -> Callable[[str], Workspace]:
    settings = Settings.from_environment({}, default_home=tmp_path)

    def opened(name: str) -> Workspace:
        account = ensure_account(database, name, time_zone="UTC")
        return workspace_in(database, settings, account)

    return opened


def test_no_reading_tells_of_another_account(open_account: Callable[[str], Workspace]) -> None:
    mine = fill(open_account("mine"))
    before = {name: told(read(mine)) for name, read in READ.items()}
    theirs = fill(open_account("theirs"))
    assert {name: told(read(mine)) for name, read in READ.items()} == before
    assert [name for name, read in READ.items() if "mine" in told(read(theirs))] == []
    # The words of each are there, so that their absence in the other means something.
    assert "words to mine" in before["crm.read_history"]
    assert "words to theirs" in told(theirs.crm.read_history())


def test_what_another_account_calls_its_own_is_not_there(
    open_account: Callable[[str], Workspace],
) -> None:
    mine, theirs = fill(open_account("mine")), fill(open_account("theirs"))
    (contact_id,) = theirs.crm.contact_ids_of(["ana"]).values()
    assert mine.crm.read_history(contact_ids=[contact_id]).messages.is_empty()
    (run,) = theirs.runs.list()
    with pytest.raises(NotFound):
        mine.runs.get(run.run_id)
    version = theirs.versions.get(LEAD_SCORING, 1)
    assert mine.versions.evaluation_predictions(version).is_empty()
    theirs.versions.delete_model(LEAD_SCORING, by="them", now=NOW, force=True)
    assert mine.versions.champion(LEAD_SCORING) is not None


def test_every_method_of_a_handle_is_known_to_read_or_to_write(
    open_account: Callable[[str], Workspace],
) -> None:
    workspace = open_account("mine")
    for handle, writing in WRITE.items():
        methods = {name for name in dir(getattr(workspace, handle)) if name[0] != "_"}
        reading = {name.removeprefix(f"{handle}.") for name in READ if name.startswith(handle)}
        assert methods - {"database", "account_id"} == reading | writing
