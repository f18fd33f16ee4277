"""Saying afterwards since when imported columns were known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from chatlift.errors import InvalidInput
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.store.vouching import FactColumn, date_to_creation, fact_columns
from chatlift.vocabulary import FactSubject
from chatlift.workflows.ingest import ingest
from chatlift.workflows.known_since import known_since_creation

START = datetime(2025, 1, 1, tzinfo=UTC)
IMPORTED, AGAIN = datetime(2025, 12, 1, tzinfo=UTC), datetime(2025, 12, 8, tzinfo=UTC)
CLOSED, LEADS = 60, 90


def row(lead: int, city: str = "") -> str:
    """A lead of its own contact, created on day `lead`; the first sixty are closed."""
    is_closed = lead <= CLOSED
    created = START + timedelta(days=lead)
    outcome = ("won", "lost")[lead % 2] if is_closed else "open"
    closed = f"{created + timedelta(days=20):%Y-%m-%d}" if is_closed else ""
    origin, reason = ("fair", "web")[lead % 3 == 0], ("price", "fit")[lead % 2] if is_closed else ""
    city = city or ("Rome", "Oslo")[lead % 5 < 2]
    return f"l{lead},c{lead},{created:%Y-%m-%d},{outcome},{closed},{origin},{reason},{city}\n"


def files(folder: Path, *, city: str = "") -> TableFiles:
    folder.mkdir(exist_ok=True)
    contacts, leads = folder / "contacts.csv", folder / "leads.csv"
    days = [f"c{i},{START + timedelta(days=i):%Y-%m-%d},Spain\n" for i in range(1, LEADS + 1)]
    contacts.write_text("id,created_at,country\n" + "".join(days), encoding="utf-8")
    rows = "".join(row(lead, city) for lead in range(1, LEADS + 1))
    head = "lead_id,contact_id,created_at,status,closed_at,Lead Source,reason,city\n"
    leads.write_text(head + rows, encoding="utf-8")
    return TableFiles(contacts=contacts, leads=leads)


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An account that imported its leads without saying since when their columns are known."""
    environment = {"CHATLIFT_DATABASE_URL": database_url}
    settings = Settings.from_environment(environment, default_home=tmp_path / "home")
    with open_workspace(settings) as workspace:
        told = files(tmp_path / "files")
        ingest(told, parse_mapping({}), crm=workspace.crm, imported_at=IMPORTED)
        yield workspace


def known(shop: Workspace, name: str) -> pl.DataFrame:
    """One row per fact of a column: its `value` and `known_at`, and its record's `created_at`."""
    history = shop.crm.read_history()
    facts = history.facts.filter(pl.col("name") == name)
    leads = history.leads.select(subject_id="lead_id", created_at="created_at")
    return facts.join(leads, on="subject_id").sort("subject_id", "known_at")


def test_a_column_is_known_since_the_creation_of_its_records(shop: Workspace) -> None:
    before = shop.crm.records_revision()
    report = known_since_creation(shop, ["Lead Source"])
    assert [(c.attribute, c.changed_count) for c in report.columns] == [("lead.Lead Source", LEADS)]
    facts = known(shop, "Lead Source")
    assert (facts["known_at"] == facts["created_at"]).all()
    assert set(known(shop, "city")["known_at"]) == {IMPORTED}
    assert shop.crm.records_revision() > before


def test_saying_it_again_changes_nothing(shop: Workspace) -> None:
    known_since_creation(shop, ["Lead Source"])
    before, revision = shop.crm.read_history().facts, shop.crm.records_revision()
    assert known_since_creation(shop, ["Lead Source"]).changed_count == 0
    assert shop.crm.read_history().facts.equals(before)
    assert shop.crm.records_revision() == revision


def test_only_the_first_value_moves_and_a_later_change_stays(
    shop: Workspace, tmp_path: Path
) -> None:
    later = files(tmp_path / "later", city="Lima")
    ingest(later, parse_mapping({}), crm=shop.crm, imported_at=AGAIN)
    known_since_creation(shop, ["city"])
    facts = known(shop, "city")
    first, second = facts.filter(pl.col("value") != "Lima"), facts.filter(value="Lima")
    assert (first["known_at"] == first["created_at"]).all()
    assert set(second["known_at"]) == {AGAIN}
    assert (first.height, second.height) == (LEADS, LEADS)


def test_a_column_that_only_closed_leads_have_is_refused_and_nothing_changes(
    shop: Workspace,
) -> None:
    before = shop.crm.read_history().facts
    with pytest.raises(InvalidInput, match=r"lead\.reason cannot have been known at the creation"):
        known_since_creation(shop, ["Lead Source", "reason"])
    assert shop.crm.read_history().facts.equals(before)


def test_all_means_every_column_of_the_subject(shop: Workspace) -> None:
    contacts = known_since_creation(shop, ["all"], subject=FactSubject.CONTACT)
    assert [column.attribute for column in contacts.columns] == ["contact.country"]
    with pytest.raises(InvalidInput, match=r"lead\.reason cannot"):
        known_since_creation(shop, ["all"])


def test_a_name_that_there_is_not_tells_those_that_are(shop: Workspace) -> None:
    with pytest.raises(InvalidInput, match=r"no column 'town'. There are: Lead Source, city, "):
        known_since_creation(shop, ["town"])


def test_values_with_a_date_of_their_own_keep_it(shop: Workspace, tmp_path: Path) -> None:
    dated = tmp_path / "facts.csv"
    dated.write_text(
        "subject,subject_external_id,name,value,known_at\nlead,l1,rating,high,2025-02-01\n",
        encoding="utf-8",
    )
    ingest(TableFiles(facts=dated), parse_mapping({}), crm=shop.crm, imported_at=AGAIN)
    assert known_since_creation(shop, ["rating"]).changed_count == 0
    assert known(shop, "rating")["known_at"].to_list() == [datetime(2025, 2, 1, tzinfo=UTC)]


def test_a_cut_leaves_whole_chunks_and_the_same_call_does_the_rest(shop: Workspace) -> None:
    (column,) = [one for one in fact_columns(shop.crm) if one.name == "Lead Source"]
    assert column == FactColumn(
        subject=FactSubject.LEAD, name="Lead Source", import_known_count=LEADS
    )

    def cut(changed: int) -> None:
        if changed >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        date_to_creation(shop.crm, column, tell=cut, chunk=25)
    facts = known(shop, "Lead Source")
    assert int((facts["known_at"] == facts["created_at"]).sum()) == 50
    assert date_to_creation(shop.crm, column, chunk=25) == LEADS - 50
