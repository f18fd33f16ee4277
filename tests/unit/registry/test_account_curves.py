"""The account's curve: of the records as they are where that is cheap, else at most a while old."""

from __future__ import annotations

import threading

import pytest
from tests.businesses import SOURCE
from tests.histories import at

from chatlift.learn.arrays import microsecond_of
from chatlift.learn.best_time import AccountCurve
from chatlift.learn.scoring import Scorer
from chatlift.registry import account_curves
from chatlift.registry.account_curves import USED_AT_LEAST, AccountCurves
from chatlift.registry.loaded_versions import LoadedVersions
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName

NOW = at(100)
SOON, LATER = NOW + USED_AT_LEAST / 2, NOW + 2 * USED_AT_LEAST


@pytest.fixture
def scorer(shop: Workspace) -> Scorer:
    return LoadedVersions().champion(shop, ModelName.ENGAGEMENT, now=NOW).scorer


@pytest.fixture
def curves() -> AccountCurves:
    return AccountCurves()


def shares(curve: AccountCurve) -> dict[int, float]:
    return curve.shares_before(microsecond_of(NOW))


def true_shares(shop: Workspace, scorer: Scorer) -> dict[int, float]:
    return shares(AccountCurve(scorer.sends(history_of(shop))))


def observe_less(shop: Workspace) -> None:
    """A gap of two months comes to light, in which nothing counts as answered or not."""
    shop.crm.write_gap(SOURCE, gap_from=at(20), gap_through=at(80))


def test_of_a_small_account_it_is_that_of_the_records_as_they_are(
    shop: Workspace, scorer: Scorer, curves: AccountCurves
) -> None:
    before = curves.curve(shop, scorer, now=NOW)
    assert shares(before) == true_shares(shop, scorer)
    assert curves.curve(shop, scorer, now=LATER) is before, "nothing changed"
    observe_less(shop)
    after = shares(curves.curve(shop, scorer, now=NOW))
    assert after == true_shares(shop, scorer)
    assert after != shares(before)


def test_of_a_large_account_it_is_derived_beside_the_answers_once_a_minute(
    shop: Workspace, scorer: Scorer, curves: AccountCurves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_curves, "FEW_MESSAGES", 0)
    before = curves.curve(shop, scorer, now=NOW)
    observe_less(shop)
    assert curves.curve(shop, scorer, now=SOON) is before
    assert curves.curve(shop, scorer, now=LATER) is before, "the new one is not there yet"
    for thread in threading.enumerate():
        if thread.name == "curve":
            thread.join()
    assert shares(curves.curve(shop, scorer, now=LATER)) == true_shares(shop, scorer)


def test_who_needs_the_present_one_gets_it(
    shop: Workspace, scorer: Scorer, curves: AccountCurves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_curves, "FEW_MESSAGES", 0)
    before = curves.curve(shop, scorer, now=NOW)
    observe_less(shop)
    exact = curves.curve(shop, scorer, now=SOON, may_be_old=False)
    assert shares(exact) == true_shares(shop, scorer) != shares(before)
