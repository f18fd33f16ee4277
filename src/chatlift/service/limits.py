"""How much one caller may ask of one process: requests, at a time and by the minute.

All of it lives in the memory of the process and in its event loop's thread, so it costs a few
microseconds and needs no lock; with several processes each allows as much.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from fastapi import HTTPException

from chatlift.settings import ServiceSettings

KNOWN_KEYS = 10_000
"""So many callers are remembered before those that ask for nothing are let go."""
SECONDS_PER_MINUTE = 60
IMPORTS_AT_ONCE = 2
"""Of files, by one process: each takes a processor and some hundred megabytes of memory."""
IMPORT_SECONDS = 10.0
"""After which it is worth asking again."""


class TooManyRequests(HTTPException):
    """A caller asks for more than its share."""

    def __init__(self, detail: str, wait_seconds: float) -> None:
        after = str(max(1, math.ceil(wait_seconds)))
        super().__init__(429, detail, headers={"Retry-After": after})


@dataclass
class Bucket:
    """What a caller may still ask for: it empties by requests and fills with time."""

    left: float
    at_seconds: float


class Buckets:
    """One bucket per key; each holds a minute's worth and fills within a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def take(self, key: str) -> float:
        """Take one from the key's bucket; return 0, or the seconds until there is one to take."""
        bucket = self._filled(key)
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return self._seconds_until_one(bucket)

    def wait_seconds(self, key: str) -> float:
        """Return what `take` would, and take none."""
        bucket = self._filled(key)
        return 0.0 if bucket.left >= 1 else self._seconds_until_one(bucket)

    def _filled(self, key: str) -> Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_full(now)
            bucket = self._buckets[key] = Bucket(self._per_minute, now)
        bucket.left = self._level(bucket, now)
        bucket.at_seconds = now
        return bucket

    def _level(self, bucket: Bucket, now: float) -> float:
        gained = (now - bucket.at_seconds) * self._per_minute / SECONDS_PER_MINUTE
        return min(self._per_minute, bucket.left + gained)

    def _seconds_until_one(self, bucket: Bucket) -> float:
        return (1 - bucket.left) * SECONDS_PER_MINUTE / self._per_minute

    def _forget_full(self, now: float) -> None:
        if len(self._buckets) < KNOWN_KEYS:
            return
        kept = {k: b for k, b in self._buckets.items() if self._level(b, now) < self._per_minute}
        # Addresses that all were refused a moment ago: the memory is worth more than their count.
        self._buckets = kept if len(kept) < KNOWN_KEYS else {}


class Limits:
    """The limits of one process."""

    def __init__(self, settings: ServiceSettings, clock: Callable[[], float] = monotonic) -> None:
        self._concurrent_requests = settings.concurrent_requests
        self._requests = Buckets(settings.requests_per_minute, clock)
        self._failures = Buckets(settings.failed_sign_ins_per_minute, clock)
        self._under_way: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()
        self._imports_under_way = 0

    @contextmanager
    def one_request(self, key: str) -> Iterator[None]:
        """Count one request of a caller while the block lasts.

        Raises
        ------
        TooManyRequests
            If the caller has too many under way, or had too many of late.
        """
        if self._under_way[key] >= self._concurrent_requests:
            told = f"{self._concurrent_requests} requests of yours are being answered already."
            raise TooManyRequests(f"{told} Wait for one to end.", 1.0)
        wait_seconds = self._requests.take(key)
        if wait_seconds:
            raise TooManyRequests("That is more than a minute allows you. Slow down.", wait_seconds)
        with self._counted(key):
            yield

    @contextmanager
    def one_delivery(self, key: str) -> Iterator[None]:
        """Count one delivery to a webhook from one address while the block lasts.

        Raises
        ------
        TooManyRequests
            If as many are being received.
        """
        if self._under_way[key] >= self._concurrent_requests:
            told = f"{self._concurrent_requests} deliveries are being received already."
            raise TooManyRequests(f"{told} Send it again in a moment.", 1.0)
        with self._counted(key):
            yield

    @contextmanager
    def _counted(self, key: str) -> Iterator[None]:
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]

    def begin_stream(self, key: str) -> Callable[[], None]:
        """Count one stream of a caller until the returned function is called, once.

        Raises
        ------
        TooManyRequests
            If the caller listens to too many already.
        """
        if self._streams[key] >= self._concurrent_requests:
            told = f"You listen to {self._concurrent_requests} streams already. End one."
            raise TooManyRequests(told, 1.0)
        self._streams[key] += 1

        def end() -> None:
            self._streams[key] -= 1
            if not self._streams[key]:
                del self._streams[key]

        return end

    @contextmanager
    def one_import(self) -> Iterator[None]:
        """Count one import of files, whoever makes it, while the block lasts.

        Raises
        ------
        TooManyRequests
            If as many are under way as one process reads at a time.
        """
        if self._imports_under_way >= IMPORTS_AT_ONCE:
            told = f"{IMPORTS_AT_ONCE} imports of files are under way already."
            raise TooManyRequests(f"{told} Send yours when one has ended.", IMPORT_SECONDS)
        self._imports_under_way += 1
        try:
            yield
        finally:
            self._imports_under_way -= 1

    def note_failure(self, address: str) -> None:
        """Count an unknown token or link, or a wrong signature, that came from an address."""
        self._failures.take(address)

    def refuse_guesses(self, address: str) -> None:
        """Raise `TooManyRequests` if too much came from an address that nobody stands for."""
        wait_seconds = self._failures.wait_seconds(address)
        if wait_seconds:
            told = "Too many unknown tokens, links or signatures came from you. Wait a while."
            raise TooManyRequests(told, wait_seconds)
