"""Webhook bodies as the sources send them, made of their parts."""

from __future__ import annotations

from typing import Any

ANNA = "4915100000001"
BERT = "4915100000002"
SHOP = "4930000000000"


def cloud_body(value: dict[str, Any], *, field: str = "messages") -> dict[str, Any]:
    """A Cloud API body with one change."""
    metadata = {"display_phone_number": SHOP, "phone_number_id": "1"}
    change = {"field": field, "value": {"messaging_product": "whatsapp"} | value}
    change["value"].setdefault("metadata", metadata)
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def profile(wa_id: str = ANNA, name: str = "Anna", **more: Any) -> dict[str, Any]:
    return {"profile": {"name": name}, "wa_id": wa_id} | more


def cloud_message(
    external_id: str, at: int, text: str = "hello", *, sender: str = ANNA, **more: Any
) -> dict[str, Any]:
    """A text that a contact wrote, `at` seconds after the epoch."""
    told = {"from": sender, "id": external_id, "timestamp": str(at), "type": "text"}
    return told | {"text": {"body": text}} | more


def cloud_status(
    external_id: str, at: int, status: str, *, recipient: str = ANNA
) -> dict[str, Any]:
    told = {"id": external_id, "status": status, "timestamp": str(at)}
    return told | {"recipient_id": recipient}


def inbound(external_id: str, at: int, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A body with one message of Anna."""
    message = cloud_message(external_id, at, text, **more)
    return cloud_body({"contacts": [profile()], "messages": [message]})


def status(external_id: str, at: int, value: str) -> dict[str, Any]:
    """A body with one status of a message to Anna."""
    return cloud_body({"statuses": [cloud_status(external_id, at, value)]})


def echo(external_id: str, at: int, text: str = "hi Anna") -> dict[str, Any]:
    """A body with one message that the business wrote to Anna in its app."""
    told = {"from": SHOP, "to": ANNA, "id": external_id, "timestamp": str(at), "type": "text"}
    body = {"message_echoes": [told | {"text": {"body": text}}]}
    return cloud_body(body, field="smb_message_echoes")


def chatwoot_contact(external_id: int = 7, phone: str | None = f"+{ANNA}") -> dict[str, Any]:
    return {"id": external_id, "name": "Anna", "phone_number": phone, "type": "contact"}


def chatwoot_message(
    external_id: int, at: int, text: str | None = "hello", kind: str = "incoming", **more: Any
) -> dict[str, Any]:
    """An event of Chatwoot: a message in the conversation 3 with Anna."""
    conversation = {
        "id": 3,
        "created_at": at,
        "contact_inbox": {"contact_id": 7},
        "meta": {"sender": chatwoot_contact()},
    }
    told = {
        "event": "message_created",
        "id": external_id,
        "content": text,
        "content_type": "text",
        "content_attributes": {},
        "created_at": at,
        "message_type": kind,
        "private": False,
        "source_id": None,
        "sender": chatwoot_contact() if kind == "incoming" else {"id": 1, "type": "user"},
        "conversation": conversation,
    }
    return told | more
