from datetime import UTC, datetime, timedelta

import pytest

from chatlift.registry.sessions import (
    KEPT_AFTER_END,
    LINK_LASTS,
    LINKS,
    SESSION_LASTS,
    SESSIONS,
    delete_ended,
    find_session,
    make_sign_in_link,
    sign_in,
    sign_out,
)
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def link(database: Database) -> str:
    account = ensure_account(database, "shop", time_zone="UTC")
    return make_sign_in_link(database, account.account_id, Role.ADMIN, now=NOW)


def test_a_link_signs_in_once(database: Database, link: str) -> None:
    secret = sign_in(database, link, now=NOW)
    assert secret is not None
    session = find_session(database, secret, now=NOW)
    assert session is not None
    assert (session.account.name, session.role) == ("shop", Role.ADMIN)
    assert sign_in(database, link, now=NOW) is None


def test_an_old_link_signs_nobody_in(database: Database, link: str) -> None:
    assert sign_in(database, link, now=NOW + LINK_LASTS) is None
    assert sign_in(database, "guessed", now=NOW) is None


def test_a_session_ends_by_itself_and_by_signing_out(database: Database, link: str) -> None:
    secret = sign_in(database, link, now=NOW)
    assert secret is not None
    assert find_session(database, secret, now=NOW + SESSION_LASTS) is None
    sign_out(database, secret, now=NOW)
    assert find_session(database, secret, now=NOW) is None


def test_no_secret_is_kept(database: Database, link: str) -> None:
    secret = sign_in(database, link, now=NOW)
    with database.across_accounts().read() as connection:
        rows = [*connection.execute(LINKS.select()), *connection.execute(SESSIONS.select())]
    assert len(rows) == 2
    assert not any(hidden in str(rows) for hidden in (link, str(secret)))


def test_rows_that_are_over_are_deleted_after_a_while(database: Database, link: str) -> None:
    sign_in(database, link, now=NOW)
    assert delete_ended(database, now=NOW + KEPT_AFTER_END) == 0
    assert delete_ended(database, now=NOW + KEPT_AFTER_END + timedelta(days=1)) == 2
