"""Webhooks: bound to one account, recognised without being readable, two secrets while rotated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import select

from chatlift.errors import Conflict, InvalidInput
from chatlift.records import CONTACTS, Records
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import HOOKS, NewWebhook, WebhookNotFound, Webhooks, called
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.vocabulary import SIMULATED, WebhookKind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BOX = SecretBox("A" * 43)
FIRST, SECOND, THIRD = "first-secret", "second-secret", "third-secret"
WHATSAPP, CHATWOOT = WebhookKind.WHATSAPP_CLOUD, WebhookKind.CHATWOOT


@pytest.fixture
def hooks(database: Database) -> Webhooks:
    return Webhooks(database, ensure_account(database, "default", time_zone="UTC").account_id)


def made(hooks: Webhooks, kind: WebhookKind = WHATSAPP, secret: str | None = FIRST) -> NewWebhook:
    return hooks.create(kind, secret=secret, box=BOX, now=NOW)


def test_the_address_is_shown_once_and_leads_to_its_account(
    hooks: Webhooks, database: Database
) -> None:
    new = made(hooks)
    assert new.webhook.address == f"/api/v1/ingest/webhooks/{new.webhook.hook_id}/whatsapp"
    assert new.webhook.source == "whatsapp_cloud"
    assert called(database, new.webhook.hook_id) == new.webhook
    assert called(database, new.webhook.short_id) is None
    assert new.webhook.hook_id not in repr(new)
    assert hooks.list() == (new.webhook,)


def test_another_account_has_none_of_it(hooks: Webhooks, database: Database) -> None:
    new = made(hooks)
    other = Webhooks(database, ensure_account(database, "other", time_zone="UTC").account_id)
    assert other.list() == ()
    with pytest.raises(WebhookNotFound):
        other.get(new.webhook.hook_id)
    with pytest.raises(WebhookNotFound):
        other.revoke(new.webhook.short_id, now=NOW)


def test_neither_secret_nor_verify_token_stand_in_the_database(
    hooks: Webhooks, database: Database
) -> None:
    new = made(hooks)
    with database.across_accounts().read() as connection:
        row = str(connection.execute(select(HOOKS)).one())
    assert new.verify_token is not None
    assert FIRST not in row
    assert new.verify_token not in row
    assert new.webhook.is_verified_by(new.verify_token)
    assert not new.webhook.is_verified_by("wrong")
    assert not new.webhook.is_verified_by("ü\ud800")
    assert FIRST not in repr(new)
    assert new.verify_token not in repr(new)


def test_while_a_secret_is_rotated_both_are_valid(hooks: Webhooks) -> None:
    wanted = made(hooks).webhook.short_id
    assert hooks.rotate(wanted, SECOND, box=BOX).valid_secrets(BOX) == (SECOND, FIRST)
    assert hooks.rotate(wanted, THIRD, box=BOX).valid_secrets(BOX) == (THIRD, SECOND)
    assert hooks.rotate(wanted, SECOND, box=BOX).valid_secrets(BOX) == (SECOND, THIRD)
    assert hooks.retire(wanted, box=BOX).valid_secrets(BOX) == (SECOND,)
    assert hooks.get(wanted).valid_secrets(BOX) == (SECOND,)


def test_a_revoked_one_is_called_in_vain_and_stays_in_the_list(
    hooks: Webhooks, database: Database
) -> None:
    hook = made(hooks).webhook
    assert hooks.revoke(hook.short_id, now=NOW).revoked_at == NOW
    assert hooks.revoke(hook.short_id, now=NOW + timedelta(days=1)).revoked_at == NOW
    assert called(database, hook.hook_id) is None
    assert [found.revoked_at for found in hooks.list()] == [NOW]
    with pytest.raises(Conflict, match="is revoked"):
        hooks.rotate(hook.short_id, SECOND, box=BOX)


def test_chatwoot_may_sign_nothing_until_it_is_given_a_secret(hooks: Webhooks) -> None:
    new = made(hooks, CHATWOOT, None)
    assert new.verify_token is None
    assert not new.webhook.is_signed
    assert new.webhook.valid_secrets(BOX) == ()
    assert not new.webhook.is_verified_by("")
    assert hooks.rotate(new.webhook.short_id, FIRST, box=BOX).valid_secrets(BOX) == (FIRST,)


def test_what_cannot_be_used_is_refused(hooks: Webhooks) -> None:
    with pytest.raises(InvalidInput, match="without a secret"):
        made(hooks, secret=None)
    for secret in ("", "  ", "two\nlines", "x" * 513):
        with pytest.raises(InvalidInput, match="Copy it once more"):
            made(hooks, secret=secret)
    for source in (SIMULATED, "a b", "-x"):
        with pytest.raises(InvalidInput, match="name of a source"):
            hooks.create(CHATWOOT, source=source, box=BOX, now=NOW)
    assert hooks.list() == ()


def test_a_few_characters_name_no_webhook(hooks: Webhooks) -> None:
    hook = made(hooks).webhook
    with pytest.raises(WebhookNotFound):
        hooks.get(hook.hook_id[:7])
    assert hooks.get(hook.hook_id[:8]) == hook


def test_made_up_records_stay_apart(hooks: Webhooks, database: Database) -> None:
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    one = dict.fromkeys(CONTACTS) | {"external_id": "c", "created_at": NOW}
    made_up = Records(contacts=pl.DataFrame([one], CONTACTS))
    Crm(database, account_id).write(made_up, source=SIMULATED)
    with pytest.raises(Conflict, match="generated records"):
        made(hooks)
