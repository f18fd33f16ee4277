from datetime import timedelta
from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.settings import Settings, default_home


def test_everything_lies_in_the_home_unless_said_otherwise(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, default_home=tmp_path)
    assert settings.home == tmp_path.absolute()
    assert settings.artifacts == settings.home / "artifacts"
    assert settings.database_url.endswith("/chatlift.db")


@pytest.mark.parametrize("threads", ["0", "-1", "257", "two"])
def test_a_thread_count_that_cannot_be_used_is_named(tmp_path: Path, threads: str) -> None:
    with pytest.raises(InvalidInput, match="CHATLIFT_THREADS"):
        Settings.from_environment({"CHATLIFT_THREADS": threads}, default_home=tmp_path)


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Mars/Olympus"):
        Settings.from_environment({"CHATLIFT_TIME_ZONE": "Mars/Olympus"}, default_home=tmp_path)


def test_a_home_is_found_on_each_system() -> None:
    assert default_home({"LOCALAPPDATA": "C:/Data"}, "win32") == Path("C:/Data/chatlift")
    assert default_home({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/chatlift")
    assert default_home({}, "linux").name == ".chatlift"


JWT = {
    "CHATLIFT_JWKS_URL": "https://platform.example/keys",
    "CHATLIFT_JWT_ISSUER": "https://platform.example",
    "CHATLIFT_JWT_AUDIENCE": "chatlift",
}


def test_the_platforms_tokens_are_believed_only_where_it_is_named(tmp_path: Path) -> None:
    assert Settings.from_environment({}, default_home=tmp_path).service.jwt is None
    found = Settings.from_environment(JWT, default_home=tmp_path).service.jwt
    assert found is not None
    assert (found.algorithm, found.account_claim) == ("RS256", "chatlift_account")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHATLIFT_JWT_ISSUER", ""),
        ("CHATLIFT_JWT_AUDIENCE", ""),
        ("CHATLIFT_JWKS_URL", "http://platform.example/keys"),
        ("CHATLIFT_JWKS_URL", "file:///etc/passwd"),
        ("CHATLIFT_JWKS_URL", "https://["),
        ("CHATLIFT_JWT_ALGORITHM", "none"),
        ("CHATLIFT_JWT_ALGORITHM", "HS256"),
        ("CHATLIFT_REQUESTS_PER_MINUTE", "0"),
        ("CHATLIFT_BODY_BYTES", "1e6"),
    ],
)
def test_an_unsafe_choice_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        Settings.from_environment(JWT | {name: value}, default_home=tmp_path)


def test_allowed_hosts_are_read_from_a_list(tmp_path: Path) -> None:
    environ = {"CHATLIFT_ALLOWED_HOSTS": "Shop.example, 10.0.0.7 ,"}
    found = Settings.from_environment(environ, default_home=tmp_path).service.allowed_hosts
    assert found == ("shop.example", "10.0.0.7")


def test_the_pace_of_workers_is_set_in_whole_numbers_and_the_broker_never_shown(
    tmp_path: Path,
) -> None:
    told = {"CHATLIFT_LEASE_SECONDS": "5", "CHATLIFT_BROKER_URL": "redis://:secret-word@host/0"}
    settings = Settings.from_environment(told, default_home=tmp_path)
    assert settings.jobs.lease == timedelta(seconds=5)
    assert "secret-word" not in repr(settings)
    for name in ("CHATLIFT_SLOTS", "CHATLIFT_LEASE_SECONDS", "CHATLIFT_STEP_LIMIT_SECONDS"):
        with pytest.raises(InvalidInput, match=name):
            Settings.from_environment({name: "0"}, default_home=tmp_path)
