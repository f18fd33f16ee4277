from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.sources.mapping import SourceMapping, parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.store.crm import Crm
from chatlift.store.imports import REJECTED, Batch, record_batch
from chatlift.store.past_imports import batches, rejected_rows
from chatlift.workflows.ingest import ingest
from chatlift.workflows.rejected import PLACE, export_rejected, mended_files

NOW = datetime(2025, 6, 1, tzinfo=UTC)
CONTACTS = 'nr;since;note\na;13/02/2025;fine\nb;soon;"=1+1\nsecond line"\nc;03/04/2025;x;too;many\n'
MAPPING = parse_mapping({"contacts": {"external_id": "nr", "created_at": "since"}})


def imported(crm: Crm, folder: Path, content: str = CONTACTS) -> int:
    path = folder / "contacts.csv"
    path.write_text(content, encoding="utf-8")
    return ingest(TableFiles(contacts=path), MAPPING, crm=crm, imported_at=NOW).batch_id


def edited(path: Path, old: str, new: str) -> None:
    path.write_text(
        path.read_text(encoding="utf-8-sig").replace(old, new), encoding="utf-8-sig", newline=""
    )


def mended(
    crm: Crm, batch_id: int, folder: Path, tmp_path: Path
) -> tuple[Batch, TableFiles, SourceMapping]:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return mended_files(crm.database, crm.account_id, batch_id, folder, scratch=scratch)


def test_refused_rows_are_exported_with_their_place_and_all_their_cells(
    crm: Crm, tmp_path: Path
) -> None:
    batch_id = imported(crm, tmp_path)
    (told,) = export_rejected(crm.database, crm.account_id, batch_id, tmp_path / "rejected")
    assert (told.table, told.row_count, told.withheld_count) == ("contacts", 2, 0)
    with told.path.open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.reader(file)]
    assert rows[0] == [*PLACE, "nr", "since", "note", "beyond the header 1", "beyond the header 2"]
    assert rows[1][1:4] == ["3", "since", "soon"]
    assert rows[1][5:] == ["b", "soon", "'=1+1\nsecond line"]
    # The row before spans lines 3 and 4.
    assert rows[2][1] == "5"
    assert rows[2][5:] == ["c", "03/04/2025", "x", "too", "many"]


def test_what_a_webhook_brought_is_exported_with_its_body(crm: Crm, tmp_path: Path) -> None:
    rows = [{"cells": '[{"entry": "é"}]'}, {"cells": '["=no JSON"]'}, {"cells": None}]
    place = {"table_name": "entries", "file_name": "delivery 1", "row_number": 0, "reason": "no"}
    told = pl.DataFrame([place | {"column_name": ""} | row for row in rows], REJECTED)
    batch_id = record_batch(
        crm.database, crm.account_id, source="s", imported_at=NOW, summary={}, rejected=told
    )
    (written,) = export_rejected(crm.database, crm.account_id, batch_id, tmp_path)
    with written.path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == [*PLACE, "body"]
    assert [line[5:] for line in lines] == [['{"entry": "é"}'], ["'=no JSON"], []]


def test_mended_rows_are_read_as_the_files_were_that_they_came_from(
    crm: Crm, tmp_path: Path
) -> None:
    batch_id = imported(crm, tmp_path)
    folder = tmp_path / "rejected"
    export_rejected(crm.database, crm.account_id, batch_id, folder)
    edited(folder / "contacts.csv", '"b","soon"', '"b","05/04/2025"')
    edited(folder / "contacts.csv", '"x","too","many"', '"x","",""')
    batch, files, mapping = mended(crm, batch_id, folder, tmp_path)
    report = ingest(files, mapping, crm=crm, imported_at=NOW, source=batch.source)
    assert report.tables["contacts"].accepted_count == 2
    history = crm.read_history()
    # The whole file told that the day comes first; these rows alone would not.
    assert history.contacts["created_at"].to_list() == [
        datetime(2025, 2, 13, tzinfo=UTC),
        datetime(2025, 4, 5, tzinfo=UTC),
        datetime(2025, 4, 3, tzinfo=UTC),
    ]
    assert "=1+1\nsecond line" in history.facts["value"].to_list()


def test_rows_that_are_still_bad_are_told_by_their_line_in_the_mended_file(
    crm: Crm, tmp_path: Path
) -> None:
    batch_id = imported(crm, tmp_path)
    folder = tmp_path / "rejected"
    export_rejected(crm.database, crm.account_id, batch_id, folder)
    batch, files, mapping = mended(crm, batch_id, folder, tmp_path)
    report = ingest(files, mapping, crm=crm, imported_at=NOW, source=batch.source)
    assert report.is_all_rejected
    again = rejected_rows(crm.database, crm.account_id, report.batch_id)
    # The header is line 1, the row of two lines begins on 2, the other on 4.
    assert again["line_number"].to_list() == [2, 4]
    assert again["cells"].to_list() == [
        '["b", "soon", "=1+1\\nsecond line"]',
        '["c", "03/04/2025", "x", "too", "many"]',
    ]


def test_no_file_is_written_over_by_an_export(crm: Crm, tmp_path: Path) -> None:
    batch_id = imported(crm, tmp_path)
    # The folder of the import itself holds what the rows came from.
    with pytest.raises(Conflict, match=r"already holds contacts\.csv"):
        export_rejected(crm.database, crm.account_id, batch_id, tmp_path)
    assert (tmp_path / "contacts.csv").read_text(encoding="utf-8") == CONTACTS
    (tmp_path / "mended").mkdir()
    (tmp_path / "mended" / "leads.csv").touch()
    with pytest.raises(Conflict, match=r"already holds leads\.csv"):
        export_rejected(crm.database, crm.account_id, batch_id, tmp_path / "mended")


def test_what_cannot_be_exported_is_told(crm: Crm, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="batch 7"):
        export_rejected(crm.database, crm.account_id, 7, tmp_path)
    batch_id = imported(crm, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidInput, match="rejected export"):
        mended(crm, batch_id, empty, tmp_path)
    feeds = feed_batch(crm, reason="no date")
    with pytest.raises(InvalidInput, match="conversations"):
        mended(crm, feeds, empty, tmp_path)


def feed_batch(crm: Crm, *, reason: str) -> int:
    """An import of conversations with one refused entry, of which no cells are kept."""
    row = {"table_name": "entries", "file_name": "chat.txt", "row_number": 4, "line_number": 7}
    told = row | {"column_name": "", "value": "=1+1", "reason": reason}
    return record_batch(
        crm.database,
        crm.account_id,
        source="chat",
        imported_at=NOW,
        summary={},
        rejected=pl.DataFrame([told], REJECTED),
    )


def test_refused_entries_of_conversations_are_exported_with_their_place(
    crm: Crm, tmp_path: Path
) -> None:
    batch_id = feed_batch(crm, reason="no date")
    (told,) = export_rejected(crm.database, crm.account_id, batch_id, tmp_path)
    assert (told.path.name, told.row_count, told.withheld_count) == ("entries.csv", 1, 0)
    assert not told.is_mendable
    with told.path.open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.reader(file)]
    assert rows == [[*PLACE], ["chat.txt", "7", "", "'=1+1", "no date"]]


def test_imports_are_listed_with_the_newest_first(crm: Crm, tmp_path: Path) -> None:
    first = imported(crm, tmp_path)
    second = imported(crm, tmp_path)
    assert [b.batch_id for b in batches(crm.database, crm.account_id)] == [second, first]
