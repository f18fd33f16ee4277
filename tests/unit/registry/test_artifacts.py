import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from chatlift.errors import Conflict
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.artifacts import (
    MAIN_FILES,
    ArtifactInfo,
    DamagedArtifact,
    read_artifact,
    write_artifact,
)
from chatlift.vocabulary import ModelName

LEADS = ModelName.LEAD_SCORING
MAIN = MAIN_FILES[LEADS]
PICKLE = base64.b64decode("gASVBQAAAAAAAABLAS4=")  # A pickled 1, written down, never loaded.


def written(folder: Path, booster: bytes = b"{Lbooster") -> ArtifactInfo:
    files = {MAIN: booster, "pipeline.json": b"{}", "text_weights.bin": b"\0" * 8}
    return write_artifact(folder, files, {"model": LEADS})


def read(info: ArtifactInfo) -> None:
    read_artifact(info.folder, info.manifest_sha256, model=LEADS)


def forged(folder: Path, manifest: dict[str, Any]) -> ArtifactInfo:
    """Return an artifact whose manifest is what the attacker likes and hashes match."""
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return ArtifactInfo(folder=folder, manifest_sha256=digest, size_bytes=0)


def manifest_of(info: ArtifactInfo) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((info.folder / "manifest.json").read_bytes())
    return found


def entry(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    info = written(tmp_path / "v1")
    found = read_artifact(info.folder, info.manifest_sha256, model=LEADS)
    assert found.files[found.main_file] == b"{Lbooster"
    assert info.size_bytes == sum(path.stat().st_size for path in info.folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_folder_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / "v1")
    with pytest.raises(Conflict):
        written(tmp_path / "v1")


def test_main_files_are_those_of_the_specs() -> None:
    assert {name: spec.main_file for name, spec in SPECS.items()} == MAIN_FILES


@pytest.mark.parametrize("name", [MAIN, "pipeline.json", "text_weights.bin", "manifest.json"])
def test_a_pickle_under_an_expected_name_is_refused(tmp_path: Path, name: str) -> None:
    info = written(tmp_path / "v1")
    (info.folder / name).write_bytes(PICKLE)
    with pytest.raises(DamagedArtifact, match=name):
        read(info)


@pytest.mark.parametrize("model", list(ModelName))
def test_a_pickle_as_main_file_is_refused_even_with_matching_hashes(
    tmp_path: Path, model: ModelName
) -> None:
    (tmp_path / MAIN_FILES[model]).write_bytes(PICKLE)
    listing = {MAIN_FILES[model]: entry(PICKLE)}
    info = forged(tmp_path, {"schema_version": 1, "model": model, "files": listing})
    with pytest.raises(DamagedArtifact, match="a pickle is never read"):
        read_artifact(info.folder, info.manifest_sha256, model=model)
    with pytest.raises(ValueError, match="a pickle is never read"):
        write_artifact(tmp_path / "new", {MAIN_FILES[model]: PICKLE}, {"model": model})


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "a\\b.json", "C:evil.json", "..json", "x.pkl", ""]
)
def test_a_listed_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    info = written(tmp_path / "v1")
    manifest = manifest_of(info)
    manifest["files"][name] = entry(b"{}")
    with pytest.raises(DamagedArtifact, match="is no"):
        read(forged(info.folder, manifest))


def test_a_truncated_booster_is_refused(tmp_path: Path) -> None:
    info = written(tmp_path / "v1")
    (info.folder / MAIN).write_bytes(b"{Lboos")
    with pytest.raises(DamagedArtifact, match="has 6 bytes, the manifest says 9"):
        read(info)


def test_a_missing_file_and_an_extra_file_are_refused(tmp_path: Path) -> None:
    info = written(tmp_path / "v1")
    (info.folder / "pipeline.json").rename(info.folder / "other.json")
    with pytest.raises(DamagedArtifact, match=r"pipeline\.json is missing"):
        read(info)
    (info.folder / "pipeline.json").write_bytes(b"{}")
    with pytest.raises(DamagedArtifact, match="does not belong there"):
        read(info)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    info = written(tmp_path / "v1")
    (info.folder / MAIN).rename(tmp_path / "elsewhere")
    try:
        (info.folder / MAIN).symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("this user may not make symbolic links")
    with pytest.raises(DamagedArtifact, match="is no plain file"):
        read(info)


def test_a_manifest_from_another_version_is_refused(tmp_path: Path) -> None:
    info, other = written(tmp_path / "v1"), written(tmp_path / "v2", b"{Lother")
    swapped = (other.folder / "manifest.json").read_bytes()
    (info.folder / "manifest.json").write_bytes(swapped)
    with pytest.raises(DamagedArtifact, match="not the one that was registered"):
        read(info)
