from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.businesses import nothing_waits
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

from chatlift.errors import Conflict
from chatlift.history import History
from chatlift.learn.specs.observing import with_observation
from chatlift.records import Records
from chatlift.registry.workspace import open_workspace
from chatlift.settings import Settings
from chatlift.sources.chatwoot import parse_chatwoot_bodies
from chatlift.sources.feeds import ParsedFeed, with_phone
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.payloads import Body
from chatlift.sources.tables import TableFiles
from chatlift.sources.whatsapp_cloud import parse_cloud_bodies
from chatlift.sources.whatsapp_export.alignment import aligned
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export import read_export
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.outcomes import TableCounts
from chatlift.store.past_imports import rejected_rows
from chatlift.vocabulary import SIMULATED
from chatlift.workflows import ingest_feeds as ingest_feeds_module
from chatlift.workflows.forget import contacts_to_forget, forget
from chatlift.workflows.ingest import ingest
from chatlift.workflows.ingest_feeds import FeedReport, ingest_feeds

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = 1_700_000_000
"""2023-11-14 22:13:20 UTC."""


def edited(original: str, at: int, text: str) -> dict[str, Any]:
    """A body in which Anna edits one of her messages."""
    changed = {"type": "text", "text": {"body": text}}
    told = {"from": ANNA, "id": f"e{at}", "timestamp": str(at), "type": "edit"}
    told["edit"] = {"original_message_id": original, "message": changed}  # type: ignore[assignment]
    return cloud_body({"messages": [told]})


def number_change(at: int) -> dict[str, Any]:
    """A body in which Anna takes Bert's number."""
    system = {"type": "user_changed_number", "wa_id": BERT}
    told = {"from": ANNA, "id": f"s{at}", "timestamp": str(at), "type": "system", "system": system}
    return cloud_body({"messages": [told]})


STORY = (
    inbound("a", T),
    status("b", T + 61, "read"),
    status("b", T + 60, "delivered"),
    echo("b", T + 58),
    status("c", T + 300, "sent"),
    status("c", T + 301, "failed"),
    inbound("d", T + 400, "later"),
    edited("d", T + 420, "even later"),
    number_change(T + 500),
    cloud_body(
        {
            "contacts": [profile(BERT)],
            "messages": [cloud_message("f", T + 600, "new number", sender=BERT)],
        }
    ),
)
"""Anna writes; two answers are told by statuses, one with its words; an edit; a new number."""


def cloud_feeds(bodies: Iterable[Any]) -> list[ParsedFeed]:
    """One feed per body, as they come in one by one."""
    return [
        parse_cloud_bodies(
            [Body(file_name=f"{n}.json", value=body)], feed_name=f"{n}.json", received_at=NOW
        )
        for n, body in enumerate(bodies)
    ]


def chatwoot_feeds(events: Iterable[Any]) -> list[ParsedFeed]:
    bodies = [Body(file_name="x", value=event) for event in events]
    return [parse_chatwoot_bodies(bodies, feed_name="events.json", received_at=NOW)]


def ingested(crm: Crm, feeds: list[ParsedFeed], source: str = "whatsapp_cloud") -> FeedReport:
    return ingest_feeds(feeds, crm=crm, imported_at=NOW, source=source)


def one_by_one(crm: Crm, feeds: list[ParsedFeed], source: str = "whatsapp_cloud") -> None:
    """Ingest each feed alone, so that each is written before the next comes."""
    for feed in feeds:
        ingested(crm, [feed], source)


def told(crm: Crm) -> dict[str, list[tuple[Any, ...]]]:
    """All that a history says, without the numbers that the store gives in order of arrival."""
    read = crm.read_history()
    names = read.contacts.select("contact_id", "external_id")
    of_contact = pl.col("contact_id").replace_strict(
        dict(names.iter_rows()), default=None, return_dtype=pl.String
    )
    messages = read.messages.with_columns(of_contact)
    columns = ["contact_id", "direction", "kind", "text", "sent_at", "is_automatic"]
    return {
        "contacts": sorted(read.contacts.select("created_at", "churned_at").rows()),
        "messages": sorted(messages.select(columns[1:]).rows(), key=str),
        "facts": sorted(_facts(read), key=str),
        "observations": read.observations.rows(),
    }


