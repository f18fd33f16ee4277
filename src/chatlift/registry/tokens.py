"""Tokens: what a program shows to act for one account, with one role.

A token is told once, when it is made; kept is its SHA-256. Its text has 40 random signs of 62 (238
bits, so nobody finds one by trying) and a checksum, by which a slip of the hand is refused without
a look at the database, and by which a scanner for secrets tells a token from other text.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.store.accounts import Account
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.service_tables import TokenRow
from chatlift.store.tables import AccountRow
from chatlift.vocabulary import Role

PREFIX = "chl_"
SIGNS = string.ascii_letters + string.digits
RANDOM_LENGTH = 40
CHECKSUM_LENGTH = 6
LONGEST_NAME = 100

TOKENS = table_of(TokenRow)
ACCOUNTS = table_of(AccountRow)


class TokenNotFound(NotFound):
    """No token of this account has that number."""

    def __init__(self, token_id: int) -> None:
        super().__init__(
            f"No token has the number {token_id}. List them with `chatlift token list`."
        )


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token, without its text."""

    token_id: int
    account_id: int
    name: str
    """What it is for, in its owner's words."""
    role: Role
    created_at: datetime
    expires_at: datetime | None
    """None: never."""
    revoked_at: datetime | None
    """None: it was not revoked."""
    last_used_at: datetime | None
    """Exact to a minute; None: never used."""

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A token that was just made, with the text that is told this once."""

    token: Token
    secret: str


class Tokens:
    """The tokens of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def create(
        self, name: str, role: Role, *, now: datetime, expires_at: datetime | None = None
    ) -> NewToken:
        """Make a token.

        Raises
        ------
        InvalidInput
            If the name is empty or too long, or the token would be expired already.
        """
        _check(name, now, expires_at)
        secret = new_secret()
        row = insert(TOKENS).values(
            account_id=self._account_id,
            name=name.strip(),
            role=role,
            sha256=sha256_of(secret),
            created_at=now,
            expires_at=expires_at,
        )
        with self._database.write() as connection:
            token_id = connection.execute(row.returning(TOKENS.c.token_id)).scalar_one()
        return NewToken(token=self.get(token_id), secret=secret)

    def get(self, token_id: int) -> Token:
        """Return a token; raises `TokenNotFound` if this account has none of that number."""
        for token in self.list():
            if token.token_id == token_id:
                return token
        raise TokenNotFound(token_id)

    def list(self) -> tuple[Token, ...]:
        """Return all tokens, the newest first, revoked and expired ones among them."""
        mine = select(*SHOWN).where(TOKENS.c.account_id == self._account_id)
        with self._database.read() as connection:
            found = connection.execute(mine.order_by(TOKENS.c.token_id.desc()))
            return tuple(_token(row) for row in found)

    def revoke(self, token_id: int, *, now: datetime) -> Token:
        """Let a token open nothing from now on; it stays in the list.

        Raises
        ------
        TokenNotFound
            If there is none of that number.
        Conflict
            If it was revoked before.
        """
        if self.get(token_id).revoked_at is not None:
            raise Conflict(f"The token {token_id} was revoked already: nothing to do.")
        with self._database.write() as connection:
            mine = (TOKENS.c.token_id == token_id) & (TOKENS.c.account_id == self._account_id)
            connection.execute(update(TOKENS).where(mine).values(revoked_at=now))
        return self.get(token_id)


@dataclass(frozen=True, kw_only=True)
class TokenOwner:
    """A token and the account it acts for."""

    token: Token
    account: Account


def token_owner(database: Database, secret: str) -> TokenOwner | None:
    """Return whose token this text is, valid or not; None if it is nobody's."""
    if not is_well_formed(secret):
        return None
    statement = (
        select(*SHOWN, *(ACCOUNTS.c[name] for name in ("name", "time_zone", "settings")))
        .join_from(TOKENS, ACCOUNTS, TOKENS.c.account_id == ACCOUNTS.c.account_id)
        .where(TOKENS.c.sha256 == sha256_of(secret))
    )
    with database.across_accounts().read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    *token, account_name, time_zone, settings = row
    found = _token(token)
    account = Account(
        account_id=found.account_id, name=account_name, time_zone=time_zone, settings=settings
    )
    return TokenOwner(token=found, account=account)


def note_use(database: Database, token: Token, *, now: datetime, before: datetime) -> None:
    """Keep that a token was used, unless a use since `before` is kept already."""
    mine = (TOKENS.c.token_id == token.token_id) & (TOKENS.c.account_id == token.account_id)
    old = or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < before)
    with database.of_account(token.account_id).write() as connection:
        connection.execute(update(TOKENS).where(mine, old).values(last_used_at=now))


def has_admin_token(database: Database, *, now: datetime) -> bool:
    """Tell whether a valid token of any account is an administrator's."""
    statement = select(TOKENS.c.token_id).where(
        TOKENS.c.role == Role.ADMIN,
        TOKENS.c.revoked_at.is_(None),
        or_(TOKENS.c.expires_at.is_(None), TOKENS.c.expires_at > now),
    )
    with database.across_accounts().read() as connection:
        return connection.execute(statement.limit(1)).first() is not None


def new_secret() -> str:
    """Return the text of a new token."""
    chosen = "".join(secrets.choice(SIGNS) for _ in range(RANDOM_LENGTH))
    return PREFIX + chosen + _checksum(chosen)


def is_well_formed(secret: str) -> bool:
    """Tell whether a text could be a token, by its form and checksum alone.

    Examples
    --------
    >>> is_well_formed(new_secret()), is_well_formed("chl_secret")
    (True, False)
    """
    body = secret.removeprefix(PREFIX)
    if not secret.startswith(PREFIX) or len(body) != RANDOM_LENGTH + CHECKSUM_LENGTH:
        return False
    return body.isascii() and body[RANDOM_LENGTH:] == _checksum(body[:RANDOM_LENGTH])


def sha256_of(secret: str) -> str:
    """Return what is kept of a secret that only has to be recognised, in hexadecimal digits.

    One round will do: a token is random, so there is no dictionary to try.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(text: str) -> str:
    """Return the CRC-32 of an ASCII text in six signs."""
    rest = zlib.crc32(text.encode())
    signs = ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(SIGNS))
        signs = SIGNS[digit] + signs
    return signs


def _check(name: str, now: datetime, expires_at: datetime | None) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise InvalidInput(
            f"A token needs a name of 1 to {LONGEST_NAME} signs that says what it is for; "
            f"{len(name.strip())} were given."
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"The token would have expired at {expires_at.isoformat()}, before it is made. "
            "Give an instant to come."
        )


SHOWN = [TOKENS.c[name] for name in Token.__dataclass_fields__]


def _token(row: Row[Any] | list[Any]) -> Token:
    values = dict(zip(Token.__dataclass_fields__, row, strict=True))
    return Token(**values | {"role": Role(values["role"])})
