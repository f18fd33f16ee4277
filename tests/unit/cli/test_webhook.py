"""The commands of webhooks: secrets come in unseen, and are shown once or never."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of
from chatlift.cli.surroundings import clock, workspace
from chatlift.registry.deliveries import keep_delivery
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhooks, called

KEY = "A" * 43
SECRET, NEXT = "first-app-secret", "next-app-secret"

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `chatlift webhook` in an empty home with a line on stdin; returns what it says."""
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))
    monkeypatch.setenv("CHATLIFT_SECRET_KEY", KEY)

    def command(*words: str, told: str = "", code: int = 0) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(told))
        arguments = ["webhook", *words]
        found = code_of(lambda: app(arguments, prog_name="chatlift"), debug=False)
        said = capsys.readouterr()
        assert found == code, said
        return said.out + said.err

    return command


def test_an_address_is_shown_once_and_its_secret_never(run: Run, tmp_path: Path) -> None:
    said = run("create", "whatsapp_cloud", told=f"{SECRET}\n")
    (hook_id,) = re.findall(r"/webhooks/([\w-]{32})/whatsapp", said)
    (token,) = re.findall(r"Verify token: ([\w-]{32})", said)
    listed = run("list") + run("list", "--json")
    for hidden in (hook_id, token, SECRET):
        assert hidden not in listed
    assert SECRET not in said
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    with workspace() as opened:
        hook = called(opened.database, hook_id)
        assert hook is not None
        assert hook.valid_secrets(SecretBox(KEY)) == (SECRET,)
        assert hook.is_verified_by(token)


def test_a_program_is_told_the_same_as_json(run: Run) -> None:
    made = json.loads(run("create", "chatwoot", "--unsigned", "--source", "desk", "--json"))
    assert made["address"].endswith("/chatwoot")
    assert (made["verify_token"], made["is_signed"], made["source"]) == (None, False, "desk")
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["webhook"], listed["waiting_count"]) == (made["webhook"], 0)


def test_a_secret_is_exchanged_in_two_steps(run: Run) -> None:
    made = json.loads(run("create", "whatsapp_cloud", "--json", told=SECRET))
    assert "--finish" in run("rotate", made["webhook"], told=NEXT)
    assert secrets_of(made["webhook"]) == (NEXT, SECRET)
    assert "newest secret only" in run("rotate", made["webhook"], "--finish")
    assert secrets_of(made["webhook"]) == (NEXT,)


def secrets_of(webhook: str) -> tuple[str, ...]:
    with workspace() as opened:
        hooks = Webhooks(opened.database, opened.account.account_id)
        return hooks.get(webhook).valid_secrets(SecretBox(KEY))


def test_a_revoked_one_stays_in_the_list(run: Run) -> None:
    made = json.loads(run("create", "chatwoot", "--unsigned", "--json"))
    run("revoke", made["webhook"])
    assert f"revoked {clock():%Y-%m-%d}" in run("list")
    assert "is revoked" in run("rotate", made["webhook"], told=NEXT, code=1)


def test_what_waits_is_counted(run: Run) -> None:
    made = json.loads(run("create", "chatwoot", "--unsigned", "--json"))
    with workspace() as opened:
        hook = Webhooks(opened.database, opened.account.account_id).get(made["webhook"])
        keep_delivery(opened.database, hook, b"{}", now=clock())
    assert re.search(r"chatwoot +no +\S+ \S+ +1 +0$", run("list"), re.MULTILINE)


def test_without_a_key_nothing_is_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHATLIFT_SECRET_KEY")
    assert "token_urlsafe(32)" in run("create", "whatsapp_cloud", told=SECRET, code=1)
    assert "no webhooks yet" in run("list")


def test_wrong_words_are_wrong_usage(run: Run) -> None:
    assert "signs always" in run("create", "whatsapp_cloud", "--unsigned", code=2)
    assert "begins with 'nobody'" in run("revoke", "nobody", code=2)
    assert "Copy it once more" in run("create", "chatwoot", told="\n", code=3)
