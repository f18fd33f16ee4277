"""A version's files on disk: written whole or not at all, checked whole before any is parsed.

An artifact is a folder of plain files and one `manifest.json` that lists them with size and
SHA-256. The manifest's own SHA-256 stands in the database, so that a folder taken from
somewhere else, or from another version, is known before anything of it is read as a model.
No format in it can run code on load; see `docs/decisions/0003-no-pickle.md`.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatlift.errors import Conflict, Unavailable
from chatlift.private_files import (
    PARTIAL_SUFFIX,
    PRIVATE_FOLDER,
    make_private_folder,
    sync_folder,
    write_private,
)
from chatlift.vocabulary import ModelName

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"
MAIN_FILES = {
    ModelName.LEAD_SCORING: "lead_scoring_model.ubj",
    ModelName.CHURN: "churn_model.ubj",
    ModelName.ENGAGEMENT: "engagement_model.json",
}
"""The file that holds each model's estimator."""

BOOSTER_SUFFIX = ".ubj"
JSON_SUFFIX = ".json"
ARRAY_SUFFIX = ".bin"
SUFFIXES = frozenset({BOOSTER_SUFFIX, JSON_SUFFIX, ARRAY_SUFFIX})
BOOSTER_START = b"{L"
"""How XGBoost's binary JSON begins: an object whose key lengths are 64-bit numbers."""
ARRAY_ITEM_BYTES = 4
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")

MANIFEST_LIMIT_BYTES = 4 * 2**20
FILE_LIMIT_BYTES = 512 * 2**20


class DamagedArtifact(Unavailable):
    """An artifact is not what was registered; nothing of it was loaded."""

    def __init__(self, title: str, problem: str) -> None:
        super().__init__(
            f"The files of {title} cannot be used: {problem}. Nothing of them was loaded. "
            f"Use the version before (`chatlift models rollback {title.split()[0]}`), "
            "or train again."
        )
        self.title = title
        self.problem = problem


class _Problem(Exception):
    """What is wrong with an artifact, as a clause without a full stop."""


