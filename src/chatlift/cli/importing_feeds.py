"""`chatlift import whatsapp-export|cloud-webhooks|chatwoot`: conversations become records."""

from __future__ import annotations

from chatlift.cli.lazy import new_app

app = new_app()
