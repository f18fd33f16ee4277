"""The database of one installation: opened, brought to the newest schema, read and written.

SQLite is the embedded default, PostgreSQL serves a fleet; nothing above this file needs to
know which. On SQLite every connection checks foreign keys, keeps a write-ahead log, syncs
each commit to disk and overwrites what is deleted; a writer takes the write lock when its
transaction begins, so it waits at the start and never fails in the middle.

A database as it is opened touches no account's table: `of_account` and `across_accounts` give
handles that do, on the same connections (`store.bound`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from chatlift.errors import InvalidInput, Unavailable
from chatlift.private_files import close_to_others, create_open, make_private_folder
from chatlift.store.bound import ACCOUNT, ACROSS, watch
from chatlift.store.postgres import be_patient
from chatlift.store.schema import lay_out, stored_revision, take_turn
from chatlift.store.steady_clock import SteadyClock

SCHEMA_REVISION = "0010"
"""The newest migration; a test holds it equal to what `migrations/` says."""

BUSY_TIMEOUT_SECONDS = 30
POOL_SECONDS = 10
"""So long a thread waits for one of the connections to PostgreSQL."""
SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN")
POSTGRES_AWAY = ("08", "53", "57")
"""Classes of states: no connection, no resources, shut down or cancelled by an operator."""
WRITES = "chatlift_writes"
MAINTAINS = "chatlift_maintains"
ONE_STATE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""How a PostgreSQL reader sees one state throughout; SQLite readers always do."""
PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-65536",
)


class DatabaseAway(Unavailable):
    """The database does not answer now; the same may succeed in a moment."""

    def __init__(
        self,
        told: str = "The database does not answer now. See that its server runs, and try again.",
    ) -> None:
        super().__init__(told)


class DatabaseBusy(DatabaseAway):
    """Somebody else has been writing to SQLite for too long."""

    def __init__(self) -> None:
        super().__init__(
            "The database is busy: somebody else has been writing to it for "
            f"{BUSY_TIMEOUT_SECONDS} seconds. Wait for it to end and try again."
        )


