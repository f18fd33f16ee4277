"""The versions that a process answers with: read and checked once, kept while they serve.

Who serves is asked of the database each time, so a promotion or a rollback counts from the next
answer on, in every process. The last few versions stay loaded, so going back costs nothing; and an
answer, or a batch of them, is given by one version throughout.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chatlift.learn.scoring import Scorer
from chatlift.registry.champions import champion_id
from chatlift.registry.serving import scorer_of
from chatlift.registry.versions import Serving, Version
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName

MOST_KEPT = 32
"""Versions of all accounts that stay loaded; the one unused for longest goes first."""

Key = tuple[int, ModelName, int]
"""Account, model, and the version's number in the database."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A version ready to answer."""

    version: Version
    scorer: Scorer
    warning: str | None = None
    """Told once, where the champion was damaged and the version before it took over."""


class LoadedVersions:
    """The loaded versions of one process; safe across threads."""

    def __init__(self, *, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Loaded] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: defaultdict[tuple[int, ModelName], threading.Lock] = defaultdict(
            threading.Lock
        )

    def champion(self, workspace: Workspace, model: ModelName, *, now: datetime) -> Loaded:
        """Return who serves now; a damaged champion gives way as in `Versions.load_serving`.

        Raises
        ------
        NoChampion
            If none serves.
        DamagedArtifact
            If its files are damaged and no version before can serve.
        Unavailable, InvalidInput
            As `serving.scorer_of`.
        """
        return self.named_champion(workspace, model, _champion_id(workspace, model), now=now)

    def named_champion(
        self, workspace: Workspace, model: ModelName, version_id: int, *, now: datetime
    ) -> Loaded:
        """Return the champion that the database named a moment ago; raises as `champion`.

        If it has to be loaded, who serves by then is loaded. That takes connections of its own, so
        hold none meanwhile: a pool whose connections all wait for one more never moves.

        Parameters
        ----------
        version_id
            As `champions.champion_id` tells it.
        """
        return self._found(workspace, model, version_id) or self._load(workspace, model, now)

    def served_at(
        self, workspace: Workspace, model: ModelName, instant: datetime, *, now: datetime
    ) -> tuple[Loaded, bool]:
        """Return who served at a past instant, and whether it answers in hindsight.

        Where none served then, who serves now answers. Raises as `champion`.
        """
        then = workspace.versions.champion(model, as_of=instant)
        if then is None:
            return self.champion(workspace, model, now=now), True
        found = self._found(workspace, model, then.version_id)
        if found is None:
            serving = workspace.versions.load_served_at(model, instant, now=now)
            found = self._keep(workspace, serving)
        return found, found.version.created_at > instant

    def numbered(self, workspace: Workspace, model: ModelName, number: int) -> Loaded:
        """Return a version by its number, whether it serves or not.

        Raises
        ------
        NotFound
            If there is none.
        DamagedArtifact
            If its files are damaged.
        """
        version = workspace.versions.get(model, number)
        found = self._found(workspace, model, version.version_id)
        if found is not None:
            return found
        artifact = workspace.versions.load(version)
        return self._keep(workspace, Serving(version=version, artifact=artifact, warning=None))

    def _load(self, workspace: Workspace, model: ModelName, now: datetime) -> Loaded:
        with self._loading[workspace.account.account_id, model]:
            # Whoever held the lock has loaded it meanwhile.
            found = self._found(workspace, model, _champion_id(workspace, model))
            if found is not None:
                return found
            return self._keep(workspace, workspace.versions.load_serving(model, now=now))

    def _found(self, workspace: Workspace, model: ModelName, version_id: int) -> Loaded | None:
        key = (workspace.account.account_id, model, version_id)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, workspace: Workspace, serving: Serving) -> Loaded:
        version = serving.version
        scorer = scorer_of(workspace, serving.artifact)
        with self._lock:
            key = (workspace.account.account_id, version.model, version.version_id)
            self._kept[key] = Loaded(version=version, scorer=scorer)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return Loaded(version=version, scorer=scorer, warning=serving.warning)


def _champion_id(workspace: Workspace, model: ModelName) -> int:
    with workspace.database.read() as connection:
        return named_champion_id(connection, workspace, model)


def named_champion_id(connection: Connection, workspace: Workspace, model: ModelName) -> int:
    """Return the number that the database has for the version that serves.

    Raises
    ------
    NoChampion
        If none serves.
    """
    found = champion_id(connection, workspace.account.account_id, model)
    if found is None:
        raise workspace.versions.no_champion(model, connection)
    return found
