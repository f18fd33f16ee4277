"""Deliveries: what webhooks brought, kept as it came until it is read into records.

A delivery is stored before the service that brought it is answered, so that what was answered is
never lost. It goes in the transaction that keeps what became of it; until then whoever reads it
may be killed, and the next one reads it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from chatlift.errors import Conflict
from chatlift.registry.webhooks import HOOKS, Webhook
from chatlift.store.bulk import among, table_of
from chatlift.store.database import Database
from chatlift.store.service_tables import WebhookDeliveryRow

DELIVERIES = table_of(WebhookDeliveryRow)
TRIED_AGAIN_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
"""How long after its receipt a delivery that could not be read is read again, each time."""
MOST_ATTEMPTS = 1 + len(TRIED_AGAIN_AFTER)
AT_ONCE = 200
"""Deliveries read together, so that a busy hour needs few transactions."""
SPAN = timedelta(minutes=1)
"""Deliveries read together came within it: what they leave undated is known since the last."""
BYTES_AT_ONCE = 16 * 2**20


class DeliveriesTaken(Conflict):
    """Another process read the same deliveries at the same time, and was first."""

    def __init__(self) -> None:
        super().__init__(
            "Another process has read these webhook deliveries. There is nothing to do: they are "
            "in the records."
        )


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One body that was received and is not read into records yet."""

    delivery_id: int
    received_at: datetime
    body: bytes = field(repr=False)
    attempts: int
    """How often reading it failed."""
    failure: str | None = None
    """Why, the last time; None: it never failed."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What of one webhook is not read yet."""

    delivery_count: int = 0
    failed_count: int = 0
    """Of them, those that could not be read so far."""
    failure: str | None = None
    """Why the newest of those could not be read; holds nothing of what it said."""


def keep_delivery(database: Database, hook: Webhook, body: bytes, *, now: datetime) -> int:
    """Store a body as it came, and when its webhook was last called; return its number."""
    values = {"account_id": hook.account_id, "hook_id": hook.hook_id, "received_at": now}
    called_now = update(HOOKS).where(
        HOOKS.c.account_id == hook.account_id, HOOKS.c.hook_id == hook.hook_id
    )
    with database.of_account(hook.account_id).write() as connection:
        kept = insert(DELIVERIES).values(values | {"body": body, "attempts": 0})
        number = connection.execute(kept.returning(DELIVERIES.c.delivery_id)).scalar_one()
        connection.execute(called_now.values(last_delivery_at=now))
    return int(number)


def accounts_with_deliveries(
    database: Database, *, received_before: datetime | None = None
) -> tuple[int, ...]:
    """Return the numbers of the accounts, whichever they are, for which deliveries wait.

    Parameters
    ----------
    received_before
        Only those for which one has waited since before then; None: all.
    """
    waiting = select(DELIVERIES.c.account_id).distinct()
    if received_before is not None:
        waiting = waiting.where(DELIVERIES.c.received_at < received_before)
    with database.across_accounts().read() as connection:
        return tuple(connection.scalars(waiting.order_by(DELIVERIES.c.account_id)))


