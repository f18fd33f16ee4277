from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatlift.errors import Conflict, InvalidInput
from chatlift.sources.mapping import SourceMapping, parse_mapping
from chatlift.sources.mapping_files import chosen_mapping
from chatlift.sources.tables import TableFiles
from chatlift.store.crm import Crm
from chatlift.store.past_imports import rejected_rows
from chatlift.workflows.ingest import ingest

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> TableFiles:
    """Two good contacts and a bad one; a good lead, a stranger's; three messages, one twice."""
    told = {
        "contacts": "id,created_at,city\na,2025-01-01,Rome\nb,2025-01-02,\nc,bad,Oslo\n",
        "leads": "lead_id,contact_id,created_at,status\n1,a,2025-01-03,won\n2,zz,2025-01-03,won\n",
        "messages": (
            "id,contact_id,direction,text,sent_at,conversation_id\n"
            "m1,a,in,hi,2025-02-01,k\nm2,b,out,yo,2025-02-03,\nm1,a,in,hi,2025-02-01,k\n"
        ),
    }
    for name, content in told.items():
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    return TableFiles(**{name: tmp_path / f"{name}.csv" for name in told})


def test_every_row_of_every_file_is_accounted_for(crm: Crm, files: TableFiles) -> None:
    report = ingest(files, SourceMapping(), crm=crm, imported_at=NOW)
    counts = {
        name: (t.read_count, t.accepted_count, t.duplicate_count, t.rejected_count)
        for name, t in report.tables.items()
    }
    assert counts == {"contacts": (3, 2, 0, 1), "leads": (2, 1, 0, 1), "messages": (3, 2, 1, 0)}
    assert report.tables["contacts"].import_known_columns == ("city",)
    assert report.tables["leads"].undated_outcome_count == 2
    assert crm.counts().conversations == 1
    kept = rejected_rows(crm.database, crm.account_id, report.batch_id)
    assert kept.select("table_name", "line_number", "column_name", "value").rows() == [
        ("contacts", 4, "created_at", "bad"),
        ("leads", 3, "contact_external_id", "zz"),
    ]


def test_importing_the_same_files_again_changes_nothing(crm: Crm, files: TableFiles) -> None:
    ingest(files, SourceMapping(), crm=crm, imported_at=NOW)
    before = crm.read_history()
    later = datetime(2025, 7, 1, tzinfo=UTC)
    report = ingest(files, SourceMapping(), crm=crm, imported_at=later)
    after = crm.read_history()
    assert {t.accepted_count for t in report.tables.values()} == {0}
    for name in ("contacts", "messages", "leads", "facts", "observations"):
        assert getattr(after, name).equals(getattr(before, name))


def test_the_observation_ends_with_the_last_record_or_the_stated_export(
    crm: Crm, files: TableFiles
) -> None:
    report = ingest(files, SourceMapping(), crm=crm, imported_at=NOW)
    assert report.observed_from == datetime(2025, 1, 1, tzinfo=UTC)
    assert report.observed_through == datetime(2025, 2, 3, tzinfo=UTC)
    stated = parse_mapping({"exported_at": "2025-03-01T00:00:00Z"})
    report = ingest(files, stated, crm=crm, imported_at=NOW)
    assert report.observed_through == datetime(2025, 3, 1, tzinfo=UTC)


def test_dated_facts_come_from_a_file_of_their_own(crm: Crm, files: TableFiles) -> None:
    ingest(files, SourceMapping(), crm=crm, imported_at=NOW)
    assert files.leads is not None
    path = files.leads.with_name("facts.csv")
    path.write_text(
        "subject,subject_external_id,name,value,known_at\n"
        "lead,1,stage,demo,2025-01-05\nlead,9,stage,demo,2025-01-05\n",
        encoding="utf-8",
    )
    report = ingest(TableFiles(facts=path), SourceMapping(), crm=crm, imported_at=NOW)
    assert (report.tables["facts"].accepted_count, report.tables["facts"].rejected_count) == (1, 1)
    kept = rejected_rows(crm.database, crm.account_id, report.batch_id)
    assert kept.select("line_number", "value").rows() == [(3, "9")]


def test_real_records_do_not_join_generated_ones(crm: Crm, files: TableFiles) -> None:
    ingest(files, SourceMapping(), crm=crm, imported_at=NOW, source="simulated")
    with pytest.raises(Conflict, match="generated"):
        ingest(files, SourceMapping(), crm=crm, imported_at=NOW)


