"""What runs tell, handed to any number of listeners at the cost of one.

One poller an account and process looks into the database while somebody listens. A listener that
comes back names the last event it has seen and first gets, in one look of its own, what it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi.concurrency import run_in_threadpool

from chatlift.registry.run_events import RunEvent, RunEvents
from chatlift.store.database import Database

POLL_SECONDS = 0.5
PAUSE_SECONDS = 5.0
"""Before the next look where one failed."""
LONGEST_BACKLOG = 1_000
"""Events that a slow listener may be behind; then it is let go, and comes back by itself."""

Backlog = asyncio.Queue[RunEvent | None]
"""Events to be told; None: the listener is too far behind and is let go."""

log = structlog.get_logger(__name__)


class _Feed:
    """The events of one account, as they come, for those who listen."""

    def __init__(self, events: RunEvents, newest_id: int) -> None:
        self.events = events
        self.newest_id = newest_id
        self.backlogs: set[Backlog] = set()
        self.task = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            for event in await self._news():
                self.newest_id = event.event_id
                for backlog in tuple(self.backlogs):
                    self._put(backlog, event)
            await asyncio.sleep(POLL_SECONDS)

    async def _news(self) -> Sequence[RunEvent]:
        """Return what came since; nothing while the database cannot be asked."""
        try:
            return await run_in_threadpool(self.events.after, self.newest_id)
        except Exception as error:  # noqa: BLE001 - listeners wait for the next look
            log.error("events_unread", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            return []

    def _put(self, backlog: Backlog, event: RunEvent) -> None:
        if backlog.qsize() < LONGEST_BACKLOG:
            backlog.put_nowait(event)
        else:
            # What waits is still told, and the end behind it: coming back misses nothing.
            self.backlogs.discard(backlog)
            backlog.put_nowait(None)


class EventHub:
    """Hands on the events of all accounts; one event loop's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feeds: dict[int, _Feed] = {}
        self._opening = asyncio.Lock()

    async def listen(self, account_id: int, *, after: int | None) -> AsyncIterator[RunEvent]:
        """Yield an account's events as they come.

        Parameters
        ----------
        after
            The last event that the listener has seen; None: begin with what comes next.
        """
        async with self._subscribed(account_id) as (feed, backlog):
            last = feed.newest_id if after is None else after
            while last < feed.newest_id:
                missed = await run_in_threadpool(feed.events.after, last)
                if not missed:
                    break
                for event in missed:
                    last = event.event_id
                    yield event
            while (new := await backlog.get()) is not None:
                if new.event_id > last:
                    last = new.event_id
                    yield new

    def listener_count(self) -> int:
        """Return how many listen now."""
        return sum(len(feed.backlogs) for feed in self._feeds.values())

    @asynccontextmanager
    async def _subscribed(self, account_id: int) -> AsyncIterator[tuple[_Feed, Backlog]]:
        backlog: Backlog = asyncio.Queue()
        async with self._opening:
            feed = await self._feed(account_id)
            feed.backlogs.add(backlog)
        try:
            yield feed, backlog
        finally:
            feed.backlogs.discard(backlog)
            if not feed.backlogs and self._feeds.get(account_id) is feed:
                del self._feeds[account_id]
                feed.task.cancel()

    async def _feed(self, account_id: int) -> _Feed:
        found = self._feeds.get(account_id)
        if found is not None and not found.task.done():
            return found
        events = RunEvents(self._database, account_id)
        newest_id = await run_in_threadpool(events.newest_id)
        self._feeds[account_id] = _Feed(events, newest_id)
        return self._feeds[account_id]