class Deliveries:
    """The deliveries of one account that wait to be read; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def hook_ids(self) -> tuple[str, ...]:
        """Return the webhooks for which some wait, the one that waits longest first."""
        first = func.min(DELIVERIES.c.delivery_id)
        grouped = select(DELIVERIES.c.hook_id).where(self._mine).group_by(DELIVERIES.c.hook_id)
        with self._database.read() as connection:
            return tuple(connection.scalars(grouped.order_by(first)))

    def waiting(self) -> dict[str, Waiting]:
        """Return by webhook how many wait; those without any are absent."""
        row = DELIVERIES.c
        statement = select(row.hook_id, row.failure).where(self._mine).order_by(row.delivery_id)
        found: dict[str, Waiting] = {}
        with self._database.read() as connection:
            for hook_id, failure in connection.execute(statement):
                before = found.get(hook_id, Waiting())
                found[hook_id] = Waiting(
                    delivery_count=before.delivery_count + 1,
                    failed_count=before.failed_count + (failure is not None),
                    failure=failure or before.failure,
                )
        return found

    def next_of(self, hook_id: str, *, after: int, now: datetime) -> tuple[Delivery, ...]:
        """Return the next deliveries to read, in the order in which they came.

        One that could not be read before comes alone, once it is due again; one that nobody has
        to try again (`MOST_ATTEMPTS`) at once.

        Parameters
        ----------
        after
            Number of the last delivery that was looked at in this round; 0 at its beginning.
        """
        row = DELIVERIES.c
        due = [
            and_(row.attempts == n, row.received_at <= now - wait)
            for n, wait in enumerate(TRIED_AGAIN_AFTER, 1)
        ]
        statement = (
            select(row.delivery_id, row.received_at, row.attempts, func.length(row.body))
            .where(self._mine, row.hook_id == hook_id, row.delivery_id > after)
            .where(or_(row.attempts == 0, row.attempts >= MOST_ATTEMPTS, *due))
            .order_by(row.delivery_id)
            .limit(AT_ONCE)
        )
        with self._database.read() as connection:
            found = connection.execute(statement).all()
            chosen = _together([(r[0], r[1], r[2], r[3]) for r in found])
            return self._whole(connection, chosen)

    def note_failure(self, deliveries: Sequence[Delivery], why: str, *, is_theirs: bool) -> None:
        """Keep why deliveries could not be read.

        Parameters
        ----------
        is_theirs
            Whether it lies in them: after `MOST_ATTEMPTS` of those nobody tries again.
        """
        attempts = DELIVERIES.c.attempts + 1 if is_theirs else DELIVERIES.c.attempts
        with self._database.write() as connection:
            chosen = self._chosen(connection, deliveries)
            is_news = DELIVERIES.c.failure.is_distinct_from(why)
            where = chosen if is_theirs else chosen & is_news
            connection.execute(
                update(DELIVERIES).where(where).values(attempts=attempts, failure=why)
            )

    def take(self, connection: Connection, deliveries: Sequence[Delivery]) -> None:
        """Delete deliveries in the transaction that keeps what became of them.

        Raises
        ------
        DeliveriesTaken
            If one of them is gone: then the transaction must not be committed.
        """
        gone = connection.execute(delete(DELIVERIES).where(self._chosen(connection, deliveries)))
        if gone.rowcount != len(deliveries):
            raise DeliveriesTaken

    @property
    def _mine(self) -> ColumnElement[bool]:
        return DELIVERIES.c.account_id == self._account_id

    def _chosen(
        self, connection: Connection, deliveries: Sequence[Delivery]
    ) -> ColumnElement[bool]:
        numbers = [delivery.delivery_id for delivery in deliveries]
        return self._mine & among(connection, DELIVERIES.c.delivery_id, numbers)

    def _whole(self, connection: Connection, numbers: Sequence[int]) -> tuple[Delivery, ...]:
        columns = [DELIVERIES.c[name] for name in Delivery.__dataclass_fields__]
        wanted = select(*columns).where(
            self._mine, among(connection, DELIVERIES.c.delivery_id, numbers)
        )
        rows = connection.execute(wanted.order_by(DELIVERIES.c.delivery_id))
        return tuple(Delivery(**row._mapping) for row in rows)


def _together(found: Sequence[tuple[int, datetime, int, int]]) -> list[int]:
    """Return the numbers of the first deliveries that may be read in one go.

    Parameters
    ----------
    found
        Number, receipt, attempts and bytes of each, in order.
    """
    chosen: list[int] = []
    byte_count = 0
    for number, received_at, attempts, size in found:
        byte_count += size
        is_apart = attempts > 0 or found[0][2] > 0
        is_late = received_at - found[0][1] > SPAN
        if chosen and (is_apart or is_late or byte_count > BYTES_AT_ONCE):
            break
        chosen.append(number)
    return chosen
