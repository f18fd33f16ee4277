"""Secrets that have to be used again, such as those of webhooks, encrypted for the database.

Their key lies outside the database, in the environment: who has the database alone learns no
secret. What is sealed for one thing cannot be opened as another's (AES-256-GCM with the thing's
name as associated data).
"""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatlift.errors import InvalidInput, Unavailable

VARIABLE = "CHATLIFT_SECRET_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12
MAKE_A_KEY = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


class SecretKeyMissing(Unavailable):
    """Secrets are to be kept or used, and there is no key for them."""

    def __init__(self) -> None:
        super().__init__(
            f"Webhooks keep secrets, and {VARIABLE}, under which they are encrypted, is not set. "
            f"{MAKE_A_KEY} - then set {VARIABLE} to what it prints, wherever Chatlift runs, and "
            "keep it with your other secrets: it must stay the same."
        )


class SecretBox:
    """Seals texts under the first of its keys, and opens what any of them sealed."""

    def __init__(self, keys: str | None) -> None:
        """Take the keys as the environment has them: base64 of 32 bytes each, by commas.

        Raises
        ------
        SecretKeyMissing
            If there is none.
        InvalidInput
            If one is no such key; the text does not show it.
        """
        told = [part.strip() for part in (keys or "").split(",") if part.strip()]
        if not told:
            raise SecretKeyMissing
        self._ciphers = [AESGCM(_key(text)) for text in told]

    def seal(self, text: str, *, name: str) -> str:
        """Return the text encrypted for the thing of this name; twice is never the same."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, text.encode(), name.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, *, name: str) -> str:
        """Return the text that was sealed for the thing of this name.

        Raises
        ------
        Unavailable
            If none of the keys opens it.
        """
        whole = base64.b64decode(sealed)
        nonce, content = whole[:NONCE_BYTES], whole[NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, name.encode()).decode()
            except InvalidTag:
                continue
        raise Unavailable(
            f"A secret was encrypted under another key than {VARIABLE} now holds. Put the earlier "
            "key behind the present one, separated by a comma."
        )


def _key(text: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidInput(
            f"{VARIABLE} holds something that is no base64 of {KEY_BYTES} random bytes. "
            f"{MAKE_A_KEY}"
        )
    return key