class DatabaseTakenAway(DatabaseAway):
    """The file that connections write to is not the one at its path any more."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"The database {file} was removed, moved or exchanged while it was in use, so nothing "
            "that is written can be kept. Put it back, or restart Chatlift to use what is there."
        )


class Ground:
    """The file that SQLite's connections were opened on, by its number in the file system.

    A file that is deleted under an open connection goes on taking commits, and is gone with it.
    """

    def __init__(self, url: URL) -> None:
        is_sqlite = url.get_backend_name() == "sqlite" and url.database is not None
        self._file = Path(str(url.database)).absolute() if is_sqlite else None
        self._place: tuple[int, int] | None = None

    def note(self) -> None:
        """Note which file it is; where the URL names none that can be looked at, none is."""
        if self._file is not None and self._file.exists():
            self._place = _place_of(self._file)

    def refuse_taken_away(self) -> None:
        """Raise `DatabaseTakenAway` if the path leads elsewhere than when it was noted."""
        if self._file is None or self._place is None:
            return
        try:
            is_taken_away = _place_of(self._file) != self._place
        except OSError as error:
            raise DatabaseTakenAway(self._file) from error
        if is_taken_away:
            raise DatabaseTakenAway(self._file)


def _place_of(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino


class Shared:
    """What all handles of one pool of connections share; a handle is made for every request."""

    def __init__(self, engine: Engine) -> None:
        self.ground = Ground(engine.url)
        self.is_closed = False
        self.clock = SteadyClock()
        self.writing = threading.Lock()
        """SQLite's writers of this process take turns by it: SQLite itself lets those who wait
        sleep and look again, and a busy writer would take the lock before they do."""
        event.listen(engine, "checkin", self._close_late_comer)

    def _close_late_comer(self, _connection: object, record: ConnectionPoolEntry) -> None:
        if self.is_closed:
            record.invalidate()


class Database:
    """A pool of connections to one database whose schema is current; safe across threads.

    Its connections belong to one account, are opened across all, or (as `open` gives it) may
    touch no account's table.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime] | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._shared = shared or Shared(engine)
        self._writers = engine.execution_options(**{WRITES: True})
        upkeep = {MAINTAINS: True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._maintainers = engine.execution_options(**{ACCOUNT: ACROSS, **upkeep})
        self._readers = engine if self.is_sqlite else engine.execution_options(**ONE_STATE)

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], datetime] | None = None) -> Database:
        """Open the database at `url`, making folder, file and tables where they are missing.

        Parameters
        ----------
        url
            SQLAlchemy URL, `sqlite:///<path>` or `postgresql://...`.
        clock
            Tells what `now` returns, in place of the database's own clock.

        Raises
        ------
        InvalidInput
            If the URL names neither a SQLite file nor a PostgreSQL database.
        Unavailable
            If the database cannot be reached, or was made by a newer Chatlift.
        """
        parsed = _parse(url)
        _make_place(parsed)
        database = cls(_engine_of(parsed), clock=clock)
        try:
            database._bring_to_head()
            database._shared.ground.note()
        except (OperationalError, DatabaseAway) as error:
            database.close()
            raise _unreachable(parsed, error) from error
        except BaseException:
            database.close()
            raise
        return database

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; otherwise it is PostgreSQL."""
        return self._engine.dialect.name == "sqlite"

    def of_account(self, account_id: int) -> Database:
        """Return this database as one account sees it: statements must name the account.

        Both handles share their connections; closing one closes both.
        """
        return self._with_scope(account_id)

    def across_accounts(self) -> Database:
        """Return this database as a whole, for what must see all accounts.

        Those are few and each is listed, with its reason, in `tests/house/test_across_accounts.py`.
        """
        return self._with_scope(ACROSS)

    def _with_scope(self, scope: int | str) -> Database:
        engine = self._engine.execution_options(**{ACCOUNT: scope})
        return Database(engine, clock=self._clock, shared=self._shared)

    @property
    def url(self) -> URL:
        """Where the database is; holds the password, so never print it as a whole."""
        return self._engine.url

    def now(self, connection: Connection | None = None) -> datetime:
        """Return the present instant by the one clock that all processes share.

        PostgreSQL's own; with SQLite, which no two machines share, that of this machine.

        Parameters
        ----------
        connection
            Ask over this one, inside its transaction: the answer is of this very moment, not of
            the transaction's beginning. By default over a connection of its own.
        """
        if self._clock is not None:
            return self._clock()
        now = self._told_now(connection)
        self._shared.clock.note(now)
        return now

    def _told_now(self, connection: Connection | None) -> datetime:
        if self.is_sqlite:
            return datetime.now(UTC)
        if connection is None:
            with self.read() as own:
                return _clock_of(own)
        return _clock_of(connection)

    def is_clock_steady(self) -> bool:
        """Whether the clock was not set forward of late: only then a lease has surely run out."""
        return self._clock is not None or self._shared.clock.is_steady

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database until the block ends.

        Raises
        ------
        DatabaseAway
            If the database is gone, frozen or restarting.
        """
        with self._told_as_away(), self._readers.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that may write: committed at the end, undone on any error.

        Keep the block below a second: on SQLite all other writers wait for it.

        Raises
        ------
        DatabaseBusy
            If somebody else holds SQLite's write lock for longer than the busy timeout.
        DatabaseAway
            As `read`; nothing was written, unless the connection broke in the commit itself.
        DatabaseTakenAway
            If SQLite's file was removed or exchanged meanwhile; what was written is not kept.
        """
        with self._told_as_away(), self._turn(), self._writers.connect() as connection:
            try:
                transaction = connection.begin()
            except OperationalError as error:
                raise (DatabaseBusy if self.is_sqlite else DatabaseAway)() from error
            with transaction:
                yield connection
                self._shared.ground.refuse_taken_away()
            # Once more: what was committed into a file that is gone was not kept.
            self._shared.ground.refuse_taken_away()

    @contextmanager
    def _told_as_away(self) -> Iterator[None]:
        """Turn a driver's error of a database that is away into `DatabaseAway`."""
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, DBAPIError) and not _is_away(error):
                raise
            self._shared.ground.refuse_taken_away()
            raise DatabaseAway from error

    def refuse_taken_away(self) -> None:
        """Raise `DatabaseTakenAway` if SQLite's file is not the one that was opened."""
        self._shared.ground.refuse_taken_away()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other thread of this process writes to SQLite."""
        if not self.is_sqlite:
            yield
            return
        if not self._shared.writing.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise DatabaseBusy
        try:
            yield
        finally:
            self._shared.writing.release()

    @contextmanager
    def maintain(self) -> Iterator[Connection]:
        """Give a connection without a transaction, for upkeep that allows of none (VACUUM).

        It is upkeep of the whole database, so no account is asked for.
        """
        with self._maintainers.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; the object cannot be used afterwards.

        One that another thread still uses is closed when it is given back.
        """
        self._shared.is_closed = True
        self._engine.dispose()

    def _bring_to_head(self) -> None:
        with self.read() as connection:
            revision = stored_revision(connection)
        if revision == SCHEMA_REVISION:
            return
        with self.across_accounts().write() as connection:
            take_turn(connection)
            stored = stored_revision(connection)
            if stored is None:
                lay_out(connection, revision=SCHEMA_REVISION)
            elif stored != SCHEMA_REVISION:
                # Alembic takes a fifth of a second to import, paid where there is work for it.
                from chatlift.store.migrations.upgrade import upgrade  # noqa: PLC0415

                upgrade(connection, stored=stored)


