"""The tables of the service: who may call it, and what called it from outside.

Of a secret that only has to be recognised (tokens, sessions, sign-in links) the SHA-256 is kept,
never the secret; one that has to be used (webhook secrets) is encrypted under a key that lies
outside the database. Instants are UTC.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from chatlift.store.base import Base, PrimaryId
from chatlift.store.tables import NUMBERS_ARE_NEVER_REUSED, AccountRef, LongText


class TokenRow(Base):
    """One row per API token; null `expires_at`: never, null `revoked_at`: it is valid."""

    __tablename__ = "tokens"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    token_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    name: Mapped[str]
    role: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class SessionRow(Base):
    """One row per sign-in in a browser; null `ended_at`: not signed out."""

    __tablename__ = "sessions"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    session_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    role: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SignInLinkRow(Base):
    """One row per link that signs a browser in once; null `used_at`: not used yet."""

    __tablename__ = "sign_in_links"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    role: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WebhookRow(Base):
    """One row per address that a messaging service calls, bound to one account.

    `secrets` is the encrypted list of the valid ones; null `verify_token_sha256`: its kind knows no
    handshake. Null `revoked_at`: it is in use. Null `last_delivery_at`: nobody called yet.
    """

    __tablename__ = "webhooks"

    hook_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    kind: Mapped[str]
    source: Mapped[str]
    """Of the records that come by it."""
    secrets: Mapped[LongText]
    verify_token_sha256: Mapped[str | None]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_delivery_at: Mapped[datetime | None]


class WebhookDeliveryRow(Base):
    """One row per body that was received and not read into records yet; read ones are deleted.

    Null `failure`: none so far.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    delivery_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    hook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.hook_id", ondelete="CASCADE"))
    received_at: Mapped[datetime]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int]
    failure: Mapped[LongText | None]
