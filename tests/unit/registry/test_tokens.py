from datetime import UTC, datetime, timedelta

import pytest

from chatlift.errors import Conflict, InvalidInput
from chatlift.registry.tokens import (
    TOKENS,
    TokenNotFound,
    Tokens,
    has_admin_token,
    is_well_formed,
    new_secret,
    note_use,
    token_owner,
)
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def tokens_of(database: Database, account: str = "default") -> Tokens:
    return Tokens(database, ensure_account(database, account, time_zone="UTC").account_id)


def test_a_token_is_found_by_its_text_with_its_account(database: Database) -> None:
    made = tokens_of(database, "shop").create("phone", Role.OPERATOR, now=NOW, expires_at=LATER)
    found = token_owner(database, made.secret)
    assert found is not None
    assert (found.account.name, found.token) == ("shop", made.token)
    assert (found.token.role, found.token.expires_at) == (Role.OPERATOR, LATER)


def test_the_database_never_holds_the_text_of_a_token(database: Database) -> None:
    made = tokens_of(database).create("phone", Role.ADMIN, now=NOW)
    with database.across_accounts().read() as connection:
        row = connection.execute(TOKENS.select()).one()
    assert made.secret not in str(row)
    assert made.secret[4:] not in str(row)


def test_a_changed_sign_is_seen_without_the_database() -> None:
    secret = new_secret()
    for place in (4, 20, len(secret) - 1):
        changed = "a" if secret[place] != "a" else "b"
        assert not is_well_formed(secret[:place] + changed + secret[place + 1 :])
    assert is_well_formed(secret)


def test_a_well_formed_token_of_nobody_is_nobodys(database: Database) -> None:
    assert token_owner(database, new_secret()) is None


def test_a_token_is_valid_until_it_expires_or_is_revoked(database: Database) -> None:
    tokens = tokens_of(database)
    made = tokens.create("phone", Role.VIEWER, now=NOW, expires_at=LATER).token
    assert made.is_valid(LATER - timedelta(seconds=1))
    assert not made.is_valid(LATER)
    revoked = tokens.revoke(made.token_id, now=NOW)
    assert not revoked.is_valid(NOW)
    with pytest.raises(Conflict, match="revoked already"):
        tokens.revoke(made.token_id, now=NOW)


def test_one_account_cannot_touch_the_tokens_of_another(database: Database) -> None:
    made = tokens_of(database, "shop").create("phone", Role.ADMIN, now=NOW)
    with pytest.raises(TokenNotFound):
        tokens_of(database).revoke(made.token.token_id, now=NOW)
    assert tokens_of(database).list() == ()


def test_a_use_is_kept_at_most_once_a_span(database: Database) -> None:
    tokens = tokens_of(database)
    token = tokens.create("phone", Role.VIEWER, now=NOW).token
    for seconds in (0, 30, 61):
        now = NOW + timedelta(seconds=seconds)
        note_use(database, token, now=now, before=now - timedelta(seconds=60))
        kept = NOW if seconds < 61 else now
        assert tokens.get(token.token_id).last_used_at == kept


def test_only_a_valid_admin_counts_as_one(database: Database) -> None:
    tokens = tokens_of(database)
    tokens.create("phone", Role.OPERATOR, now=NOW)
    assert not has_admin_token(database, now=NOW)
    made = tokens.create("me", Role.ADMIN, now=NOW, expires_at=LATER).token
    assert has_admin_token(database, now=NOW)
    assert not has_admin_token(database, now=LATER)
    tokens.revoke(made.token_id, now=NOW)
    assert not has_admin_token(database, now=NOW)


def test_a_token_that_makes_no_sense_is_not_made(database: Database) -> None:
    tokens = tokens_of(database)
    for name, expires_at in ((" ", None), ("x" * 101, None), ("a", NOW)):
        with pytest.raises(InvalidInput):
            tokens.create(name, Role.VIEWER, now=NOW, expires_at=expires_at)
    assert tokens.list() == ()
