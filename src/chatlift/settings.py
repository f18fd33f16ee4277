"""Where Chatlift keeps things and what an operator may choose, read once at the edge.

Commands and servers call `Settings.from_environment`; everything below takes values as
arguments and never looks at the environment itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput
from chatlift.vocabulary import DEFAULT_ACCOUNT

SECONDS_OF_A_DAY = 86_400
HIGHEST_COUNT = 1_000_000_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names by which a machine calls itself; nobody else can listen there."""
JWT_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})
"""Those with a public key; with a shared one, whoever checks a token could make one."""


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
class JwtSettings:
    """Whose JSON web tokens are believed, and what they must say."""

    jwks_url: str
    """`CHATLIFT_JWKS_URL`: where the platform tells its public keys."""
    issuer: str
    """`CHATLIFT_JWT_ISSUER`: the claim `iss` must be this."""
    audience: str
    """`CHATLIFT_JWT_AUDIENCE`: the claim `aud` must name this."""
    algorithm: str = "RS256"
    """`CHATLIFT_JWT_ALGORITHM`: the only one that is accepted, whatever a token says."""
    account_claim: str = "chatlift_account"
    """`CHATLIFT_JWT_ACCOUNT_CLAIM`: the claim that names the account."""
    role_claim: str = "chatlift_role"
    """`CHATLIFT_JWT_ROLE_CLAIM`: the claim that names the role."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> JwtSettings | None:
        """Read the variables; None where `CHATLIFT_JWKS_URL` is unset: no such token is believed.

        Raises
        ------
        InvalidInput
            If the keys would come unprotected, or issuer or audience are not named.
        """
        url = environ.get("CHATLIFT_JWKS_URL")
        if not url:
            return None
        algorithm = environ.get("CHATLIFT_JWT_ALGORITHM") or cls.algorithm
        if algorithm not in JWT_ALGORITHMS:
            raise InvalidInput(
                f"CHATLIFT_JWT_ALGORITHM is {algorithm!r}. Use one of: "
                f"{', '.join(sorted(JWT_ALGORITHMS))}."
            )
        return cls(
            jwks_url=_protected(url),
            issuer=_needed(environ, "CHATLIFT_JWT_ISSUER"),
            audience=_needed(environ, "CHATLIFT_JWT_AUDIENCE"),
            algorithm=algorithm,
            account_claim=environ.get("CHATLIFT_JWT_ACCOUNT_CLAIM") or cls.account_claim,
            role_claim=environ.get("CHATLIFT_JWT_ROLE_CLAIM") or cls.role_claim,
        )


PRIVATE_NETWORKS = (
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("::1/128", "fc00::/7"),
)


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What the web service allows; the limits hold per caller and process."""

    allowed_hosts: tuple[str, ...] = ()
    """`CHATLIFT_ALLOWED_HOSTS`: names by which it may be called, separated by commas, beside those
    of the machine itself and the address it listens on."""
    trusted_proxies: tuple[str, ...] = PRIVATE_NETWORKS
    """`CHATLIFT_TRUSTED_PROXIES`: addresses and networks, separated by commas, whose word on where
    a request came from counts with `--behind-proxy`; by default those of private networks."""
    requests_per_minute: int = 6000
    """`CHATLIFT_REQUESTS_PER_MINUTE`: requests of one token."""
    concurrent_requests: int = 32
    """`CHATLIFT_CONCURRENT_REQUESTS`: requests of one token that are answered at the same time."""
    connections: int = 1000
    """`CHATLIFT_CONNECTIONS`: connections that one process holds; it takes more file handles for
    them where the system allows it."""
    connections_per_address: int = 100
    """`CHATLIFT_CONNECTIONS_PER_ADDRESS`: of these, connections from one address; with
    `--behind-proxy` the proxy has to see to that."""
    body_bytes: int = 1_000_000
    """`CHATLIFT_BODY_BYTES`: size of a request, where it is no file."""
    records_bytes: int = 5_000_000
    """`CHATLIFT_RECORDS_BYTES`: size of a request that brings messages, and of a webhook's
    delivery; WhatsApp's have at most 3 MB."""
    upload_bytes: int = 200_000_000
    """`CHATLIFT_UPLOAD_BYTES`: size of a request that brings files."""
    failed_sign_ins_per_minute: int = 30
    """`CHATLIFT_FAILED_SIGN_INS_PER_MINUTE`: unknown tokens or links from one address."""
    jwt: JwtSettings | None = None
    """None: only Chatlift's own tokens are believed."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ServiceSettings:
        """Read the variables; what is unset takes its default. Raises as `Settings` does."""
        hosts = (environ.get("CHATLIFT_ALLOWED_HOSTS") or "").split(",")
        return cls(
            trusted_proxies=_networks(environ, "CHATLIFT_TRUSTED_PROXIES", cls.trusted_proxies),
            allowed_hosts=tuple(host.strip().lower() for host in hosts if host.strip()),
            requests_per_minute=_whole(
                environ,
                "CHATLIFT_REQUESTS_PER_MINUTE",
                cls.requests_per_minute,
                highest=HIGHEST_COUNT,
            ),
            concurrent_requests=_whole(
                environ,
                "CHATLIFT_CONCURRENT_REQUESTS",
                cls.concurrent_requests,
                highest=HIGHEST_COUNT,
            ),
            connections=_whole(
                environ, "CHATLIFT_CONNECTIONS", cls.connections, highest=HIGHEST_COUNT
            ),
            connections_per_address=_whole(
                environ,
                "CHATLIFT_CONNECTIONS_PER_ADDRESS",
                cls.connections_per_address,
                highest=HIGHEST_COUNT,
            ),
            body_bytes=_whole(
                environ, "CHATLIFT_BODY_BYTES", cls.body_bytes, highest=HIGHEST_COUNT
            ),
            records_bytes=_whole(
                environ, "CHATLIFT_RECORDS_BYTES", cls.records_bytes, highest=HIGHEST_COUNT
            ),
            upload_bytes=_whole(
                environ, "CHATLIFT_UPLOAD_BYTES", cls.upload_bytes, highest=HIGHEST_COUNT
            ),
            failed_sign_ins_per_minute=_whole(
                environ,
                "CHATLIFT_FAILED_SIGN_INS_PER_MINUTE",
                cls.failed_sign_ins_per_minute,
                highest=HIGHEST_COUNT,
            ),
            jwt=JwtSettings.from_environment(environ),
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
    service: ServiceSettings = field(default_factory=ServiceSettings)
    """What the web service allows."""

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
            service=ServiceSettings.from_environment(environ),
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


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise InvalidInput(
            f"CHATLIFT_JWKS_URL is set, and {name} is not. Without it, a token that the platform "
            "made for somebody else would be believed. Set it to what the platform's tokens say."
        )
    return value


def _protected(url: str) -> str:
    """Return the address of keys that nobody on the way can exchange."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    except ValueError:
        is_safe = False
    if not is_safe:
        raise InvalidInput(
            "CHATLIFT_JWKS_URL names no https address. Whoever could change the keys on their way "
            "could call as anybody; give one that begins with https://."
        )
    return url


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


def _networks(environ: Mapping[str, str], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    told = tuple(part.strip() for part in (environ.get(name) or "").split(",") if part.strip())
    for part in told:
        try:
            ip_network(part)
        except ValueError as error:
            raise InvalidInput(
                f"{name} holds {part!r}. Use addresses or networks, such as 10.0.0.0/8."
            ) from error
    return told or default
