"""Webhooks: addresses that a messaging service calls, each bound to one account.

The address holds a random id, which is itself a secret: it is shown once, and later only its
beginning. What the service signs with is kept encrypted (`secret_box`); of the verify token, which
only has to be recognised, the SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.registry.secret_box import SecretBox
from chatlift.store.bulk import table_of
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.mixing import refuse_mixing
from chatlift.store.service_tables import WebhookRow
from chatlift.vocabulary import WebhookKind, parse_source

ADDRESS = "/api/v1/ingest/webhooks"
PLACES: Mapping[WebhookKind, str] = {
    WebhookKind.WHATSAPP_CLOUD: "whatsapp",
    WebhookKind.CHATWOOT: "chatwoot",
}
"""How the address of a webhook ends, by its kind."""
ID_BYTES = 24
HOOK_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
SHOWN_CHARACTERS = 8
"""Of a hook's id; the rest is not shown again."""
VALID_SECRETS = 2
"""The newest so many are valid: during a rotation the old one and the new one."""
LONGEST_SECRET = 512
HOOKS = table_of(WebhookRow)


class WebhookNotFound(NotFound):
    """No webhook of this account begins so."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"No webhook of this account begins with {wanted[:SHOWN_CHARACTERS]!r}. List them "
            "with: chatlift webhook list"
        )


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One address that a service calls."""

    hook_id: str = field(repr=False)
    account_id: int
    kind: WebhookKind
    source: str
    """Of the records that come by it."""
    secrets: str = field(repr=False)
    """Encrypted; empty: nothing is signed, and the address alone tells who called."""
    verify_token_sha256: str | None = field(repr=False)
    created_at: datetime
    revoked_at: datetime | None
    last_delivery_at: datetime | None
    """None: nobody called yet."""

    @property
    def short_id(self) -> str:
        """The beginning of its id, which names it where its address must not be shown."""
        return self.hook_id[:SHOWN_CHARACTERS]

    @property
    def address(self) -> str:
        """The path that the service calls, behind the public address of `chatlift serve`."""
        return f"{ADDRESS}/{self.hook_id}/{PLACES[self.kind]}"

    @property
    def is_signed(self) -> bool:
        """Whether deliveries have to be signed."""
        return bool(self.secrets)

    def is_verified_by(self, token: str) -> bool:
        """Tell whether this is its verify token, in a time that does not depend on it."""
        known = self.verify_token_sha256 or ""
        return hmac.compare_digest(_sha256(token), known)

    def valid_secrets(self, box: SecretBox) -> tuple[str, ...]:
        """Return the secrets with which its deliveries may be signed, the newest first.

        Raises
        ------
        Unavailable
            If they were encrypted under another key.
        """
        if not self.secrets:
            return ()
        return tuple(json.loads(box.open(self.secrets, name=self.hook_id)))


@dataclass(frozen=True, kw_only=True)
class NewWebhook:
    """A webhook just made, with what is shown this once."""

    webhook: Webhook
    verify_token: str | None = field(repr=False)
    """What the service has to show in the handshake; None: its kind knows none."""


