"""The commands of docs/importing.md as a person types them, in order, in an empty home."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ chatlift (.+)$", PAGE, re.M)
TRIED = re.findall(r"\| `chatlift (import .+?)` \|$", PAGE, re.M)

Run = Callable[[str], int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `chatlift` with arguments in an empty home and returns its exit code."""
    for name in ("CHATLIFT_DATABASE_URL", "CHATLIFT_ACCOUNT", "CHATLIFT_ARTIFACTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path / "home"))
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    return lambda words: code_of(lambda: app(shlex.split(words), prog_name="chatlift"), debug=False)


def test_refused_rows_are_listed_mended_and_sent_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, listed, exported, retried = COMMANDS
    assert run(f"{first} --quiet") == 0
    said = capsys.readouterr().out
    for line in (
        "contacts (shop-contacts.csv; CSV, utf-8, semicolon): 3 rows read = 2 accepted + 0 dup",
        "leads (shop-leads.jsonl; JSON Lines): 2 rows read = 2 accepted",
        "messages (shop-messages.csv; CSV, utf-8, comma): 5 rows read = 4 accepted + 0 duplicate",
        "Known since the import: Spent, Newsletter.",
        "Observed: 2025-01-13 00:00 to 2025-03-01 00:00 UTC.",
    ):
        assert line in said
    assert run(listed) == 0
    said = capsys.readouterr().out
    # The row of line 2 spans two lines, so the stranger's stands on line 5.
    assert re.search(r"shop-messages.csv +5 +contact_external_id +1009 +no contact", said)
    assert re.search(r"shop-contacts.csv +4 +Registered +31/02/2025 ", said)
    assert run(exported) == 0
    for table, (bad, good) in {
        "contacts": ('"31/02/2025","Oslo"', '"28/02/2025","Oslo"'),
        "messages": ('"1009","in"', '"1002","in"'),
    }.items():
        path = tmp_path / "rejected" / f"{table}.csv"
        text = path.read_text(encoding="utf-8-sig")
        assert bad in text
        path.write_text(text.replace(bad, good), encoding="utf-8-sig")
    assert run(f"{retried} --quiet") == 0
    assert "1 rows read = 1 accepted + 0 duplicate + 0 rejected" in capsys.readouterr().out
    assert run(f"{first} --quiet") == 0
    assert "0 accepted + 2 duplicate + 1 rejected" in capsys.readouterr().out


def test_every_example_of_the_table_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(TRIED) == 9
    for command in TRIED:
        assert run(f"{command} --quiet") == 0
    said = capsys.readouterr().out
    assert "City -> fact, known since its record's creation (given)" in said
    assert "Nothing was written." in said
    assert "2 rows read = 2 accepted" in said
    assert "1 rows read = 1 accepted" in said
    assert "Excel, sheet contacts" in said
    assert "messages: 4 read = 4 accepted" in said  # As the page of conversations says.


def test_an_import_of_which_no_row_could_be_used_exits_with_3(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("id,created_at\na,soon\nb,later\n", encoding="utf-8")
    assert run(f"import --contacts {path.as_posix()} --quiet") == 3
    path.write_text("id,created_at\na,03/04/2025\n", encoding="utf-8")
    assert run(f"import --contacts {path.as_posix()} --quiet") == 3
    assert run(f"import --contacts {path.as_posix()} --quiet --day-first") == 0


def test_a_table_named_twice_is_wrong_usage_rather_than_read_once(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    contacts = "--contacts docs/examples/shop-contacts.csv"
    assert run(f"import {contacts} {contacts} --map docs/examples/shop.yaml") == 2
    assert "--contacts is given more than once" in capsys.readouterr().err
    assert run(f"import {contacts} --map docs/examples/shop.yaml --quiet --quiet") == 0


def test_a_dry_run_writes_nothing_and_keeps_messages_out_of_the_log(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = COMMANDS[0]
    assert run(f"{first} --dry-run --quiet --log-file log.txt") == 0
    assert "Yes, it is." in capsys.readouterr().out
    assert "Yes, it is." not in (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "home" / "chatlift.db").exists()
