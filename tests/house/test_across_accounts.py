"""Who may see all accounts at once: the modules listed here, each for a reason."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "chatlift"

MAY_SEE_ALL = {
    "registry/artifact_root.py": "tells whether all that lies in the folder is this database's",
    "registry/deliveries.py": "tells for which accounts deliveries wait",
    "registry/run_changes.py": "expires the leases of all accounts, then changes each as its own",
    "registry/run_events.py": "deletes old steps of progress, whose ever they are",
    "registry/run_queue.py": "a worker claims from all accounts, then works for the one",
    "registry/scoring_jobs.py": "a worker scores shards of all accounts, each as its own",
    "registry/secret_file.py": "tells whether anything of any account rests on a secret",
    "registry/sessions.py": "a link or cookie says which account its caller belongs to",
    "registry/slots.py": "lists the schedules of all accounts, then decides each as its own",
    "registry/tokens.py": "a token says which account its caller belongs to",
    "registry/webhooks.py": "an address says which account its caller belongs to",
    "store/accounts.py": "finds an account by its name before there is an account to belong to",
    "store/database.py": "brings all tables to the newest schema",
}


def calls_across_accounts(source: str) -> bool:
    attributes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return any(node.attr == "across_accounts" for node in attributes)


def test_only_the_listed_modules_see_all_accounts() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if calls_across_accounts(path.read_text(encoding="utf-8"))
    }
    assert found == set(MAY_SEE_ALL)


@pytest.mark.parametrize("source", ["db.across_accounts().read()", "see = self.db.across_accounts"])
def test_a_call_would_be_seen(source: str) -> None:
    assert calls_across_accounts(source)


def test_a_mention_is_no_call() -> None:
    assert not calls_across_accounts('"""Not `across_accounts()`."""')
