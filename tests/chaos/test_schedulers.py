"""Two years of schedules: whatever dies, waits, is paused or edited, every slot is decided once.

Three schedulers with clocks of their own tick the schedules of five businesses in five time zones.
At random they die in the middle of a transaction or stand still for weeks; trainings last for
hours and get in each other's way; people pause, resume and edit. At the end the slots in the
database must be those that somebody who looked at the local clocks would have noted down.

One course of events runs with all tests; `make chaos` runs ten, and longer ones.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select
from tests.wall_clocks import Fits, Look, looks, reading_of

from chatlift.jobs.scheduler import tick
from chatlift.registry.run_rows import RUNS
from chatlift.registry.runs import Runs
from chatlift.registry.schedules import EDITED, Schedules
from chatlift.registry.slots import BATCH_SLOTS, MISSED, schedules_in_force
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, SlotDecision

IS_LONG = os.environ.get("CHATLIFT_CHAOS") == "long"
SEED = int(os.environ.get("CHATLIFT_CHAOS_SEED", "4"))
SEEDS = range(SEED, SEED + (10 if IS_LONG else 1))
MOMENTS = 400 if IS_LONG else 30
"""At which three schedulers tick at once."""
MEAN_HOURS = 12 if IS_LONG else 40
"""Between two ticks."""
BEGAN_AT = datetime(2026, 1, 14, 9, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
"""All times below, and all changes of these clocks, lie on quarters of an hour."""
MODELS = ("all", ModelName.LEAD_SCORING, ModelName.CHURN)
SKEW = timedelta(seconds=3)
"""How far a scheduler's clock may be wrong."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