def _facts(read: History) -> list[tuple[Any, ...]]:
    """Facts by what they are about: a message by its words and instant."""
    about = {
        ("message", row["message_id"]): f"{row['text']} {row['sent_at']}"
        for row in read.messages.to_dicts()
    }
    return [
        (subject, about.get((subject, number), "a contact"), name, value, known_at)
        for subject, number, name, value, known_at in read.facts.rows()
    ]


class Shelf:
    """Makes one empty CRM after another."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template = template
        self.folder = folder
        self.opened: list[Database] = []

    def crm(self) -> Crm:
        path = self.folder / f"{len(self.opened)}.db"
        shutil.copy(self.template, path)
        database = Database.open(f"sqlite:///{path.as_posix()}")
        self.opened.append(database)
        return Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)


@pytest.fixture
def shelf(sqlite_template: Path, tmp_path: Path) -> Iterable[Shelf]:
    made = Shelf(sqlite_template, tmp_path)
    yield made
    for database in made.opened:
        database.close()


@pytest.fixture
def expected(shelf: Shelf) -> dict[str, list[tuple[Any, ...]]]:
    """What the story says when it comes once and in order."""
    crm = shelf.crm()
    one_by_one(crm, cloud_feeds(STORY))
    return told(crm)


def test_a_story_is_told_as_it_happened(expected: dict[str, list[tuple[Any, ...]]]) -> None:
    def at(seconds: int) -> datetime:
        return datetime.fromtimestamp(T + seconds, tz=UTC)

    assert expected["messages"] == sorted(
        [
            ("in", "text", "hello", at(0), False),
            ("out", "text", "hi Anna", at(58), False),
            ("out", "untold", None, at(300), False),
            ("in", "text", "later", at(400), False),
            ("in", "text", "new number", at(600), False),
        ],
        key=str,
    )
    assert expected["contacts"] == [(at(0), None)]
    assert [fact[2:4] for fact in expected["facts"] if fact[2] != "edited"] == [
        ("status", "failed"),
        ("status", "sent"),
        ("status", "delivered"),
        ("status", "read"),
        ("edited_text", "even later"),
    ]


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    order=st.permutations(range(len(STORY))),
    repeats=st.lists(st.integers(0, len(STORY) - 1), max_size=2),
    is_one_by_one=st.booleans(),
)
def test_any_order_and_any_repetition_tell_the_same(
    shelf: Shelf,
    expected: dict[str, list[tuple[Any, ...]]],
    order: Sequence[int],
    repeats: Sequence[int],
    is_one_by_one: bool,
) -> None:
    crm = shelf.crm()
    feeds = cloud_feeds(STORY[n] for n in [*order, *repeats])
    (one_by_one if is_one_by_one else ingested)(crm, feeds)
    assert told(crm) == expected


def test_parallel_deliveries_tell_the_same(
    crm: Crm, expected: dict[str, list[tuple[Any, ...]]]
) -> None:
    orders = [STORY, STORY[::-1], STORY[5:] + STORY[:5]]
    with ThreadPoolExecutor(len(orders)) as threads:
        list(threads.map(lambda order: one_by_one(crm, cloud_feeds(order)), orders))
    assert told(crm) == expected


def test_every_record_is_accounted_for_and_the_refused_are_kept(crm: Crm) -> None:
    feeds = cloud_feeds([*STORY, {"entry": 3}, cloud_body({}, field="account_update")])
    first = ingested(crm, feeds)
    # Five messages, one of them first as its placeholder; three placeholders were no news.
    counts = first.tables["messages"]
    assert (counts.accepted, counts.updated, counts.duplicate) == (5 + 1, 1, 3)
    assert first.rejected_count == 1
    assert first.passed_over == {"account_update": 1}
    assert sum(first.entry_counts.values()) == 10
    assert first.observed_through == datetime.fromtimestamp(T + 600, tz=UTC)
    kept = rejected_rows(crm.database, crm.account_id, first.batch_id)
    columns = kept.select("table_name", "file_name", "row_number", "column_name")
    assert columns.rows() == [("entries", "10.json", 0, "entry")]
    again = ingested(crm, feeds)
    assert sum(counts.accepted for counts in again.tables.values()) == 0


def test_a_contact_counts_once_in_an_import_however_it_is_cut(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_feeds_module, "ROWS_AT_ONCE", 1)
    feeds = cloud_feeds([inbound("a", T), inbound("b", T + 60), inbound("c", T + 120)])
    first, again = ingested(crm, feeds), ingested(crm, feeds)
    assert first.tables["contacts"] == TableCounts(accepted=1)
    assert again.tables["contacts"] == TableCounts(duplicate=1)
    assert again.tables["messages"] == TableCounts(duplicate=3)


def test_a_message_that_takes_the_place_of_its_placeholder_is_counted(crm: Crm) -> None:
    ingested(crm, cloud_feeds([status("b", T, "sent")]))
    report = ingested(crm, cloud_feeds([echo("b", T - 2)]))
    assert report.completed_count == 1
    assert report.tables["messages"].accepted == 1
    assert report.tables["messages"].updated == 1
    assert report.tables["messages"].duplicate == 0


def test_real_records_are_not_mixed_with_generated_ones(crm: Crm) -> None:
    generated = cloud_feeds(STORY[:1])[0].records
    crm.write(Records(contacts=generated.contacts), source=SIMULATED)
    with pytest.raises(Conflict, match="generated"):
        ingested(crm, cloud_feeds(STORY))


def export_of(folder: Path, lines: Sequence[str], name: str = "+49 151 00000001") -> ParsedFeed:
    """An export of the chat with Anna, who is not in the phone's address book."""
    path = folder / f"WhatsApp Chat with {name}.txt"
    path.write_text("".join(f"14/11/2023, {line}\n" for line in lines), encoding="utf-8")
    return read_export(path, me="Our Shop", time_zone="UTC")


