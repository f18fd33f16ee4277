"""Connections to PostgreSQL that do not wait for ever for a server that is gone or frozen.

A server that was ended closes its connections, and a machine that vanished is noticed by the
keepalives below. One that is frozen keeps its connections open and answers nothing: whoever waits
for a long statement looks now and then whether the server still takes a new connection.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import Engine, event

CONNECT_SECONDS = 3
SILENT_SECONDS = 3.0
"""So long a statement may take before it is looked whether the server is frozen, each time."""
LONGEST_STATEMENT_SECONDS = 600
OPTIONS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "options": f"-c statement_timeout={LONGEST_STATEMENT_SECONDS}s",
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Parameters of libpq; what the database URL says comes first."""


class PatientConnection(psycopg.Connection[Any]):
    """Waits for an answer as long as the server is there."""

    reach: Callable[[], psycopg.Connection[Any]] | None = None
    """Opens another connection to the same server."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Wait for an answer; raises OperationalError where the server is frozen."""
        return super().wait(self._watched(gen), *arguments, **options)

    def _watched(self, waiting: Any) -> Generator[Any, Any, Any]:
        """Hand on what is waited for, and look after the server while nothing comes."""
        silent_since = monotonic()
        try:
            wanted = next(waiting)
            while True:
                ready = yield wanted
                if not ready and monotonic() - silent_since > SILENT_SECONDS:
                    self._refuse_frozen()
                if ready or monotonic() - silent_since > SILENT_SECONDS:
                    silent_since = monotonic()
                wanted = waiting.send(ready)
        except StopIteration as answered:
            return answered.value

    def _refuse_frozen(self) -> None:
        if self.reach is None:
            return
        try:
            self.reach().close()
        except psycopg.Error as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("The server takes no new connection.") from error


def be_patient(engine: Engine) -> None:
    """Let an engine make such connections."""

    def connect(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> PatientConnection:
        told = {**OPTIONS, **parameters}
        made = PatientConnection.connect(*arguments, **told)

        def reach() -> psycopg.Connection[Any]:
            return psycopg.connect(*arguments, **told)

        made.reach = reach
        return made

    event.listen(engine, "do_connect", connect)
