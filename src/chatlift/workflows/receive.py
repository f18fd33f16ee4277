"""Receive: what webhooks bring is kept at once, and read into records afterwards.

Keeping takes one short transaction, so that the service that calls is answered at once. Reading is
for whoever has time: a worker, the server itself, or a command that must know all there is. Any
number of processes may read at the same time, and any of them may be killed: a delivery goes only
in the transaction that keeps what became of it, and reading it twice writes nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy.exc import OperationalError

from chatlift.errors import ChatliftError
from chatlift.registry.deliveries import (
    MOST_ATTEMPTS,
    Deliveries,
    DeliveriesTaken,
    Delivery,
    accounts_with_deliveries,
)
from chatlift.registry.failures import failure_of
from chatlift.registry.secret_box import SecretBox, SecretKeyMissing
from chatlift.registry.webhooks import Webhook, Webhooks
from chatlift.registry.workspace import workspace_in
from chatlift.settings import Settings
from chatlift.sources.chatwoot import parse_chatwoot_bodies
from chatlift.sources.entries import whole_text
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.payloads import parsed, texts_in
from chatlift.sources.signatures import chatwoot_signature_is_valid, signature_is_valid
from chatlift.sources.whatsapp_cloud import parse_cloud_bodies
from chatlift.store.accounts import account_numbered
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.imports import REJECTED, add_to_batch
from chatlift.store.settling import take_turn
from chatlift.vocabulary import WebhookKind
from chatlift.workflows.ingest_feeds import KeepBatch, ingest_feeds

PARSERS = {
    WebhookKind.WHATSAPP_CLOUD: parse_cloud_bodies,
    WebhookKind.CHATWOOT: parse_chatwoot_bodies,
}
LONGEST_KEPT_BYTES = 256 * 2**10
"""Of a body in which an entry was refused; a longer one is not kept beside the refusal."""
MASKED_AT_ONCE = 8_000
"""Characters looked through at once for somebody forgotten, and so many of the next with them."""
OVERLAP = 200


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """What became of the deliveries that were due."""

    read_count: int = 0
    """Deliveries that are in the records now; their refused entries stand in the day's batch."""
    failed_count: int = 0
    """Deliveries that could not be read this time, and wait for another."""
    given_up_count: int = 0
    """Deliveries that nobody tries again: each is a rejected row with its body."""

    def __add__(self, other: ReadReport) -> ReadReport:
        """Return both together."""
        return ReadReport(
            read_count=self.read_count + other.read_count,
            failed_count=self.failed_count + other.failed_count,
            given_up_count=self.given_up_count + other.given_up_count,
        )


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What the headers of a delivery say of who sent it."""

    value: str | None = None
    """`X-Hub-Signature-256` or `X-Chatwoot-Signature`; None: there was none."""
    timestamp: str | None = None
    """`X-Chatwoot-Timestamp`."""


def is_trusted(
    hook: Webhook, body: bytes, signature: Signature, *, box: SecretBox | None, now: datetime
) -> bool:
    """Tell whether a delivery comes from the service that its webhook is for.

    Where no secret was told (Chatwoot before 2026 signs nothing), whoever knows the address is
    trusted; where one was, an unsigned delivery is not.

    Parameters
    ----------
    box
        Opens the secrets; None: there is no key, and only unsigned webhooks can be called.

    Raises
    ------
    SecretKeyMissing
        If the delivery has to be signed and there is no key.
    Unavailable
        If the secrets were encrypted under another key.
    """
    if not hook.is_signed:
        return True
    if box is None:
        raise SecretKeyMissing
    valid = hook.valid_secrets(box)
    if hook.kind is WebhookKind.WHATSAPP_CLOUD:
        return signature_is_valid(body, signature.value or "", valid)
    return chatwoot_signature_is_valid(
        body, signature.value or "", signature.timestamp or "", valid, now=now
    )


def read_all_deliveries(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    received_before: datetime | None = None,
) -> ReadReport:
    """Read what waits for any account, as `read_deliveries`.

    Parameters
    ----------
    received_before
        Only for accounts of which something came before it: nobody else has read it since.
    """
    told = ReadReport()
    for account_id in accounts_with_deliveries(database, received_before=received_before):
        account = account_numbered(database, account_id)
        told += read_deliveries(workspace_in(database, settings, account).crm, now=now)
    return told


def read_deliveries(crm: Crm, *, now: datetime) -> ReadReport:
    """Read what webhooks brought for an account into its records, in the order in which it came.

    What cannot be read waits and stops none of the others. The entries of a delivery that are
    refused are kept in the batch of their webhook and day, with the whole body.
    """
    deliveries = Deliveries(crm.database, crm.account_id)
    waiting = deliveries.hook_ids()
    hooks = {hook.hook_id: hook for hook in Webhooks(crm.database, crm.account_id).list()}
    told = ReadReport()
    for hook_id in waiting:
        told += _Reading(crm, deliveries, hooks[hook_id], now).read()
    return told


_FAILED = ReadReport(failed_count=1)


class _Reading:
    """One round of reading what one webhook brought."""

    def __init__(self, crm: Crm, deliveries: Deliveries, hook: Webhook, now: datetime) -> None:
        self.crm = crm
        self.deliveries = deliveries
        self.hook = hook
        self.now = now

    def read(self) -> ReadReport:
        """Read all that is due, a group at a time."""
        told = ReadReport()
        after = 0
        while some := self.deliveries.next_of(self.hook.hook_id, after=after, now=self.now):
            after = some[-1].delivery_id
            try:
                told += self._take_in(some)
            except ChatliftError as error:
                # Nothing is wrong with them: the account cannot take them now, nor the next ones.
                self.deliveries.note_failure(some, str(error), is_theirs=False)
                return told + ReadReport(failed_count=len(some))
        return told

    def _take_in(self, some: Sequence[Delivery]) -> ReadReport:
        if some[0].attempts >= MOST_ATTEMPTS:
            return self._give_up(some[0])
        try:
            self._read(some)
        except DeliveriesTaken:
            return ReadReport()
        except (ChatliftError, OperationalError):
            raise
        except Exception as error:  # noqa: BLE001 - one delivery must not stop the others
            return self._failed(some, error)
        return ReadReport(read_count=len(some))

    def _failed(self, some: Sequence[Delivery], error: Exception) -> ReadReport:
        """Find out which of them it is, or keep why the one cannot be read."""
        if len(some) > 1:
            told = ReadReport()
            for delivery in some:
                told += self._take_in([delivery])
            return told
        why = _why(error)
        self.deliveries.note_failure(some, why, is_theirs=True)
        tried = replace(some[0], attempts=some[0].attempts + 1, failure=why)
        return self._give_up(tried) if tried.attempts >= MOST_ATTEMPTS else _FAILED

    def _read(self, some: Sequence[Delivery]) -> None:
        received_at = some[-1].received_at
        ingest_feeds(
            [self._feed(delivery, received_at) for delivery in some],
            crm=self.crm,
            imported_at=received_at,
            source=self.hook.source,
            keep_batch=self._keeper(some),
        )

    def _feed(self, delivery: Delivery, received_at: datetime) -> ParsedFeed:
        body = parsed(delivery.body, _name_of(delivery))
        feed = PARSERS[self.hook.kind](
            [body], feed_name=f"webhook {self.hook.short_id}", received_at=received_at
        )
        if feed.rejected.is_empty():
            return feed
        told: dict[str, str | None]
        if self._names_forgotten(delivery):
            told = {"value": None, "cells": None}
        elif len(delivery.body) > LONGEST_KEPT_BYTES:
            told = {"cells": None}
        else:
            told = {"cells": _cells_of(delivery)}
        columns = [pl.lit(text, pl.String).alias(name) for name, text in told.items()]
        return replace(feed, rejected=feed.rejected.with_columns(columns))

    def _give_up(self, delivery: Delivery) -> ReadReport:
        """Make a rejected row of a delivery, which holds its whole body."""
        row = {
            "table_name": "entries",
            "file_name": _name_of(delivery),
            "row_number": 0,
            "column_name": "",
            "reason": f"reading it failed {delivery.attempts} times; the last: {delivery.failure}",
            "cells": None if self._names_forgotten(delivery) else _cells_of(delivery),
        }
        try:
            self._keeper([delivery])(
                self.crm.database,
                self.crm.account_id,
                source=self.hook.source,
                imported_at=delivery.received_at,
                summary={"given_up": 1},
                rejected=pl.DataFrame([row], REJECTED),
            )
        except DeliveriesTaken:
            return ReadReport()
        return ReadReport(given_up_count=1)

    def _keeper(self, some: Sequence[Delivery]) -> KeepBatch:
        """Return what keeps the batch and lets the deliveries go, in one transaction."""

        def keep(
            database: Database,
            account_id: int,
            *,
            source: str,
            imported_at: datetime,
            summary: Mapping[str, Any],
            rejected: pl.DataFrame,
        ) -> int:
            day = f"{self.hook.hook_id} {imported_at:%Y-%m-%d}"
            with database.write() as connection:
                take_turn(connection, account_id)
                self.deliveries.take(connection, some)
                return add_to_batch(
                    connection,
                    account_id,
                    fingerprint=hashlib.sha256(day.encode()).hexdigest(),
                    source=source,
                    imported_at=imported_at,
                    summary=summary,
                    rejected=rejected,
                )

        return keep

    def _names_forgotten(self, delivery: Delivery) -> bool:
        """Tell whether a body holds an id, a phone or a name of somebody forgotten."""
        text = "\n".join(texts_in(_content_of(delivery)))
        pieces = range(0, len(text), MASKED_AT_ONCE)
        shown = (text[start : start + MASKED_AT_ONCE + OVERLAP] for start in pieces)
        return any(self.crm.masked(part, source=self.hook.source) != part for part in shown)


def _name_of(delivery: Delivery) -> str:
    return f"delivery {delivery.delivery_id}"


def _why(error: Exception) -> str:
    """Return what broke and where, without what the delivery says."""
    told = failure_of(error)
    frame = told["frames"][-1]
    return f"{told['type']} in {frame['file']}:{frame['line']}"


def _content_of(delivery: Delivery) -> Any:
    """Return what a body says: its JSON, else its text."""
    body = parsed(delivery.body, "")
    return body.value if body.refusal is None else delivery.body.decode("utf-8", "replace")


def _cells_of(delivery: Delivery) -> str:
    """Return the body as the one cell of a rejected row."""
    try:
        cells = json.dumps([_content_of(delivery)], ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        cells = json.dumps([delivery.body.decode("utf-8", "replace")], ensure_ascii=False)
    return whole_text(cells)
