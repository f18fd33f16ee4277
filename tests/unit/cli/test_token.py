from pathlib import Path

import pytest

from chatlift.cli.main import app, code_of
from chatlift.cli.surroundings import workspace
from chatlift.registry.tokens import Tokens, is_well_formed, token_owner
from chatlift.vocabulary import Role


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATLIFT_HOME", str(tmp_path))


def chatlift(*words: str) -> int:
    return code_of(lambda: app(list(words), prog_name="chatlift"), debug=False)


def test_a_bare_token_is_all_that_a_script_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert chatlift("token", "create", "walk", "--role", "admin", "--bare") == 0
    secret = capsys.readouterr().out.removesuffix("\n")
    assert is_well_formed(secret)
    with workspace() as opened:
        owner = token_owner(opened.database, secret)
        assert owner is not None
        assert (owner.token.name, owner.token.role) == ("walk", Role.ADMIN)
        assert owner.token.expires_at is not None


def test_a_token_is_listed_without_its_text_and_revoked_by_its_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert chatlift("token", "create", "phone", "--forever") == 0
    told = capsys.readouterr().out
    assert "Token 1 (phone) is a viewer's, valid for ever." in told
    secret = told.splitlines()[1]
    assert chatlift("token", "list") == 0
    listed = capsys.readouterr().out
    assert "valid for ever" in listed
    assert secret not in listed
    assert chatlift("token", "revoke", "1") == 0
    assert chatlift("token", "revoke", "1") == 1
    assert chatlift("token", "revoke", "7") == 2
    with workspace() as opened:
        (token,) = Tokens(opened.database, opened.account.account_id).list()
        assert token.revoked_at is not None


def test_a_token_without_a_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert chatlift("token", "create", " ") == 2
    assert "needs a name" in capsys.readouterr().err
