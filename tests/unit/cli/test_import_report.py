"""What an import did, as a person reads it."""

from pathlib import Path
from typing import Any

from tests.unit.cli.samples import NOON

from chatlift.cli.import_report import import_lines, preview_lines
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.previews import preview_table
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
    assert "Known since the import: city, plan. No past example can use them." in text
    assert (
        "If you knew them when their lead was created, say: chatlift data known-since creation "
        "--subject lead --columns city,plan (or all)." in text
    )


def test_undated_outcomes_and_left_out_columns_are_told() -> None:
    text = told(undated_outcome_count=7, ignored_columns=("note",))
    assert "7 closed leads have no closing date: training leaves them out" in text
    assert '[leads] closed_at = "your column"' in text
    assert "Left out: note." in text


def test_what_was_observed_is_told() -> None:
    assert "Observed: 2026-03-01 12:00 to 2026-03-01 12:00 UTC" in told()


def test_what_could_not_be_decided_is_told() -> None:
    assert "Left as written, sum: comma or point." in told(doubts=("sum: comma or point",))


def test_a_preview_asks_the_one_question_that_matters(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(
        "id,contact_id,created_at,status,Lead Source,city\nl,c,2025-01-01,won,web,Rome\n",
        encoding="utf-8",
    )
    preview = preview_table("leads", path, parse_mapping({}), imported_at=NOON)
    lines = preview_lines(preview)
    assert "  city -> fact, known since the import: no past example can use it (unsaid)" in lines
    assert (
        "  If you knew them when their lead was created, say --known-at-creation "
        "'Lead Source,city' (or all)."
    ) in lines
    vouched = parse_mapping({"known_at_creation": "all"})
    told = "\n".join(preview_lines(preview_table("leads", path, vouched, imported_at=NOON)))
    assert "known since its record's creation (given)" in told
    assert "If you knew" not in told