@dataclass(frozen=True, kw_only=True)
class ArtifactInfo:
    """An artifact that has been written."""

    folder: Path
    manifest_sha256: str
    size_bytes: int
    """All files together, the manifest among them."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact whose every byte was checked."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    """Content by file name, without the manifest."""

    @property
    def model(self) -> ModelName:
        """The model it is a version of."""
        return ModelName(self.manifest["model"])

    @property
    def main_file(self) -> str:
        """Name of the file that holds the estimator."""
        return MAIN_FILES[self.model]


def write_artifact(
    folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]
) -> ArtifactInfo:
    """Write an artifact so that `folder` appears complete, or not at all.

    Parameters
    ----------
    folder
        Where it shall lie; must not exist. It is written beside, with `.partial` at the end
        of its name, synced to disk and renamed.
    files
        Content by plain file name ending in .ubj, .json or .bin; the model's main file
        (`MAIN_FILES`) is among them.
    manifest
        JSON values: `model`, and whatever describes the version (spec, features, parameters,
        library versions, seed, data fingerprint). `schema_version` and `files` are added.

    Raises
    ------
    Conflict
        If `folder` exists.
    ValueError
        If a file could not be read back: its name, suffix or content is not of the format.
    """
    if folder.exists():
        raise Conflict(f"The folder {folder.name} for a new version is there already. Try again.")
    content = _manifest_bytes(files, manifest)
    _check_writable(files, content)
    partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
    make_private_folder(folder.parent)
    partial.mkdir(PRIVATE_FOLDER)
    for name, data in {**files, MANIFEST_FILE: content}.items():
        write_private(partial / name, data)
    sync_folder(partial)
    partial.replace(folder)
    sync_folder(folder.parent)
    return ArtifactInfo(
        folder=folder,
        manifest_sha256=_sha256(content),
        size_bytes=len(content) + sum(map(len, files.values())),
    )


def _manifest_bytes(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> bytes:
    listed = {
        name: {"sha256": _sha256(data), "size": len(data)} for name, data in sorted(files.items())
    }
    whole = {**manifest, "schema_version": SCHEMA_VERSION, "files": listed}
    return json.dumps(whole, indent=1, sort_keys=True, allow_nan=False).encode("utf-8")


def _check_writable(files: Mapping[str, bytes], manifest: bytes) -> None:
    try:
        _check_listing(_parse_manifest(manifest))
        for name, data in files.items():
            _check_format(name, data)
    except _Problem as problem:
        raise ValueError(f"This artifact could not be read back: {problem}.") from problem


def read_artifact(
    folder: Path, expected_manifest_sha256: str, *, model: ModelName, title: str | None = None
) -> Artifact:
    """Read an artifact whose every byte is what was registered.

    In this order: the manifest's hash; its form; the listed names; that the folder holds
    exactly them, as plain files; sizes and hashes; how each content begins. Only bytes that
    passed all of it are handed back, and none is parsed as a model here.

    Parameters
    ----------
    expected_manifest_sha256
        Lower-case hex, from the version's row.
    model
        The model it must be a version of.
    title
        How the text of an error names it; by default the folder's name.

    Raises
    ------
    DamagedArtifact
        If anything differs.
    Unavailable
        If the files are there and cannot be read now.
    """
    title = title or folder.name
    try:
        manifest = _checked_manifest(folder, expected_manifest_sha256, model)
        return Artifact(manifest=manifest, files=_checked_files(folder, manifest["files"]))
    except _Problem as problem:
        raise DamagedArtifact(title, str(problem)) from problem
    except OSError as error:
        raise Unavailable(
            f"The files of {title} cannot be read now ({type(error).__name__}). "
            "Check that the folder of artifacts is mounted and that you may read it."
        ) from error


def _checked_manifest(folder: Path, expected_sha256: str, model: ModelName) -> dict[str, Any]:
    _check_folder(folder)
    content = _read_plain_file(folder / MANIFEST_FILE, MANIFEST_LIMIT_BYTES)
    if _sha256(content) != expected_sha256:
        raise _Problem(f"{MANIFEST_FILE} is not the one that was registered (SHA-256 differs)")
    manifest = _parse_manifest(content)
    if manifest["model"] != model:
        raise _Problem(f"{MANIFEST_FILE} belongs to {manifest['model']}, not to {model}")
    _check_listing(manifest)
    return manifest


def _checked_files(folder: Path, listed: Mapping[str, Any]) -> dict[str, bytes]:
    _check_present(folder, set(listed) | {MANIFEST_FILE})
    files = {name: _checked_file(folder / name, entry) for name, entry in listed.items()}
    for name, data in files.items():
        _check_format(name, data)
    return files


def _checked_file(path: Path, entry: Mapping[str, Any]) -> bytes:
    data = _read_plain_file(path, FILE_LIMIT_BYTES)
    if len(data) != entry["size"]:
        raise _Problem(f"{path.name} has {len(data)} bytes, the manifest says {entry['size']}")
    if _sha256(data) != entry["sha256"]:
        raise _Problem(f"{path.name} was changed after it was registered (SHA-256 differs)")
    return data


def _check_folder(folder: Path) -> None:
    if folder.is_symlink():
        raise _Problem("their folder is a symbolic link")
    if not folder.is_dir():
        raise _Problem("their folder is missing")


def _check_present(folder: Path, expected: set[str]) -> None:
    found = {path.name for path in folder.iterdir()}
    if missing := sorted(expected - found):
        raise _Problem(f"{missing[0]} is missing")
    if extra := sorted(found - expected):
        raise _Problem(f"the file {extra[0]!r} does not belong there")


def _read_plain_file(path: Path, limit_bytes: int) -> bytes:
    """Return the content of a plain file; a link, a pipe or a giant is never opened."""
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise _Problem(f"{path.name} is missing") from error
    if not stat.S_ISREG(status.st_mode):
        raise _Problem(f"{path.name} is no plain file")
    with path.open("rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise _Problem(f"{path.name} is larger than {limit_bytes} bytes")
    return data


def _parse_manifest(content: bytes) -> dict[str, Any]:
    manifest = _json_object(MANIFEST_FILE, content)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise _Problem(
            f"{MANIFEST_FILE} has schema {manifest.get('schema_version')!r}, "
            f"this Chatlift reads {SCHEMA_VERSION}"
        )
    if manifest.get("model") not in set(ModelName):
        raise _Problem(f"{MANIFEST_FILE} names no known model")
    return manifest


def _check_listing(manifest: Mapping[str, Any]) -> None:
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise _Problem(f"{MANIFEST_FILE} lists no files")
    for name, entry in listed.items():
        _check_name(name, ModelName(manifest["model"]))
        _check_entry(name, entry)
    main_file = MAIN_FILES[ModelName(manifest["model"])]
    if main_file not in listed:
        raise _Problem(f"{MANIFEST_FILE} does not list {main_file}")


def _check_name(name: str, model: ModelName) -> None:
    """Refuse whatever could name a place outside the folder, or another model's main file."""
    if not name or not set(name) <= NAME_CHARACTERS or name.startswith(".") or ".." in name:
        raise _Problem(f"{name!r} is no plain file name")
    if Path(name).suffix not in SUFFIXES or name == MANIFEST_FILE:
        raise _Problem(f"{name!r} is no file that an artifact may hold")
    if name in MAIN_FILES.values() and name != MAIN_FILES[model]:
        raise _Problem(f"{name!r} belongs to another model than {model}")


def _check_entry(name: str, entry: object) -> None:
    if not isinstance(entry, dict) or set(entry) != {"sha256", "size"}:
        raise _Problem(f"{MANIFEST_FILE} does not give size and SHA-256 of {name}")


def _check_format(name: str, data: bytes) -> None:
    """Refuse content that does not look like what the suffix says, such as a pickle."""
    suffix = Path(name).suffix
    if suffix == BOOSTER_SUFFIX and not data.startswith(BOOSTER_START):
        raise _Problem(f"{name} does not hold XGBoost's binary format (a pickle is never read)")
    if suffix == JSON_SUFFIX:
        _json_object(name, data)
    if suffix == ARRAY_SUFFIX and len(data) % ARRAY_ITEM_BYTES:
        raise _Problem(f"{name} does not hold whole {ARRAY_ITEM_BYTES}-byte numbers")


def _json_object(name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Problem(f"{name} is no JSON text in UTF-8 (a pickle is never read)") from error
    if not isinstance(found, dict):
        raise _Problem(f"{name} holds no JSON object")
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
