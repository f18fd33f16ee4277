"""Everybody is scored by children of several workers at once, and none outlives its worker."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.fleets import eventually
from tests.histories import at

from chatlift.jobs.processes import child_environment
from chatlift.jobs.scoring import Scoring
from chatlift.registry import scoring_jobs
from chatlift.registry.scores import Filters
from chatlift.registry.scoring_jobs import ScoringJobs
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName
from chatlift.workflows.listing import Listing, ListRequest, list_scores

NOW = at(100)


def worker_of(shop: Workspace, name: str) -> Scoring:
    environ = child_environment(os.environ, 1)
    return Scoring(name, shop.settings, shop.database, environ)


def scoring_children() -> list[int]:
    mine = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"chatlift.jobs.scoring_child" in words and parent == os.getpid():
            mine.append(int(folder.name))
    return mine


def test_two_workers_share_the_shards_of_a_job(
    shop_on: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_jobs, "SHARD_CONTACTS", 5)
    made = {
        model: list_scores(
            shop_on,
            Listing(),
            ListRequest(model=model, filters=Filters(), limit=200),
            now=NOW,
        )
        for model in ModelName
    }
    workers = [worker_of(shop_on, name) for name in ("one", "two")]
    threads = [threading.Thread(target=w.run, args=(shop_on.database.now(),)) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = ScoringJobs(shop_on.database, shop_on.account.account_id)
    for model, wanted in made.items():
        job = jobs.latest(model, wanted.version_number)
        assert job is not None
        assert job.shard_count == 14
        request = ListRequest(model=model, filters=Filters(), limit=200)
        told = list_scores(shop_on, Listing(), request, now=NOW)
        # A child knows the present, which comes long after this story's end.
        assert [p.place for p in told.predictions] == [p.place for p in wanted.predictions]
    assert scoring_children() == []


def test_a_worker_that_ends_takes_its_child_with_it(shop: Workspace) -> None:
    worker = worker_of(shop, "one")
    thread = threading.Thread(target=worker.run, args=(shop.database.now(),))
    thread.start()
    eventually(scoring_children, bool)
    worker.end()
    thread.join(10)
    assert not thread.is_alive()
    assert scoring_children() == []