CLOUD_OK = [inbound("m1", T, "ok"), inbound("m2", T + 9, "ok"), echo("m3", T + 70, "fine!")]
EXPORTED_OK = (
    "22:13 - +49 151 00000001: ok",
    "22:13 - +49 151 00000001: ok",
    "22:14 - Our Shop: fine!",
    "22:15 - Our Shop: only in the export",
)


@pytest.mark.parametrize("is_export_first", [True, False])
def test_a_message_of_two_sources_stands_once(
    crm: Crm, tmp_path: Path, is_export_first: bool
) -> None:
    export = export_of(tmp_path, EXPORTED_OK)
    assert export.records.contacts["phone"].to_list() != [None]
    sources = [("whatsapp_export", [export]), ("whatsapp_cloud", cloud_feeds(CLOUD_OK))]
    for source, feeds in sources if is_export_first else sources[::-1]:
        ingested(crm, feeds, source)
    read = crm.read_history()
    assert read.contacts.height == 1
    assert read.messages.select("direction", "text", "sent_at").rows() == [
        ("in", "ok", datetime.fromtimestamp(T, tz=UTC)),
        ("in", "ok", datetime.fromtimestamp(T + 9, tz=UTC)),
        ("out", "fine!", datetime.fromtimestamp(T + 70, tz=UTC)),
        ("out", "only in the export", datetime(2023, 11, 14, 22, 15, tzinfo=UTC)),
    ]


