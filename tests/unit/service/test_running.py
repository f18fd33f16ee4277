import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatlift.errors import InvalidInput, Unavailable
from chatlift.registry.tokens import Tokens
from chatlift.service.context import Service, utc_now
from chatlift.service.running import (
    Listening,
    UnsafeAddress,
    greeting,
    listening_socket,
    refuse_unsafe,
    run_service,
)
from chatlift.settings import Settings
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested is that it is refused


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = Settings.from_environment({}, default_home=tmp_path)
    made = Service(settings=settings, database=Database.open(settings.database_url))
    yield made
    made.close()


def make_token(service: Service, role: Role) -> None:
    account = ensure_account(service.database, "default", time_zone="UTC")
    Tokens(service.database, account.account_id).create("test", role, now=utc_now())


def test_this_machine_alone_needs_nothing_else(service: Service) -> None:
    refuse_unsafe(Listening(), service.database, now=utc_now())


def test_others_are_not_let_in_over_an_unprotected_line(service: Service) -> None:
    make_token(service, Role.ADMIN)
    with pytest.raises(UnsafeAddress, match="--tls-cert and --tls-key, or --behind-proxy"):
        refuse_unsafe(Listening(host=EVERYWHERE), service.database, now=utc_now())


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.OPERATOR])
def test_others_are_not_let_in_while_nobody_is_admin(service: Service, role: Role | None) -> None:
    if role is not None:
        make_token(service, role)
    wanted = Listening(host=EVERYWHERE, behind_proxy=True)
    with pytest.raises(UnsafeAddress, match="chatlift token create NAME --role admin"):
        refuse_unsafe(wanted, service.database, now=utc_now())
    make_token(service, Role.ADMIN)
    refuse_unsafe(wanted, service.database, now=utc_now())


def test_half_of_tls_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="both files"):
        refuse_unsafe(Listening(tls_cert=tmp_path), service.database, now=utc_now())


def test_a_port_that_is_taken_is_told_in_a_sentence(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = Listening(port=taken.getsockname()[1], with_worker=False)
        with pytest.raises(Unavailable, match="name another with --host and --port"):
            run_service(service, wanted, environ={}, say=lambda _line: None)


def test_a_journal_keeps_no_link_once_there_is_an_admin_token(service: Service) -> None:
    def has_link(*, is_watched: bool) -> bool:
        return "sign-in?link=" in "".join(greeting(service, Listening(), is_watched=is_watched))

    assert has_link(is_watched=False)
    make_token(service, Role.ADMIN)
    assert (has_link(is_watched=False), has_link(is_watched=True)) == (False, True)
    assert "link" not in "".join(greeting(service, Listening(host=EVERYWHERE), is_watched=True))


def test_small_answers_are_sent_at_once() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        # What an accepted connection takes over, and by which asyncio knows that it may.
        assert listener.proto == socket.IPPROTO_TCP
