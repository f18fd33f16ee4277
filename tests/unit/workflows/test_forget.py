import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Connection, Engine, event, select
from tests.businesses import (
    account_of,
    clock_at,
    let_leases_run_out,
    nothing_waits,
    records_of,
)
from tests.histories import business, history
from tests.webhooks import cloud_body, cloud_message, profile

from chatlift.errors import Conflict, NotFound
from chatlift.records import Records
from chatlift.registry.deliveries import keep_delivery
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhook, Webhooks
from chatlift.registry.workspace import Workspace
from chatlift.sources.feeds import ParsedFeed
from chatlift.store.base import Base
from chatlift.store.database import Database
from chatlift.store.forgetting import Forgetting, Receipt, open_receipt
from chatlift.vocabulary import ModelName, WebhookKind
from chatlift.workflows import receive
from chatlift.workflows.check import check
from chatlift.workflows.forget import (
    ForgetReport,
    contacts_to_forget,
    forget,
    forget_after_restore,
)
from chatlift.workflows.receive import read_deliveries

NAME = "c7"
CLOCK = clock_at(120)


class Cut(Exception):
    """The process ends here."""


@contextmanager
def cut_at(workspace: Workspace, commit: int) -> Iterator[None]:
    """Let everything end just before the database takes in the transaction of that number."""
    left = commit

    def ends(_connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cut

    event.listen(Engine, "commit", ends)
    try:
        yield
    finally:
        event.remove(Engine, "commit", ends)


def forget_by_name(workspace: Workspace, wanted: str) -> ForgetReport:
    return forget(
        workspace,
        contacts_to_forget(workspace.crm, wanted),
        clock=CLOCK,
        read_deliveries=nothing_waits,
    )


def receipt_of(report: ForgetReport) -> Receipt:
    assert report.receipt is not None
    return report.receipt


def cells(workspace: Workspace) -> str:
    with workspace.database.across_accounts().read() as connection:
        tables = Base.metadata.sorted_tables
        return "\n".join(str(row) for t in tables for row in connection.execute(select(t)))


def test_versions_trained_on_the_contact_are_named_and_still_pass_their_tests(
    trained: Workspace,
) -> None:
    report = forget_by_name(trained, NAME)
    assert report.is_compact
    receipt = receipt_of(report)
    assert {(v.model, v.number, v.contact_count) for v in receipt.versions} == {
        (model, number, 1) for model in ("lead_scoring", "engagement") for number in (1, 2)
    }
    assert receipt.counts["contacts"] == 1
    assert receipt.counts["evaluation_predictions"] > 0
    for version in trained.versions.list():
        assert version.forgotten_count == 1
        stored = trained.versions.evaluation_predictions(version)
        assert 7 not in stored["contact_id"].to_list()
        assert stored["contact_id"].null_count() > 0
    checked = check(trained, (ModelName.LEAD_SCORING, ModelName.ENGAGEMENT))
    assert [f.sentence for c in checked.checks for f in c.findings if not f.passed] == []


def test_no_byte_is_left_while_the_database_is_still_open(tmp_path: Path) -> None:
    story = records_of(history(contacts=[(7, 0.0)]))
    named = story.contacts.with_columns(name=pl.lit("Zyxquiro Canarino"))
    with account_of(tmp_path) as workspace:
        workspace.crm.write(Records(contacts=named), source="story")
        assert files_with(tmp_path, b"Zyxquiro") == {"chatlift.db-wal"}
        assert forget_by_name(workspace, NAME).is_compact
        assert files_with(tmp_path, b"Zyxquiro") == set()


def files_with(folder: Path, trace: bytes) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name for path in files if trace in path.read_bytes()}


