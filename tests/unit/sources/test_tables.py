from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.sources.mapping import SourceMapping, parse_mapping
from chatlift.sources.plans import make_plan
from chatlift.sources.tables import ParsedTable, parse_table

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def parsed(
    folder: Path, table: str, content: str | bytes, mapping: SourceMapping | None = None
) -> ParsedTable:
    """Return what a file of one piece says."""
    path = folder / f"{table}.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (piece,) = parse_table(table, path, mapping or SourceMapping(), imported_at=NOW)
    return piece


def test_a_bom_line_ends_of_windows_and_quoted_newlines_are_read(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfid,name,created_at\r\na,"An\r\nna",2025-01-01\r\n\r\nb,Ben,bad\r\n'
    table = parsed(tmp_path, "contacts", content)
    assert table.rows["external_id"].to_list() == ["a"]
    assert table.rows["name"].to_list() == ["An\r\nna"]
    # Line 1 header, 2-3 Anna, 4 blank, 5 Ben.
    assert table.rejected.select("line_number", "column", "value").rows() == [
        (5, "created_at", "bad")
    ]


def test_a_row_with_too_many_cells_is_rejected_alone(tmp_path: Path) -> None:
    table = parsed(
        tmp_path, "contacts", "id,created_at\na,2025-01-01\nb,2025-01-01,x\nc,2025-13-01\n"
    )
    assert table.rows["external_id"].to_list() == ["a"]
    assert table.rejected["line_number"].to_list() == [3, 4]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ""]),
            st.sampled_from(["in", "OUT", "sideways", ""]),
            st.sampled_from(["2025-01-01 10:00", "never", ""]),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=5),
        ),
        max_size=8,
    )
)
def test_every_row_is_kept_or_rejected(tmp_path: Path, cells: list[tuple[str, ...]]) -> None:
    frame = pl.DataFrame(
        cells, schema=["contact_id", "direction", "sent_at", "text"], orient="row"
    ).cast(pl.String)
    path = tmp_path / "messages.csv"
    path.write_text(frame.write_csv(quote_style="always"), encoding="utf-8", newline="")
    pieces = [*parse_table("messages", path, SourceMapping(), imported_at=NOW)]
    is_blank = [not any(cell.strip() for cell in row) for row in cells]
    good = [
        row
        for row in cells
        if row[0] and row[1].lower() in {"in", "out"} and row[2].startswith("2025")
    ]
    assert sum(piece.rows.height for piece in pieces) == len(good)
    assert sum(piece.read_count for piece in pieces) == len(cells) - sum(is_blank)
    assert all(p.rows.height + p.rejected.height == p.read_count for p in pieces)


def test_columns_become_facts_known_since_when_the_mapping_says(tmp_path: Path) -> None:
    content = (
        "id,created_at,city,plan,plan_since,note,junk\n"
        "a,2025-01-01,Rome,gold,2025-02-01,hello,x\n"
        "b,2025-01-02,,free,,,x\n"
    )
    mapping = parse_mapping(
        {"contacts": {"known": {"city": "creation", "plan": "plan_since"}, "ignore": ["junk"]}}
    )
    table = parsed(tmp_path, "contacts", content, mapping)
    facts = table.facts.sort("name", "subject_external_id")
    assert facts.select("subject_external_id", "name", "value", "known_at").rows() == [
        ("a", "city", "Rome", datetime(2025, 1, 1, tzinfo=UTC)),
        ("a", "note", "hello", NOW),
        ("a", "plan", "gold", datetime(2025, 2, 1, tzinfo=UTC)),
        ("b", "plan", "free", NOW),
    ]
    plan = make_plan("contacts", tmp_path / "contacts.csv", mapping)
    assert plan.import_known == ("note",)
    assert plan.ignored == ("junk",)


def test_outcomes_are_known_from_their_closing_or_else_from_the_import(tmp_path: Path) -> None:
    content = (
        "lead_id,contact_id,created_at,result,closed_at\n"
        "1,a,2025-01-01,Sold,2025-01-09\n2,a,2025-01-01,gone,\n3,a,2025-01-01,open,2026-01-01\n"
    )
    mapping = parse_mapping({"leads": {"won_values": ["sold"], "lost_values": ["Gone"]}})
    table = parsed(tmp_path, "leads", content, mapping)
    assert table.rows.select("outcome", "closed_at", "outcome_known_at").rows() == [
        ("won", datetime(2025, 1, 9, tzinfo=UTC), datetime(2025, 1, 9, tzinfo=UTC)),
        ("lost", None, NOW),
        ("open", None, None),
    ]
    assert table.undated_outcome_count == 1


def test_a_churn_flag_without_a_date_holds_from_the_export_on(tmp_path: Path) -> None:
    mapping = parse_mapping(
        {"exported_at": "2025-05-01T00:00:00Z", "contacts": {"churned": "Left?"}}
    )
    content = "id,created_at,Left?\na,2025-01-01,Yes\nb,2025-01-01,No\n"
    table = parsed(tmp_path, "contacts", content, mapping)
    assert table.rows["churned_at"].to_list() == [datetime(2025, 5, 1, tzinfo=UTC), None]


def test_instants_without_a_zone_are_read_in_the_stated_one(tmp_path: Path) -> None:
    mapping = parse_mapping(
        {"time_zone": "Europe/Madrid", "contacts": {"date_format": "%d/%m/%Y %H:%M"}}
    )
    table = parsed(tmp_path, "contacts", "id,created_at\na,01/07/2025 12:00\n", mapping)
    # Madrid is two hours ahead of UTC in July.
    assert table.rows["created_at"].to_list() == [datetime(2025, 7, 1, 10, tzinfo=UTC)]


def test_messages_without_ids_get_the_same_ones_each_time(tmp_path: Path) -> None:
    content = (
        "contact_id,direction,text,sent_at\n"
        "a,in,hi,2025-01-01\na,in,hi,2025-01-01\na,out,hi,2025-01-01\n"
    )
    first = parsed(tmp_path, "messages", content).rows["external_id"]
    longer = parsed(tmp_path, "messages", content + "a,in,new,2025-01-02\n").rows["external_id"]
    assert first.n_unique() == 3
    assert longer[:3].to_list() == first.to_list()


def test_parquet_with_typed_columns_reads_as_csv_does(tmp_path: Path) -> None:
    at = datetime(2025, 1, 1, 10, 30, 0, 5, tzinfo=UTC)
    path = tmp_path / "contacts.parquet"
    pl.DataFrame({"id": [7], "created_at": [at], "vip": [True]}).write_parquet(path)
    (table,) = parse_table("contacts", path, SourceMapping(), imported_at=NOW)
    assert table.rows.select("external_id", "created_at").rows() == [("7", at)]
    assert table.facts["value"].to_list() == ["true"]
    assert table.line_numbers.to_list() == [None]


def test_files_that_cannot_be_understood_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="created_at of contacts"):
        parsed(tmp_path, "contacts", "id,name\na,Anna\n")
    with pytest.raises(InvalidInput, match="'nr'"):
        parsed(tmp_path, "contacts", "id,created_at\n", parse_mapping({"contacts": {"name": "nr"}}))
    with pytest.raises(InvalidInput, match="no header"):
        parsed(tmp_path, "contacts", "")
