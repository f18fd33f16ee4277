from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.settings import Settings, default_home, secret_of


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


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = secret_of(tmp_path / "home")
    assert len(first) == 32
    assert secret_of(tmp_path / "home") == first


def test_a_home_is_found_on_each_system() -> None:
    assert default_home({"LOCALAPPDATA": "C:/Data"}, "win32") == Path("C:/Data/chatlift")
    assert default_home({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/chatlift")
    assert default_home({}, "linux").name == ".chatlift"
