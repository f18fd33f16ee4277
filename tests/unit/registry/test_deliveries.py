"""Deliveries: in the order in which they came, together where they may be, gone only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chatlift.registry.deliveries import (
    AT_ONCE,
    MOST_ATTEMPTS,
    TRIED_AGAIN_AFTER,
    Deliveries,
    DeliveriesTaken,
    Delivery,
    Waiting,
    accounts_with_deliveries,
    keep_delivery,
)
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhook, Webhooks
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import WebhookKind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BOX = SecretBox("A" * 43)


def hook_of(database: Database, account: str = "default") -> Webhook:
    account_id = ensure_account(database, account, time_zone="UTC").account_id
    made = Webhooks(database, account_id).create(WebhookKind.CHATWOOT, box=BOX, now=NOW)
    return made.webhook


@pytest.fixture
def hook(database: Database) -> Webhook:
    return hook_of(database)


@pytest.fixture
def deliveries(database: Database, hook: Webhook) -> Deliveries:
    return Deliveries(database, hook.account_id)


def kept(database: Database, hook: Webhook, *bodies: bytes, seconds: float = 0) -> None:
    for body in bodies:
        keep_delivery(database, hook, body, now=NOW + timedelta(seconds=seconds))


def bodies_of(some: tuple[Delivery, ...]) -> list[bytes]:
    return [delivery.body for delivery in some]


def taken(database: Database, deliveries: Deliveries, some: tuple[Delivery, ...]) -> None:
    with database.across_accounts().write() as connection:
        deliveries.take(connection, some)


def test_a_body_is_kept_as_it_came_and_the_call_is_noted(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    kept(database, hook, b"\x00\xff raw", seconds=5)
    (found,) = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    assert (found.body, found.attempts) == (b"\x00\xff raw", 0)
    (known,) = Webhooks(database, hook.account_id).list()
    assert known.last_delivery_at == found.received_at == NOW + timedelta(seconds=5)
    assert b"raw" not in repr(found).encode()


def test_those_of_a_minute_come_together_in_order(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    for seconds in (0, 30, 60, 61):
        kept(database, hook, str(seconds).encode(), seconds=seconds)
    first = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    assert bodies_of(first) == [b"0", b"30", b"60"]
    later = deliveries.next_of(hook.hook_id, after=first[-1].delivery_id, now=NOW)
    assert bodies_of(later) == [b"61"]
    assert deliveries.next_of(hook.hook_id, after=later[-1].delivery_id, now=NOW) == ()


def test_many_or_large_ones_come_in_several_goes(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    kept(database, hook, *[b"small"] * (AT_ONCE + 1))
    assert len(deliveries.next_of(hook.hook_id, after=0, now=NOW)) == AT_ONCE
    large = hook_of(database)
    kept(database, large, *[bytes(6 * 2**20)] * 3)
    assert len(deliveries.next_of(large.hook_id, after=0, now=NOW)) == 2


def test_a_failed_one_comes_alone_when_it_is_due_again(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    kept(database, hook, b"bad", b"good")
    bad = deliveries.next_of(hook.hook_id, after=0, now=NOW)[:1]
    for wait in TRIED_AGAIN_AFTER:
        deliveries.note_failure(bad, "TypeError in x.py:1", is_theirs=True)
        assert bodies_of(deliveries.next_of(hook.hook_id, after=0, now=NOW)) == [b"good"]
        assert bodies_of(deliveries.next_of(hook.hook_id, after=0, now=NOW + wait)) == [b"bad"]
    deliveries.note_failure(bad, "TypeError in x.py:1", is_theirs=True)
    (last,) = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    assert (last.attempts, last.failure) == (MOST_ATTEMPTS, "TypeError in x.py:1")
    told = {hook.hook_id: Waiting(delivery_count=2, failed_count=1, failure="TypeError in x.py:1")}
    assert deliveries.waiting() == told


def test_a_failure_that_is_not_theirs_costs_no_attempt(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    kept(database, hook, b"one", b"two")
    some = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    deliveries.note_failure(some, "the account is busy", is_theirs=False)
    again = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    assert [(d.attempts, d.failure) for d in again] == [(0, "the account is busy")] * 2


def test_what_another_process_took_is_not_taken_twice(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    kept(database, hook, b"one", b"two")
    some = deliveries.next_of(hook.hook_id, after=0, now=NOW)
    taken(database, deliveries, some[:1])
    with pytest.raises(DeliveriesTaken):
        taken(database, deliveries, some)
    # And what was still there was not lost by the attempt.
    assert bodies_of(deliveries.next_of(hook.hook_id, after=0, now=NOW)) == [b"two"]


def test_accounts_see_their_own_only(
    database: Database, hook: Webhook, deliveries: Deliveries
) -> None:
    other = hook_of(database, "other")
    kept(database, other, b"theirs")
    assert accounts_with_deliveries(database) == (other.account_id,)
    assert deliveries.hook_ids() == ()
    assert deliveries.waiting() == {}
    assert deliveries.next_of(other.hook_id, after=0, now=NOW) == ()
    kept(database, hook, b"ours")
    assert deliveries.hook_ids() == (hook.hook_id,)
