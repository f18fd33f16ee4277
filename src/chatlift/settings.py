"""Where Chatlift keeps things and what an operator may choose, read once at the edge.

Commands and servers call `Settings.from_environment`; everything below takes values as
arguments and never looks at the environment itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput
from chatlift.vocabulary import DEFAULT_ACCOUNT

SECRET_BYTES = 32
SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """How workers carry out what is queued."""

    broker_url: str | None = field(default=None, repr=False)
    """`CHATLIFT_BROKER_URL`: Redis or RabbitMQ, which wakes workers on other machines through
    Celery; without one, workers look into the database every second. Holds a password, perhaps."""
    slots: int = 1
    """`CHATLIFT_SLOTS`: trainings that one worker has under way at the same time."""
    lease_seconds: int = 30
    """`CHATLIFT_LEASE_SECONDS`: how long a worker may be silent before its run is given to
    another."""
    step_limit_seconds: int = 900
    """`CHATLIFT_STEP_LIMIT_SECONDS`: how long a training may go without a step before it counts as
    stuck and is ended."""

    @property
    def lease(self) -> timedelta:
        """The lease as a span."""
        return timedelta(seconds=self.lease_seconds)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> JobSettings:
        """Read the variables; what is unset takes its default. Raises as `Settings` does."""
        return cls(
            broker_url=environ.get("CHATLIFT_BROKER_URL") or None,
            slots=_whole(environ, "CHATLIFT_SLOTS", cls.slots, highest=64),
            lease_seconds=_whole(
                environ, "CHATLIFT_LEASE_SECONDS", cls.lease_seconds, highest=SECONDS_OF_A_DAY
            ),
            step_limit_seconds=_whole(
                environ,
                "CHATLIFT_STEP_LIMIT_SECONDS",
                cls.step_limit_seconds,
                highest=SECONDS_OF_A_DAY,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The choices of one installation."""

    home: Path
    """`CHATLIFT_HOME`: the data folder; holds the database, the secret and the artifacts."""
    artifacts: Path
    """`CHATLIFT_ARTIFACTS`: where versions keep their files; by default `<home>/artifacts`."""
    database_url: str
    """`CHATLIFT_DATABASE_URL`: SQLAlchemy URL; by default SQLite at `<home>/chatlift.db`."""
    account: str = DEFAULT_ACCOUNT
    """`CHATLIFT_ACCOUNT`: the business that commands act for."""
    time_zone: str = "UTC"
    """`CHATLIFT_TIME_ZONE`: IANA zone of a new account's hours and weekdays."""
    threads: int = 2
    """`CHATLIFT_THREADS`: fits that may run side by side, each on one thread."""
    secret_key: str | None = field(default=None, repr=False)
    """`CHATLIFT_SECRET_KEY`: keys under which the secrets of webhooks are encrypted, the newest
    first, separated by commas; without one, webhooks cannot be made or called."""
    jobs: JobSettings = field(default_factory=JobSettings)
    """How workers carry out what is queued."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, default_home: Path) -> Settings:
        """Read the `CHATLIFT_*` variables; what is unset takes its default.

        Raises
        ------
        InvalidInput
            If a value cannot be used; the text names the variable, never a secret.
        """
        home = Path(environ.get("CHATLIFT_HOME") or default_home).expanduser().absolute()
        artifacts = environ.get("CHATLIFT_ARTIFACTS")
        return cls(
            home=home,
            artifacts=Path(artifacts).expanduser().absolute() if artifacts else home / "artifacts",
            database_url=environ.get("CHATLIFT_DATABASE_URL")
            or f"sqlite:///{(home / 'chatlift.db').as_posix()}",
            account=environ.get("CHATLIFT_ACCOUNT") or DEFAULT_ACCOUNT,
            time_zone=_time_zone(environ.get("CHATLIFT_TIME_ZONE") or "UTC"),
            secret_key=environ.get("CHATLIFT_SECRET_KEY") or None,
            threads=_whole(environ, "CHATLIFT_THREADS", cls.threads, highest=256),
            jobs=JobSettings.from_environment(environ),
        )


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(
            f"CHATLIFT_TIME_ZONE is {name!r}, which is no IANA time zone. "
            "Use a name such as Europe/Madrid or UTC."
        ) from error
    return name


def default_home(environ: Mapping[str, str], system: str) -> Path:
    """Return where the data lies if CHATLIFT_HOME does not say.

    Examples
    --------
    >>> default_home({"XDG_DATA_HOME": "/data"}, "linux").as_posix()
    '/data/chatlift'
    """
    if system == "win32" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "chatlift"
    if environ.get("XDG_DATA_HOME"):
        return Path(environ["XDG_DATA_HOME"]) / "chatlift"
    return Path.home() / ".chatlift"


def _whole(environ: Mapping[str, str], name: str, default: int, *, highest: int) -> int:
    text = environ.get(name) or str(default)
    if text.isdecimal() and 1 <= int(text) <= highest:
        return int(text)
    raise InvalidInput(f"{name} is {text!r}. Use a whole number from 1 to {highest}.")


def secret_of(home: Path) -> bytes:
    """Return the installation's secret, made on first use and kept outside the database.

    It keys the hashes of words and of forgotten contacts, so that neither the database nor
    an artifact alone can be searched for a person.
    """
    path = home / "secret.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        path.chmod(0o600)
    except FileExistsError:
        pass
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
