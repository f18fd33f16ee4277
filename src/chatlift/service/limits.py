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
from typing import TypeVar

from fastapi import HTTPException

from chatlift.settings import ServiceSettings

Key = TypeVar("Key", int, str)
KNOWN_KEYS = 10_000
"""So many callers are remembered before those that ask for nothing are let go."""
SECONDS_PER_MINUTE = 60
IMPORTS_AT_ONCE = 4
"""Of files, by one process: each takes a processor and some hundred megabytes of memory."""
IMPORTS_OF_ACCOUNT = 2
"""Of these, imports of one account, so that no account keeps the others waiting."""
UPLOADS_OF_ACCOUNT = 8
"""Requests with files that are being received; each may fill the disk up to its limit."""
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
        self._imports: Counter[int] = Counter()
        """Imports under way by account."""
        self._uploads: Counter[int] = Counter()

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
        with _counted(self._under_way, key):
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
        with _counted(self._under_way, key):
            yield

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
    def one_upload(self, account_id: int) -> Iterator[None]:
        """Count one request with files of an account while the block lasts.

        Raises
        ------
        TooManyRequests
            If the account sends as many already.
        """
        if self._uploads[account_id] >= UPLOADS_OF_ACCOUNT:
            told = f"{UPLOADS_OF_ACCOUNT} requests with files of yours are under way already."
            raise TooManyRequests(f"{told} Send this one when one has ended.", IMPORT_SECONDS)
        with _counted(self._uploads, account_id):
            yield

    @contextmanager
    def one_import(self, account_id: int) -> Iterator[None]:
        """Count one import of files that have been received while the block lasts.

        Raises
        ------
        TooManyRequests
            If the account has as many under way as it may, or the process as many as it can.
        """
        own, in_all = self._imports[account_id], self._imports.total()
        if own >= IMPORTS_OF_ACCOUNT or in_all >= IMPORTS_AT_ONCE:
            told = f"{own} imports of yours and {in_all} in all are under way already."
            raise TooManyRequests(f"{told} Send yours when one has ended.", IMPORT_SECONDS)
        with _counted(self._imports, account_id):
            yield

    def note_failure(self, address: str) -> None:
        """Count an unknown token or link, or a wrong signature, that came from an address."""
        self._failures.take(address)

    def refuse_guesses(self, address: str) -> None:
        """Raise `TooManyRequests` if too much came from an address that nobody stands for."""
        wait_seconds = self._failures.wait_seconds(address)
        if wait_seconds:
            told = "Too many unknown tokens, links or signatures came from you. Wait a while."
            raise TooManyRequests(told, wait_seconds)


@contextmanager
def _counted(counter: Counter[Key], key: Key) -> Iterator[None]:
    """Count a key while the block lasts; what is not counted takes no room."""
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