ZONES = ("UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


@dataclass(frozen=True)
class Rule:
    """A rhythm, and what it means to somebody who looks at a clock."""

    rhythm: str
    fits: Fits
    is_in_real_time: bool = False


def at(hour: int, minute: int, fits_day: Fits = lambda _reading: True) -> Fits:
    return lambda reading: (reading.hour, reading.minute) == (hour, minute) and fits_day(reading)


def is_in_every_second_week(began_on: date) -> Fits:
    monday = began_on - timedelta(days=began_on.weekday())
    return lambda reading: (reading.date() - monday).days % 14 == 0


def rules_in(zone: str) -> tuple[Rule, ...]:
    """The rhythms of a zone; its schedules were all made on the same day."""
    began_on = reading_of(BEGAN_AT, ZoneInfo(zone)).date()
    return (
        Rule("daily", at(3, 0)),
        Rule("weekly", at(3, 0, lambda reading: reading.isoweekday() == 1)),
        Rule("biweekly", at(3, 0, is_in_every_second_week(began_on))),
        Rule("monthly", at(3, 0, lambda reading: reading.day == 1)),
        # Left out in spring in Madrid and New York, partly on Lord Howe; repeated in autumn.
        Rule("15 2 * * *", at(2, 15)),
        Rule("45 1 * * 0,6", at(1, 45, lambda reading: reading.isoweekday() in {6, 7})),
        Rule("30 2-3 * * *", lambda r: r.hour in {2, 3} and r.minute == 30),
        Rule("45 * * * *", lambda reading: reading.minute == 45, is_in_real_time=True),
    )


class Killed(BaseException):
    """The process is gone; nothing in it can catch this."""


@dataclass
class Scheduler:
    """A process that ticks, and may be killed before any of its statements or commits."""

    database: Database
    chance: random.Random
    left: int | None = None
    """Statements until it is killed; None: it lives."""
    killed_count: int = 0

    def __post_init__(self) -> None:
        for name in ("before_cursor_execute", "commit"):
            event.listen(self.database._engine, name, self._live_on)

    def _live_on(self, *_: Any) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise Killed

    def tick(self, now: datetime, *, may_die: bool = True) -> bool:
        """Tick and tell whether it lived."""
        self.left = self.chance.randint(1, 40) if may_die and self.chance.random() < 0.5 else None
        try:
            tick(self.database, now)
        except Killed:
            self.killed_count += 1
            return False
        finally:
            self.left = None
        return True


@dataclass
class Business:
    """One account with a schedule for each model and one for all, and what should come of them."""

    zone: str
    schedules: Schedules
    runs: Runs
    chance: random.Random
    spans: dict[str, list[tuple[Rule, datetime]]] = field(default_factory=dict)
    """By model: each revision's rule, and the instant from which it holds."""

    def edit(self, model: str, now: datetime, rule: Rule | None = None) -> None:
        chosen = rule or self.chance.choice(rules_in(self.zone)[:-1])
        self.schedules.put(
            model, rhythm=chosen.rhythm, time_zone=self.zone, request={"seed": 0}, now=now
        )
        self.spans.setdefault(model, []).append((chosen, now))

    def free(self, now: datetime) -> None:
        """End the run under way, if there is one; none of them is trained."""
        latest = self.runs.latest()
        if latest is not None and not latest.is_final:
            self.runs.stop(latest.run_id, now=now)

    def live_on(self, now: datetime) -> None:
        """Do what people do, each now and then."""
        model = self.chance.choice(MODELS)
        doings: Sequence[tuple[float, Callable[[], object]]] = (
            (0.6, lambda: self.free(now)),
            (0.02, lambda: self.edit(model, now)),
            (0.04, lambda: self.schedules.pause(model, now=now)),
            (0.2, lambda: self.schedules.resume(model)),
        )
        for share, do in doings:
            if self.chance.random() < share:
                do()

    def expected(self, model: str, seen: Sequence[Look]) -> list[datetime]:
        """The slots by the local clock, of each revision from its edit to the next."""
        ends = [edited_at for _, edited_at in self.spans[model][1:]] + [seen[-1].instant]
        return [
            look.instant
            for (rule, start), end in zip(self.spans[model], ends, strict=True)
            for look in seen
            if start < look.instant <= end
            and look.is_due(rule.fits, in_real_time=rule.is_in_real_time)
        ]


class World:
    """All of it, on one database."""

    def __init__(self, url: str, *, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a course of events, repeatable
        self.schedulers = [Scheduler(Database.open(url), self.chance) for _ in range(3)]
        self.database = Database.open(url)
        self.businesses = [self._business(zone) for zone in ZONES]
        self.now = BEGAN_AT

    def _business(self, zone: str) -> Business:
        account_id = ensure_account(self.database, zone, time_zone=zone).account_id
        business = Business(
            zone=zone,
            schedules=Schedules(self.database, account_id),
            runs=Runs(self.database, account_id),
            chance=self.chance,
        )
        daily, weekly, biweekly, _monthly, *lines, hourly = rules_in(zone)
        often = {"Australia/Lord_Howe": hourly, "Europe/Madrid": lines[0]}.get(zone, daily)
        for model, rule in zip(MODELS, [weekly, often, biweekly], strict=True):
            business.edit(model, BEGAN_AT, rule)
        return business

    def close(self) -> None:
        for opened in [self.database, *(scheduler.database for scheduler in self.schedulers)]:
            opened.close()

    def time_passes(self, *, most_hours: int) -> None:
        if self.chance.random() < 0.01:
            hours = self.chance.uniform(24, 40 * 24)
        else:
            hours = self.chance.expovariate(1) * MEAN_HOURS
        self.now += timedelta(hours=min(hours, most_hours))

    def people_live_on(self) -> None:
        for business in self.businesses:
            business.live_on(self.now)

    def skewed(self) -> datetime:
        return self.now + self.chance.uniform(-1, 1) * SKEW

    def end(self) -> None:
        """Let everybody resume and one scheduler live through a tick."""
        for business in self.businesses:
            for model in business.spans:
                business.schedules.resume(model)
        self.now += timedelta(minutes=1)
        assert self.schedulers[0].tick(self.now, may_die=False)
        assert not any(s.has_due(self.now) for s in schedules_in_force(self.database))

    def check(self) -> Counter[SlotDecision]:
        """Hold every slot to what was expected; return how many became what."""
        decided: Counter[SlotDecision] = Counter()
        run_ids: list[str] = []
        for business in self.businesses:
            seen = list(looks(BEGAN_AT, self.now - QUARTER, ZoneInfo(business.zone), QUARTER))
            for model in business.spans:
                slots = business.schedules.slots(model, limit=1_000_000)[::-1]
                assert [s.slot_at for s in slots] == business.expected(model, seen)
                for _, group in groupby(slots, lambda slot: slot.decided_at):
                    check_decided_together(business, list(group))
                decided.update(slot.decision for slot in slots)
                run_ids += [slot.run_id for slot in slots if slot.run_id]
        assert sorted(run_ids) == sorted(self._run_ids())
        assert len(set(run_ids)) == decided[SlotDecision.RAN]
        return decided

    def _run_ids(self) -> Sequence[str]:
        with self.database.across_accounts().read() as connection:
            return connection.scalars(select(RUNS.c.run_id)).all()


def check_decided_together(business: Business, slots: list[Any]) -> None:
    """Only the latest ran, or was skipped for a run that was under way."""
    *missed, latest = slots
    assert all(s.decision is SlotDecision.SUPERSEDED and s.run_id is None for s in missed)
    assert {s.reason for s in missed} <= {MISSED, EDITED}
    if latest.decision is SlotDecision.SUPERSEDED:
        # An edit passed by, or whoever decided died after a full batch.
        assert latest.reason == EDITED or len(slots) % BATCH_SLOTS == 0
    elif latest.decision is SlotDecision.RAN:
        assert latest.reason == ""
        assert business.runs.get(latest.run_id).requested_by == "schedule"
    else:
        assert latest.run_id is None
        holder = business.runs.get(latest.reason.split()[2])
        assert holder.created_at <= latest.decided_at + 2 * SKEW
        assert holder.completed_at is None or holder.completed_at >= latest.decided_at - 2 * SKEW


@pytest.fixture
def made(seed: int) -> Iterator[Callable[[str], World]]:
    """A way to make the world on a database."""
    worlds: list[World] = []

    def make(url: str) -> World:
        worlds.append(World(url, seed=seed))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_over_two_years_every_slot_ran_or_was_skipped_or_superseded_once(
    made: Callable[[str], World], sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    world = made(f"sqlite:///{(tmp_path / 'chatlift.db').as_posix()}")
    while world.now < BEGAN_AT + timedelta(days=730):
        world.time_passes(most_hours=1_000)
        world.chance.choice(world.schedulers).tick(world.skewed())
        world.people_live_on()
    world.end()
    decided = world.check()
    assert min(decided[decision] for decision in SlotDecision) > 100
    assert sum(scheduler.killed_count for scheduler in world.schedulers) > 100


@pytest.mark.parametrize("seed", SEEDS[:1])
def test_three_schedulers_in_the_same_moment_decide_every_slot_once(
    made: Callable[[str], World], database_url: str
) -> None:
    world = made(database_url)
    with ThreadPoolExecutor(max_workers=4) as threads:
        for _ in range(MOMENTS):
            world.time_passes(most_hours=96)
            work = [threads.submit(s.tick, world.now) for s in world.schedulers]
            work.append(threads.submit(world.people_live_on))
            assert [done.exception() for done in work] == [None] * 4
    world.end()
    decided = world.check()
    assert min(decided[decision] for decision in SlotDecision) > 10
    assert sum(scheduler.killed_count for scheduler in world.schedulers) > 10
