"""A fleet in a storm: its processes are killed at random moments, and somebody keeps count."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from tests.businesses import folders, locks, quick
from tests.fleets import Fleet, eventually, training_children

from chatlift.registry.run_rows import ModelsBusy, Run
from chatlift.vocabulary import ModelName
from chatlift.workflows.train import train

MODELS = (ModelName.LEAD_SCORING, ModelName.ENGAGEMENT)
"""Those that the small story has enough data for."""
WAIT_FOR_FOLDER_SECONDS = 20.0


class Member:
    """One process of the fleet, and what it logs."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self.words = tuple(words)
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "chatlift", *words],
                stdout=subprocess.DEVNULL,
                stderr=out,
                env=dict(environ),
            )

    @property
    def children(self) -> list[int]:
        """Process ids of its training children."""
        return training_children(self.process.pid)

    def events(self) -> list[str]:
        """What it has logged, by name."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # The last line may be cut off.
                found.append(str(json.loads(line)["event"]))
        return found

    def await_event(self, event: str) -> None:
        """Wait until it has logged this."""
        eventually(self.events, lambda found: event in found)

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self.process.kill()
        self.process.wait()


@contextmanager
def members(
    business: Fleet, commands: Sequence[Sequence[str]], logs: Path, **environ: str
) -> Iterator[list[Member]]:
    """Start processes of the fleet; end in order those that are still there."""
    logs.mkdir(exist_ok=True)
    started = [
        Member(words, business.environ | environ, logs / f"{number}.log")
        for number, words in enumerate(commands)
    ]
    try:
        yield started
    finally:
        for member in started:
            with suppress(ProcessLookupError):
                member.process.send_signal(signal.SIGCONT)
                member.process.terminate()
        for member in started:
            member.process.wait(60)


class Storm:
    """Kills, and what came of them."""

    def __init__(
        self,
        business: Fleet,
        fleet_members: list[Member],
        environ: Mapping[str, str],
        *,
        seed: int,
        longest_calm_seconds: float,
        models: Sequence[ModelName] = MODELS,
    ) -> None:
        self.business = business
        self.members = fleet_members
        self.environ = business.environ | dict(environ)
        self.chance = random.Random(seed)  # noqa: S311 - a storm, not a secret
        self.models = models
        self.longest_calm_seconds = longest_calm_seconds
        self.kills: Counter[str] = Counter()
        self.between_count = 0
        """Kills that hit after the files were there and before their version was registered."""
        self.asked: list[Run] = []
        self._log_count = len(fleet_members)
        self._kinds: list[str] = []

    def rage(self, kill_count: int) -> None:
        """Kill so many processes, while runs are asked for all the time."""
        while sum(self.kills.values()) < kill_count:
            self.ask()
            kind = self._next_kind()
            if kind == "between":
                self._kill_between()
            else:
                time.sleep(self.chance.uniform(0, self.longest_calm_seconds))
                self._kill_child() if kind == "child" else self._kill_member()
            self.look_at_champion()

    def ask(self) -> None:
        """Ask for every training that is not under way."""
        for model in self.models:
            with suppress(ModelsBusy):
                self.asked.append(self.business.enqueue(model))

    def settle(self) -> list[Run]:
        """Wait until every run has ended; return them."""
        return [self.business.await_end(run) for run in self.asked]

    def look_at_champion(self) -> None:
        """Whatever is going on, what serves can be loaded, and is no stand-in."""
        serving = self.business.workspace.versions.load_serving(
            MODELS[0], now=self.business.database.now()
        )
        assert serving.warning is None

    def assert_in_order(self) -> None:
        """After the storm: runs ended, nothing locked, no version twice, no file without owner."""
        workspace = self.business.workspace
        assert {run.is_final for run in self.settle()} == {True}
        assert locks(workspace) == 0
        eventually(lambda: [c for m in self.members for c in m.children], lambda c: c == [])
        assert training_children_of_home(str(self.business.settings.home)) == []
        workspace.versions.sweep_orphans(now=self.business.database.now() + timedelta(days=2))
        versions = workspace.versions.list()
        assert folders(workspace) == {version.folder for version in versions}
        assert len({(v.model, v.number) for v in versions}) == len(versions)
        assert len({(v.model, v.run_id) for v in versions}) == len(versions)
        for version in versions:
            assert workspace.versions.damage(version) is None
        self.look_at_champion()

    def report(self) -> str:
        """Return what happened, as one line."""
        statuses = Counter(str(run.status) for run in self.settle())
        return json.dumps(
            {
                "kills": dict(self.kills),
                "between_files_and_commit": self.between_count,
                "runs": dict(statuses),
                "versions": len(self.business.workspace.versions.list()),
            }
        )

    def _next_kind(self) -> str:
        """Return what to kill next: each kind comes equally often, in an order by chance."""
        if not self._kinds:
            self._kinds = ["member", "child", "between"]
            self.chance.shuffle(self._kinds)
        return self._kinds.pop()

    def _kill_member(self) -> None:
        victim = self.chance.choice(self.members)
        victim.kill()
        self.kills[victim.words[0]] += 1
        self._replace(victim)

    def _replace(self, victim: Member) -> None:
        log = victim.log.with_name(f"{self._log_count}.log")
        self._log_count += 1
        self.members[self.members.index(victim)] = Member(victim.words, self.environ, log)

    def _kill_child(self) -> None:
        children = [child for member in self.members for child in member.children]
        if children:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(children), signal.SIGKILL)
                self.kills["child"] += 1

    def _kill_between(self) -> None:
        """Wait for a version's files to appear and kill their child, or its worker, that moment."""
        workspace = self.business.workspace
        before = folders(workspace)
        pairs = [(member, child) for member in self.members for child in member.children]
        deadline = time.monotonic() + WAIT_FOR_FOLDER_SECONDS
        while time.monotonic() < deadline:
            new = {folder for folder in folders(workspace) if folder.suffix != ".partial"} - before
            if not new:
                if not pairs or self.chance.random() < 0.01:
                    pairs = [(m, child) for m in self.members for child in m.children]
                continue
            kills_worker = self.chance.random() < 0.5
            for member, child in pairs:
                with suppress(ProcessLookupError):
                    os.kill(member.process.pid if kills_worker else child, signal.SIGKILL)
            for member, _ in pairs:
                self.kills[member.words[0] if kills_worker else "child"] += 1
                if kills_worker:
                    member.process.wait()
                    self._replace(member)
            owned = {version.folder for version in workspace.versions.list()}
            self.between_count += not new <= owned
            return


def champion_of(business: Fleet) -> None:
    """Let a version serve."""
    (outcome,) = train(business.workspace, quick(MODELS[0]), clock=business.database.now).outcomes
    assert outcome.version is not None
    if not outcome.version.is_champion:
        business.workspace.versions.promote(
            MODELS[0],
            outcome.version.number,
            by="a test",
            reason="the story wants it to serve",
            now=business.database.now(),
        )


def training_children_of_home(home: str) -> list[int]:
    """Return every training child that works for a data folder, whoever its parent is."""
    wanted = f"CHATLIFT_HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environ = (folder / "environ").read_bytes().split(b"\0")
            if b"chatlift.jobs.training_child" in words and wanted in environ:
                found.append(int(folder.name))
    return found
