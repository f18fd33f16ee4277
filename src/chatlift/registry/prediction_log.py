"""Keeps what was served, a little after it was: no answer waits for the database.

Answers go into a queue; one thread writes what has come together. If the process is killed, what
was served in the last moment is not in the log; if it ends in order, everything is.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import structlog

from chatlift.learn.scoring import Answer
from chatlift.registry.predictions import SERVED_BY, Predictions
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName

MOST_WAITING = 1_000
"""Answers to requests that may wait to be written; then the next waits until there is room."""
TOGETHER = 200
"""Answers to requests that are written in one transaction at most."""
PAUSE_SECONDS = 0.25
"""Between two writes, so that many answers share one."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServedAnswers:
    """What one request was answered, by one version."""

    account_id: int
    model: ModelName
    version_number: int
    answers: Sequence[Answer]
    served_at: datetime


class PredictionLog:
    """The log of one process; safe across threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.Queue[ServedAnswers | None] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, served: ServedAnswers) -> None:
        """Keep answers soon; waits only where a thousand requests are ahead."""
        if not served.answers:
            return
        with self._lock:
            if self._is_closed:
                return
            if self._thread is None:
                # A process that never closes its log still has to end.
                self._thread = threading.Thread(
                    target=self._write, name="prediction_log", daemon=True
                )
                self._thread.start()
        self._waiting.put(served)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _write(self) -> None:
        is_ending = False
        pause = threading.Event()
        while not is_ending:
            found = [self._waiting.get()]
            if found[0] is not None:
                pause.wait(PAUSE_SECONDS)
            while len(found) < TOGETHER and not self._waiting.empty():
                found.append(self._waiting.get())
            is_ending = None in found
            self._keep([served for served in found if served is not None])

    def _keep(self, found: Sequence[ServedAnswers]) -> None:
        by_account: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
        for served in found:
            by_account[served.account_id] += _rows(served)
        for account_id, rows in by_account.items():
            try:
                frame = pl.DataFrame(rows, SERVED_BY, orient="row")
                Predictions(self._database, account_id).log_all(frame)
            except Exception as error:  # noqa: BLE001 - the next may be written again
                log.error(
                    "predictions_unlogged",
                    account_id=account_id,
                    count=len(rows),
                    error=type(error).__name__,
                )


def _rows(served: ServedAnswers) -> list[tuple[object, ...]]:
    """Return the rows of `SERVED_BY`; plain tuples, since a frame costs more than an answer."""
    return [
        (
            served.version_number,
            answer.entity_id,
            answer.contact_id,
            answer.features_fingerprint,
            answer.probability,
            answer.as_of,
            str(served.model),
            served.served_at,
        )
        for answer in served.answers
    ]
