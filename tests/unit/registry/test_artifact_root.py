"""Two databases never share a folder of artifacts, and none loses what another registered."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.installed import LEADS, NOW, installed, registered, settings_of

from chatlift.jobs.reconcile import sweep_orphans
from chatlift.registry.artifact_root import MARKER_FILE, ForeignArtifacts
from chatlift.registry.installations import open_installation
from chatlift.registry.workspace import open_workspace
from chatlift.settings import Settings
from chatlift.store.database import Database

LATER = datetime.now(UTC) + timedelta(days=30)


def files_below(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """An installation whose database lies elsewhere, with one version."""
    url = f"sqlite:///{(tmp_path / 'elsewhere.db').as_posix()}"
    settings = settings_of(tmp_path / "home", CHATLIFT_DATABASE_URL=url)
    installed(settings)
    return settings


@pytest.fixture
def forgetful(own: Settings) -> Settings:
    """The same home in a shell that forgot where the database is."""
    return settings_of(own.home)


@pytest.fixture
def neighbour(own: Settings, tmp_path: Path) -> Settings:
    """Another home that was told to use the same folder of artifacts."""
    return settings_of(tmp_path / "neighbour", CHATLIFT_ARTIFACTS=str(own.artifacts))


@pytest.mark.parametrize("other", ["forgetful", "neighbour"])
def test_a_database_that_does_not_own_the_folder_is_refused_before_anything_changes(
    own: Settings, other: str, request: pytest.FixtureRequest
) -> None:
    before = files_below(own.artifacts)
    with (
        pytest.raises(ForeignArtifacts, match=r"CHATLIFT_DATABASE_URL.*--adopt"),
        open_workspace(request.getfixturevalue(other)),
    ):
        pass
    assert files_below(own.artifacts) == before


def test_the_sweep_of_a_database_that_does_not_own_the_folder_moves_nothing(
    own: Settings, neighbour: Settings
) -> None:
    database = Database.open(neighbour.database_url)
    with open_workspace(settings_of(neighbour.home)):
        pass  # The account is there, so there is something to sweep for.
    before = files_below(own.artifacts)
    sweep_orphans(database, own.artifacts, LATER)
    database.close()
    assert files_below(own.artifacts) == before


def test_nothing_is_registered_in_the_folder_of_another_database(
    own: Settings, tmp_path: Path
) -> None:
    """Not even where the folder changed its owner while the process was running."""
    with open_workspace(settings_of(tmp_path / "late")) as workspace:
        shutil.copytree(own.artifacts, workspace.settings.artifacts)
        before = files_below(workspace.settings.artifacts)
        with pytest.raises(ForeignArtifacts):
            registered(workspace)
        assert files_below(workspace.settings.artifacts) == before


def test_a_fresh_database_beside_artifacts_without_a_marker_is_refused(
    own: Settings, forgetful: Settings
) -> None:
    (own.artifacts / MARKER_FILE).unlink()
    with pytest.raises(ForeignArtifacts, match="1 of 1 trainings that this database does not know"):
        open_installation(forgetful)


def test_an_installation_older_than_markers_goes_on_as_before(own: Settings) -> None:
    marker = own.artifacts / MARKER_FILE
    before = marker.read_bytes()
    marker.unlink()
    open_installation(own).close()
    assert marker.read_bytes() == before


def test_a_folder_that_two_databases_shared_before_markers_belongs_to_neither(
    own: Settings, tmp_path: Path
) -> None:
    other = settings_of(tmp_path / "other")
    installed(other)
    (own.artifacts / MARKER_FILE).unlink()
    shutil.copytree(other.artifacts, own.artifacts, dirs_exist_ok=True)
    (own.artifacts / MARKER_FILE).unlink()
    with pytest.raises(ForeignArtifacts, match="1 of 2 trainings"):
        open_installation(own)


def test_who_adopts_the_folder_has_it_and_the_other_database_is_refused(
    own: Settings, forgetful: Settings
) -> None:
    before = files_below(own.artifacts)
    with open_workspace(forgetful, adopt=True) as workspace:
        version = registered(workspace)
        workspace.versions.sweep_orphans(now=LATER)
    assert files_below(own.artifacts) == before | files_below(version.folder)
    with pytest.raises(ForeignArtifacts):
        open_installation(own)
    open_installation(own, adopt=True).close()
    open_installation(own).close()


def test_a_damaged_marker_is_no_missing_one(own: Settings) -> None:
    (own.artifacts / MARKER_FILE).write_bytes(b"{}")
    with pytest.raises(ForeignArtifacts, match=f"a damaged {MARKER_FILE}"):
        open_installation(own)


def test_a_folder_that_is_not_mounted_is_not_written_to(own: Settings) -> None:
    shutil.rmtree(own.artifacts)
    with open_workspace(own) as workspace:
        with pytest.raises(ForeignArtifacts, match="perhaps it is not mounted"):
            registered(workspace)
        assert not own.artifacts.exists()


def test_a_copy_of_the_whole_installation_is_an_installation(own: Settings, tmp_path: Path) -> None:
    shutil.copytree(own.home, tmp_path / "copy")
    shutil.copy(tmp_path / "elsewhere.db", tmp_path / "copy" / "chatlift.db")
    with open_workspace(settings_of(tmp_path / "copy")) as workspace:
        workspace.versions.load(workspace.versions.get(LEADS, "champion"))


def test_versions_in_a_folder_of_another_database_are_not_deleted(own: Settings) -> None:
    with open_workspace(own) as workspace:
        marker = {"installation_id": "somebody else's"}
        (own.artifacts / MARKER_FILE).write_text(json.dumps(marker), encoding="ascii")
        with pytest.raises(ForeignArtifacts):
            workspace.versions.delete_model(LEADS, by="a test", now=NOW, force=True)
        (version,) = workspace.versions.list()
        assert version.folder.exists()
