import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from chatlift.registry.run_events import RunEvent
from chatlift.registry.runs import Runs
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


def test_nothing_is_asked_of_the_database_when_nobody_listens(database: Database) -> None:
    account_id, runs = runs_of(database)
    queue_and_stop(runs)

    async def story() -> int:
        hub = EventHub(database)
        await heard(hub, account_id, 1, after=0)
        return len(hub._feeds)

    assert asyncio.run(story()) == 0
