from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chatlift.sources.mapping import parse_mapping
from chatlift.sources.mapping_files import Preset, load_preset
from chatlift.sources.previews import ColumnPreview, preview_table

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def test_a_preview_tells_what_each_column_stands_for_and_why(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(
        "Deal ID,contact,Create Date,Deal Stage,Size,Plan,junk\n"
        + "".join(f"d{n},a,2025-01-{n:02},demo,1,x,y\n" for n in range(1, 13))
        + "d13,a,soon,demo,1,x,y\n",
        encoding="utf-8",
    )
    mapping = parse_mapping(
        {"leads": {"outcome": "Deal Stage", "known": {"Plan": "creation"}, "ignore": ["junk"]}},
        preset=load_preset(Preset.HUBSPOT),
    )
    preview = preview_table("leads", path, mapping, imported_at=NOW)
    assert preview.columns == (
        ColumnPreview(column="Deal ID", field="external_id", because="preset"),
        ColumnPreview(column="contact", field="contact_external_id", because="guessed"),
        ColumnPreview(column="Create Date", field="created_at", because="preset"),
        ColumnPreview(column="Deal Stage", field="outcome", because="given"),
        ColumnPreview(column="Size", field="fact", because="unsaid", known="import"),
        ColumnPreview(column="Plan", field="fact", because="given", known="creation"),
        ColumnPreview(column="junk", field="", because="given"),
    )
    assert (preview.read_count, preview.usable_count, preview.rows.height) == (13, 12, 10)
    assert preview.rejected["line_number"].to_list() == [14]
    assert preview.rows["outcome"].unique().to_list() == ["open"]


def test_records_without_a_date_may_be_as_old_as_their_import(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("id,first_name,last_name\n1,Ana,Lopez\n", encoding="utf-8")
    preview = preview_table("contacts", path, load_preset(Preset.CHATWOOT), imported_at=NOW)
    assert preview.rows.select("name", "created_at").row(0) == ("Ana Lopez", NOW)
    assert preview.columns[-1].known == "import"