class Webhooks:
    """The webhooks of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def create(
        self,
        kind: WebhookKind,
        *,
        source: str | None = None,
        secret: str | None = None,
        box: SecretBox,
        now: datetime,
    ) -> NewWebhook:
        """Make an address for a service to call.

        Parameters
        ----------
        source
            Names the records that come by it; None: as the import of such files does.
        secret
            What the service signs with. The WhatsApp Cloud API always signs; for Chatwoot None
            means that nothing is signed.

        Raises
        ------
        InvalidInput
            If the secret is missing or unusable, or the source's name is.
        Conflict
            If the account holds generated records.
        """
        name = parse_source(source or kind)
        refuse_mixing(Crm(self._database, self._account_id), name)
        if secret is None and kind is WebhookKind.WHATSAPP_CLOUD:
            raise InvalidInput(
                "A webhook of the WhatsApp Cloud API was asked for without a secret. Give the app "
                "secret of the Meta app, with which each delivery is signed."
            )
        hook_id = secrets.token_urlsafe(ID_BYTES)
        token = secrets.token_urlsafe(ID_BYTES) if kind is WebhookKind.WHATSAPP_CLOUD else None
        values = {
            "hook_id": hook_id,
            "account_id": self._account_id,
            "kind": kind,
            "source": name,
            "secrets": _sealed([_usable(secret)] if secret is not None else [], hook_id, box),
            "verify_token_sha256": None if token is None else _sha256(token),
            "created_at": now,
        }
        with self._database.write() as connection:
            made = connection.execute(insert(HOOKS).values(values).returning(*HOOKS.c)).one()
        return NewWebhook(webhook=_webhook(made._mapping), verify_token=token)

    def list(self) -> tuple[Webhook, ...]:
        """Return the account's webhooks in the order in which they were made, revoked ones too."""
        mine = select(HOOKS).where(HOOKS.c.account_id == self._account_id)
        with self._database.read() as connection:
            rows = connection.execute(mine.order_by(HOOKS.c.created_at, HOOKS.c.hook_id)).all()
        return tuple(_webhook(row._mapping) for row in rows)

    def get(self, wanted: str) -> Webhook:
        """Return the one webhook of the account whose id begins so.

        Raises
        ------
        WebhookNotFound
            If there is none, or the beginning is too short to tell.
        """
        found = [hook for hook in self.list() if hook.hook_id.startswith(wanted)]
        if len(wanted) < SHOWN_CHARACTERS or len(found) != 1:
            raise WebhookNotFound(wanted)
        return found[0]

    def rotate(self, wanted: str, secret: str, *, box: SecretBox) -> Webhook:
        """Add a secret; the one before stays valid until `retire`, earlier ones end.

        Raises
        ------
        WebhookNotFound
            If there is no such webhook.
        Conflict
            If it is revoked.
        InvalidInput
            If the secret is unusable.
        """
        hook = self._in_use(wanted)
        told = [_usable(secret), *(s for s in hook.valid_secrets(box) if s != secret)]
        return self._change(hook, secrets=_sealed(told[:VALID_SECRETS], hook.hook_id, box))

    def retire(self, wanted: str, *, box: SecretBox) -> Webhook:
        """End all secrets but the newest; raises as `rotate`."""
        hook = self._in_use(wanted)
        newest = hook.valid_secrets(box)[:1]
        return self._change(hook, secrets=_sealed(list(newest), hook.hook_id, box))

    def revoke(self, wanted: str, *, now: datetime) -> Webhook:
        """End a webhook: whoever calls it is told that there is none. What came by it stays.

        Raises
        ------
        WebhookNotFound
            If there is no such webhook.
        """
        hook = self.get(wanted)
        return self._change(hook, revoked_at=hook.revoked_at or now)

    def _in_use(self, wanted: str) -> Webhook:
        hook = self.get(wanted)
        if hook.revoked_at is not None:
            raise Conflict(
                f"The webhook {hook.short_id} is revoked and takes no secret. Make another with: "
                "chatlift webhook create"
            )
        return hook

    def _change(self, hook: Webhook, **values: Any) -> Webhook:
        chosen = update(HOOKS).where(
            HOOKS.c.account_id == self._account_id, HOOKS.c.hook_id == hook.hook_id
        )
        with self._database.write() as connection:
            changed = connection.execute(chosen.values(values).returning(*HOOKS.c)).one()
        return _webhook(changed._mapping)


def called(database: Database, hook_id: str) -> Webhook | None:
    """Return the webhook in use that somebody calls, of whatever account; None: there is none."""
    if not HOOK_ID.fullmatch(hook_id):
        return None
    wanted = select(HOOKS).where(HOOKS.c.hook_id == hook_id, HOOKS.c.revoked_at.is_(None))
    with database.across_accounts().read() as connection:
        row = connection.execute(wanted).one_or_none()
    return None if row is None else _webhook(row._mapping)


def _usable(secret: str) -> str:
    told = secret.strip()
    if not told or len(told) > LONGEST_SECRET or not told.isprintable():
        raise InvalidInput(
            f"The secret is empty, longer than {LONGEST_SECRET} characters or holds some that "
            "cannot be printed. Copy it once more from the service."
        )
    return told


def _sealed(told: list[str], hook_id: str, box: SecretBox) -> str:
    return box.seal(json.dumps(told), name=hook_id) if told else ""


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _webhook(row: Mapping[Any, Any]) -> Webhook:
    told = {name: row[name] for name in Webhook.__dataclass_fields__}
    return Webhook(**told | {"kind": WebhookKind(row["kind"])})
