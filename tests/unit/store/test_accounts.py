from __future__ import annotations

import pytest

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.store.accounts import (
    all_accounts,
    create_account,
    ensure_account,
    find_account,
    save_settings,
)
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


def test_accounts_are_made_once_and_found_by_name(database: Database) -> None:
    shop = create_account(database, "shop", time_zone="Europe/Madrid")
    bakery = create_account(database, "bakery", time_zone="UTC")
    assert find_account(database, "shop") == shop
    assert find_account(database, "nobody") is None
    assert all_accounts(database) == (bakery, shop)
    with pytest.raises(Conflict, match="already"):
        create_account(database, "shop", time_zone="UTC")


def test_a_name_that_does_not_fit_everywhere_is_refused(database: Database) -> None:
    for name in ("", "-shop", "Shop", "a b", "x" * 64, "../x", "shop\n"):
        with pytest.raises(InvalidInput, match="cannot be called"):
            create_account(database, name, time_zone="UTC")
