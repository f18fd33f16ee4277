import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Connection, Engine, event, select
from tests.businesses import account_of, clock_at, let_leases_run_out, records_of
from tests.histories import business, history

from chatlift.errors import Conflict, NotFound
from chatlift.records import Records
from chatlift.registry.workspace import Workspace
from chatlift.store.base import Base
from chatlift.store.database import Database
from chatlift.store.forgetting import Forgetting, Receipt, open_receipt
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import check
from chatlift.workflows.forget import (
    ForgetReport,
    contacts_to_forget,
    forget,
    forget_after_restore,
)

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
    return forget(workspace, contacts_to_forget(workspace.crm, wanted), clock=CLOCK)


def receipt_of(report: ForgetReport) -> Receipt:
    assert report.receipt is not None
    return report.receipt


def cells(workspace: Workspace) -> str:
    with workspace.database.read() as connection:
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
        forget(trained, contacts_to_forget(trained.crm, NAME), clock=lambda: now)
    let_leases_run_out(trained.database)
    assert forget(trained, contacts_to_forget(trained.crm, NAME), clock=clock_at(122)).is_compact


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
        report = forget_after_restore(workspace, clock=CLOCK)
        assert receipt_of(report).counts["contacts"] == 1
        assert "'c7'" not in cells(workspace)
        assert workspace.crm.counts().contacts == 7
        assert forget_after_restore(workspace, clock=CLOCK).receipt is None
