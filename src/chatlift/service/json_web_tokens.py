"""Calls by the platform's own tokens: JSON web tokens, checked by the keys it tells.

One algorithm is accepted, whatever a token says; issuer, audience and expiry must be right, and
the claims must name an account that is there and a role.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import jwt
from jwt import PyJWKClient, PyJWKClientConnectionError, PyJWTError

from chatlift.errors import Unavailable
from chatlift.settings import JwtSettings
from chatlift.vocabulary import Role

KEYS_LAST_SECONDS = 300
FETCH_TIMEOUT_SECONDS = 5
LEEWAY_SECONDS = 30
"""By so much the platform's clock may be wrong."""
LONGEST_SUBJECT = 100


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a token says that was found to be right."""

    account: str
    role: Role
    subject: str
    """Who calls, in the platform's words; empty where it does not say."""
    expires_at: datetime


class JsonWebTokens:
    """Checks tokens of one issuer; its keys are kept for minutes. Safe across threads."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._keys = PyJWKClient(
            settings.jwks_url, lifespan=KEYS_LAST_SECONDS, timeout=FETCH_TIMEOUT_SECONDS
        )

    def claims_of(self, token: str) -> Claims | None:
        """Return what a token says; None if it is not to be believed.

        Raises
        ------
        Unavailable
            If the keys cannot be fetched now.
        """
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            told = jwt.decode(
                token,
                key,
                algorithms=[self._settings.algorithm],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except PyJWKClientConnectionError as error:
            raise Unavailable(
                "The platform's keys cannot be fetched now, so its tokens cannot be checked. "
                "Try again in a moment."
            ) from error
        except (PyJWTError, ValueError):
            return None
        return self._read(told)

    def _read(self, told: dict[str, Any]) -> Claims | None:
        account = told.get(self._settings.account_claim)
        role = told.get(self._settings.role_claim)
        subject = told.get("sub", "")
        if not (_is_text(account) and _is_text(subject)) or role not in list(Role):
            return None
        try:
            expires_at = datetime.fromtimestamp(told["exp"] + LEEWAY_SECONDS, UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            return None  # As a text or in milliseconds, for one: such an instant is nobody's.
        return Claims(
            account=account,
            role=Role(role),
            subject=subject[:LONGEST_SUBJECT],
            expires_at=expires_at,
        )


def _is_text(claim: Any) -> TypeGuard[str]:
    """Tell whether a claim is a text that any database and log can hold.

    Examples
    --------
    >>> _is_text("shop"), _is_text(7), _is_text(chr(0xD800))
    (True, False, False)
    """
    if not isinstance(claim, str) or "\0" in claim:
        return False
    try:
        claim.encode("utf-8")
    except UnicodeEncodeError:  # Half of a surrogate pair, which JSON can spell.
        return False
    return True
