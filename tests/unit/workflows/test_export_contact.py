import polars as pl
import pytest
from tests.businesses import clock_at, nothing_waits

from chatlift.errors import Conflict, NotFound
from chatlift.records import CONTACTS, Records
from chatlift.registry.workspace import Workspace
from chatlift.store.imports import REJECTED, record_batch
from chatlift.vocabulary import ModelName
from chatlift.workflows.export_contact import export_contact
from chatlift.workflows.forget import contacts_to_forget, forget

NOW = clock_at(120)()


def refuse(workspace: Workspace, *values: str) -> None:
    rows = [dict.fromkeys(REJECTED) | {"value": value} for value in values]
    told = {"table_name": "leads", "file_name": "f", "row_number": 0, "column_name": "c"}
    record_batch(
        workspace.database,
        workspace.account.account_id,
        source="story",
        imported_at=NOW,
        summary={},
        rejected=pl.DataFrame([row | told | {"reason": "no"} for row in rows], schema=REJECTED),
    )


def serve(workspace: Workspace, *contact_ids: int) -> None:
    served = pl.DataFrame({"contact_id": contact_ids}).with_columns(
        entity_id="contact_id",
        version_number=1,
        features_fingerprint=pl.lit("f"),
        probability=0.5,
        as_of=pl.lit(NOW),
    )
    workspace.predictions.log(ModelName.CHURN, served, now=NOW)


def test_all_that_is_held_of_a_contact_is_told_and_nothing_of_others(trained: Workspace) -> None:
    serve(trained, 7, 8)
    refuse(trained, "c7", "c8")
    data = export_contact(trained, "c7", now=NOW).data
    history = trained.crm.read_history(contact_ids=[7])
    assert [row["external_id"] for row in data["contacts"]] == ["c7"]
    assert {row["contact_id"] for row in data["messages"]} == {7}
    assert [row["text"] for row in data["messages"]] == sorted_by_id(history.messages)
    assert len(data["leads"]) == history.leads.height
    assert len(data["facts"]) == history.facts.height > 0
    assert [row["entity_id"] for row in data["predictions"]] == [7]
    assert [row["value"] for row in data["rejected_rows"]] == ["c7"]
    assert [(row["model"], row["number"]) for row in data["trained_versions"]] == [
        ("engagement", 1),
        ("engagement", 2),
        ("lead_scoring", 1),
        ("lead_scoring", 2),
    ]


def sorted_by_id(messages: pl.DataFrame) -> list[str]:
    return messages.sort("message_id").get_column("text").to_list()


def test_a_forgotten_contact_has_no_data(trained: Workspace) -> None:
    forget(
        trained,
        contacts_to_forget(trained.crm, "c7"),
        clock=clock_at(120),
        read_deliveries=nothing_waits,
    )
    with pytest.raises(NotFound, match="No contact has this id"):
        export_contact(trained, "c7", now=NOW)


def bring(workspace: Workspace, source: str, **phones: str) -> None:
    told = [dict.fromkeys(CONTACTS) | {"external_id": i, "phone": p} for i, p in phones.items()]
    contacts = pl.DataFrame(told, schema=CONTACTS).with_columns(created_at=pl.lit(NOW))
    workspace.crm.write(Records(contacts=contacts), source=source)


def test_nobody_is_handed_the_data_of_another_with_the_same_id(trained: Workspace) -> None:
    bring(trained, "shop", c7="+15550100007")
    with pytest.raises(Conflict, match="--source"):
        export_contact(trained, "c7", now=NOW)
    told = export_contact(trained, "c7", source="shop", now=NOW).data["contacts"]
    assert [row["source"] for row in told] == ["shop"]


def test_nobody_is_handed_the_data_of_another_with_the_same_phone(trained: Workspace) -> None:
    bring(trained, "shop", s1="+15550100007", s2="+15550100007")
    with pytest.raises(Conflict, match="2 contacts of shop"):
        export_contact(trained, "+15550100007", now=NOW)
    told = export_contact(trained, "s1", now=NOW).data["contacts"]
    assert [row["external_id"] for row in told] == ["s1"]


def test_one_person_in_two_sources_is_told_as_one(trained: Workspace) -> None:
    bring(trained, "shop", s1="+15550100007")
    bring(trained, "chats", w1="+15550100007")
    told = export_contact(trained, "+15550100007", now=NOW).data["contacts"]
    assert [row["external_id"] for row in told] == ["s1", "w1"]
