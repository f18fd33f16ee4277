"""A server reads what webhooks brought by itself, where no worker does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from chatlift.jobs.crew import at_work
from chatlift.jobs.duties import Duty
from chatlift.jobs.worker import Worker
from chatlift.service.context import Service
from chatlift.workflows.receive import read_all_deliveries

PATIENCE = timedelta(seconds=5)
"""How long a delivery may wait for a worker; they look every second."""


@contextmanager
def reading_beside(service: Service) -> Iterator[None]:
    """Read what no worker has read in time, in a thread of this process, until the block ends."""

    def read(now: datetime) -> None:
        read_all_deliveries(
            service.database, service.settings, now=now, received_before=now - PATIENCE
        )

    duty = Duty(name="read_late_deliveries", run=read, every=timedelta(seconds=1))
    reader = Worker(service.settings, service.database, environ={}, duties=[duty], slots=0)
    with at_work(reader):
        yield
