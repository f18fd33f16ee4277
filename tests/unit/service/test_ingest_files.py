"""Files over HTTP: streamed to the disk, accounted for row by row, gone afterwards."""

from __future__ import annotations

import csv
import io
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.services import Served, served

from chatlift.errors import Cancelled
from chatlift.registry.upload_folders import uploads_of
from chatlift.service import ingest_files
from chatlift.service.limits import (
    IMPORTS_AT_ONCE,
    IMPORTS_OF_ACCOUNT,
    UPLOADS_OF_ACCOUNT,
    TooManyRequests,
)
from chatlift.vocabulary import Progress, Role

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "docs" / "examples"
PREFIX = "/api/v1/ingest"
CONTACTS = b"id,created_at,note\na,2025-02-13,fine\nb,soon,=1+1\n"
LIMIT = {"CHATLIFT_UPLOAD_BYTES": "100000"}


@pytest.fixture
def at(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    with served(tmp_path, environ=LIMIT) as opened:
        opened.client.headers.update(opened.headers(Role.OPERATOR))
        yield opened
        assert left_of(opened) == []


def left_of(at: Served) -> list[Path]:
    return sorted(uploads_of(at.service.settings.home).rglob("*"))


def send(at: Served, *, path: str = "files", dry_run: bool = False, **parts: Any) -> httpx.Response:
    """Send parts: bytes and (name, bytes) as files, texts as fields."""
    files = {
        n: p if isinstance(p, tuple) else (f"{n}.csv", p)
        for n, p in parts.items()
        if not isinstance(p, str)
    }
    fields = {n: p for n, p in parts.items() if isinstance(p, str)}
    query = {"dry_run": "true"} if dry_run else {}
    return at.client.post(f"{PREFIX}/{path}", files=files, data=fields, params=query)


def test_every_row_is_accounted_for(at: Served) -> None:
    told = send(at, contacts=CONTACTS)
    assert told.status_code == 200, told.text
    report = told.json()
    table = report["tables"]["contacts"]
    assert (table["read"], table["accepted"], table["duplicate"], table["rejected"]) == (2, 1, 0, 1)
    assert (table["file_name"], table["form"]) == ("contacts.csv", "CSV, utf-8, comma")
    assert table["import_known_columns"] == ["note"]
    assert report["facts"]["accepted"] == 1
    assert not report["is_all_rejected"]
    again = send(at, contacts=CONTACTS).json()["tables"]["contacts"]
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 1, 1)


def test_the_examples_of_the_documentation_are_read(at: Served) -> None:
    parts = {"contacts": "shop-contacts.csv", "leads": "shop-leads.jsonl"}
    parts |= {"messages": "shop-messages.csv", "mapping": "shop.yaml"}
    told = send(at, **{n: (name, (EXAMPLES / name).read_bytes()) for n, name in parts.items()})
    assert told.status_code == 200, told.text
    counts = at.workspace.crm.counts()
    assert (counts.contacts, counts.leads, counts.messages) == (2, 2, 4)
    told = send(
        at,
        preset="hubspot",
        source="hubspot",
        contacts=(EXAMPLES / "hubspot-contacts.csv").read_bytes(),
    )
    assert told.status_code == 200, told.text
    assert "hubspot" in at.workspace.crm.sources()


def test_columns_known_since_the_creation_are_named_in_a_field(at: Served) -> None:
    told = send(at, contacts=CONTACTS, known_at_creation="note")
    assert told.status_code == 200, told.text
    assert told.json()["tables"]["contacts"]["import_known_columns"] == []
    assert told.json()["contradictions"] == []
    unknown = send(at, dry_run=True, contacts=CONTACTS, known_at_creation="notes")
    assert unknown.status_code == 422
    assert "The column 'notes' was said to be known since the creation" in unknown.text


def test_columns_may_be_known_since_the_creation_afterwards(at: Served) -> None:
    send(at, contacts=CONTACTS)
    asked = {"since": "creation", "columns": ["note"], "subject": "contact"}
    told = at.client.post(f"{PREFIX}/known-since", json=asked)
    assert told.status_code == 200, told.text
    assert told.json() == {
        "columns": [{"attribute": "contact.note", "changed": 1}],
        "doubts": [],
    }
    again = at.client.post(f"{PREFIX}/known-since", json=asked).json()
    assert again["columns"][0]["changed"] == 0
    unknown = at.client.post(f"{PREFIX}/known-since", json=asked | {"columns": ["notes"]})
    assert unknown.status_code == 422
    assert "There is no column 'notes'. There are: note." in unknown.text