def test_an_import_that_was_cut_off_before_it_linked_is_mended_by_the_next(
    crm: Crm, tmp_path: Path
) -> None:
    ingested(crm, cloud_feeds(CLOUD_OK))
    export = export_of(tmp_path, EXPORTED_OK)
    crm.write(export.records, source="whatsapp_export", imported_at=NOW)
    assert crm.read_history().contacts.height == 2
    ingested(crm, [export], "whatsapp_export")
    assert crm.read_history().contacts.height == 1
    assert crm.read_history().messages.height == len(EXPORTED_OK)


def test_people_who_turn_out_to_be_two_have_their_own_messages_again(
    crm: Crm, tmp_path: Path
) -> None:
    ingested(crm, cloud_feeds(CLOUD_OK))
    ingested(crm, [export_of(tmp_path, EXPORTED_OK)], "whatsapp_export")
    assert crm.read_history().messages.height == len(EXPORTED_OK)
    # A family: a second contact of the cloud source has the same phone.
    twin = cloud_feeds(CLOUD_OK)[0].records.contacts.with_columns(external_id=pl.lit("twin"))
    crm.write(Records(contacts=twin), source="whatsapp_cloud")
    crm.link()
    read = crm.read_history()
    assert read.contacts.height == 3
    assert read.messages.height == len(EXPORTED_OK) + len(CLOUD_OK)


def test_a_placeholder_is_filled_by_what_another_source_says(crm: Crm, tmp_path: Path) -> None:
    ingested(crm, cloud_feeds([inbound("m1", T, "ok"), status("m3", T + 70, "read")]))
    ingested(crm, [export_of(tmp_path, EXPORTED_OK[1:3])], "whatsapp_export")
    read = crm.read_history()
    assert read.messages.select("direction", "kind", "text").rows() == [
        ("in", "text", "ok"),
        ("out", "text", "fine!"),
    ]
    (fact,) = read.facts.rows(named=True)
    assert (fact["name"], fact["value"]) == ("status", "read")
    assert fact["subject_id"] == read.messages["message_id"][1]


def test_chatwoot_names_the_channels_own_message(crm: Crm) -> None:
    seen_late = chatwoot_message(5, T + 45, "ok", source_id="m1")
    ingested(crm, chatwoot_feeds([seen_late]), "chatwoot")
    assert crm.read_history().messages.height == 1
    ingested(crm, cloud_feeds([inbound("m1", T, "ok")]))
    assert crm.read_history().messages.height == 1
    one = crm.contact_ids_of([ANNA, "7"])
    assert one[ANNA] == one["7"]
    assert crm.read_history(contact_ids=[one["7"]]).messages.height == 1


def test_a_later_export_adds_only_what_is_new(crm: Crm, tmp_path: Path) -> None:
    def counts(lines: Sequence[str]) -> tuple[int, int]:
        report = ingest_feeds(
            [export_of(tmp_path, lines)],
            crm=crm,
            imported_at=NOW,
            source="whatsapp_export",
            align=aligned,
        )
        return report.tables["messages"].accepted, report.tables["messages"].duplicate

    assert counts(EXPORTED_OK[:3]) == (3, 0)
    assert counts(EXPORTED_OK[1:]) == (1, 2)
    assert counts(EXPORTED_OK) == (0, 4)


def chat(path: Path, name: str, last_day: int) -> ParsedFeed:
    """A chat with one line on 1 March 2024 and one on a later day of that month."""
    text = f"1/3/2024, 10:00 - {name}: hi\n{last_day}/3/2024, 10:00 - Shop: bye\n"
    (path / f"{name}.txt").write_text(text, encoding="utf-8")
    return read_export(
        path / f"{name}.txt", me="Shop", time_zone="UTC", day_order=DayOrder.DAY_FIRST
    )


def ends(crm: Crm) -> list[datetime]:
    """Up to when each contact is observed, in the order of writing."""
    read = crm.read_history()
    return with_observation(read.contacts.select("contact_id"), read)["observed_through"].to_list()


