import polars as pl
import pytest
from tests.businesses import clock_at

from chatlift.errors import NotFound
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
    forget(trained, contacts_to_forget(trained.crm, "c7"), clock=clock_at(120))
    with pytest.raises(NotFound, match="No contact has this id"):
        export_contact(trained, "c7", now=NOW)
