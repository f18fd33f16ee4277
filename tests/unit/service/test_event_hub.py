import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from chatlift.errors import Unavailable
from chatlift.registry.run_events import RunEvent, RunEvents
from chatlift.registry.runs import Runs
from chatlift.service import event_hub
from chatlift.service.event_hub import EventHub
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def runs_of(database: Database, name: str = "default") -> tuple[int, Runs]:
    account = ensure_account(database, name, time_zone="UTC")
    return account.account_id, Runs(database, account.account_id)


def queue_and_stop(runs: Runs) -> str:
    asked = runs.enqueue(
        (ModelName.CHURN,), requested_model="churn", request={}, requested_by="test", now=NOON
    )
    return runs.stop(asked.run.run_id, now=NOON).run_id


async def heard(hub: EventHub, account_id: int, count: int, *, after: int) -> list[RunEvent]:
    found: list[RunEvent] = []
    listening = hub.listen(account_id, after=after)
    async for event in listening:
        found.append(event)
        if len(found) == count:
            break
    await listening.aclose()  # type: ignore[attr-defined]
    return found


def kinds(events: Sequence[RunEvent]) -> list[str]:
    return [str(event.kind) for event in events]


def test_everybody_hears_everything_in_order(database: Database) -> None:
    account_id, runs = runs_of(database)

    async def story() -> list[list[RunEvent]]:
        hub = EventHub(database)
        listeners = [asyncio.create_task(heard(hub, account_id, 4, after=0)) for _ in range(20)]
        while hub.listener_count() < 20:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(queue_and_stop, runs)
        await asyncio.to_thread(queue_and_stop, runs)
        return await asyncio.gather(*listeners)

    told = asyncio.run(story())
    assert all(events == told[0] for events in told)
    assert kinds(told[0]) == ["queued", "ended"] * 2


def test_who_comes_back_first_hears_what_was_missed(database: Database) -> None:
    account_id, runs = runs_of(database)
    queue_and_stop(runs)

    async def story() -> list[RunEvent]:
        hub = EventHub(database)
        first = await heard(hub, account_id, 1, after=0)
        return await heard(hub, account_id, 1, after=first[-1].event_id)

    assert kinds(asyncio.run(story())) == ["ended"]


def test_nobody_hears_of_another_account(database: Database) -> None:
    mine, runs = runs_of(database)
    _, others = runs_of(database, "other")
    queue_and_stop(others)
    run_id = queue_and_stop(runs)

    async def story() -> list[RunEvent]:
        return await heard(EventHub(database), mine, 2, after=0)

    assert {event.run_id for event in asyncio.run(story())} == {run_id}


def test_a_look_that_fails_is_told_and_the_next_one_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, runs = runs_of(database)
    monkeypatch.setattr(event_hub, "PAUSE_SECONDS", 0.01)
    look, failed = RunEvents.after, threading.Event()

    def after(self: RunEvents, event_id: int) -> Sequence[RunEvent]:
        if not failed.is_set():
            failed.set()
            raise Unavailable("away")
        return look(self, event_id)

    async def story() -> list[RunEvent]:
        hub = EventHub(database)
        listener = asyncio.create_task(heard(hub, account_id, 2, after=0))
        await asyncio.to_thread(failed.wait)
        await asyncio.to_thread(queue_and_stop, runs)
        return await listener

    monkeypatch.setattr(RunEvents, "after", after)
    with capture_logs() as told:
        assert kinds(asyncio.run(story())) == ["queued", "ended"]
    assert [(line["event"], line["error"]) for line in told] == [("events_unread", "Unavailable")]


def test_a_slow_listener_is_let_go_and_misses_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, runs = runs_of(database)
    monkeypatch.setattr(event_hub, "LONGEST_BACKLOG", 3)

    async def slowly(hub: EventHub, *, after: int) -> list[RunEvent]:
        found = []
        async for event in hub.listen(account_id, after=after):
            found.append(event)
            if len(found) == 1:
                await asyncio.to_thread(lambda: [queue_and_stop(runs) for _ in range(4)])
                await asyncio.sleep(4 * event_hub.POLL_SECONDS)
        return found

    async def story() -> list[int]:
        hub = EventHub(database)
        listening = asyncio.create_task(slowly(hub, after=0))
        while not hub.listener_count():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(queue_and_stop, runs)
        first = await listening
        rest = await heard(hub, account_id, 10 - len(first), after=first[-1].event_id)
        return [event.event_id for event in [*first, *rest]]

    told = asyncio.run(story())
    assert told == sorted(told)
    assert len(set(told)) == len(told) == 10


def test_nothing_is_asked_of_the_database_when_nobody_listens(database: Database) -> None:
    account_id, runs = runs_of(database)
    queue_and_stop(runs)

    async def story() -> int:
        hub = EventHub(database)
        await heard(hub, account_id, 1, after=0)
        return len(hub._feeds)

    assert asyncio.run(story()) == 0
