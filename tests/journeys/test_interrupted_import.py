"""An import that is killed, again and again, ends as if nobody had touched it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from chatlift.errors import Conflict
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.tables import TableFiles
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.imports import mark_progress, open_batch
from chatlift.store.past_imports import batches, rejected_rows
from chatlift.workflows.ingest import ingest

pytestmark = pytest.mark.slow

NOW = datetime(2025, 6, 1, tzinfo=UTC)
LAST = datetime(2025, 6, 9, tzinfo=UTC)
CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from chatlift.sources import plans
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.tables import TableFiles
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.workflows.ingest import ingest

plans.PIECE_ROWS = 1_000
folder, url, day = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
database = Database.open(url)
crm = Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)
files = TableFiles(contacts=folder / "contacts.csv", messages=folder / "messages.csv")
ingest(
    files, SourceMapping(), crm=crm, imported_at=datetime(2025, 6, day, tzinfo=UTC),
    report=lambda step: print(step.phase, flush=True),
)
"""


@pytest.fixture
def files(tmp_path: Path) -> TableFiles:
    """2,000 contacts with an undated fact, 8,000 messages without ids; every 50th is bad."""
    contacts = pl.DataFrame({"id": [f"c{n}" for n in range(2_000)]}).with_columns(
        created_at=pl.lit("2025-01-01"), city=pl.Series([f"town {n % 7}" for n in range(2_000)])
    )
    messages = pl.DataFrame(
        {
            "contact_id": [f"c{n % 2_003}" for n in range(8_000)],
            "direction": ["sideways" if n % 50 == 0 else "in" for n in range(8_000)],
            "text": ["ok"] * 8_000,
            "sent_at": [f"2025-02-0{1 + n % 3}" for n in range(8_000)],
            "conversation_id": [f"k{n % 900}" for n in range(8_000)],
        }
    ).with_columns(pl.concat_str(pl.lit("k"), pl.col("contact_id")).alias("conversation_id"))
    named = TableFiles(contacts=tmp_path / "contacts.csv", messages=tmp_path / "messages.csv")
    contacts.write_csv(tmp_path / "contacts.csv")
    messages.write_csv(tmp_path / "messages.csv")
    return named


def begin(folder: Path, url: str, day: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(folder), url, str(day)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


def kill_after(process: subprocess.Popen[str], steps: int, wait_seconds: float) -> None:
    """Kill a process some time after it told a number of steps."""
    assert process.stdout is not None
    for _ in range(steps):
        process.stdout.readline()
    time.sleep(wait_seconds)
    process.kill()
    process.communicate()


def state_of(crm: Crm) -> dict[str, list[tuple[object, ...]]]:
    """Return all that an import leaves, without numbers that the database gives."""
    history = crm.read_history()
    names = dict(history.contacts.select("contact_id", "external_id").rows())
    messages = history.messages.with_columns(
        pl.col("contact_id").replace_strict(names, return_dtype=pl.String)
    )
    (batch,) = batches(crm.database, crm.account_id)
    rejected = rejected_rows(crm.database, crm.account_id, batch.batch_id)
    tallies = {name: dict(told) for name, told in batch.summary.items()}
    return {
        "messages": sorted(
            messages.select("contact_id", "direction", "text", "sent_at").rows(), key=repr
        ),
        "facts": sorted(history.facts.select("name", "value", "known_at").rows(), key=repr),
        "contacts": sorted(history.contacts["external_id"]),
        "rejected": sorted(rejected.rows(), key=repr),
        "observed": history.observations.rows(),
        "counts": [tuple(sorted(map(repr, tallies.items())))],
        "conversations": [(crm.counts().conversations,)],
    }


def test_a_killed_import_goes_on_and_loses_or_doubles_nothing(
    database_url: str, tmp_path: Path, files: TableFiles
) -> None:
    chance = random.Random(20_250_601)  # noqa: S311 - picks moments, guards nothing
    for day, steps in enumerate([2, 3, 5], start=1):
        process = begin(tmp_path, database_url, day)
        kill_after(process, steps, chance.uniform(0, 0.15))
    whole = begin(tmp_path, database_url, LAST.day)
    whole.communicate()
    assert whole.returncode == 0

    database = Database.open(database_url)
    crm = Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)
    killed = state_of(crm)
    (batch,) = batches(crm.database, crm.account_id)
    # On a busy machine a child may die before its import has begun; the next one begins it then.
    assert batch.imported_at < LAST
    database.close()
    other = Database.open(f"sqlite:///{(tmp_path / 'untouched.db').as_posix()}")
    untouched = Crm(other, ensure_account(other, "default", time_zone="UTC").account_id)
    ingest(files, SourceMapping(), crm=untouched, imported_at=batch.imported_at)
    assert killed == state_of(untouched)
    other.close()


def test_two_processes_cannot_go_on_with_one_import(crm: Crm) -> None:
    def taken_up() -> int:
        batch = open_batch(
            crm.database,
            crm.account_id,
            source="files",
            imported_at=NOW,
            fingerprint="same",
            mapping={},
        )
        return batch.batch_id

    batch_id = taken_up()
    assert taken_up() == batch_id
    nothing = rejected_rows(crm.database, crm.account_id, batch_id)
    with crm.database.write() as connection:
        mark_progress(connection, batch_id, {"step": 1}, nothing)
    with pytest.raises(Conflict, match="Another process"), crm.database.write() as connection:
        mark_progress(connection, batch_id, {"step": 1}, nothing)
