from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import polars as pl
import pytest

from chatlift.records import CONTACTS, CONVERSATIONS, MESSAGES, Records
from chatlift.store.crm import Crm

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def told(minute: int, kind: str, text: str | None = None, direction: str = "out") -> Records:
    """Anna, her conversation and one message, all as seen at that minute."""
    at = NOW + timedelta(minutes=minute)
    contact = {"external_id": "anna", "created_at": at}
    talk = {"external_id": "talk", "contact_external_id": "anna", "started_at": at}
    message = {
        "external_id": "m",
        "contact_external_id": "anna",
        "direction": direction,
        "kind": kind,
        "text": text,
        "sent_at": at,
        "is_automatic": kind == "template",
    }
    return Records(
        contacts=pl.DataFrame([dict.fromkeys(CONTACTS) | contact], CONTACTS),
        conversations=pl.DataFrame([dict.fromkeys(CONVERSATIONS) | talk], CONVERSATIONS),
        messages=pl.DataFrame([dict.fromkeys(MESSAGES) | message], MESSAGES),
    )


def written(crm: Crm, records: Records) -> int:
    crm.write(records, source="cloud")
    return crm.settle(records, source="cloud")


STAGES = (
    told(5, "untold"),
    told(3, "untold"),
    told(4, "media_placeholder"),
    told(2, "template", "Your order is paid"),
)


@pytest.mark.parametrize("order", list(permutations(range(len(STAGES))))[::9])
def test_a_message_takes_its_placeholders_place_in_any_order(
    crm: Crm, order: tuple[int, ...]
) -> None:
    for stage in order:
        written(crm, STAGES[stage])
    read = crm.read_history()
    assert read.messages.select("kind", "text", "sent_at", "is_automatic").rows() == [
        ("template", "Your order is paid", NOW + timedelta(minutes=2), True)
    ]
    assert read.contacts["created_at"].to_list() == [NOW + timedelta(minutes=2)]


def test_between_placeholders_the_earliest_instant_stays(crm: Crm) -> None:
    assert [written(crm, stage) for stage in (STAGES[0], STAGES[1], STAGES[0])] == [0, 1, 0]
    assert crm.read_history().messages["sent_at"].to_list() == [NOW + timedelta(minutes=3)]


def test_what_a_message_said_first_stays(crm: Crm) -> None:
    written(crm, told(2, "text", "first"))
    assert written(crm, told(1, "text", "second")) == 0
    assert crm.read_history().messages["text"].to_list() == ["first"]


def test_another_source_does_not_fill_it(crm: Crm) -> None:
    written(crm, STAGES[0])
    crm.write(STAGES[3], source="other")
    assert crm.settle(STAGES[3], source="other") == 0
    assert crm.counts().messages == 2
