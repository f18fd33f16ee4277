"""Whether a webhook comes from where it says: signatures over its raw body.

Both sources sign by HMAC with SHA-256 under a shared secret and send `sha256=<hex>`. The WhatsApp
Cloud API signs the body (header `X-Hub-Signature-256`, secret of the Meta app). Chatwoot signs
`<timestamp>.<body>` (headers `X-Chatwoot-Signature` and `X-Chatwoot-Timestamp`, secret of the
webhook), since the version that gives webhooks a secret (early 2026); an older one signs nothing,
and only the secret hook id in the address tells who called.

While a secret is exchanged for another, both are valid: hence several.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

SCHEME = "sha256="
TOLERANCE = timedelta(minutes=5)
"""How far Chatwoot's timestamp may be from the clock: an older request is a replay."""


def signature_is_valid(body: bytes, header: str, secrets: Sequence[str]) -> bool:
    """Tell whether `header` signs `body` under one of the secrets.

    The time it takes depends on neither the secrets nor the signature.

    Examples
    --------
    >>> signature_is_valid(b"{}", "sha256=00", ["s"])
    False
    """
    told = header.strip().encode("utf-8", "replace")
    matches = [hmac.compare_digest(told, _signature(body, s)) for s in secrets if s]
    return any(matches)


def chatwoot_signature_is_valid(
    body: bytes, header: str, timestamp: str, secrets: Sequence[str], *, now: datetime
) -> bool:
    """Tell whether `header` signs `body` and `timestamp` (Unix seconds), and that is recent."""
    if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > len("9999999999"):
        return False
    is_recent = abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()
    signed = timestamp.encode("ascii") + b"." + body
    return signature_is_valid(signed, header, secrets) and is_recent


def _signature(signed: bytes, secret: str) -> bytes:
    digest = hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()
    return (SCHEME + digest).encode("ascii")
