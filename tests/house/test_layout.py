"""The house's layout: one name per file, no second address for a thing, tests where one looks."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "chatlift"
MODULES = sorted(PACKAGE.rglob("*.py"))
DOORS = [path for path in MODULES if path.name == "__init__.py"]
UNIT_TESTS = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
ROOMS = sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports_or_assigns(source: str) -> list[str]:
    """Return the lines of a package's door that are more than its docstring."""
    statements = ast.parse(source).body
    is_told = bool(statements) and isinstance(statements[0], ast.Expr)
    return [ast.unparse(statement) for statement in statements[is_told:]]


def mirrored_module(test: Path) -> Path:
    """Return the module whose name a unit test mirrors."""
    folder = test.relative_to(ROOT / "tests" / "unit").parent
    return PACKAGE / folder / f"{test.stem.removeprefix('test_')}.py"


@pytest.mark.parametrize("room", ROOMS, ids=relative)
def test_a_file_name_occurs_once_in_a_package(room: Path) -> None:
    names = Counter(path.name for path in room.rglob("*.py") if path.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} == set()


@pytest.mark.parametrize("door", DOORS, ids=relative)
def test_a_package_gives_nothing_a_second_address(door: Path) -> None:
    assert imports_or_assigns(door.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=relative)
def test_every_folder_of_the_package_has_a_door(folder: Path) -> None:
    assert (folder / "__init__.py").exists()


def test_the_platforms_addresses_are_namespace_packages() -> None:
    assert [relative(path) for path in (ROOT / "apps").rglob("__init__.py")] == []


@pytest.mark.parametrize("test", UNIT_TESTS, ids=relative)
def test_a_unit_test_is_called_like_the_module_it_tests(test: Path) -> None:
    assert mirrored_module(test).exists(), f"{relative(mirrored_module(test))} is not there"


def test_a_reexport_would_be_seen() -> None:
    assert imports_or_assigns('"""Words."""\nfrom chatlift.errors import NotFound') == [
        "from chatlift.errors import NotFound"
    ]
    assert imports_or_assigns("") == []
