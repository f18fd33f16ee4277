"""The folder of all artifacts: whose it is, and the trash that what is swept goes through.

One database and one folder of artifacts belong together. The database has an id of its own
(`store.installation`), and a file in the folder carries the same one. A database that does not
know the versions in a folder must never sweep, write or delete there: to it, every model of
another installation looks like something that a killed training left behind.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from chatlift.errors import Unavailable
from chatlift.private_files import (
    close_to_others,
    create_private,
    make_private_folder,
    replace_private,
)
from chatlift.registry.run_rows import RUNS
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.installation import installation_id_of
from chatlift.store.registry_tables import VersionRow

MARKER_FILE = "installation.json"
"""Holds `{"installation_id": ...}`, in the folder of artifacts."""
TRASH_FOLDER = "trash"
TRASH_KEPT = timedelta(days=7)
TRASH_STAMP = "%Y%m%dT%H%M%SZ"
"""Names a folder in the trash: the instant (UTC) at which its content was moved there."""
RUN_ID_LENGTH = 36
VERSIONS = table_of(VersionRow)

ADVICE = (
    "Nothing was changed. Set CHATLIFT_DATABASE_URL, CHATLIFT_HOME and CHATLIFT_ARTIFACTS to a "
    "database and a folder that belong together. If this database shall have the folder from now "
    "on, say so once with --adopt: `chatlift train --adopt`, or the same with serve or worker."
)


class ForeignArtifacts(Unavailable):
    """The folder of artifacts is not known to be this database's; nothing in it was touched."""

    def __init__(self, root: Path, found: str) -> None:
        super().__init__(f"The folder of artifacts {root} cannot be used: {found}. {ADVICE}")


class UnwritableArtifacts(Unavailable):
    """The folder of artifacts is this database's and cannot be written to."""

    def __init__(self, root: Path, error: OSError) -> None:
        super().__init__(
            f"The folder of artifacts {root} cannot be written ({type(error).__name__}). Check "
            "that it is mounted, that there is room, and that you may write there."
        )


class ArtifactRoot:
    """The folder that holds the artifacts of all accounts of a database."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database.across_accounts()
        self.path = path

    def confirm(self) -> None:
        """Make sure before anything is read or moved that the folder is this database's.

        A folder without a marker whose artifacts all come from runs of this database gets one, so
        that an installation older than markers goes on as before.

        Raises
        ------
        ForeignArtifacts
            If it carries the marker of another database, or holds artifacts of unknown runs.
        """
        if self._is_marked():
            return
        run_ids = self._run_ids()
        if not run_ids:
            return
        if unknown := run_ids - self._known(run_ids):
            raise ForeignArtifacts(
                self.path,
                f"it holds {len(unknown)} of {len(run_ids)} trainings that this database does "
                f"not know, such as {min(unknown)}",
            )
        with suppress(OSError):  # Who may only read can still read.
            self._mark()

    def claim(self, *, adopt: bool = False) -> None:
        """Make sure before anything is written that the folder is this database's; mark it.

        Parameters
        ----------
        adopt
            Take it over whatever it holds; a database that had it is refused from then on.

        Raises
        ------
        ForeignArtifacts
            As `confirm`; also if versions of this database were stored, and the folder is empty.
        UnwritableArtifacts
            If the marker cannot be written.
        """
        if not adopt:
            self.confirm()
        try:
            if adopt:
                self._mark(is_taken_over=True)
            elif not self._is_marked():
                self._refuse_emptied()
                self._mark()
        except OSError as error:
            raise UnwritableArtifacts(self.path, error) from error

    def discard(self, folder: Path, *, now: datetime) -> None:
        """Move a folder below the root into the trash; there it has the same path."""
        place = self.path / TRASH_FOLDER / f"{now.astimezone(UTC):{TRASH_STAMP}}"
        place /= folder.relative_to(self.path)
        make_private_folder(place.parent)
        folder.replace(place)

    def empty_trash(self, *, now: datetime) -> None:
        """Delete what has lain in the trash for longer than `TRASH_KEPT`."""
        for folder in (self.path / TRASH_FOLDER).glob("*"):
            moved_at = _moved_at(folder.name)
            if moved_at is not None and moved_at < now - TRASH_KEPT:
                shutil.rmtree(folder, ignore_errors=True)

    def _is_marked(self) -> bool:
        """Whether the folder carries this database's marker; raises if it carries another's."""
        marker = _marker_of(self.path)
        if marker is None:
            return False
        own = installation_id_of(self._database)
        if marker != own:
            owner = (
                f"belongs to installation {marker}" if marker else f"has a damaged {MARKER_FILE}"
            )
            raise ForeignArtifacts(self.path, f"it {owner}, and this database is that of {own}")
        return True

    def _mark(self, *, is_taken_over: bool = False) -> None:
        content = json.dumps({"installation_id": installation_id_of(self._database)})
        make_private_folder(self.path)
        close_to_others(self.path)
        if is_taken_over:
            replace_private(self.path / MARKER_FILE, content.encode())
        elif not create_private(self.path / MARKER_FILE, content.encode()):
            self._is_marked()  # Another process came first, perhaps one of another database.

    def _refuse_emptied(self) -> None:
        with self._database.read() as connection:
            count = connection.scalar(select(func.count()).select_from(VERSIONS)) or 0
        if count and not self._run_ids():
            raise ForeignArtifacts(
                self.path,
                f"this database knows {count} versions, and it holds none; perhaps it is not "
                "mounted",
            )

    def _run_ids(self) -> frozenset[str]:
        """Return the runs whose artifacts lie here, half-written ones among them."""
        return frozenset(folder.name[:RUN_ID_LENGTH] for folder in _artifact_folders(self.path))

    def _known(self, run_ids: Collection[str]) -> frozenset[str]:
        with self._database.read() as connection:
            known = select(RUNS.c.run_id).where(RUNS.c.run_id.in_(run_ids))
            return frozenset(connection.scalars(known))


def _artifact_folders(root: Path) -> Iterator[Path]:
    """Yield what lies where artifacts do: `<account>/<model>/<run and attempt>`."""
    for account in root.glob("*"):
        if account.name.isdecimal():
            yield from account.glob("*/*")


def _marker_of(root: Path) -> str | None:
    """Return the id in the root's marker, an empty one if it cannot be read; None: no marker."""
    try:
        found = json.loads((root / MARKER_FILE).read_bytes())
        return str(found["installation_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return ""


def _moved_at(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, TRASH_STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
