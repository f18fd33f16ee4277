from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chatlift.registry.tokens import NewToken, Tokens, new_secret
from chatlift.service.identities import KEPT_SECONDS, Credentials, Identities, SecretKind
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Time:
    """Clock and timer in one."""

    seconds = 0.0

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def timer(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def identities(database: Database, time: Time) -> Iterator[Identities]:
    found = Identities(database, time.clock, None, time.timer)
    yield found
    found.close()


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database, ensure_account(database, "shop", time_zone="UTC").account_id)


def made(tokens: Tokens, lasts_seconds: float = 3600) -> NewToken:
    expires_at = NOW + timedelta(seconds=lasts_seconds)
    return tokens.create("phone", Role.OPERATOR, now=NOW, expires_at=expires_at)


def bearer(secret: str) -> Credentials:
    return Credentials(kind=SecretKind.BEARER, secret=secret)


def test_a_token_stands_for_its_account_and_role(identities: Identities, tokens: Tokens) -> None:
    token = made(tokens)
    found = identities.find(bearer(token.secret))
    assert found is not None
    assert (found.account.name, found.role, found.actor) == ("shop", Role.OPERATOR, "token phone")
    assert found.key == f"token:{token.token.token_id}"


def test_what_was_found_is_kept_for_a_moment_and_no_longer(
    identities: Identities, tokens: Tokens, time: Time
) -> None:
    token = made(tokens)
    credentials = bearer(token.secret)
    assert identities.fresh(credentials) is None
    identities.find(credentials)
    tokens.revoke(token.token.token_id, now=NOW)
    assert identities.fresh(credentials) is not None
    time.seconds = KEPT_SECONDS + 0.01
    assert identities.fresh(credentials) is None
    assert identities.is_known(credentials)
    assert identities.find(credentials) is None
    assert not identities.is_known(credentials)


def test_an_expiry_is_never_overstayed(identities: Identities, tokens: Tokens, time: Time) -> None:
    credentials = bearer(made(tokens, lasts_seconds=0.5).secret)
    identities.find(credentials)
    time.seconds = 0.4
    assert identities.fresh(credentials) is not None
    time.seconds = 0.5
    assert identities.fresh(credentials) is None
    assert identities.find(credentials) is None


def test_what_nobody_was_given_stands_for_nobody(identities: Identities) -> None:
    for kind in SecretKind:
        for secret in (new_secret(), "chl_no", "a.b.c", "\0", "é"):
            assert identities.find(Credentials(kind=kind, secret=secret)) is None


def test_a_use_is_noted(identities: Identities, tokens: Tokens) -> None:
    identities.find(bearer(made(tokens).secret))
    identities._noting.submit(lambda: None).result()
    (token,) = tokens.list()
    assert token.last_used_at == NOW
