"""One account of one installation, opened: the handles that every workflow works with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chatlift.registry.installations import open_installation
from chatlift.registry.predictions import Predictions
from chatlift.registry.runs import Runs
from chatlift.registry.schedules import Schedules
from chatlift.registry.secret_file import secret_for
from chatlift.registry.versions import Versions
from chatlift.settings import Settings
from chatlift.store.accounts import Account, ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.tombstones import tombstone_key


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Everything that belongs to one account."""

    settings: Settings
    database: Database
    """As the account sees it."""
    account: Account
    crm: Crm
    runs: Runs
    versions: Versions
    predictions: Predictions
    schedules: Schedules
    text_key: bytes
    """Keys the hashes of this account's words."""

    @property
    def truth_folder(self) -> Path:
        """Where the truth behind generated data is kept, apart from the CRM."""
        return self.settings.home / "truth" / self.account.name


@contextmanager
def open_workspace(settings: Settings, *, adopt: bool = False) -> Iterator[Workspace]:
    """Open the account named by the settings, made on first use; close it at the end.

    Takes and raises what `open_installation` does.
    """
    database = open_installation(settings, adopt=adopt)
    try:
        account = ensure_account(database, settings.account, time_zone=settings.time_zone)
        yield workspace_in(database, settings, account)
    finally:
        database.close()


def workspace_in(database: Database, settings: Settings, account: Account) -> Workspace:
    """Return an account's handles in a database that is open; whoever opened it closes it."""
    secret = secret_for(database, settings.home)
    database = database.of_account(account.account_id)
    return Workspace(
        settings=settings,
        database=database,
        account=account,
        crm=Crm(
            database,
            account.account_id,
            tombstone_key=tombstone_key(secret, account.name),
        ),
        runs=Runs(database, account.account_id, lease=settings.jobs.lease),
        versions=Versions(database, account.account_id, settings.artifacts),
        predictions=Predictions(database, account.account_id),
        schedules=Schedules(database, account.account_id),
        text_key=_text_key(secret, account),
    )


def _text_key(secret: bytes, account: Account) -> bytes:
    """Derive the account's key from the installation's secret; two accounts never share one."""
    return hmac.new(secret, f"text:{account.name}".encode(), hashlib.sha256).digest()
