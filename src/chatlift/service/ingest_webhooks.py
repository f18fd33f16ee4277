"""Webhooks: the addresses that services call, which need no token, and their administration."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from chatlift.errors import NotFound
from chatlift.registry.deliveries import Deliveries, keep_delivery
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhook, Webhooks, called
from chatlift.service.admission import Unauthorized, address_of
from chatlift.service.context import Service, ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.security import Admin, BodyLimit, Caller
from chatlift.service.webhook_bodies import (
    MadeWebhookBody,
    NewWebhookBody,
    ReceivedBody,
    SecretBody,
    WebhookBody,
    WebhooksBody,
)
from chatlift.vocabulary import WebhookKind
from chatlift.workflows.receive import Signature, is_trusted

HookId = Annotated[str, InPath(max_length=100, description="The random id of the address.")]
ShortId = Annotated[
    str, InPath(max_length=100, description="The first 8 characters, as the list shows them.")
]
Challenge = Annotated[str, Query(alias="hub.challenge", max_length=200, pattern=r"^[\w.-]*$")]
RECEIVES = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {}, "example": {"event": "message_created"}}},
    }
}
"""Any bytes are taken: what they say is found out later."""

router = APIRouter(prefix="/webhooks", route_class=ProblemRoute)


@router.get("", operation_id="list_webhooks")
def list_webhooks(caller: Admin) -> WebhooksBody:
    """List the webhooks, when each was last called, and what of it is not read yet."""
    waiting = Deliveries(caller.workspace.database, caller.account.account_id).waiting()
    hooks = _hooks_of(caller).list()
    return WebhooksBody(
        webhooks=[WebhookBody.of(hook, waiting.get(hook.hook_id)) for hook in hooks]
    )


@router.post("", status_code=201, operation_id="create_webhook", responses=described(409))
def create_webhook(caller: Admin, service: ServiceDep, body: NewWebhookBody) -> MadeWebhookBody:
    """Make an address for a service to call; it and the verify token are shown this once."""
    made = _hooks_of(caller).create(
        body.kind,
        source=body.source,
        secret=body.secret,
        box=_box(service),
        now=service.clock(),
    )
    return MadeWebhookBody.of_new(made)


@router.post("/{webhook}/rotate", operation_id="rotate_webhook", responses=described(404, 409))
def rotate_webhook(
    caller: Admin, service: ServiceDep, webhook: ShortId, body: SecretBody
) -> WebhookBody:
    """Take in a new secret; the one before stays valid until the rotation is finished."""
    return WebhookBody.of(_hooks_of(caller).rotate(webhook, body.secret, box=_box(service)))


@router.post(
    "/{webhook}/finish-rotation", operation_id="finish_rotation", responses=described(404, 409)
)
def finish_rotation(caller: Admin, service: ServiceDep, webhook: ShortId) -> WebhookBody:
    """End the secrets before the newest."""
    return WebhookBody.of(_hooks_of(caller).retire(webhook, box=_box(service)))


@router.delete("/{webhook}", operation_id="revoke_webhook", responses=described(404))
def revoke_webhook(caller: Admin, service: ServiceDep, webhook: ShortId) -> WebhookBody:
    """End a webhook: its address leads nowhere from now on. What came by it stays."""
    return WebhookBody.of(_hooks_of(caller).revoke(webhook, now=service.clock()))


@router.get(
    "/{hook_id}/whatsapp",
    operation_id="verify_whatsapp",
    response_class=PlainTextResponse,
    responses=described(404, 429),
)
async def verify_whatsapp(
    service: ServiceDep,
    request: Request,
    hook_id: HookId,
    mode: Annotated[str, Query(alias="hub.mode", max_length=50)],
    token: Annotated[str, Query(alias="hub.verify_token", max_length=500)],
    challenge: Challenge,
) -> PlainTextResponse:
    """Answer Meta's handshake: it shows the verify token and wants its challenge back."""
    caller = f"{hook_id} {address_of(request)}"
    service.limits.refuse_guesses(caller)
    hook = await run_in_threadpool(_called, service, hook_id, WebhookKind.WHATSAPP_CLOUD)
    if mode != "subscribe" or not hook.is_verified_by(token):
        service.limits.note_failure(caller)
        raise Unauthorized("The verify token is not the one of this webhook.")
    return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})


@router.post(
    "/{hook_id}/whatsapp",
    operation_id="receive_whatsapp",
    responses=described(404, 429),
    dependencies=[Depends(BodyLimit("records_bytes"))],
    openapi_extra=RECEIVES,
)
async def receive_whatsapp(service: ServiceDep, hook_id: HookId, request: Request) -> ReceivedBody:
    """Store a delivery of the WhatsApp Cloud API, signed with `X-Hub-Signature-256`."""
    signature = Signature(value=request.headers.get("x-hub-signature-256"))
    return await _received(service, hook_id, WebhookKind.WHATSAPP_CLOUD, request, signature)


@router.post(
    "/{hook_id}/chatwoot",
    operation_id="receive_chatwoot",
    responses=described(404, 429),
    dependencies=[Depends(BodyLimit("records_bytes"))],
    openapi_extra=RECEIVES,
)
async def receive_chatwoot(service: ServiceDep, hook_id: HookId, request: Request) -> ReceivedBody:
    """Store a delivery of Chatwoot, signed where its webhook has a secret."""
    signature = Signature(
        value=request.headers.get("x-chatwoot-signature"),
        timestamp=request.headers.get("x-chatwoot-timestamp"),
    )
    return await _received(service, hook_id, WebhookKind.CHATWOOT, request, signature)


async def _received(
    service: Service, hook_id: str, kind: WebhookKind, request: Request, signature: Signature
) -> ReceivedBody:
    """Store what was sent, if it comes from the service that the webhook is for."""
    caller = f"{hook_id} {address_of(request)}"
    service.limits.refuse_guesses(caller)
    hook = await run_in_threadpool(_called, service, hook_id, kind)
    try:
        with service.limits.one_delivery(caller):
            body = await request.body()
            await run_in_threadpool(_keep, service, hook, body, signature)
    except Unauthorized:
        service.limits.note_failure(caller)
        raise
    return ReceivedBody(status="received")


def _keep(service: Service, hook: Webhook, body: bytes, signature: Signature) -> None:
    now = service.clock()
    box = SecretBox(service.settings.secret_key) if service.settings.secret_key else None
    if not is_trusted(hook, body, signature, box=box, now=now):
        raise Unauthorized("The signature is not one of this webhook's over what was sent.")
    keep_delivery(service.database, hook, body, now=now)


def _called(service: Service, hook_id: str, kind: WebhookKind) -> Webhook:
    hook = called(service.database, hook_id)
    if hook is None or hook.kind is not kind:
        raise NotFound("There is no webhook at this address.")
    return hook


def _box(service: Service) -> SecretBox:
    return SecretBox(service.settings.secret_key)


def _hooks_of(caller: Caller) -> Webhooks:
    return Webhooks(caller.workspace.database, caller.account.account_id)
