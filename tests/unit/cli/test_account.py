from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))


def chatlift(*words: str) -> int:
    return code_of(lambda: app(list(words), prog_name="chatlift"), debug=False)


def test_accounts_are_made_and_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATLIFT_ACCOUNT", "corner-shop")
    assert chatlift("account", "list") == 0
    assert "no accounts yet" in capsys.readouterr().out
    assert chatlift("account", "create", "corner-shop") == 0
    assert chatlift("account", "create", "bakery") == 0
    capsys.readouterr()
    assert chatlift("account", "list") == 0
    assert capsys.readouterr().out == "  bakery       UTC\n* corner-shop  UTC\n"


def test_an_account_is_made_once_and_by_a_plain_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert chatlift("account", "create", "bakery") == 0
    assert chatlift("account", "create", "bakery") == 1
    assert "already" in capsys.readouterr().err
    for name in ("Corner Shop", "../shop", "", "x" * 64):
        assert chatlift("account", "create", "--", name) == 2
