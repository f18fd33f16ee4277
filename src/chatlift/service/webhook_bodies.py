"""What the routes of webhooks take and answer, each body with an example."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints

from chatlift.registry.deliveries import Waiting
from chatlift.registry.webhooks import LONGEST_SECRET, NewWebhook, Webhook
from chatlift.service.asked_bodies import Strict, asking
from chatlift.service.ingest_bodies import NOON
from chatlift.service.training_bodies import shown
from chatlift.vocabulary import SOURCE_NAME, WebhookKind

Secret = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SECRET)]
SHOWN = {
    "webhook": "Zx81kQ0a",
    "kind": "whatsapp_cloud",
    "source": "whatsapp_cloud",
    "is_signed": True,
    "created_at": NOON,
    "revoked_at": None,
    "last_delivery_at": None,
    "waiting_count": 0,
    "failed_count": 0,
    "failure": None,
}


class NewWebhookBody(Strict):
    """A webhook to be made."""

    model_config = asking({"kind": "whatsapp_cloud", "secret": "the app secret of the Meta app"})

    kind: WebhookKind
    source: Annotated[str, StringConstraints(pattern=f"^{SOURCE_NAME.pattern}$")] | None = Field(
        default=None, description="Names the records that come by it; null: the kind."
    )
    secret: Secret | None = Field(
        default=None, description="Null, for Chatwoot only: nothing is signed."
    )


class SecretBody(Strict):
    """A secret to be valid beside the one before."""

    model_config = asking({"secret": "the new secret"})

    secret: Secret


class WebhookBody(BaseModel):
    """A webhook, without what is shown only once."""

    model_config = shown(SHOWN)

    webhook: str = Field(description="The beginning of its id, which names it.")
    kind: WebhookKind
    source: str
    is_signed: bool
    created_at: datetime
    revoked_at: datetime | None
    last_delivery_at: datetime | None = Field(description="Null: nobody called yet.")
    waiting_count: int = Field(description="Deliveries that are not read into records yet.")
    failed_count: int = Field(description="Of them, those that could not be read so far.")
    failure: str | None

    @classmethod
    def of(cls, hook: Webhook, waiting: Waiting | None = None) -> Self:
        """Return a webhook as it is answered."""
        found = waiting or Waiting()
        return cls(
            webhook=hook.short_id,
            kind=hook.kind,
            source=hook.source,
            is_signed=hook.is_signed,
            created_at=hook.created_at,
            revoked_at=hook.revoked_at,
            last_delivery_at=hook.last_delivery_at,
            waiting_count=found.delivery_count,
            failed_count=found.failed_count,
            failure=found.failure,
        )


class MadeWebhookBody(WebhookBody):
    """A webhook just made, with what is shown this once."""

    model_config = shown(
        {
            **SHOWN,
            "address": "/api/v1/ingest/webhooks/Zx81kQ0a(...)/whatsapp",
            "verify_token": "(shown once)",
        }
    )

    address: str = Field(description="The path that the service calls, behind your own address.")
    verify_token: str | None = Field(description="What the service shows in the handshake.")

    @classmethod
    def of_new(cls, made: NewWebhook) -> Self:
        """Return a new webhook with its secrets."""
        told = WebhookBody.of(made.webhook).model_dump()
        return cls(**told, address=made.webhook.address, verify_token=made.verify_token)


class WebhooksBody(BaseModel):
    """The account's webhooks, in the order in which they were made."""

    model_config = shown({"webhooks": [SHOWN]})

    webhooks: list[WebhookBody]


class ReceivedBody(BaseModel):
    """A delivery is stored."""

    model_config = shown({"status": "received"})

    status: str
