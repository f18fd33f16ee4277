"""Whatever a file of a table holds: every row is told of, and telling it again changes nothing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chatlift.errors import InvalidInput
from chatlift.sources.mapping import SourceMapping, parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.store.accounts import ensure_account
from chatlift.store.bulk import table_of
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.past_imports import rejected_rows
from chatlift.store.tables import ContactRow, LeadRow
from chatlift.workflows.ingest import IngestReport, ingest
from chatlift.workflows.rejected import export_rejected, mended_files

NOW = datetime(2025, 6, 1, tzinfo=UTC)
FEW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    # Each example imports files; making a failing one smaller would take many minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
NUMBERS = itertools.count()


@pytest.fixture
def crm(sqlite_template: Path, tmp_path: Path) -> Iterator[Crm]:
    """A CRM on SQLite with the contacts a and b of every source that `fresh_source` names."""
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    database = Database.open(f"sqlite:///{(tmp_path / 'chatlift.db').as_posix()}")
    yield Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)
    database.close()


def fresh_source(crm: Crm, folder: Path) -> str:
    """Return a source that nobody used, with two contacts, so that examples do not meet."""
    source = f"example {next(NUMBERS)}"
    path = folder / "two.csv"
    path.write_text("id,created_at\na,2025-01-01\nb,2025-01-01\n", encoding="utf-8")
    ingest(TableFiles(contacts=path), SourceMapping(), crm=crm, imported_at=NOW, source=source)
    return source


def equation(report: IngestReport) -> None:
    for table in report.tables.values():
        told = table.accepted_count + table.duplicate_count + table.rejected_count
        assert told == table.read_count


CELLS = st.one_of(
    st.sampled_from(["a", "b", "z", "in", "out", "2025-02-01 10:00", "N/A", "", " ", "=1+1"]),
    st.text(st.sampled_from('x",;\n\r\t\0\u00e9\u00df '), max_size=5),
)
ROWS = st.lists(st.lists(CELLS, max_size=7), max_size=8)
HEADER = ["id", "contact_id", "direction", "sent_at", "text", "text"]


def as_csv(rows: list[list[str]], ends: list[str]) -> str:
    """Return rows as CSV, each cell in quotation marks, each line with an end of its own."""
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "".join(row + end for row, end in zip(quoted, itertools.cycle(ends), strict=False))


@FEW
@given(
    rows=ROWS,
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)
def test_every_row_of_a_wild_file_is_told_of(
    crm: Crm, tmp_path: Path, rows: list[list[str]], ends: list[str], encoding: str
) -> None:
    source = fresh_source(crm, tmp_path)
    path = tmp_path / "messages.csv"
    path.write_bytes(as_csv([HEADER, *rows], ends).encode(encoding))
    report = ingest(
        TableFiles(messages=path), SourceMapping(), crm=crm, imported_at=NOW, source=source
    )
    equation(report)
    filled = [row for row in rows if any(cell.strip("\0 \t\r\n") for cell in row)]
    table = report.tables["messages"]
    assert table.read_count == len(filled)
    rejected = rejected_rows(crm.database, crm.account_id, report.batch_id)
    assert rejected.height == table.rejected_count
    # The line on which each refused row begins: the header's, then those of the rows before.
    begins, line = {}, 2
    for row in rows:
        if row in filled:
            begins[len(begins)] = line
        line += 1 + sum(c.count("\n") + c.count("\r") - c.count("\r\n") for c in row)
    assert rejected["line_number"].to_list() == [begins[n] for n in rejected["row_number"]]


@FEW
@given(content=st.binary(max_size=300))
def test_any_bytes_end_in_a_sentence_or_in_rows(crm: Crm, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "messages.csv"
    path.write_bytes(b"contact_id,direction,sent_at\n" + content)
    source = fresh_source(crm, tmp_path)
    with suppress(InvalidInput):
        files = TableFiles(messages=path)
        equation(ingest(files, SourceMapping(), crm=crm, imported_at=NOW, source=source))


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["in", "out"]),
        st.sampled_from(["ok", "yes", ""]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=10,
)


@FEW
@given(told=MESSAGES, data=st.data())
def test_messages_and_dated_facts_are_the_same_in_any_order_and_however_often(
    crm: Crm, tmp_path: Path, told: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    start = datetime(2025, 2, 1, tzinfo=UTC)
    rows = [
        {"id": f"m{n}", "contact_id": c, "direction": d, "text": t, "sent_at": start + timedelta(m)}
        for n, (c, d, t, m) in enumerate(told)
    ]
    facts = [
        {
            "contact_id": r["contact_id"],
            "name": "plan",
            "value": r["text"],
            "known_at": r["sent_at"],
        }
        for r in rows
    ]
    order = data.draw(st.permutations(range(len(rows))))
    repeats = data.draw(st.lists(st.sampled_from(order), max_size=4))
    cut = data.draw(st.integers(0, len(rows)))
    pieces = [[*order[:cut], *repeats], [*order[cut:], *repeats]]
    once = _state(crm, tmp_path, rows, facts, [[*range(len(rows))]])
    assert _state(crm, tmp_path, rows, facts, pieces) == once


def _state(
    crm: Crm,
    folder: Path,
    rows: list[dict[str, object]],
    facts: list[dict[str, object]],
    imports: list[list[int]],
) -> list[list[tuple[object, ...]]]:
    """Import the picked rows, one import after the other; return what then stands there."""
    source = fresh_source(crm, folder)
    mapping = parse_mapping({"facts": {"subject_external_id": "contact_id"}})
    for picked in imports:
        if not picked:
            continue
        files = TableFiles(messages=folder / "messages.csv", facts=folder / "facts.csv")
        pl.DataFrame([rows[n] for n in picked]).write_csv(folder / "messages.csv")
        pl.DataFrame([facts[n] for n in picked]).write_csv(folder / "facts.csv")
        equation(ingest(files, mapping, crm=crm, imported_at=NOW, source=source))
    history = crm.read_history()
    mine = history.contacts.filter(source=source)
    names = dict(mine.select("contact_id", "external_id").rows())
    kept = [
        history.messages.filter(pl.col("contact_id").is_in([*names])).select(
            pl.col("contact_id").replace_strict(names), "direction", "text", "sent_at"
        ),
        history.facts.filter(
            pl.col("subject_id").is_in([*names]), pl.col("subject") == "contact"
        ).select(pl.col("subject_id").replace_strict(names), "name", "value", "known_at"),
    ]
    return [sorted(frame.rows(), key=repr) for frame in kept]


FILES = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(1, 3),
            "name": st.sampled_from(["Ana", "Bea", ""]),
            "phone": st.sampled_from(["+34600", "+34700", ""]),
            "created_at": st.sampled_from(["2025-01-01", "2025-01-02"]),
            "churned_at": st.sampled_from(["2025-02-01", "2025-02-02", ""]),
            "outcome": st.sampled_from(["won", "lost", "open"]),
            "closed_at": st.sampled_from(["2025-01-05", "2025-03-02", ""]),
        }
    ),
    min_size=2,
    max_size=4,
)


@FEW
@given(files=FILES, data=st.data())
def test_where_files_disagree_their_dates_and_content_decide_and_not_their_order(
    crm: Crm, tmp_path: Path, files: list[dict[str, str]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(files))
    assert _after(crm, tmp_path, order) == _after(crm, tmp_path, files)


def _after(crm: Crm, folder: Path, told: list[dict[str, str]]) -> list[tuple[object, ...]]:
    """Import files of one contact and lead each; return what the last of them left."""
    source = f"example {next(NUMBERS)}"
    files = TableFiles(contacts=folder / "contacts.csv", leads=folder / "leads.csv")
    for hour, row in enumerate(told):
        contact = {name: row[name] for name in ("name", "phone", "created_at", "churned_at")}
        lead = {name: row[name] for name in ("outcome", "closed_at")} | {"created_at": "2025-01-01"}
        pl.DataFrame([{"id": "a"} | contact]).write_csv(folder / "contacts.csv")
        pl.DataFrame([{"id": "l", "contact_id": "a"} | lead]).write_csv(folder / "leads.csv")
        mapping = parse_mapping({"exported_at": f"2025-03-0{row['day']}"})
        at = NOW + timedelta(hours=hour)
        ingest(files, mapping, crm=crm, imported_at=at, source=source)
    contacts, leads = table_of(ContactRow), table_of(LeadRow)
    kept = (
        select(*(contacts.c[n] for n in ("name", "phone", "created_at", "churned_at"))).where(
            contacts.c.source == source
        ),
        select(*(leads.c[n] for n in ("outcome", "closed_at"))).where(leads.c.source == source),
    )
    with crm.database.across_accounts().read() as connection:
        return [tuple(row) for statement in kept for row in connection.execute(statement)]


@FEW
@given(cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_refused_rows_read_back_from_their_export_as_they_were(
    crm: Crm, tmp_path: Path, cells: list[tuple[str, str]]
) -> None:
    source = fresh_source(crm, tmp_path)
    path = tmp_path / "messages.csv"
    rows = [["a", "sideways", "2025-01-01", *pair] for pair in cells]
    path.write_bytes(
        as_csv([["contact_id", "direction", "sent_at", "text", "note"], *rows], ["\n"]).encode()
    )
    files = TableFiles(messages=path)
    first = ingest(files, SourceMapping(), crm=crm, imported_at=NOW, source=source)
    folder, scratch = tmp_path / f"rejected of {source}", tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    export_rejected(crm.database, crm.account_id, first.batch_id, folder)
    _, again, mapping = mended_files(
        crm.database, crm.account_id, first.batch_id, folder, scratch=scratch
    )
    second = ingest(again, mapping, crm=crm, imported_at=NOW, source=source)
    kept = [
        rejected_rows(crm.database, crm.account_id, report.batch_id)["cells"].to_list()
        for report in (first, second)
    ]
    assert kept[0] == kept[1]
