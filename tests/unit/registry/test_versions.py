from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from tests.businesses import let_leases_run_out

from chatlift.errors import ChatliftError, Conflict, InvalidInput, NotFound, NotReady
from chatlift.registry.artifacts import DamagedArtifact
from chatlift.registry.champions import GateCounts
from chatlift.registry.run_rows import RunLost
from chatlift.registry.runs import Runs
from chatlift.registry.versions import EVALUATION_PREDICTIONS, NoChampion, Version, Versions
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADS = ModelName.LEAD_SCORING
STORED = pl.DataFrame(
    [
        [1, 2],
        [7, None],
        [NOW, NOW],
        [1, None],
        [True, False],
        [0, 0],
        [0, -2],
        [0.25, 0.5],
        [0.5] * 2,
    ],
    schema=EVALUATION_PREDICTIONS,
)


class Shop:
    """One account: `train` ends with one more version."""

    def __init__(self, database: Database, root: Path, name: str = "default") -> None:
        account = ensure_account(database, name, time_zone="UTC").account_id
        self.runs = Runs(database, account)
        self.versions = Versions(database, account, root)
        self.root = root
        self.account_id = account
        self.now = NOW

    def train_folder(self, run_id: str) -> Path:
        """Make the folder that the first attempt of a run writes into."""
        folder = self.root / str(self.account_id) / LEADS / f"{run_id}-1.partial"
        folder.mkdir(parents=True)
        return folder

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def train(
        self,
        verdict: Verdict = Verdict.PROMOTE,
        attempt: int = 1,
        gate_counts: GateCounts | None = None,
    ) -> Version:
        run = self.runs.start([LEADS], requested_model=LEADS, request={}, now=self.tick())
        try:
            return self.register(run.run_id, verdict, attempt, gate_counts)
        finally:
            self.runs.finish(run.run_id, 1, RunStatus.COMPLETED, now=self.tick(), message="")

    def register(
        self,
        run_id: str,
        verdict: Verdict = Verdict.PROMOTE,
        attempt: int = 1,
        gate_counts: GateCounts | None = None,
    ) -> Version:
        return self.versions.register(
            run_id=run_id,
            attempt=attempt,
            model=LEADS,
            files={"lead_scoring_model.ubj": b"{L" + run_id.encode()},
            manifest={"model": LEADS},
            recipe_fingerprint="r",
            data_fingerprint="d",
            metrics={"mae": 8.0},
            evaluation={},
            gate={"verdict": verdict, "checks": CHECKS[verdict]},
            verdict=verdict,
            promote=verdict is Verdict.PROMOTE,
            expected_champion=self.champion(),
            predictions=STORED,
            now=self.tick(),
            gate_counts=gate_counts,
        )

    def champion(self) -> int | None:
        found = self.versions.champion(LEADS)
        return found.number if found else None


def check(kind: str, *, passed: bool) -> dict[str, Any]:
    return {"name": f"of_{kind}", "kind": kind, "passed": passed, "sentence": f"About {kind}."}


NOTE = check("note", passed=False)
CHECKS = {
    Verdict.PROMOTE: [check("worth", passed=True), NOTE],
    Verdict.REFUSE: [NOTE, check("worth", passed=False)],
    Verdict.KEEP_CHAMPION: [check("champion", passed=False)],
}


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path / "artifacts")


def damage(version: Version) -> None:
    (version.folder / "lead_scoring_model.ubj").write_bytes(b"{L changed")


def test_looks_outlive_every_version_and_sums_of_refreshes_only_their_champion(
    shop: Shop,
) -> None:
    counts = GateCounts(
        look_count=3, entities_at_look=240, refresh_gain=-0.01, refresh_variance=0.0004
    )
    assert shop.versions.gate_counts(LEADS) == GateCounts()
    shop.train(gate_counts=counts)
    assert shop.versions.gate_counts(LEADS) == counts
    shop.train()
    shop.versions.delete_model(LEADS, by="admin", now=shop.tick(), force=True)
    assert shop.versions.list(LEADS) == ()
    assert shop.versions.gate_counts(LEADS) == GateCounts(look_count=3, entities_at_look=240)


