"""Nothing under src or apps may run code out of data, or copy a process with its threads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "apps").rglob("*.py")])

BUILTINS = {"eval", "exec", "compile", "__import__"}
PACKAGES = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal", "skops"}
CALLS = {"os.fork", "os.forkpty", "os.system", "os.popen", "pty.fork"}
UNSAFE_YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
CALLS |= {f"yaml.{name}" for name in UNSAFE_YAML}
KEYWORDS = {"allow_pickle", "shell"}


def dangers_of(source: str) -> Iterator[str]:
    """Yield what is dangerous in a source, under the name it has at home."""
    tree = ast.parse(source)
    homes = dict(_homes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name for name in _imported(node) if name.split(".")[0] in PACKAGES)
        elif isinstance(node, ast.Attribute | ast.Name):
            name = _full_name(node, homes)
            if name in CALLS or name in BUILTINS or name.removeprefix("builtins.") in BUILTINS:
                yield name
        elif isinstance(node, ast.keyword) and node.arg in KEYWORDS and not _is_false(node.value):
            yield f"{node.arg}="


def _homes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each imported name as it is called here, with its name at home."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((part.asname, part.name) for part in node.names if part.asname)
        elif isinstance(node, ast.ImportFrom):
            yield from ((p.asname or p.name, f"{node.module}.{p.name}") for p in node.names)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [part.name for part in node.names]


def _full_name(node: ast.expr, homes: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, homes)}.{node.attr}"
    return homes.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_calls_nothing_dangerous(path: Path) -> None:
    assert list(dangers_of(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "danger"),
    [
        ("eval('1')", "eval"),
        ("run = exec", "exec"),
        ("import builtins\nbuiltins.eval('1')", "builtins.eval"),
        ("import pickle", "pickle"),
        ("import joblib.hashing as h", "joblib.hashing"),
        ("from pickle import loads", "pickle"),
        ("import yaml\nyaml.load('a')", "yaml.load"),
        ("import yaml as y\ny.full_load('a')", "yaml.full_load"),
        ("from yaml import load as read\nread('a')", "yaml.load"),
        ("import numpy as np\nnp.load('a', allow_pickle=True)", "allow_pickle="),
        ("import numpy as np\nnp.load('a', allow_pickle=chosen)", "allow_pickle="),
        ("import os\nos.fork()", "os.fork"),
        ("from os import fork\nfork()", "os.fork"),
        ("import subprocess\nsubprocess.run('ls', shell=True)", "shell="),
    ],
)
def test_a_danger_is_seen_under_any_name(source: str, danger: str) -> None:
    assert danger in list(dangers_of(source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('a')",
        "import yaml\nyaml.safe_load('a')",
        "import numpy as np\nnp.load('a', allow_pickle=False)",
        "booster.load('a')",
        "connection.exec_driver_sql('SELECT 1')",
    ],
)
def test_what_only_sounds_alike_is_left_alone(source: str) -> None:
    assert list(dangers_of(source)) == []
