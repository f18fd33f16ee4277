"""Mappings from files: a person's own in TOML, YAML or JSON, and the presets that come along."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from chatlift.errors import InvalidInput
from chatlift.sources.cells import DateOrder
from chatlift.sources.mapping import SourceMapping, parse_mapping

PRESETS = Path(__file__).parent / "presets"
LARGEST_BYTES = 1_000_000
YAML_ENDINGS = frozenset({".yaml", ".yml"})


class Preset(StrEnum):
    """The systems whose exports are known by name."""

    HUBSPOT = "hubspot"
    CHATWOOT = "chatwoot"
    GENERIC = "generic"


def chosen_mapping(
    path: Path | None = None,
    preset: Preset | None = None,
    *,
    date_order: DateOrder | None = None,
    known_at_creation: str | None = None,
) -> SourceMapping:
    """Return how files are read: a choice for the whole above the file, that above the preset.

    Parameters
    ----------
    known_at_creation
        Columns that are known since their record's creation, with commas between them, or `all`.

    Raises
    ------
    InvalidInput
        As `load_mapping`.
    """
    columns = load_preset(preset) if preset else SourceMapping()
    if path is not None:
        columns = load_mapping(path, preset=columns)
    choices: dict[str, Any] = {}
    if date_order is not None:
        choices["date_order"] = str(date_order)
    if known_at_creation is not None:
        choices["known_at_creation"] = names_in(known_at_creation)
    return parse_mapping(choices, preset=columns) if choices else columns


def names_in(text: str) -> list[str]:
    """Return names that were written with commas between them.

    Examples
    --------
    >>> names_in("Lead Source, City")
    ['Lead Source', 'City']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def load_preset(preset: Preset) -> SourceMapping:
    """Return what a known system calls its columns."""
    text = (PRESETS / f"{preset}.toml").read_text(encoding="utf-8")
    return parse_mapping(tomllib.loads(text))


def load_mapping(path: Path, *, preset: SourceMapping | None = None) -> SourceMapping:
    """Read a mapping from a file: JSON or YAML by its ending, else TOML.

    Parameters
    ----------
    preset
        What counts where the file says nothing.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or names a table, field or option there is not.
    """
    try:
        raw = _parsed(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InvalidInput(
            f"The mapping {path.name} cannot be read ({type(error).__name__}). Write it as TOML, "
            "or as YAML or JSON with the ending .yaml or .json, in UTF-8."
        ) from error
    if not isinstance(raw, Mapping):
        raise InvalidInput(
            f"The mapping {path.name} holds no tables. Write it as docs/importing.md shows."
        )
    return parse_mapping(raw, preset=preset)


def _parsed(path: Path) -> Any:
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("a mapping is a small file")
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        return json.loads(text)
    if path.suffix.lower() in YAML_ENDINGS:
        return yaml.safe_load(text)
    return tomllib.loads(text)