def test_another_process_that_reads_is_told_of(tmp_path: Path) -> None:
    with account_of(tmp_path, history(contacts=[(7, 0.0)])) as workspace:
        with closing(sqlite3.connect(tmp_path / "chatlift.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM contacts").fetchone()
            with shortly_patient(workspace.database):
                assert not forget_by_name(workspace, NAME).is_compact
        assert receipt_of(forget_by_name(workspace, NAME)).counts["contacts"] == 1
        assert open_receipt(workspace.crm) is None


@contextmanager
def shortly_patient(database: Database) -> Iterator[None]:
    """Let the connections that there are wait for others a moment only."""
    with database.maintain() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=100")
    yield


def test_served_answers_go_with_the_contact(trained: Workspace) -> None:
    served = pl.DataFrame(
        {
            "version_number": 1,
            "entity_id": [7, 8],
            "contact_id": [7, 8],
            "features_fingerprint": "f",
            "probability": 0.5,
            "as_of": CLOCK(),
        }
    )
    trained.predictions.log(ModelName.CHURN, served, now=CLOCK())
    assert receipt_of(forget_by_name(trained, NAME)).counts["predictions"] == 1
    assert trained.predictions.list(ModelName.CHURN)["contact_id"].to_list() == [8]


def test_cut_off_at_any_transaction_the_same_words_complete_it(tmp_path: Path) -> None:
    whole, _ = _forgotten_at(tmp_path / "whole", 0)
    commit, was_over = 0, False
    while not was_over:
        commit += 1
        counts, was_over = _forgotten_at(tmp_path / str(commit), commit)
        assert was_over or counts == whole, commit
    assert commit > 8  # Each of its steps was cut off once.


def _forgotten_at(home: Path, commit: int) -> tuple[dict[str, int], bool]:
    """Forget, cut off at that transaction, and again; tell whether it was over before the cut."""
    with account_of(home, business(3, contacts=8, days=61)) as workspace:
        was_over = False
        try:
            with cut_at(workspace, commit):
                report = forget_by_name(workspace, NAME)
            was_over = commit > 0
        except Cut:
            report = forget_by_name(workspace, NAME)
        assert "'c7'" not in cells(workspace)
        assert open_receipt(workspace.crm) is None
        return {place: n for place, n in receipt_of(report).counts.items() if n}, was_over


def test_who_was_forgotten_can_be_forgotten_again_and_strangers_not(trained: Workspace) -> None:
    forget_by_name(trained, NAME)
    assert contacts_to_forget(trained.crm, NAME) == ()
    assert forget_by_name(trained, NAME).receipt is None
    with pytest.raises(NotFound, match="No contact"):
        contacts_to_forget(trained.crm, "nobody")


def test_an_id_of_two_people_needs_its_source(tmp_path: Path) -> None:
    told = history(contacts=[(1, 0.0)])
    with account_of(tmp_path, told) as workspace:
        workspace.crm.write(Records(contacts=records_of(told).contacts), source="other")
        with pytest.raises(Conflict, match="--source"):
            contacts_to_forget(workspace.crm, "c1")
        assert len(contacts_to_forget(workspace.crm, "c1", source="other")) == 1


def test_who_is_forgotten_while_a_version_is_trained_does_not_come_back_with_it(
    trained: Workspace,
) -> None:
    before = trained.versions.get(ModelName.ENGAGEMENT, 1)
    artifact = trained.versions.load(before)
    predictions = trained.versions.evaluation_predictions(before)
    told = {"requested_model": "engagement", "request": {}}
    run = trained.runs.start([ModelName.ENGAGEMENT], now=CLOCK(), **told)
    forgetting = Forgetting(trained.crm, contacts_to_forget(trained.crm, NAME))
    forgetting.begin(now=CLOCK())
    while forgetting.delete_messages(now=CLOCK()):
        pass
    forgetting.delete_contacts()
    made = trained.versions.register(
        run_id=run.run_id,
        attempt=1,
        model=ModelName.ENGAGEMENT,
        files=artifact.files,
        manifest={"model": "engagement"},
        recipe_fingerprint="r",
        data_fingerprint="d",
        metrics=before.metrics,
        evaluation=before.evaluation,
        gate=before.gate,
        verdict=before.verdict,
        promote=False,
        expected_champion=None,
        predictions=predictions,
        now=CLOCK(),
    )
    assert made.forgotten_count == 1
    kept = trained.versions.evaluation_predictions(made)
    assert 7 not in kept["contact_id"]
    assert kept["contact_id"].null_count() == predictions.filter(contact_id=7).height > 0


def test_nothing_is_forgotten_beside_a_training(trained: Workspace) -> None:
    now: datetime = CLOCK()
    trained.runs.start([ModelName.CHURN], requested_model="churn", request={}, now=now)
    with pytest.raises(Conflict, match="training is under way"):
        forget(
            trained,
            contacts_to_forget(trained.crm, NAME),
            clock=lambda: now,
            read_deliveries=nothing_waits,
        )
    let_leases_run_out(trained.database)
    assert forget(
        trained,
        contacts_to_forget(trained.crm, NAME),
        clock=clock_at(122),
        read_deliveries=nothing_waits,
    ).is_compact


def test_a_restored_backup_does_not_bring_the_forgotten_back(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup.db"
    with account_of(home, business(3, contacts=8, days=61)):
        pass
    shutil.copy(home / "chatlift.db", backup)
    with account_of(home) as workspace:
        forget_by_name(workspace, NAME)
    shutil.copy(backup, home / "chatlift.db")
    with account_of(home) as workspace:
        assert "'c7'" in cells(workspace)
        report = forget_after_restore(workspace, clock=CLOCK, read_deliveries=nothing_waits)
        assert receipt_of(report).counts["contacts"] == 1
        assert "'c7'" not in cells(workspace)
        assert workspace.crm.counts().contacts == 7
        assert (
            forget_after_restore(workspace, clock=CLOCK, read_deliveries=nothing_waits).receipt
            is None
        )


CANARY = "+34999000111"


def canary_writes(number: int, phone: str = CANARY, name: str = "Zyxquiro Canarino") -> bytes:
    """What WhatsApp brings when the canary, or somebody else, writes."""
    sender = phone.removeprefix("+")
    message = cloud_message(f"w{number}", 1_700_000_000, f"{name} quokka", sender=sender)
    names = profile(sender, name)
    return json.dumps(cloud_body({"contacts": [names], "messages": [message]})).encode()


@contextmanager
def listening(home: Path) -> Iterator[tuple[Workspace, Webhook]]:
    """An empty account with a webhook."""
    with account_of(home) as workspace:
        hooks = Webhooks(workspace.database, workspace.account.account_id)
        kind = WebhookKind.WHATSAPP_CLOUD
        box = SecretBox("A" * 43)
        yield workspace, hooks.create(kind, secret="s", box=box, now=CLOCK()).webhook  # noqa: S106


def test_what_is_not_read_yet_is_read_first_and_goes_with_the_rest(tmp_path: Path) -> None:
    with listening(tmp_path) as (workspace, hook):

        def read() -> object:
            return read_deliveries(workspace.crm, now=CLOCK())

        keep_delivery(workspace.database, hook, canary_writes(1), now=CLOCK())
        read()
        found = contacts_to_forget(workspace.crm, CANARY)
        for number in (2, 3):
            keep_delivery(workspace.database, hook, canary_writes(number), now=CLOCK())
        report = forget(workspace, found, clock=CLOCK, read_deliveries=read)
        assert report.is_compact
        assert receipt_of(report).counts["messages"] == 3
        for trace in (b"999000111", b"Zyxquiro", b"quokka"):
            assert files_with(tmp_path, trace) == set()


def test_what_comes_while_somebody_is_forgotten_is_turned_away(tmp_path: Path) -> None:
    with listening(tmp_path) as (workspace, hook):
        calls = []

        def read() -> None:
            # The canary goes on writing: each time, before it is read.
            calls.append(len(calls))
            keep_delivery(workspace.database, hook, canary_writes(calls[-1]), now=CLOCK())
            read_deliveries(workspace.crm, now=CLOCK())

        read()
        found = contacts_to_forget(workspace.crm, CANARY)
        assert forget(workspace, found, clock=CLOCK, read_deliveries=read).is_compact
        assert len(calls) == 3
        assert workspace.crm.counts().contacts == 0
        for trace in (b"999000111", b"Zyxquiro", b"quokka"):
            assert files_with(tmp_path, trace) == set()


def test_what_cannot_be_read_goes_if_it_names_the_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path) as (workspace, hook):

        def read() -> object:
            return read_deliveries(workspace.crm, now=CLOCK())

        keep_delivery(workspace.database, hook, canary_writes(1), now=CLOCK())
        read()
        found = contacts_to_forget(workspace.crm, CANARY)
        monkeypatch.setitem(receive.PARSERS, WebhookKind.WHATSAPP_CLOUD, unable)
        for body in (canary_writes(2), canary_writes(3, "+34111222333", "Bea")):
            keep_delivery(workspace.database, hook, body, now=CLOCK())
        report = forget(workspace, found, clock=CLOCK, read_deliveries=read)
        assert receipt_of(report).counts["webhook_deliveries"] == 1
        assert files_with(tmp_path, b"999000111") == set()
        assert files_with(tmp_path, b"34111222333") == {"chatlift.db"}


def unable(*_bodies: object, **_options: object) -> ParsedFeed:
    raise TypeError("this parser is broken")