def test_an_import_without_files_is_refused(crm: Crm) -> None:
    with pytest.raises(InvalidInput, match="--contacts"):
        ingest(TableFiles(), SourceMapping(), crm=crm, imported_at=NOW)


def test_refused_rows_about_forgotten_contacts_keep_nothing_of_them(
    crm: Crm, files: TableFiles
) -> None:
    keyed = Crm(crm.database, crm.account_id, tombstone_key=b"k" * 32)
    with keyed.database.write() as connection:
        forgotten = [("contact", "c"), ("contact", "zz")]
        keyed.tombstones(connection, "files").leave(forgotten, now=NOW)
    report = ingest(files, SourceMapping(), crm=keyed, imported_at=NOW)
    kept = rejected_rows(crm.database, crm.account_id, report.batch_id)
    # One was refused for its date already, the other is a lead of somebody forgotten.
    assert kept.select("line_number", "value", "reason", "cells").rows() == [
        (4, None, "forgotten", None),
        (3, None, "forgotten", None),
    ]


def test_an_import_of_which_nothing_could_be_used_says_so(crm: Crm, tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("id,created_at\na,soon\n", encoding="utf-8")
    report = ingest(TableFiles(contacts=path), SourceMapping(), crm=crm, imported_at=NOW)
    assert report.is_all_rejected
    path.write_text("id,created_at\n", encoding="utf-8")
    report = ingest(TableFiles(contacts=path), SourceMapping(), crm=crm, imported_at=NOW)
    assert not report.is_all_rejected


def test_people_of_two_sources_are_linked_by_their_phone(crm: Crm, tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    for source, phone in {"crm": "+1 555 010 0001", "shop": "0015550100001"}.items():
        path.write_text(f"id,created_at,phone\na,2025-01-01,{phone}\n", encoding="utf-8")
        files = TableFiles(contacts=path)
        ingest(files, SourceMapping(), crm=crm, imported_at=NOW, source=source)
    assert crm.read_history().contacts.height == 1


def known_at(crm: Crm) -> list[datetime]:
    return crm.read_history().facts["known_at"].to_list()


def test_columns_that_were_known_at_the_creation_can_be_named(crm: Crm, files: TableFiles) -> None:
    vouched = chosen_mapping(known_at_creation="city")
    report = ingest(files, vouched, crm=crm, imported_at=NOW)
    assert report.tables["contacts"].import_known_columns == ()
    assert known_at(crm) == [datetime(2025, 1, 1, tzinfo=UTC)]
    assert report.contradictions == ()


def test_all_columns_can_be_known_at_the_creation_but_for_those_the_mapping_speaks_of(
    crm: Crm, files: TableFiles
) -> None:
    told = parse_mapping(
        {"known_at_creation": "all", "contacts": {"known": {"city": "import"}}},
    )
    ingest(files, told, crm=crm, imported_at=NOW)
    assert known_at(crm) == [NOW]


def test_a_column_that_no_file_has_is_no_column_known_at_the_creation(
    crm: Crm, files: TableFiles
) -> None:
    vouched = chosen_mapping(known_at_creation="city, town")
    with pytest.raises(InvalidInput, match="column 'town' was said to be known since the creation"):
        ingest(files, vouched, crm=crm, imported_at=NOW)
    assert crm.counts().contacts == 0


def test_an_import_says_what_the_data_says_against_a_column(crm: Crm, tmp_path: Path) -> None:
    """Sixty closed leads have a reason and thirty open ones have none."""
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(90)]
    people = "".join(f"c{i},{day:%Y-%m-%d}\n" for i, day in enumerate(days))
    rows = "".join(
        f"l{i},c{i},{day:%Y-%m-%d},"
        + (
            f"won,{day + timedelta(days=9):%Y-%m-%d},{('price', 'fit')[i % 2]}"
            if i < 60
            else "open,,"
        )
        + "\n"
        for i, day in enumerate(days)
    )
    contacts, leads = tmp_path / "c.csv", tmp_path / "l.csv"
    contacts.write_text(f"id,created_at\n{people}", encoding="utf-8")
    leads.write_text(
        f"lead_id,contact_id,created_at,status,closed_at,reason\n{rows}", encoding="utf-8"
    )
    report = ingest(
        TableFiles(contacts=contacts, leads=leads),
        chosen_mapping(known_at_creation="reason"),
        crm=crm,
        imported_at=NOW,
    )
    assert report.contradictions == (
        "The attribute lead.reason is filled on 100% of closed leads and on none of 30 open ones.",
    )
