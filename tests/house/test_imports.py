"""Heavy libraries are imported only by the files that pyproject.toml lists by name."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"sklearn", "scipy", "xgboost"}
DANGEROUS = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
SOURCES = sorted((ROOT / "src" / "chatlift").rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    named = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | named}


def test_heavy_libraries_are_imported_only_by_the_listed_files() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(config["tool"]["chatlift"]["heavy-imports"])
    found = {p.relative_to(ROOT).as_posix() for p in SOURCES if imported_packages(p) & HEAVY}
    assert found == listed


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_that_can_run_code_on_load_is_imported(path: Path) -> None:
    assert not imported_packages(path) & DANGEROUS
