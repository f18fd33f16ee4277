"""The commands of docs/importing-feeds.md as a person types them, in order, in an empty home."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "importing-feeds.md"
COMMANDS = re.findall(r"^\$ chatlift (.+)$", PAGE.read_text(encoding="utf-8"), re.M)

Run = Callable[[str], int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `chatlift` with arguments in an empty home and returns its exit code."""
    for name in ("CHATLIFT_DATABASE_URL", "CHATLIFT_ACCOUNT", "CHATLIFT_ARTIFACTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)
    return lambda words: code_of(lambda: app(shlex.split(words), prog_name="chatlift"), debug=False)


def test_the_examples_tell_one_conversation(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(COMMANDS) == 3
    for command in [*COMMANDS, *COMMANDS]:
        assert run(f"{command} --quiet") == 0
    said = capsys.readouterr().out
    for line in (
        "messages: 3 read = 3 accepted + 0 duplicate + 0 rejected",
        "Lines: 0 blank, 1 continuation, 3 message, 0 rejected, 1 system.",
        "Entries: 2 message, 1 preference, 2 status.",
        "Passed over, being no records: 1 message_template_status_update.",
        "Passed over, being no records: 1 private note.",
        "Observed: 2025-12-01 10:00 to 2025-12-01 11:53 UTC.",
    ):
        assert line in said
    database = Database.open(f"sqlite:///{(tmp_path / 'chatlift.db').as_posix()}")
    crm = Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)
    read = crm.read_history()
    database.close()
    assert read.contacts.height == 1
    assert read.messages.select("direction", "text").rows() == [
        ("in", "Is the blue one in stock?"),
        ("out", "Yes, shall I send it?"),
        ("in", "Order it"),
        ("in", "It came, thank you!\nAnd it fits."),
    ]
    assert read.messages["sent_at"][1] == datetime(2025, 12, 1, 10, 3, 15, tzinfo=UTC)
    facts = set(read.facts.select("subject", "name", "value").rows())
    assert facts == {
        ("message", "status", "sent"),
        ("message", "status", "read"),
        ("contact", "opted_out", "true"),
        ("contact", "plan", "gold"),
    }


def test_tables_are_still_imported_by_the_bare_command(run: Run) -> None:
    assert run("import") == 2


def test_a_file_of_which_nothing_can_be_used_is_an_error(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    for command in ("cloud-webhooks", "chatwoot"):
        assert run(f"import {command} {path.as_posix()} --quiet") == 3
    assert "None of the 1 entries could be used" in capsys.readouterr().err


def test_an_export_is_given_a_phone_for_one_chat_only(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = "docs/examples/whatsapp-chat.txt"
    options = '--me "Our Shop" --time-zone UTC --phone +447700900102'
    assert run(f"import whatsapp-export {chat} {chat} {options}") == 2
    assert run(f"import whatsapp-export {chat} {options} --day-first --month-first") == 2
    assert "Give one" in capsys.readouterr().err


def test_a_folder_of_chats_is_read_whole(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Ana", "Bea"):
        chat = f"13/01/2024, 09:05 - {name}: hi\n13/01/2024, 09:06 - Shop: hello\n"
        (tmp_path / f"WhatsApp Chat with {name}.txt").write_text(chat, encoding="utf-8")
    options = f"{tmp_path.as_posix()} --time-zone UTC"
    assert run(f"import whatsapp-export {options} --me Shop") == 0
    assert "messages: 4 read = 4 accepted" in capsys.readouterr().out


def test_a_chat_that_cannot_be_read_leaves_the_others(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "13/01/2024, 09:05 - {}: hi\n"
    chats = {
        "Ana": line.format("Ana") + line.format("Shop"),
        "A group": line.format("Ana") + line.format("Bea") + line.format("Shop"),
        "Nobody": "no date anywhere\n",
    }
    for name, text in chats.items():
        (tmp_path / f"WhatsApp Chat with {name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "WhatsApp Chat with Zip.zip").write_bytes(b"PK\x03\x04 cut off")
    options = f"{tmp_path.as_posix()} --time-zone UTC --me"
    assert run(f"import whatsapp-export {options} Shop") == 0
    said = capsys.readouterr()
    assert "messages: 2 read = 2 accepted" in said.out
    assert "3 entries were rejected" in said.out
    assert said.err.count("Left out: WhatsApp Chat with ") == 3
    run("import rejected list 1")
    listed = capsys.readouterr().out
    assert "A group.txt" in listed
    assert "is a group" in listed
    assert run(f"import rejected export 1 --folder {(tmp_path / 'out').as_posix()}") == 0
    assert "entries.csv (3 rows)" in capsys.readouterr().out
    assert run(f"import whatsapp-export {options} Nemo") == 3


def test_texts_that_are_not_called_as_chats_are_told_of(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WhatsApp Chat with Ana.txt", "my chat with Bea.txt", "list.txt"):
        text = "13/01/2024, 09:05 - Ana: hi\n13/01/2024, 09:06 - Shop: hello\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert run(f"import whatsapp-export {tmp_path.as_posix()} --time-zone UTC --me Shop") == 0
    said = capsys.readouterr()
    assert "Left out: 2 texts and zips" in said.err
    assert "messages: 2 read" in said.out


def test_a_refused_body_of_a_folder_names_its_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "empty.json").write_text("", encoding="utf-8")
    assert run(f"import cloud-webhooks {tmp_path.as_posix()} --quiet") == 3
    run("import rejected list 1")
    listed = capsys.readouterr().out
    assert "broken.json" in listed
    assert "empty.json" in listed


def test_a_day_to_come_is_no_day_of_an_export(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    options = '--me "Our Shop" --time-zone Europe/Madrid --exported-at 2099-12-20'
    assert run(f"import whatsapp-export docs/examples/whatsapp-chat.txt {options}") == 2
    assert "lies in the future" in capsys.readouterr().err


def test_a_misspelt_business_is_shown_the_senders_on_the_screen_only(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "import.log"
    options = f'--me "Our Shpo" --time-zone UTC --log-file {log.as_posix()}'
    assert run(f"import whatsapp-export docs/examples/whatsapp-chat.txt {options}") == 3
    assert "Our Shop: 1 messages" in capsys.readouterr().err
    logged = log.read_text(encoding="utf-8")
    assert "is called as --me says" in logged
    assert "Our Shop" not in logged


def test_the_day_of_the_export_says_how_far_the_chats_are_complete(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    options = '--me "Our Shop" --time-zone Europe/Madrid --exported-at 2025-12-20'
    assert run(f"import whatsapp-export docs/examples/whatsapp-chat.txt {options}") == 0
    assert "to 2025-12-19 23:00 UTC" in capsys.readouterr().out
