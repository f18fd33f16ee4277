"""`chatlift account`: the businesses that this installation keeps apart."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated, Any

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import database_of, desk, settings
from chatlift.store.accounts import Account, all_accounts, create_account

app = new_app(help_text="Make or list accounts; CHATLIFT_ACCOUNT says which one commands act for.")


@app.command()
def create(name: Annotated[str, typer.Argument(help="Such as corner-shop.")]) -> None:
    """Make an account, for one more business.

    Its hours are read in the zone that CHATLIFT_TIME_ZONE names, UTC if none, until it chooses
    another with `chatlift settings set time_zone`.

    Example: chatlift account create corner-shop
    """
    chosen = settings()
    with desk(quiet=True) as at, closing(database_of(chosen)) as database:
        with as_usage():
            made = create_account(database, name, time_zone=chosen.time_zone)
        at.console.say(
            f"Made the account {made.name}. To act for it, set CHATLIFT_ACCOUNT={made.name}."
        )


@app.command("list")
def list_accounts(as_json: options.AsJson = False) -> None:
    """List the accounts of this installation.

    Example: chatlift account list
    """
    chosen = settings()
    with (
        desk(quiet=True, as_json=as_json) as at,
        closing(database_of(chosen)) as database,
    ):
        found = all_accounts(database)
        at.console.say(account_lines(found, chosen.account))
        if as_json:
            sys.stdout.write(json_text([_told(account) for account in found]) + "\n")


def account_lines(accounts: tuple[Account, ...], chosen: str) -> list[str]:
    """Return one line per account; an asterisk marks the one that commands act for."""
    if not accounts:
        return ["There are no accounts yet; the first command that keeps anything makes one."]
    width = max(len(account.name) for account in accounts)
    return [
        f"{'*' if account.name == chosen else ' '} {account.name:<{width}}  {account.time_zone}"
        for account in accounts
    ]


def _told(account: Account) -> dict[str, Any]:
    return {"name": account.name, "time_zone": account.time_zone}
