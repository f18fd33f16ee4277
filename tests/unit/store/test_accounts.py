from __future__ import annotations

import pytest

from chatlift.errors import NotFound
from chatlift.store.accounts import ensure_account, save_settings
from chatlift.store.database import Database

OWN = {"lead_scoring": {"spans": {"ages_days": [5], "horizon_days": 40}}}


def test_saved_settings_replace_those_before_and_touch_no_other_account(
    database: Database,
) -> None:
    first = ensure_account(database, "first", time_zone="UTC")
    ensure_account(database, "second", time_zone="UTC")
    save_settings(database, first.account_id, {"churn": {}})
    save_settings(database, first.account_id, OWN)
    assert ensure_account(database, "first", time_zone="UTC").settings == OWN
    assert ensure_account(database, "second", time_zone="UTC").settings == {}


def test_settings_of_an_unknown_account_are_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="No account has the number 7"):
        save_settings(database, 7, OWN)
