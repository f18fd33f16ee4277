"""Keeps what was served, a little after it was: no answer waits for the database.

Answers wait in memory; one thread writes what has come together, and tries again while the database
is away or busy. Only where more wait than memory should hold are the next ones left out, which is
counted and told. If the process is killed, what was served in the last moment is not in the log; if
it ends in order, everything is that the database takes.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import structlog
from sqlalchemy.exc import OperationalError

from chatlift.errors import Unavailable
from chatlift.learn.scoring import Answer
from chatlift.registry.predictions import SERVED_BY, Predictions
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName

MOST_WAITING = 200_000
"""Answers about one entity that may wait to be written, at some 500 bytes each."""
TOGETHER = 20_000
"""Answers about one entity that are written in one transaction, as far as requests allow."""
PAUSE_SECONDS = 0.25
"""Between two writes, so that many answers share one."""
LONGEST_PAUSE_SECONDS = 10.0
"""Between two tries while the database takes nothing; the pause doubles from try to try."""

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

    def __init__(self, database: Database, *, most_waiting: int = MOST_WAITING) -> None:
        self._database = database
        self._most_waiting = most_waiting
        self._waiting: deque[ServedAnswers] = deque()
        self._waiting_count = 0
        self.kept_count = 0
        """Answers about one entity that were written since the process began."""
        self.lost_count = 0
        """Those that were left out, or could never be written."""
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._is_given_up = False

    def add(self, served: ServedAnswers) -> None:
        """Keep answers soon; never waits. What finds no room is left out and told."""
        count = len(served.answers)
        if not count:
            return
        with self._news:
            if self._closed.is_set():
                return
            if self._waiting_count + count > self._most_waiting:
                self.lost_count += count
                return
            self._waiting.append(served)
            self._waiting_count += count
            if self._thread is None:
                # A process that never closes its log still has to end.
                self._thread = threading.Thread(
                    target=self._write, name="prediction_log", daemon=True
                )
                self._thread.start()
            if len(self._waiting) == 1:
                self._news.notify()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._news:
            self._closed.set()
            thread, self._thread = self._thread, None
            self._news.notify_all()
        if thread is not None:
            thread.join()

    def _write(self) -> None:
        told = 0
        while self._has_news():
            found = self._taken()
            for account_id, rows in _by_account(found).items():
                self._keep(account_id, rows)
            with self._news:
                self._waiting_count -= sum(len(served.answers) for served in found)
                lost = self.lost_count
            if lost > told:
                log.error("predictions_lost", count=lost - told)
                told = lost

    def _has_news(self) -> bool:
        """Wait for answers, and a little for more; return False at the end."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closed.is_set())
        self._closed.wait(PAUSE_SECONDS)
        return bool(self._waiting)

    def _taken(self) -> list[ServedAnswers]:
        """Take requests off, the first in any case; they count as waiting until they are kept."""
        with self._news:
            found = [self._waiting.popleft()]
            count = len(found[0].answers)
            while self._waiting and count + len(self._waiting[0].answers) <= TOGETHER:
                found.append(self._waiting.popleft())
                count += len(found[-1].answers)
            return found

    def _keep(self, account_id: int, rows: list[tuple[object, ...]]) -> None:
        """Write, again and again while the database takes nothing; at the end once.

        What cannot be written at the end keeps nobody: all that still waits is then given up.
        """
        pause = PAUSE_SECONDS
        while not self._is_given_up:
            is_last = self._closed.is_set()
            if self._is_settled(account_id, rows):
                return
            self._is_given_up = is_last
            self._closed.wait(0 if is_last else pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self._lose(len(rows))

    def _is_settled(self, account_id: int, rows: list[tuple[object, ...]]) -> bool:
        """Write; return False if it is worth trying again."""
        try:
            frame = pl.DataFrame(rows, SERVED_BY, orient="row")
            Predictions(self._database, account_id).log_all(frame)
        except Exception as error:  # noqa: BLE001 - the thread has to go on
            told = {"account_id": account_id, "count": len(rows), "error": type(error).__name__}
            log.error("predictions_unlogged", **told)
            if isinstance(error, (Unavailable, OperationalError)):
                return False
            self._lose(len(rows))
            return True
        self.kept_count += len(rows)
        return True

    def _lose(self, count: int) -> None:
        with self._news:
            self.lost_count += count


def _by_account(found: Sequence[ServedAnswers]) -> dict[int, list[tuple[object, ...]]]:
    rows: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
    for served in found:
        rows[served.account_id] += _rows(served)
    return rows


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
