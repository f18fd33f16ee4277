"""What an import did, as a person reads it."""

from typing import Any

from tests.unit.cli.samples import NOON

from chatlift.cli.import_report import import_lines
from chatlift.store.outcomes import TableCounts
from chatlift.workflows.ingest import IngestReport, TableReport


def told(**changes: Any) -> str:
    values: dict[str, Any] = {
        "file_name": "leads.csv",
        "form": "CSV, utf-8, comma",
        "read_count": 1_005,
        "accepted_count": 1_000,
        "updated_count": 0,
        "duplicate_count": 3,
        "rejected_count": 2,
        "import_known_columns": (),
        "ignored_columns": (),
        "undated_outcome_count": 0,
    }
    report = IngestReport(
        batch_id=4,
        tables={"leads": TableReport(**(values | changes))},
        facts=TableCounts(),
        observed_from=NOON,
        observed_through=NOON,
    )
    return "\n".join(import_lines(report))


def test_every_row_is_accounted_for() -> None:
    assert "1,005 rows read = 1,000 accepted + 3 duplicate + 2 rejected" in told()


def test_only_an_import_that_brought_rows_leads_on_to_training() -> None:
    assert "Go on with: chatlift train" in told()
    none = told(read_count=0, accepted_count=0, duplicate_count=0, rejected_count=0)
    assert none.endswith("see whether the export was a full one.")
    refused = told(read_count=2, accepted_count=0, duplicate_count=0)
    assert refused.endswith("Nothing of it can be used.")


def test_a_column_that_training_cannot_use_says_how_to_vouch_for_it() -> None:
    text = told(import_known_columns=("city", "plan"))
    assert "Known only from this import on: city, plan." in text
    assert '[leads.known] city = "creation"' in text


def test_undated_outcomes_and_left_out_columns_are_told() -> None:
    text = told(undated_outcome_count=7, ignored_columns=("note",))
    assert "7 closed leads have no closing date: training leaves them out" in text
    assert '[leads] closed_at = "your column"' in text
    assert "Left out: note." in text


def test_what_was_observed_is_told() -> None:
    assert "Observed: 2026-03-01 12:00 to 2026-03-01 12:00 UTC" in told()


def test_what_could_not_be_decided_is_told() -> None:
    assert "Left as written, sum: comma or point." in told(doubts=("sum: comma or point",))
