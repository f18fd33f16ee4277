from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services import Served, served


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_the_machine_is_called_by_its_own_names(at: Served, host: str) -> None:
    assert at.client.get("/healthz", headers={"Host": host}).status_code == 200


ODD = ["localhost:8000@evil.example", "localhost@evil.example", "[::1]evil.example", "localhost:"]
ODD += ["localhost:80:80", "[::1", "localhost/x", "localhost:8000 x", "localhost:port"]


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip", *ODD]
)
def test_any_other_name_is_refused_on_every_route(at: Served, host: str) -> None:
    for path in ("/healthz", "/api/v1/training/status", "/nowhere"):
        told = at.client.get(path, headers={"Host": host} | at.headers())
        assert (told.status_code, told.headers["content-type"]) == (400, "application/problem+json")
