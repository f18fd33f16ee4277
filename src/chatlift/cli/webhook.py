"""`chatlift webhook`: the addresses that WhatsApp and Chatwoot call, and their secrets.

A secret is never an argument, which other users of the machine and the shell's history would see:
it is asked for, or read from standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.registry.deliveries import Deliveries, Waiting
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import NewWebhook, Webhook, Webhooks
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import WebhookKind

app = new_app(help_text="Make addresses that WhatsApp and Chatwoot call, and exchange secrets.")

WebhookId = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="The first 8 characters, as `webhook list` shows.")
]
ASKED = {
    WebhookKind.WHATSAPP_CLOUD: "App secret (Meta app, Settings, Basic)",
    WebhookKind.CHATWOOT: "Secret of the webhook (as Chatwoot shows it)",
}


@app.command()
def create(
    kind: Annotated[WebhookKind, typer.Argument(help="Which service will call.")],
    source: Annotated[
        str | None, typer.Option(help="Names the records that come by it; by default the kind.")
    ] = None,
    unsigned: Annotated[
        bool,
        typer.Option("--unsigned", help="Chatwoot before 2026: it signs nothing, ask for nothing."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make an address; it and the verify token are shown this once.

    The secret is asked for, or read from standard input. Example: chatlift webhook create chatwoot
    """
    if unsigned and kind is WebhookKind.WHATSAPP_CLOUD:
        raise typer.BadParameter("The WhatsApp Cloud API signs always. Leave --unsigned out.")
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        box = SecretBox(opened.settings.secret_key)
        made = hooks_of(opened).create(
            kind,
            source=source,
            secret=None if unsigned else secret_told(kind),
            box=box,
            now=at.clock(),
        )
        at.console.say(created_lines(made))
        if as_json:
            shown = {"address": made.webhook.address, "verify_token": made.verify_token}
            sys.stdout.write(json_text(to_json(made.webhook, Waiting()) | shown) + "\n")


@app.command("list")
def list_webhooks(as_json: options.AsJson = False) -> None:
    """List the webhooks, when each was last called and what of it is not read yet.

    Example: chatlift webhook list
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        hooks = hooks_of(opened).list()
        waiting = Deliveries(opened.database, opened.account.account_id).waiting()
        at.console.say(list_lines(hooks, waiting))
        if as_json:
            told = [to_json(hook, waiting.get(hook.hook_id, Waiting())) for hook in hooks]
            sys.stdout.write(json_text(told) + "\n")


@app.command()
def rotate(
    webhook: WebhookId,
    finish: Annotated[
        bool, typer.Option("--finish", help="End the secrets before the newest; ask for nothing.")
    ] = False,
) -> None:
    """Take in a new secret beside the old one, or with --finish end the old one.

    Example: chatlift webhook rotate Zx81kQ0a
    """
    with desk(quiet=True) as at, workspace() as opened:
        box = SecretBox(opened.settings.secret_key)
        if finish:
            hook = hooks_of(opened).retire(webhook, box=box)
            at.console.say(f"Webhook {hook.short_id} takes its newest secret only.")
            return
        kind = hooks_of(opened).get(webhook).kind
        hook = hooks_of(opened).rotate(webhook, secret_told(kind), box=box)
        at.console.say(
            f"Webhook {hook.short_id} takes the new secret and the one before. Once the service "
            f"signs with the new one: chatlift webhook rotate {hook.short_id} --finish"
        )


@app.command()
def revoke(webhook: WebhookId) -> None:
    """End a webhook: its address leads nowhere from now on. What came by it stays.

    Example: chatlift webhook revoke Zx81kQ0a
    """
    with desk(quiet=True) as at, workspace() as opened:
        hook = hooks_of(opened).revoke(webhook, now=at.clock())
        at.console.say(f"Webhook {hook.short_id} is revoked.")


def hooks_of(opened: Workspace) -> Webhooks:
    """Return the account's webhooks."""
    return Webhooks(opened.database, opened.account.account_id)


def secret_told(kind: WebhookKind) -> str:
    """Ask a person for the secret without showing it, or read one line from a program."""
    if sys.stdin.isatty():
        asked: str = typer.prompt(ASKED[kind], hide_input=True)
        return asked
    return sys.stdin.readline()


def created_lines(made: NewWebhook) -> list[str]:
    """Return what the service has to be told, once."""
    hook = made.webhook
    lines = [
        f"Webhook {hook.short_id} ({hook.kind}) is made. What comes by it is of the source "
        f"{hook.source}.",
        "Tell the service these; they are not shown again:",
        f"  Callback URL: https://<your address>{hook.address}",
    ]
    if made.verify_token is not None:
        lines.append(f"  Verify token: {made.verify_token}")
    if not hook.is_signed:
        lines.append(
            "Whoever knows this address can write records. Give the webhook a secret as soon as "
            f"your Chatwoot signs: chatlift webhook rotate {hook.short_id}"
        )
    return lines


def list_lines(hooks: Sequence[Webhook], waiting: Mapping[str, Waiting]) -> list[str]:
    """Return one line per webhook, and one more where something could not be read."""
    if not hooks:
        return ["There are no webhooks yet. Make one with: chatlift webhook create"]
    head = (
        f"{'Webhook':<8}  {'Kind':<14}  {'Source':<16}  {'Signed':<6}  {'Last call (UTC)':<16}  "
        f"{'Waiting':>7}  {'Failed':>6}"
    )
    lines = [head]
    for hook in hooks:
        found = waiting.get(hook.hook_id, Waiting())
        lines.append(_row(hook, found))
        if found.failure:
            lines.append(f"          could not be read: {found.failure}")
    return lines


def _row(hook: Webhook, found: Waiting) -> str:
    last = f"{hook.last_delivery_at:%Y-%m-%d %H:%M}" if hook.last_delivery_at else "never"
    signed = "yes" if hook.is_signed else "no"
    revoked = "" if hook.revoked_at is None else f"  revoked {hook.revoked_at:%Y-%m-%d}"
    return (
        f"{hook.short_id:<8}  {hook.kind:<14}  {hook.source:<16}  {signed:<6}  {last:<16}  "
        f"{found.delivery_count:>7,}  {found.failed_count:>6,}{revoked}"
    )


def to_json(hook: Webhook, found: Waiting) -> dict[str, Any]:
    """Return a webhook as JSON values, without what is shown only once."""
    return {
        "webhook": hook.short_id,
        "kind": hook.kind,
        "source": hook.source,
        "is_signed": hook.is_signed,
        "created_at": hook.created_at,
        "revoked_at": hook.revoked_at,
        "last_delivery_at": hook.last_delivery_at,
        "waiting_count": found.delivery_count,
        "failed_count": found.failed_count,
        "failure": found.failure,
    }
