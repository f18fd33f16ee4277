"""Exports of real systems, file by file: every row is read, taken, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from benchmarks.real_data import folder

from chatlift.errors import InvalidInput
from chatlift.sources.files import open_table
from chatlift.sources.mapping_files import Preset, load_preset
from chatlift.sources.plans import make_plan
from chatlift.sources.tables import TableFiles
from chatlift.store.crm import Crm
from chatlift.workflows.ingest import ingest

FOLDER = folder()
HUBSPOT, CHATWOOT = FOLDER / "hubspot_seeds", FOLDER / "chatwoot_import"
NOW = datetime(2026, 1, 5, tzinfo=UTC)
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not HUBSPOT.exists() or not CHATWOOT.exists(),
        reason="the folder of table exports is missing; CHATLIFT_REAL_DATA names it",
    ),
]

ROWS = {
    "contact_data": 22,
    "contact_form_submission_data": 5,
    "contact_list_data": 60,
    "contact_list_member_data": 100,
    "contact_merge_audit_data": 4,
    "contact_property_history_data": 100,
    "deal_company_data": 2,
    "deal_contact_data": 11,
    "deal_data": 44,
    "deal_pipeline_data": 6,
    "deal_pipeline_stage_data": 71,
    "deal_property_history_data": 100,
    "deal_stage_data": 14,
    "email_event_bounce_data": 100,
    "email_event_click_data": 100,
    "email_event_data": 100,
    "email_event_deferred_data": 100,
    "email_event_delivered_data": 100,
    "email_event_dropped_data": 100,
    "email_event_forward_data": 100,
    "email_event_open_data": 100,
    "email_event_print_data": 5,
    "email_event_sent_data": 100,
    "email_event_spam_report_data": 32,
    "email_event_status_change_data": 100,
    "engagement_call_data": 1,
    "engagement_communication_data": 1,
    "engagement_company_data": 1,
    "engagement_contact_data": 1,
    "engagement_data": 1,
    "engagement_deal_data": 1,
    "engagement_email_data": 1,
    "engagement_meeting_data": 100,
    "engagement_note_data": 1,
    "engagement_task_data": 2,
    "merged_deal_data": 14,
    "owner_data": 100,
    "owner_team_data": 3,
    "ticket_company_data": 9,
    "ticket_contact_data": 9,
    "ticket_data": 25,
    "ticket_deal_data": 9,
    "ticket_engagement_data": 9,
    "ticket_pipeline_data": 9,
    "ticket_pipeline_stage_data": 15,
    "ticket_property_history_data": 15,
}
"""File to its rows of data: 46 files."""
REFUSED = {
    ("deal_data", "leads"): "contact_external_id of leads",
    ("deal_contact_data", "leads"): "created_at of leads",
    ("deal_stage_data", "leads"): "external_id of leads|contact_external_id of leads",
    ("ticket_data", "conversations"): "contact_external_id of conversations",
    ("engagement_email_data", "messages"): "contact_external_id of messages",
    ("contact_merge_audit_data", "contacts"): "created_at of contacts",
}
"""File and table to the column without which none of its rows means anything: HubSpot keeps
which contact a deal or mail belongs to in files of their own."""


def hubspot(name: str) -> Path:
    return HUBSPOT / f"{name}.csv"


def test_every_row_of_every_file_is_read() -> None:
    files = {path.stem: open_table(path) for path in HUBSPOT.glob("*.csv")}
    counts = {name: sum(p.height for p in file.pieces()) for name, file in files.items()}
    assert counts == ROWS
    # Each file is a header and one line per row; no row was left over or put together.
    for name, file in files.items():
        lines = [line for piece in file.pieces() for line in piece.lines]
        assert lines == [*range(2, ROWS[name] + 2)]
        assert all(piece.complaints.null_count() == piece.height for piece in file.pieces())


@pytest.mark.parametrize(("name", "table"), REFUSED)
def test_files_that_lack_what_a_record_needs_are_refused_with_that(name: str, table: str) -> None:
    with pytest.raises(InvalidInput, match=REFUSED[name, table]):
        make_plan(table, hubspot(name), load_preset(Preset.HUBSPOT))


def test_contacts_and_the_history_of_their_properties_become_records(crm: Crm) -> None:
    files = TableFiles(
        contacts=hubspot("contact_data"), facts=hubspot("contact_property_history_data")
    )
    report = ingest(files, load_preset(Preset.HUBSPOT), crm=crm, imported_at=NOW, source="hubspot")
    contacts, facts = report.tables["contacts"], report.tables["facts"]
    assert (contacts.read_count, contacts.rejected_count) == (22, 0)
    assert contacts.accepted_count + contacts.duplicate_count == 22
    # The two files of this sample tell of different contacts, so nothing hangs together.
    assert (facts.read_count, facts.rejected_count) == (100, 100)
    assert crm.counts().contacts == contacts.accepted_count
    again = ingest(files, load_preset(Preset.HUBSPOT), crm=crm, imported_at=NOW, source="hubspot")
    assert again.tables["contacts"].accepted_count == 0


def test_a_contact_list_of_chatwoot_is_known_from_its_import_on(crm: Crm) -> None:
    files = TableFiles(contacts=CHATWOOT / "contacts.csv")
    report = ingest(files, load_preset(Preset.CHATWOOT), crm=crm, imported_at=NOW)
    contacts = report.tables["contacts"]
    assert (contacts.read_count, contacts.accepted_count) == (25, 25)
    assert contacts.ignored_columns == ("email", "ip_address", "identifier")
    history = crm.read_history()
    assert history.contacts["created_at"].unique().to_list() == [NOW]
    assert history.facts["name"].unique().to_list() == ["gender"]