def test_a_dry_run_writes_nothing(at: Served) -> None:
    told = send(at, dry_run=True, contacts=CONTACTS).json()["tables"]["contacts"]
    assert (told["read"], told["usable"]) == (2, 1)
    assert [column["field"] for column in told["columns"]] == ["external_id", "created_at", "fact"]
    assert told["rows"][0]["external_id"] == "a"
    assert told["rejected"][0]["value"] == "soon"
    assert at.client.get(f"{PREFIX}/batches").json()["batches"] == []


def test_an_ambiguous_date_is_asked_about(at: Served) -> None:
    sent = b"id,created_at\na,03/04/2026\n"
    assert send(at, contacts=sent).status_code == 422
    told = send(at, contacts=sent, date_order="day_first")
    assert told.json()["observed_from"] == "2026-04-03T00:00:00Z"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "no whole form"),
        ({"source": "files"}, "no whole form"),  # Without a file it is no form with files.
        ({"mapping": ("m.toml", b"")}, "No file was sent"),
        ({"contact": CONTACTS}, "another name than contacts"),
        ({"contacts": b"%PDF-1.7"}, "PDF"),
        ({"contacts": CONTACTS, "preset": "sap"}, "body.preset"),
        ({"contacts": CONTACTS, "source": "simulated"}, "name of a source"),
        ({"contacts": CONTACTS, "mapping": ("m.toml", b"= broken")}, "cannot be read"),
        ({"contacts": CONTACTS, "source": "x" * 20_000}, "longer than"),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_what_cannot_be_read_is_refused(at: Served, parts: dict[str, Any], said: str) -> None:
    told = send(at, **parts)
    assert told.status_code == 422, told.text
    assert said in told.json()["detail"]
    assert at.workspace.crm.counts().contacts == 0


def test_a_part_may_not_come_twice(at: Served) -> None:
    parts = [("contacts", ("a.csv", CONTACTS)), ("contacts", ("b.csv", CONTACTS))]
    told = at.client.post(f"{PREFIX}/files", files=parts)
    assert "more than 1 of the part 'contacts'" in told.json()["detail"]


def test_more_than_the_limit_is_refused_however_it_is_sent(at: Served) -> None:
    large = CONTACTS + b"x,2025-02-13,y\n" * 10_000
    assert send(at, contacts=large).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="contacts"; filename="c.csv"\r\n\r\n'
        for _ in range(20):
            yield bytes(10_000)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    told = at.client.post(f"{PREFIX}/files", content=pieces(), headers=headers)
    assert told.status_code == 413


def test_a_name_leads_nowhere_but_into_its_own_folder(at: Served) -> None:
    told = send(at, contacts=("../../../etc/\x07pass:wd.csv", CONTACTS)).json()
    assert told["tables"]["contacts"]["file_name"] == "%07pass_wd.csv"
    told = send(at, contacts=("ü" * 400 + ".csv", CONTACTS)).json()
    assert told["tables"]["contacts"]["file_name"].endswith("ü.csv")


def test_an_account_and_a_process_read_few_files_at_a_time(at: Served) -> None:
    limits, own = at.service.limits, at.account.account_id
    with ExitStack() as held:
        for _ in range(IMPORTS_OF_ACCOUNT):
            held.enter_context(limits.one_import(own))
        told = send(at, contacts=CONTACTS)
        assert (told.status_code, told.headers["retry-after"]) == (429, "10")
        for number in range(IMPORTS_AT_ONCE - IMPORTS_OF_ACCOUNT):
            held.enter_context(limits.one_import(own + 1 + number))
        with pytest.raises(TooManyRequests), limits.one_import(own + 100):
            pass
    assert send(at, contacts=CONTACTS).status_code == 200


def test_uploads_that_never_end_hold_up_no_import(at: Served) -> None:
    with ExitStack() as held:
        for _ in range(UPLOADS_OF_ACCOUNT - 1):
            held.enter_context(slow_upload(at))
        assert send(at, contacts=CONTACTS).status_code == 200
        held.enter_context(at.service.limits.one_upload(at.account.account_id))
        told = send(at, contacts=CONTACTS)
        assert (told.status_code, told.headers["retry-after"]) == (429, "10")
    deadline = time.monotonic() + 30
    while left_of(at) and time.monotonic() < deadline:
        time.sleep(0.01)


