"""Who a secret stands for: a token, the platform's JSON web token, or a browser's session.

What was looked up is kept for a second, so that a busy caller costs one look at the database a
second, and a token that is revoked opens nothing a second later, in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic

from chatlift.registry.sessions import find_session
from chatlift.registry.tokens import PREFIX, note_use, sha256_of, token_owner
from chatlift.service.json_web_tokens import JsonWebTokens
from chatlift.settings import JwtSettings
from chatlift.store.accounts import Account, find_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

KEPT_SECONDS = 1.0
KNOWN_SECRETS = 10_000
USE_IS_NOTED_EVERY = timedelta(minutes=1)


class SecretKind(StrEnum):
    """Where a secret came from."""

    BEARER = "bearer"
    COOKIE = "cookie"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request brings to say who calls."""

    kind: SecretKind
    secret: str

    @property
    def key(self) -> str:
        """By which it is remembered, without being kept."""
        return f"{self.kind}:{sha256_of(self.secret)}"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who calls."""

    account: Account
    role: Role
    actor: str
    """As ledgers and runs name them."""
    key: str
    """By which limits and logs tell callers apart; no secret, and nobody's name."""
    expires_at: datetime | None
    """None: never."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An identity and when it was looked up."""

    identity: Identity
    at_seconds: float


class Identities:
    """Finds who a secret stands for; safe across threads."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        jwt: JwtSettings | None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._timer = timer
        self._web_tokens = None if jwt is None else JsonWebTokens(jwt)
        self._kept: dict[str, Kept] = {}
        # A write may have to wait for another writer; no answer waits for it.
        self._noting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="token-uses")

    def close(self) -> None:
        """Finish what is being noted."""
        self._noting.shutdown(wait=True, cancel_futures=True)

    def is_known(self, credentials: Credentials) -> bool:
        """Tell whether it stood for somebody when it was last looked up."""
        return credentials.key in self._kept

    def fresh(self, credentials: Credentials) -> Identity | None:
        """Return who it stands for without a look at anything; None if one is needed."""
        found = self._kept.get(credentials.key)
        if found is None or self._timer() - found.at_seconds > KEPT_SECONDS:
            return None
        expires_at = found.identity.expires_at
        return None if expires_at is not None and expires_at <= self._clock() else found.identity

    def find(self, credentials: Credentials) -> Identity | None:
        """Look up who it stands for; None if nobody, or no longer.

        Raises
        ------
        Unavailable
            If the platform's keys cannot be fetched now.
        """
        at_seconds = self._timer()
        found = self._found(credentials)
        if found is None:
            self._kept.pop(credentials.key, None)
        else:
            if len(self._kept) >= KNOWN_SECRETS:
                self._kept.clear()
            self._kept[credentials.key] = Kept(identity=found, at_seconds=at_seconds)
        return found

    def forget(self, credentials: Credentials) -> None:
        """Look it up anew at the next request, as after signing out."""
        self._kept.pop(credentials.key, None)

    def _found(self, credentials: Credentials) -> Identity | None:
        if credentials.kind is SecretKind.COOKIE:
            return self._by_session(credentials.secret)
        if credentials.secret.startswith(PREFIX):
            return self._by_token(credentials.secret)
        return self._by_web_token(credentials.secret)

    def _by_token(self, secret: str) -> Identity | None:
        owner = token_owner(self._database, secret)
        now = self._clock()
        if owner is None or not owner.token.is_valid(now):
            return None
        token = owner.token
        if token.last_used_at is None or token.last_used_at < now - USE_IS_NOTED_EVERY:
            self._noting.submit(
                note_use, self._database, token, now=now, before=now - USE_IS_NOTED_EVERY
            )
        return Identity(
            account=owner.account,
            role=token.role,
            actor=f"token {token.name}",
            key=f"token:{token.token_id}",
            expires_at=token.expires_at,
        )

    def _by_session(self, secret: str) -> Identity | None:
        session = find_session(self._database, secret, now=self._clock())
        if session is None:
            return None
        return Identity(
            account=session.account,
            role=session.role,
            actor=f"session {session.session_id}",
            key=f"session:{session.session_id}",
            expires_at=session.expires_at,
        )

    def _by_web_token(self, secret: str) -> Identity | None:
        claims = self._web_tokens.claims_of(secret) if self._web_tokens else None
        account = find_account(self._database, claims.account) if claims else None
        if claims is None or account is None:
            return None
        caller = sha256_of(f"{account.account_id}:{claims.subject}")[:12]
        return Identity(
            account=account,
            role=claims.role,
            actor=f"platform user {claims.subject}".strip(),
            key=f"jwt:{caller}",
            expires_at=claims.expires_at,
        )