def test_a_chat_is_observed_as_far_as_the_import_that_brought_it(crm: Crm, tmp_path: Path) -> None:
    early, late, other = (chat(tmp_path, *told) for told in (("A", 5), ("B", 9), ("C", 20)))
    ingested(crm, [early, late], "whatsapp_export")
    assert ends(crm) == [late.observed_through, late.observed_through]
    ingested(crm, [other], "whatsapp_export")
    assert ends(crm) == [late.observed_through, late.observed_through, other.observed_through]
    ingested(crm, [early], "whatsapp_export")
    assert ends(crm)[0] == late.observed_through


def test_a_chat_of_an_import_that_was_cut_off_is_observed_up_to_its_own_end(
    crm: Crm, tmp_path: Path
) -> None:
    ingested(crm, [chat(tmp_path, "A", 20)], "whatsapp_export")

    def cut_off() -> Iterator[ParsedFeed]:
        yield chat(tmp_path, "B", 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_feeds(cut_off(), crm=crm, imported_at=NOW, source="whatsapp_export", align=aligned)
    assert [end.day for end in ends(crm)] == [20, 5]


def test_a_person_of_a_chat_and_of_webhooks_is_observed_as_far_as_the_longer(
    crm: Crm, tmp_path: Path
) -> None:
    by_phone = with_phone(chat(tmp_path, "Anna", 5), f"+{ANNA}")
    ingested(crm, [by_phone], "whatsapp_export")
    ingested(crm, [chat(tmp_path, "B", 9)], "whatsapp_export")
    ingested(crm, cloud_feeds([inbound("a", T)]))
    assert [end.day for end in ends(crm)] == [5, 9]
    later = by_phone.observed_through.timestamp() + 86_400
    ingested(crm, cloud_feeds([inbound("b", int(later))]))
    assert [end.day for end in ends(crm)] == [6, 9]


def test_a_person_of_a_table_is_the_one_who_writes(crm: Crm, tmp_path: Path) -> None:
    ingested(crm, cloud_feeds(STORY[:1]))
    path = tmp_path / "contacts.csv"
    path.write_text(f"id,created_at,phone,city\nc1,2023-01-01,+{ANNA},Rome\n", encoding="utf-8")
    mapping = parse_mapping({"contacts": {"known": {"city": "creation"}}})
    ingest(TableFiles(contacts=path), mapping, crm=crm, imported_at=NOW)
    read = crm.read_history()
    assert read.contacts.height == 1
    assert read.contacts["created_at"].to_list() == [datetime(2023, 1, 1, tzinfo=UTC)]
    assert read.facts.select("subject_id", "value").rows() == [
        (read.contacts["contact_id"][0], "Rome")
    ]


def test_a_forgotten_contact_does_not_come_back_by_a_webhook(tmp_path: Path) -> None:
    environ = {"CHATLIFT_HOME": str(tmp_path)}
    home = Settings.from_environment(environ, default_home=tmp_path)
    events = [chatwoot_message(5, T, "ok", source_id="a")]
    with open_workspace(home) as opened:
        ingested(opened.crm, cloud_feeds(STORY))
        ingested(opened.crm, chatwoot_feeds(events), "chatwoot")
        forget(
            opened,
            contacts_to_forget(opened.crm, f"+{ANNA}"),
            clock=lambda: NOW,
            read_deliveries=nothing_waits,
        )
        assert opened.crm.counts().contacts == 0
        again = ingested(opened.crm, cloud_feeds(STORY))
        ingested(opened.crm, chatwoot_feeds(events), "chatwoot")
        assert opened.crm.counts().contacts == opened.crm.counts().messages == 0
        kept = rejected_rows(opened.database, opened.crm.account_id, again.batch_id)
    assert set(kept["reason"]) == {"forgotten"}
    assert kept["value"].null_count() == kept.height
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or ANNA.encode() not in path.read_bytes()