@contextmanager
def slow_upload(at: Served) -> Iterator[None]:
    """Send the beginning of a form; it is taken up when this yields."""
    before = len(left_of(at))
    url = at.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as caller:
        head = [
            f"POST {PREFIX}/files HTTP/1.1",
            f"Host: {url.host}",
            f"Authorization: {at.client.headers['Authorization']}",
            "Content-Type: multipart/form-data; boundary=b",
            "Content-Length: 1000",
        ]
        caller.sendall("\r\n".join([*head, "", "--b"]).encode())
        deadline = time.monotonic() + 30
        while len(left_of(at)) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        yield


def chat(who: str, extra: str = "") -> tuple[str, bytes]:
    text = f"13/01/2024, 09:05 - {who}: hi\n13/01/2024, 09:06 - Shop: hello\n{extra}"
    return f"WhatsApp Chat with {who}.txt", text.encode()


def test_a_chat_is_read_and_a_later_export_adds_what_is_new(at: Served) -> None:
    said = {"me": "Shop", "time_zone": "Europe/Madrid", "path": "whatsapp-exports"}
    told = send(at, file=chat("Ana"), **said)
    assert told.status_code == 200, told.text
    assert told.json()["tables"]["messages"]["accepted"] == 2
    assert told.json()["line_counts"]["message"] == 2
    later = send(at, file=chat("Ana", "13/01/2024, 10:00 - Ana: bye\n"), **said).json()
    assert later["tables"]["messages"]["accepted"] == 1
    assert later["observed_through"] == "2024-01-13T09:00:00Z"


def test_of_several_chats_one_that_cannot_be_read_is_refused_alone(at: Served) -> None:
    parts = [("file", chat("Ana")), ("file", ("x.txt", b"no chat")), ("file", chat("Bea"))]
    fields = {"me": "Shop", "time_zone": "UTC"}
    told = at.client.post(f"{PREFIX}/whatsapp-exports", files=parts, data=fields).json()
    assert (told["feed_count"], told["rejected_count"]) == (3, 1)
    assert told["tables"]["messages"]["accepted"] == 4


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"me": "Shop"}, "body.time_zone"),
        ({"me": "Shop", "time_zone": "Mars"}, "no IANA time zone"),
        ({"me": "Nobody", "time_zone": "UTC"}, "Nobody in"),
        ({"me": "Shop", "time_zone": "UTC", "exported_at": "2099-01-01"}, "in the future"),
        ({"me": "Shop", "time_zone": "UTC", "exported_at": "2024-02-01T00:00Z"}, "exported_at"),
        ({"me": "Shop", "time_zone": "UTC", "day_order": "year-first"}, "body.day_order"),
    ],
)
def test_what_is_said_of_a_chat_has_to_make_sense(
    at: Served, fields: dict[str, str], said: str
) -> None:
    told = send(at, path="whatsapp-exports", file=chat("Ana"), **fields)
    assert told.status_code == 422
    assert said in told.json()["detail"]
    assert "Ana" not in told.json()["detail"].replace("Chat with Ana", "")


def test_batches_are_listed_a_page_at_a_time(at: Served) -> None:
    for number in range(3):
        send(at, contacts=CONTACTS + f"c{number},2025-02-13,x\n".encode())
    viewer = at.headers(Role.VIEWER)
    first = at.client.get(f"{PREFIX}/batches", params={"limit": 2}, headers=viewer).json()
    assert [batch["batch_id"] for batch in first["batches"]] == [3, 2]
    cursor = {"cursor": first["next_cursor"]}
    rest = at.client.get(f"{PREFIX}/batches", params=cursor, headers=viewer).json()
    assert [batch["batch_id"] for batch in rest["batches"]] == [1]
    assert rest["next_cursor"] is None
    one = at.client.get(f"{PREFIX}/batches/2", headers=viewer).json()
    assert one == first["batches"][1]
    assert (one["tables"]["contacts"]["read"], one["rejected_count"]) == (3, 1)
    broken = at.client.get(f"{PREFIX}/batches", params={"cursor": "broken"}, headers=viewer)
    assert broken.status_code == 422


def test_refused_rows_are_for_those_who_may_mend_them(at: Served) -> None:
    send(at, contacts=CONTACTS + b"d,never,+2\ne,later,x\n")
    first = at.client.get(f"{PREFIX}/batches/1/rejected", params={"limit": 2}).json()
    assert [row["value"] for row in first["rejected"]] == ["soon", "never"]
    assert first["rejected"][0]["cells"] == ["b", "soon", "=1+1"]
    cursor = {"cursor": first["next_cursor"]}
    rest = at.client.get(f"{PREFIX}/batches/1/rejected", params=cursor).json()
    assert [row["line_number"] for row in rest["rejected"]] == [5]
    viewer = at.headers(Role.VIEWER)
    for path in ("rejected", "rejected.csv"):
        told = at.client.get(f"{PREFIX}/batches/1/{path}", headers=viewer)
        assert told.status_code == 403


