"""What webhooks brought becomes records: once, in any order, whatever is killed or broken."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, select
from tests.webhooks import (
    ANNA,
    BERT,
    chatwoot_message,
    cloud_body,
    cloud_message,
    echo,
    inbound,
    profile,
    status,
)

from chatlift.records import CONTACTS, Records
from chatlift.registry.deliveries import MOST_ATTEMPTS, TRIED_AGAIN_AFTER, Deliveries, keep_delivery
from chatlift.registry.secret_box import SecretBox, SecretKeyMissing
from chatlift.registry.webhooks import Webhook, Webhooks
from chatlift.registry.workspace import workspace_in
from chatlift.settings import Settings
from chatlift.store.accounts import ensure_account
from chatlift.store.base import Base
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.forgetting import Forgetting
from chatlift.store.known_contacts import find_contacts
from chatlift.store.past_imports import batches, rejected_rows
from chatlift.store.tombstones import tombstone_key
from chatlift.vocabulary import SIMULATED, WebhookKind
from chatlift.workflows import receive
from chatlift.workflows.receive import (
    ReadReport,
    Signature,
    is_trusted,
    read_all_deliveries,
    read_deliveries,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = 1_772_300_000
"""2026-02-28 17:33:20 UTC."""
BOX = SecretBox("A" * 43)
SECRET, OLD = "app-secret", "old-secret"
WHATSAPP, CHATWOOT = WebhookKind.WHATSAPP_CLOUD, WebhookKind.CHATWOOT
STORY = (
    inbound("a", T),
    status("b", T + 61, "read"),
    status("b", T + 60, "delivered"),
    echo("b", T + 58),
    inbound("d", T + 400, "later"),
    cloud_body(
        {"contacts": [profile(BERT)], "messages": [cloud_message("f", T + 600, sender=BERT)]}
    ),
)
REFUSED = cloud_body(
    {"messages": [{"from": BERT, "id": "x", "timestamp": "never", "type": "text"}]}
)


@pytest.fixture
def account(database: Database) -> Crm:
    """An empty account that recognises who was forgotten."""
    return account_in(database)


def account_in(database: Database) -> Crm:
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    return Crm(database, account_id, tombstone_key=tombstone_key(b"secret", "default"))


def hook_of(crm: Crm, kind: WebhookKind = WHATSAPP, secret: str | None = SECRET) -> Webhook:
    hooks = Webhooks(crm.database, crm.account_id)
    return hooks.create(kind, secret=secret, box=BOX, now=NOW).webhook


def bring(crm: Crm, hook: Webhook, bodies: Iterable[Any], *, at: datetime = NOW) -> None:
    """Let the service call with each of these bodies; bytes are sent as they are."""
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        keep_delivery(crm.database, hook, raw, now=at)


def records_in(crm: Crm) -> list[str]:
    """All that the tables of records say but the numbers that rows got in order of arrival."""
    read = crm.read_history()
    known = dict(read.contacts.select("contact_id", "external_id").iter_rows())
    messages = read.messages.select(
        pl.col("contact_id").replace_strict(known, return_dtype=pl.String),
        "direction",
        "kind",
        "text",
        "sent_at",
    )
    of = {
        row["message_id"]: f"{row['sent_at']} {row['text']}" for row in read.messages.to_dicts()
    } | {0: ""}
    facts = [
        (kind, of.get(number, ""), name, value, known_at)
        for kind, number, name, value, known_at in read.facts.rows()
    ]
    frames = [read.contacts.drop("contact_id").rows(), messages.rows(), facts]
    return [
        *(str(row) for rows in frames for row in sorted(map(str, rows))),
        str(read.observations.rows()),
    ]


def counts_of(crm: Crm) -> list[Any]:
    """What the batches count, and how many rows were refused."""
    told = batches(crm.database, crm.account_id)
    return [
        (b.source, b.summary, rejected_rows(crm.database, crm.account_id, b.batch_id).height)
        for b in told
    ]


def waiting_count(crm: Crm) -> int:
    told = Deliveries(crm.database, crm.account_id).waiting()
    return sum(waiting.delivery_count for waiting in told.values())


def signed(body: bytes, secret: str, *, timestamp: str | None = None) -> Signature:
    whole = body if timestamp is None else timestamp.encode() + b"." + body
    digest = hmac.new(secret.encode(), whole, hashlib.sha256).hexdigest()
    return Signature(value=f"sha256={digest}", timestamp=timestamp)


def test_whatsapp_is_trusted_by_either_secret_of_a_rotation_only(account: Crm) -> None:
    hook = hook_of(account, secret=OLD)
    hook = Webhooks(account.database, account.account_id).rotate(hook.hook_id, SECRET, box=BOX)
    for secret, is_known in ((SECRET, True), (OLD, True), ("other", False)):
        assert is_trusted(hook, b"{}", signed(b"{}", secret), box=BOX, now=NOW) is is_known
    assert not is_trusted(hook, b"{ }", signed(b"{}", SECRET), box=BOX, now=NOW)
    assert not is_trusted(hook, b"{}", Signature(), box=BOX, now=NOW)
    with pytest.raises(SecretKeyMissing):
        is_trusted(hook, b"{}", signed(b"{}", SECRET), box=None, now=NOW)


def test_chatwoot_is_trusted_by_its_address_until_it_has_a_secret(account: Crm) -> None:
    hook = hook_of(account, CHATWOOT, None)
    assert is_trusted(hook, b"{}", Signature(), box=None, now=NOW)
    hook = Webhooks(account.database, account.account_id).rotate(hook.hook_id, SECRET, box=BOX)
    recent = signed(b"{}", SECRET, timestamp=str(int(NOW.timestamp())))
    assert is_trusted(hook, b"{}", recent, box=BOX, now=NOW)
    assert not is_trusted(hook, b"{}", recent, box=BOX, now=NOW + timedelta(minutes=6))
    assert not is_trusted(hook, b"{}", signed(b"{}", SECRET), box=BOX, now=NOW)
    assert not is_trusted(hook, b"{}", Signature(), box=BOX, now=NOW)


def test_what_was_brought_is_in_the_records_and_waits_no_more(account: Crm) -> None:
    hook = hook_of(account)
    bring(account, hook, STORY)
    assert read_deliveries(account, now=NOW) == ReadReport(read_count=6)
    read = account.read_history()
    assert read.messages.select("direction", "text").rows() == [
        ("in", "hello"),
        ("out", "hi Anna"),
        ("in", "later"),
        ("in", "hello"),
    ]
    through = datetime.fromtimestamp(T + 600, tz=UTC)
    assert read.observations.rows() == [
        ("whatsapp_cloud", datetime.fromtimestamp(T, tz=UTC), through)
    ]
    assert waiting_count(account) == 0
    assert read_deliveries(account, now=NOW) == ReadReport()


def test_a_day_of_one_webhook_is_one_batch(account: Crm) -> None:
    hook, other = hook_of(account), hook_of(account, CHATWOOT, None)
    for minutes, body in enumerate(STORY):
        bring(account, hook, [body], at=NOW + timedelta(minutes=2 * minutes))
        read_deliveries(account, now=NOW)
    bring(account, hook, STORY[:1], at=NOW + timedelta(days=1))
    bring(account, other, [chatwoot_message(5, T)], at=NOW)
    read_deliveries(account, now=NOW)
    told = [(b.source, b.summary["messages"]["accepted"]) for b in batches(*of(account))]
    # Messages a, d and f; of b a status, then an earlier one, then its words.
    assert sorted(told) == [("chatwoot", 1), ("whatsapp_cloud", 0), ("whatsapp_cloud", 6)]


def of(crm: Crm) -> tuple[Database, int]:
    return crm.database, crm.account_id


def test_a_refused_entry_keeps_its_whole_body_so_that_it_can_be_mended(account: Crm) -> None:
    hook = hook_of(account)
    bring(account, hook, [REFUSED, b"\xff not JSON", b"{", b'{"entry": NaN}', STORY[0]])
    assert read_deliveries(account, now=NOW).read_count == 5
    (batch,) = batches(*of(account))
    kept = rejected_rows(*of(account), batch.batch_id)
    assert kept["file_name"].to_list() == [f"delivery {n}" for n in (1, 2, 3, 4)]
    cells = [json.loads(text) for text in kept["cells"]]
    assert cells == [[REFUSED], ["� not JSON"], ["{"], ['{"entry": NaN}']]
    assert account.counts().messages == 1


def test_a_long_body_is_not_kept_beside_its_refusal(account: Crm) -> None:
    hook = hook_of(account)
    bring(account, hook, [REFUSED | {"filler": "x" * 300_000}])
    read_deliveries(account, now=NOW)
    (batch,) = batches(*of(account))
    assert rejected_rows(*of(account), batch.batch_id)["cells"].to_list() == [None]


@pytest.mark.parametrize(
    "body",
    [
        REFUSED | {"note": f"line\n+{ANNA}"},
        REFUSED | {"note": "x" * 8_100 + " Anna Inventada"},
        f"no JSON of Anna Inventada, {ANNA}".encode(),
        inbound("g", T) | {"entry": [{"changes": [{"value": {"messages": [{"from": ANNA}]}}]}]},
    ],
    ids=["phone", "name", "text", "id"],
)
def test_nothing_is_kept_of_a_refused_body_that_names_somebody_forgotten(
    account: Crm, body: Any
) -> None:
    hook = hook_of(account)
    contact = dict.fromkeys(CONTACTS) | {"external_id": ANNA, "phone": f"+{ANNA}"}
    named = pl.DataFrame([contact | {"name": "Anna Inventada", "created_at": NOW}], CONTACTS)
    account.write(Records(contacts=named), source=hook.source)
    forgetting = Forgetting(account, find_contacts(account, ANNA))
    forgetting.begin(now=NOW)
    forgetting.delete_contacts()
    bring(account, hook, [body, REFUSED])
    read_deliveries(account, now=NOW)
    with account.database.across_accounts().read() as connection:
        rows = [str(r) for t in Base.metadata.sorted_tables for r in connection.execute(select(t))]
    assert [row for row in rows if ANNA in row or "Inventada" in row] == []
    (batch,) = batches(*of(account))
    kept = rejected_rows(*of(account), batch.batch_id)
    assert kept["cells"].null_count() == kept.height - 1


def broken_by(marker: bytes) -> Any:
    """A parser that does not get along with bodies that hold the marker."""
    whole = receive.PARSERS[WHATSAPP]

    def parse(bodies: Sequence[Any], **options: Any) -> Any:
        if marker.decode() in str(bodies[0].value):
            raise TypeError(f"a customer's words: {bodies[0].value}")
        return whole(bodies, **options)

    return parse


def test_one_that_cannot_be_read_stops_no_other_and_is_kept_in_the_end(
    account: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(receive.PARSERS, WHATSAPP, broken_by(b"later"))
    hook = hook_of(account)
    bring(account, hook, STORY)
    assert read_deliveries(account, now=NOW) == ReadReport(read_count=5, failed_count=1)
    assert account.counts().messages == 3
    told = Deliveries(*of(account)).waiting()[hook.hook_id]
    assert (told.delivery_count, told.failed_count) == (1, 1)
    assert told.failure is not None
    assert told.failure.startswith("TypeError in test_receive.py:")
    assert read_deliveries(account, now=NOW) == ReadReport()
    for wait in TRIED_AGAIN_AFTER[:-1]:
        assert read_deliveries(account, now=NOW + wait) == ReadReport(failed_count=1)
    last = NOW + TRIED_AGAIN_AFTER[-1]
    assert read_deliveries(account, now=last) == ReadReport(given_up_count=1)
    assert waiting_count(account) == 0
    (batch,) = batches(*of(account))
    (kept,) = rejected_rows(*of(account), batch.batch_id).to_dicts()
    assert kept["reason"].startswith(f"reading it failed {MOST_ATTEMPTS} times; the last: TypeEr")
    assert "customer" not in kept["reason"]
    assert json.loads(kept["cells"]) == [STORY[4]]
    assert batch.summary["given_up"] == 1


def test_one_that_is_mended_meanwhile_is_read(
    account: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(account, hook_of(account), STORY)
    with monkeypatch.context() as broken:
        broken.setitem(receive.PARSERS, WHATSAPP, broken_by(b"later"))
        read_deliveries(account, now=NOW)
    later = NOW + TRIED_AGAIN_AFTER[0]
    assert read_deliveries(account, now=later) == ReadReport(read_count=1)
    assert account.counts().messages == 4


def test_where_records_were_made_up_real_ones_wait(account: Crm) -> None:
    hook = hook_of(account)
    contact = dict.fromkeys(CONTACTS) | {"external_id": "c", "created_at": NOW}
    account.write(Records(contacts=pl.DataFrame([contact], CONTACTS)), source=SIMULATED)
    bring(account, hook, STORY)
    for _ in range(MOST_ATTEMPTS + 1):
        assert read_deliveries(account, now=NOW) == ReadReport(failed_count=6)
    told = Deliveries(*of(account)).waiting()[hook.hook_id]
    assert "generated records" in str(told.failure)
    account.delete_source(SIMULATED)
    assert read_deliveries(account, now=NOW) == ReadReport(read_count=6)


def test_all_accounts_are_read_each_into_its_own(database: Database, tmp_path: Path) -> None:
    chosen = Settings.from_environment({}, default_home=tmp_path)
    opened = [
        workspace_in(database, chosen, ensure_account(database, name, time_zone="UTC"))
        for name in ("one", "two")
    ]
    bring(opened[0].crm, hook_of(opened[0].crm), STORY)
    bring(opened[1].crm, hook_of(opened[1].crm), STORY[:1])
    assert read_all_deliveries(database, chosen, now=NOW) == ReadReport(read_count=7)
    assert [one.crm.counts().messages for one in opened] == [4, 1]


def test_several_processes_at_once_read_everything_once(account: Crm) -> None:
    hook = hook_of(account)
    for minutes in range(8):
        bodies = [inbound(f"m{minutes}-{n}", T + n) for n in range(5)]
        bring(account, hook, [*bodies, REFUSED], at=NOW + timedelta(minutes=2 * minutes))
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: read_deliveries(account, now=NOW), range(4)))
    assert sum(report.read_count for report in reports) == 48
    assert waiting_count(account) == 0
    assert account.counts().messages == 40
    ((_, summary, refused_count),) = counts_of(account)
    assert summary["messages"]["accepted"] + summary["messages"]["duplicate"] == 40
    assert refused_count == 8


@contextmanager
def cut_at(commit: int) -> Iterator[None]:
    """Let everything end just before the database takes in the transaction of that number."""
    left = commit

    def ends(_connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    event.listen(Engine, "commit", ends)
    try:
        yield
    finally:
        event.remove(Engine, "commit", ends)


def test_cut_off_anywhere_the_next_one_ends_with_the_same(
    sqlite_template: Path, tmp_path: Path
) -> None:
    bodies = [*STORY, REFUSED, *STORY[:2]]
    expected: list[Any] = []
    for commit in range(40):
        path = tmp_path / f"{commit}.db"
        shutil.copy(sqlite_template, path)
        database = Database.open(f"sqlite:///{path.as_posix()}")
        crm = account_in(database)
        bring(crm, hook_of(crm), bodies)
        was_cut = False
        try:
            with cut_at(commit):
                read_deliveries(crm, now=NOW)
        except KeyboardInterrupt:
            was_cut = True
        read_deliveries(crm, now=NOW)
        found = [records_in(crm), waiting_count(crm), [c[2] for c in counts_of(crm)]]
        expected = expected or found  # The first is not cut at all.
        assert found == expected, commit
        database.close()
        if commit and not was_cut:
            break
    assert commit > 8
    assert expected[1:] == [0, [1]]


def records_told_by(path: Path, bodies: Sequence[Any], breaks: Collection[int]) -> list[str]:
    """The records of a new account to which these came, read after the numbers in `breaks`."""
    database = Database.open(f"sqlite:///{path.as_posix()}")
    crm = account_in(database)
    hook = hook_of(crm)
    for number, body in enumerate(bodies, 1):
        bring(crm, hook, [body])
        if number in breaks:
            read_deliveries(crm, now=NOW)
    read_deliveries(crm, now=NOW)
    found = records_in(crm)
    database.close()
    return found


@pytest.fixture(scope="module")
def told_in_order(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("order") / "chatlift.db"
    shutil.copy(sqlite_template, path)
    return records_told_by(path, STORY, ())


IN_A_FOLDER = [HealthCheck.function_scoped_fixture]


@settings(max_examples=12, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(data=st.data())
def test_duplicates_and_any_order_give_the_same_records(
    sqlite_template: Path, tmp_path: Path, told_in_order: list[str], data: st.DataObject
) -> None:
    doubled = data.draw(st.lists(st.sampled_from(STORY), max_size=4))
    order = data.draw(st.permutations([*STORY, *doubled]))
    breaks = data.draw(st.sets(st.integers(1, len(order)), max_size=3))
    path = tmp_path / f"{uuid4()}.db"
    shutil.copy(sqlite_template, path)
    assert records_told_by(path, order, breaks) == told_in_order


WORDS = ["entry", "changes", "value", "messages", "statuses", "event", "id", "from", "timestamp"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from(WORDS), parts, max_size=3)
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())


@settings(max_examples=20, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(
    bodies=st.lists(st.binary(max_size=200) | JSON_VALUES, min_size=1, max_size=8),
    kind=st.sampled_from(list(WebhookKind)),
)
def test_any_bytes_are_read_or_refused(
    sqlite_template: Path, tmp_path: Path, bodies: list[bytes], kind: WebhookKind
) -> None:
    path = tmp_path / "any.db"
    if not path.exists():
        shutil.copy(sqlite_template, path)
    database = Database.open(f"sqlite:///{path.as_posix()}")
    crm = account_in(database)
    bring(crm, hook_of(crm, kind), bodies)
    assert read_deliveries(crm, now=NOW) == ReadReport(read_count=len(bodies))
    database.close()