def _clock_of(connection: Connection) -> datetime:
    """Return PostgreSQL's present instant; `now()` would tell that of the transaction's begin."""
    told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return told.astimezone(UTC)


def sqlite_file(url: str) -> Path | None:
    """Return the file that a database URL names; None where it names no SQLite file.

    Raises
    ------
    InvalidInput
        As `Database.open`.

    Examples
    --------
    >>> sqlite_file("sqlite:///shop/chatlift.db").as_posix()
    'shop/chatlift.db'
    """
    parsed = _parse(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database is not None
    return Path(str(parsed.database)) if is_file else None


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(
            "The database URL cannot be read. Write sqlite:///<path> or postgresql://<host>/<name>."
        ) from error
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    raise InvalidInput(
        f"A database URL of kind {kind!r} was given. "
        "Chatlift keeps its data in a SQLite file or in PostgreSQL: "
        "write sqlite:///<path> or postgresql://<host>/<name>."
    )


def _make_place(url: URL) -> None:
    if url.get_backend_name() != "sqlite" or url.database is None:
        return
    file = Path(url.database)
    try:
        make_private_folder(file.parent)
    except OSError as error:
        raise Unavailable(
            f"The folder {file.parent} for the database cannot be made ({type(error).__name__}). "
            "Choose another with CHATLIFT_HOME."
        ) from error
    _close_files_to_others(file)


def _close_files_to_others(file: Path) -> None:
    """Make sure that nobody but the owner reads the database, whether it is new or old.

    SQLite gives the files beside it, such as the write-ahead log, the mode of the database itself.
    """
    with suppress(OSError):  # It is there, or SQLite tells why it cannot be.
        create_open(file).close()
    for end in ("", "-wal", "-shm"):
        close_to_others(file.with_name(file.name + end))


def _engine_of(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        engine = create_engine(url, pool_pre_ping=True, pool_timeout=POOL_SECONDS)
        be_patient(engine)
        watch(engine)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    watch(engine)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by its own rules; `_begin_sqlite` does it by ours.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(MAINTAINS, False):
        return
    writes = options.get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_away(error: DBAPIError) -> bool:
    """Tell whether the database is to blame, rather than the statement.

    SQLite's `disk I/O error` and `unable to open` are told when its file is taken away.
    """
    code = getattr(error.orig, "sqlite_errorname", None)
    if code is not None:
        return str(code).startswith(SQLITE_AWAY)
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    is_operational = isinstance(error, OperationalError | InterfaceError)
    return is_operational and (state is None or state.startswith(POSTGRES_AWAY))


def _unreachable(url: URL, error: OperationalError | DatabaseAway) -> Unavailable:
    shown = url.render_as_string(hide_password=True)
    cause = error.orig if isinstance(error, OperationalError) else error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    return DatabaseAway(
        f"The database {shown} cannot be opened ({type(cause).__name__}). "
        "Check that it exists, that its server runs and that you may read and write it."
    )