def test_rollback_restores_the_previous_champion(shop: Shop) -> None:
    shop.train()
    shop.train()
    back = shop.versions.rollback(LEADS, by="me", reason="worse", now=shop.tick())
    assert (back.number, back.is_champion) == (1, True)
    assert [e.to_number for e in shop.versions.ledger(LEADS)] == [1, 2, 1]
    with pytest.raises(Conflict, match="no version of lead_scoring to roll back to"):
        shop.versions.rollback(LEADS, by="me", reason="", now=shop.tick())


def test_a_damaged_champion_falls_back_to_the_version_before(shop: Shop) -> None:
    shop.train()
    damage(shop.train())
    served = shop.versions.load_serving(LEADS, now=shop.tick())
    assert served.version.number == 1
    assert served.warning is not None
    assert shop.champion() == 1
    assert shop.versions.ledger(LEADS)[-1].kind == "fallback"
    damage(served.version)
    with pytest.raises(DamagedArtifact):
        shop.versions.load_serving(LEADS, now=shop.tick())


def test_a_damaged_champion_of_then_is_replaced_by_the_one_before_it(shop: Shop) -> None:
    for _ in range(3):
        shop.train()
    first, second, third = (shop.versions.get(LEADS, number) for number in (1, 2, 3))
    served_at = {e.to_number: e.changed_at for e in shop.versions.ledger(LEADS)}
    damage(second)
    then = shop.versions.load_served_at(LEADS, served_at[2], now=shop.tick())
    assert then.version.number == 1
    assert then.warning is not None
    assert "Version 1, which served before, answers instead" in then.warning
    assert shop.champion() == 3, "the past is answered without a change of the present"
    damage(third)
    assert shop.versions.load_served_at(LEADS, served_at[3], now=shop.tick()).version == (
        replace(first, is_champion=True)
    )
    damage(first)
    with pytest.raises(DamagedArtifact):
        shop.versions.load_served_at(LEADS, served_at[2], now=shop.tick())
    with pytest.raises(NoChampion):
        shop.versions.load_served_at(LEADS, NOW, now=shop.tick())


def test_the_damage_of_a_version_is_told_without_moving_the_champion(shop: Shop) -> None:
    version = shop.train()
    assert shop.versions.damage(version) is None
    damage(version)
    told = shop.versions.damage(version)
    assert told is not None
    assert "lead_scoring_model.ubj" in told
    assert shop.champion() == version.number