def test_refused_rows_are_downloaded_without_formulas(at: Served) -> None:
    send(at, contacts=CONTACTS, leads=b"id,contact_id,created_at,status\nl,a,soon,won\n")
    named = at.client.get(f"{PREFIX}/batches/1/rejected.csv")
    assert named.status_code == 422
    assert "contacts, leads" in named.json()["detail"]
    told = at.client.get(f"{PREFIX}/batches/1/rejected.csv", params={"table": "contacts"})
    assert told.headers["content-disposition"] == 'attachment; filename="rejected-1-contacts.csv"'
    header, row = csv.reader(io.StringIO(told.content.decode("utf-8-sig")))
    assert header[5:] == ["id", "created_at", "note"]
    assert row[5:] == ["b", "soon", "'=1+1"]
    absent = at.client.get(f"{PREFIX}/batches/1/rejected.csv", params={"table": "facts"})
    assert absent.status_code == 404


def test_another_accounts_imports_are_not_there(at: Served) -> None:
    send(at, contacts=CONTACTS)
    other = at.headers(Role.ADMIN, at.other_account())
    assert at.client.get(f"{PREFIX}/batches", headers=other).json()["batches"] == []
    for path in ("", "/rejected", "/rejected.csv"):
        told = at.client.get(f"{PREFIX}/batches/1{path}", headers=other)
        assert told.status_code == 404


def test_a_viewer_sends_nothing(at: Served) -> None:
    at.client.headers.update(at.headers(Role.VIEWER))
    assert send(at, contacts=CONTACTS).status_code == 403
    assert send(at, path="whatsapp-exports", file=chat("Ana")).status_code == 403


@pytest.fixture(scope="module")
def open_door(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("any")
    shutil.copy(sqlite_template, home / "chatlift.db")
    with served(home, environ=LIMIT) as opened:
        opened.client.headers.update(opened.headers(Role.OPERATOR))
        yield opened


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300)
    | st.text("ab,\n;\"'2026-01-é\x00", max_size=80).map(str.encode),
    name=st.text(max_size=40),
    table=st.sampled_from(["contacts", "leads", "messages", "conversations", "facts"]),
    mapping=st.none() | st.binary(max_size=60),
)
def test_any_bytes_are_read_or_refused(
    open_door: Served, content: bytes, name: str, table: str, mapping: bytes | None
) -> None:
    parts = {table: (name.encode("utf-8", "replace").decode(), content)}
    if mapping is not None:
        parts["mapping"] = ("m.yaml", mapping)
    told = send(open_door, **parts)
    assert told.status_code in (200, 422), told.text
    assert left_of(open_door) == []


BEGUN = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n'


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=300),
    boundary=st.text("ab-", min_size=0, max_size=6),
    start=st.sampled_from(
        [b"", b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n']
    ),
)
def test_any_body_is_a_form_or_refused(
    open_door: Served, body: bytes, boundary: str, start: bytes
) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    for path in ("files", "whatsapp-exports"):
        told = open_door.client.post(f"{PREFIX}/{path}", content=start + body, headers=headers)
        assert told.status_code == 422, told.text


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_ends_when_its_caller_leaves(
    at: Served, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    """It would go on for ever; nothing but the end of the connection can end it."""
    ended: SimpleQueue[Exception] = SimpleQueue()

    def endless(between: Callable[[], None]) -> NoReturn:
        try:
            while True:
                between()
                time.sleep(0.01)
        except Exception as error:
            ended.put(error)
            raise

    step = Progress(phase="endless", fraction=0.0, message="")
    monkeypatch.setattr(
        ingest_files, "ingest", lambda *_, report, **__: endless(lambda: report(step))
    )
    monkeypatch.setattr(ingest_files, "preview_tables", lambda *_, between, **__: endless(between))
    query = {"dry_run": "true"} if dry_run else {}
    files = {"contacts": ("contacts.csv", CONTACTS)}
    with pytest.raises(httpx.ReadTimeout):
        at.client.post(f"{PREFIX}/files", files=files, params=query, timeout=1.0)
    assert isinstance(ended.get(timeout=30), Cancelled)
    deadline = time.monotonic() + 30
    while left_of(at) and time.monotonic() < deadline:
        time.sleep(0.01)
