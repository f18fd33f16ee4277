"""Sessions: who is signed in with a browser, and the links that sign one in.

A session is a row that ends on the server; its cookie only names it. A sign-in link works once
and soon expires. Of both, the SHA-256 of the secret is kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from chatlift.registry.tokens import sha256_of
from chatlift.store.accounts import Account
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.service_tables import SessionRow, SignInLinkRow
from chatlift.store.tables import AccountRow
from chatlift.vocabulary import Role

SESSION_LASTS = timedelta(hours=12)
LINK_LASTS = timedelta(minutes=15)
KEPT_AFTER_END = timedelta(days=30)
"""So long the row of a session or link that is over stays, to be looked up."""
SECRET_BYTES = 32

SESSIONS = table_of(SessionRow)
LINKS = table_of(SignInLinkRow)
ACCOUNTS = table_of(AccountRow)


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sign-in of a browser that is not over, and the account it acts for."""

    session_id: int
    account: Account
    role: Role
    expires_at: datetime


def make_sign_in_link(database: Database, account_id: int, role: Role, *, now: datetime) -> str:
    """Return the secret of a new link, which signs one browser in once."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = insert(LINKS).values(
        sha256=sha256_of(secret),
        account_id=account_id,
        role=role,
        created_at=now,
        expires_at=now + LINK_LASTS,
    )
    with database.of_account(account_id).write() as connection:
        connection.execute(row)
    return secret


def sign_in(database: Database, link: str, *, now: datetime) -> str | None:
    """Use a link; return the secret of the session it opens, None if it opens none.

    Of two browsers that come with the same link, one is signed in.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    unused = LINKS.c.used_at.is_(None) & (LINKS.c.expires_at > now)
    used = (
        update(LINKS)
        .where(LINKS.c.sha256 == sha256_of(link), unused)
        .values(used_at=now)
        .returning(LINKS.c.account_id, LINKS.c.role)
    )
    with database.across_accounts().write() as connection:
        found = connection.execute(used).one_or_none()
        if found is None:
            return None
        connection.execute(
            insert(SESSIONS).values(
                account_id=found.account_id,
                role=found.role,
                sha256=sha256_of(secret),
                created_at=now,
                expires_at=now + SESSION_LASTS,
            )
        )
    return secret


def find_session(database: Database, secret: str, *, now: datetime) -> Session | None:
    """Return the session that a cookie names; None if there is none or it is over."""
    names = list(Account.__dataclass_fields__)
    statement = (
        select(SESSIONS.c.session_id, SESSIONS.c.role, SESSIONS.c.expires_at)
        .add_columns(*(ACCOUNTS.c[name] for name in names))
        .join_from(SESSIONS, ACCOUNTS, SESSIONS.c.account_id == ACCOUNTS.c.account_id)
        .where(
            SESSIONS.c.sha256 == sha256_of(secret),
            SESSIONS.c.ended_at.is_(None),
            SESSIONS.c.expires_at > now,
        )
    )
    with database.across_accounts().read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    session_id, role, expires_at, *account = row
    return Session(
        session_id=session_id,
        account=Account(**dict(zip(names, account, strict=True))),
        role=Role(role),
        expires_at=expires_at,
    )


def sign_out(database: Database, secret: str, *, now: datetime) -> None:
    """End the session that a cookie names, if there is one."""
    named = (SESSIONS.c.sha256 == sha256_of(secret)) & SESSIONS.c.ended_at.is_(None)
    with database.across_accounts().write() as connection:
        connection.execute(update(SESSIONS).where(named).values(ended_at=now))


def delete_ended(database: Database, *, now: datetime) -> int:
    """Delete sessions and links that were over long ago; return how many."""
    before = now - KEPT_AFTER_END
    with database.across_accounts().write() as connection:
        old = delete(SESSIONS).where(SESSIONS.c.expires_at < before)
        used = delete(LINKS).where(LINKS.c.expires_at < before)
        return connection.execute(old).rowcount + connection.execute(used).rowcount