def test_a_stop_just_after_the_commit_leaves_the_new_champion_its_files(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = shop.versions._database
    write = database.write

    @contextmanager
    def stopped() -> Iterator[Connection]:
        with write() as connection:
            yield connection
        monkeypatch.undo()
        raise KeyboardInterrupt

    started = shop.runs.start([LEADS], requested_model=LEADS, request={}, now=shop.tick())
    monkeypatch.setattr(database, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        shop.register(started.run_id)
    assert shop.champion() == 1
    assert shop.versions.load_serving(LEADS, now=shop.tick()).warning is None


def test_deleting_where_there_is_nothing_is_told(shop: Shop) -> None:
    with pytest.raises(NotFound, match="no versions of lead_scoring to delete"):
        shop.versions.delete_model(LEADS, by="me", now=shop.tick())
    with pytest.raises(NotFound):
        shop.versions.delete(LEADS, 1, by="me", now=shop.tick())


def test_rollback_works_when_the_newest_is_damaged(shop: Shop) -> None:
    shop.train()
    damage(shop.train())
    assert shop.versions.rollback(LEADS, by="me", reason="", now=shop.tick()).number == 1


def test_promoting_against_the_verdict_needs_a_reason(shop: Shop) -> None:
    shop.train(Verdict.REFUSE)
    with pytest.raises(InvalidInput, match="--reason"):
        shop.versions.promote(LEADS, 1, by="me", now=shop.tick())
    shop.versions.promote(LEADS, 1, by="me", reason="I know", now=shop.tick())
    assert shop.champion() == 1


def test_deleting_the_champion_needs_force_and_leaves_nothing_ready(shop: Shop) -> None:
    version = shop.train()
    with pytest.raises(Conflict, match="--force"):
        shop.versions.delete(LEADS, 1, by="me", now=shop.tick())
    shop.versions.delete_model(LEADS, by="me", now=shop.tick(), force=True)
    assert not version.folder.exists()
    with pytest.raises(NotReady):
        shop.versions.load_serving(LEADS, now=shop.tick())
    assert shop.train().number == 2  # A deleted version's number never comes back.


def test_without_any_version_the_way_is_to_train_one(shop: Shop) -> None:
    with pytest.raises(NoChampion, match=r"there is none\. Train one with `chatlift train lead_s"):
        shop.versions.load_serving(LEADS, now=shop.tick())


@pytest.mark.parametrize("ask", ["load_serving", "get"])
def test_after_a_refusal_it_is_told_what_was_refused_and_by_what(shop: Shop, ask: str) -> None:
    shop.train(Verdict.REFUSE)
    asks = {
        "get": lambda: shop.versions.get(LEADS, "champion"),
        "load_serving": lambda: shop.versions.load_serving(LEADS, now=shop.tick()),
    }
    with pytest.raises(NoChampion) as refused:
        asks[ask]()
    told = str(refused.value)
    assert "v1 was refused by the check of_worth: About worth. Nothing else serves." in told
    assert "chatlift models show lead_scoring --version 1" in told
    assert "Train one" not in told
    assert "chatlift" not in refused.value.sentence


def test_a_version_that_passed_and_does_not_serve_may_be_promoted(shop: Shop) -> None:
    version = shop.train()
    shop.versions.delete_model(LEADS, by="me", now=shop.tick(), force=True)
    assert NoChampion(LEADS, version).sentence.startswith("No version of lead_scoring serves. v1 p")
    assert "Let it serve with `chatlift models promote" in str(NoChampion(LEADS, version))


def test_a_note_is_no_failed_check(shop: Shop) -> None:
    passed, refused = shop.train(), shop.train(Verdict.REFUSE)
    assert (passed.first_failed_check, passed.notes) == (None, ("About note.",))
    assert refused.first_failed_check == "of_worth"


def test_an_attempt_that_was_given_up_registers_nothing(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(RunLost):
        shop.train(attempt=2)
    assert shop.versions.list() == ()
    assert list((tmp_path / "artifacts").glob("*/*/*")) == []


def test_an_attempt_whose_lease_has_run_out_registers_nothing(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    """Nobody has noticed yet, but the next one to look will give the run to another."""
    run = shop.runs.start([LEADS], requested_model=LEADS, request={}, now=shop.tick())
    let_leases_run_out(database)
    with pytest.raises(RunLost, match="its lease has run out"):
        shop.register(run.run_id)
    assert list((tmp_path / "artifacts").glob("*/*/*")) == []
    shop.runs.renew(run.run_id, 1)
    assert shop.register(run.run_id).number == 1


def test_the_champion_as_of_an_instant_is_who_served_then(shop: Shop) -> None:
    first = shop.train()
    shop.train()
    then = shop.versions.champion(LEADS, as_of=first.created_at)
    assert then is not None
    assert then.number == 1
    assert shop.versions.champion(LEADS, as_of=NOW) is None


def test_stored_predictions_come_back_as_they_were(shop: Shop) -> None:
    assert shop.versions.evaluation_predictions(shop.train()).equals(STORED)


A_DAY_LATER = datetime.now(UTC) + timedelta(hours=25)
"""Folders carry the real clock's time, whatever the story's."""


def left_behind(shop: Shop, version: Version) -> Path:
    """Return a folder that an attempt of the version's run was killed in."""
    orphan = version.folder.with_name(f"{version.run_id}-7.partial")
    orphan.mkdir()
    (orphan / "half").write_bytes(b"a model, half written")
    return orphan


def test_orphans_go_to_the_trash_and_versions_stay(shop: Shop) -> None:
    version = shop.train()
    orphan = left_behind(shop, version)
    assert shop.versions.sweep_orphans(now=A_DAY_LATER) == (orphan.name,)
    assert version.folder.exists()
    assert not orphan.exists()
    (half,) = (shop.root / "trash").rglob("half")
    assert half.read_bytes() == b"a model, half written"
    assert (
        half.parent.relative_to(shop.root / "trash").parts[1:]
        == orphan.relative_to(shop.root).parts
    )


def test_the_trash_is_kept_for_seven_days(shop: Shop) -> None:
    left_behind(shop, shop.train())
    shop.versions.sweep_orphans(now=A_DAY_LATER)
    shop.versions.sweep_orphans(now=A_DAY_LATER + timedelta(days=6, hours=23))
    assert len(list((shop.root / "trash").iterdir())) == 1
    shop.versions.sweep_orphans(now=A_DAY_LATER + timedelta(days=7, hours=1))
    assert list((shop.root / "trash").iterdir()) == []


def test_what_changed_within_a_day_is_not_swept(shop: Shop) -> None:
    orphan = left_behind(shop, shop.train())
    assert shop.versions.sweep_orphans(now=A_DAY_LATER - timedelta(hours=2)) == ()
    assert orphan.exists()


def test_what_no_run_of_this_account_made_is_never_swept(shop: Shop) -> None:
    unknown = shop.train().folder.with_name("0" * 36 + "-1")
    unknown.mkdir()
    assert shop.versions.sweep_orphans(now=A_DAY_LATER) == ()
    assert unknown.exists()


def test_what_a_run_under_way_writes_is_not_swept(shop: Shop) -> None:
    run = shop.runs.start([LEADS], requested_model=LEADS, request={}, now=shop.tick())
    folder = shop.train_folder(run.run_id)
    assert shop.versions.sweep_orphans(now=A_DAY_LATER) == ()
    assert folder.exists()


def test_a_version_that_is_not_there_names_the_newest(shop: Shop) -> None:
    shop.train()
    with pytest.raises(NotFound, match="No version 7 of lead_scoring; the newest is 1"):
        shop.versions.get(LEADS, 7)


def test_accounts_do_not_see_each_others_versions(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    shop.train()
    assert Shop(database, tmp_path / "artifacts", "other").versions.list() == ()


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.sampled_from(["train", "promote", "rollback", "delete"]), max_size=7))
def test_the_ledger_always_tells_the_champion(
    steps: list[str], database: Database, tmp_path: Path
) -> None:
    name = f"account {len(list(tmp_path.iterdir()))}-{steps}"
    shop = Shop(database, tmp_path / "artifacts", name)
    (tmp_path / f"used{len(list(tmp_path.iterdir()))}").touch()
    for step in steps:
        try:
            if step == "train":
                shop.train()
            elif step == "promote":
                shop.versions.promote(LEADS, "candidate", by="me", now=shop.tick())
            elif step == "rollback":
                shop.versions.rollback(LEADS, by="me", reason="", now=shop.tick())
            else:
                shop.versions.delete(LEADS, "champion", by="me", now=shop.tick(), force=True)
        except ChatliftError:
            pass
        ledger = shop.versions.ledger(LEADS)
        assert shop.champion() == (ledger[-1].to_number if ledger else None)
        assert sum(version.is_champion for version in shop.versions.list(LEADS)) <= 1
