"""A process answers with the version that serves, from the moment it does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.histories import at

from chatlift.registry.artifacts import DamagedArtifact
from chatlift.registry.loaded_versions import LoadedVersions
from chatlift.registry.versions import NoChampion, Versions
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName

LEADS, CHURN = ModelName.LEAD_SCORING, ModelName.CHURN
NOW = at(100)


def number(kept: LoadedVersions, workspace: Workspace) -> int:
    return kept.champion(workspace, LEADS, now=NOW).version.number


def test_a_promotion_and_a_rollback_count_from_the_next_answer_on(shop_on: Workspace) -> None:
    """Two processes, of which one changes who serves."""
    one, other = LoadedVersions(), LoadedVersions()
    assert (number(one, shop_on), number(other, shop_on)) == (2, 2)
    shop_on.versions.rollback(LEADS, by="a test", reason="", now=NOW)
    assert (number(one, shop_on), number(other, shop_on)) == (1, 1)
    shop_on.versions.promote(LEADS, 2, by="a test", now=NOW)
    assert (number(one, shop_on), number(other, shop_on)) == (2, 2)


def test_the_last_few_stay_loaded_and_the_oldest_go(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []
    load = Versions.load

    def counted(self: Versions, version):  # type: ignore[no-untyped-def]
        read.append((version.model, version.number))
        return load(self, version)

    monkeypatch.setattr(Versions, "load", counted)
    kept = LoadedVersions(most=2)
    first = kept.champion(shop, LEADS, now=NOW)
    assert kept.champion(shop, LEADS, now=NOW).scorer is first.scorer
    then, hindsight = kept.served_at(shop, LEADS, at(85), now=NOW)
    assert (then.version.number, hindsight) == (1, False)
    assert kept.served_at(shop, LEADS, at(85), now=NOW)[0].scorer is then.scorer
    assert read == [(LEADS, 2), (LEADS, 1)]
    kept.champion(shop, CHURN, now=NOW)
    kept.champion(shop, LEADS, now=NOW)
    assert read == [(LEADS, 2), (LEADS, 1), (CHURN, 2), (LEADS, 2)]


def test_many_that_ask_at_once_load_once(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    together, load = threading.Barrier(8), Versions.load_serving

    def counted(self: Versions, model, *, now):  # type: ignore[no-untyped-def]
        loads.append(1)
        return load(self, model, now=now)

    monkeypatch.setattr(Versions, "load_serving", counted)
    kept = LoadedVersions()

    def ask() -> int:
        together.wait()
        return id(kept.champion(shop, LEADS, now=NOW).scorer)

    with ThreadPoolExecutor(8) as pool:
        found = {future.result() for future in [pool.submit(ask) for _ in range(8)]}
    assert (len(found), len(loads)) == (1, 1)


def test_a_damaged_champion_gives_way_to_the_one_before_and_says_so_once(
    shop_on: Workspace,
) -> None:
    second = shop_on.versions.get(LEADS, 2)
    (second.folder / "lead_scoring_model.ubj").write_bytes(b"{L changed}")
    kept = LoadedVersions()
    found = kept.champion(shop_on, LEADS, now=NOW)
    assert found.version.number == 1
    assert "Version 1, which served before, answers instead" in (found.warning or "")
    assert shop_on.versions.get(LEADS, "champion").number == 1
    again = kept.champion(shop_on, LEADS, now=NOW)
    assert (again.version.number, again.warning) == (1, None)


def test_with_nothing_intact_nothing_is_made_up(shop: Workspace) -> None:
    for version in shop.versions.list(LEADS):
        (version.folder / "lead_scoring_model.ubj").write_bytes(b"{L changed}")
    with pytest.raises(DamagedArtifact):
        LoadedVersions().champion(shop, LEADS, now=NOW)


def test_a_deleted_champion_answers_no_more(shop: Workspace) -> None:
    kept = LoadedVersions()
    assert number(kept, shop) == 2
    shop.versions.delete_model(LEADS, by="a test", now=NOW, force=True)
    with pytest.raises(NoChampion):
        number(kept, shop)
