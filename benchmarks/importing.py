"""Import 1 million messages of 20,000 contacts from CSV into SQLite; print time and memory.

python -m benchmarks.importing [messages]

The import runs in a process of its own, as the command does, so that its memory is its own too.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.common import fresh_home, machine, markdown
from benchmarks.generate import most_memory_mb

from chatlift.registry.workspace import open_workspace
from chatlift.settings import Settings
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.tables import TableFiles
from chatlift.vocabulary import Progress
from chatlift.workflows.ingest import IngestReport, ingest

FIRST_SECOND = 1_735_689_600
"""2025-01-01 UTC."""
MESSAGES_PER_CONTACT = 50
SENTENCES = (
    "Hello, I saw the blue chair on your page. Is it still there?",
    "Yes, it is. Would you like to see it?",
    'He said "maybe", so let us wait\nuntil Monday',
    "ok",
    "The order 4711 has left today; it should arrive within three days.",
)
FIELDS = ("id", "contact_id", "conversation_id", "direction", "kind", "text", "sent_at")


def messages_of(count: int) -> Iterator[tuple[str, ...]]:
    """Yield messages in the order of time; a fifth have quotation marks and line breaks."""
    contacts = count // MESSAGES_PER_CONTACT
    for n in range(count):
        contact = (n * 7_919) % contacts
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(FIRST_SECOND + 20 * n))
        yield (
            f"wamid.{n:012}",
            f"c{contact}",
            f"k{contact}-{n * 4 // count}",
            "in" if n % 2 else "out",
            "text",
            SENTENCES[n % len(SENTENCES)],
            at,
        )


def write_files(folder: Path, count: int) -> TableFiles:
    """Write the two CSV files of an export."""
    files = TableFiles(contacts=folder / "contacts.csv", messages=folder / "messages.csv")
    contacts = (
        (f"c{n}", f"Contact {n}", "2025-01-01", ("Rome", "Oslo", "Lima")[n % 3])
        for n in range(count // MESSAGES_PER_CONTACT)
    )
    tables = {
        "contacts": (("id", "name", "created_at", "city"), contacts),
        "messages": (FIELDS, messages_of(count)),
    }
    for table, path in files.present().items():
        header, rows = tables[table]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header])
            csv.writer(file).writerows(rows)
    return files


def import_files(folder: Path) -> None:
    """Import the files of a folder into the database beside them, and print a row of figures."""
    files = TableFiles(contacts=folder / "contacts.csv", messages=folder / "messages.csv")
    phases: dict[str, float] = {}
    begun, begun_cpu = time.perf_counter(), time.process_time()

    def told(step: Progress) -> None:
        phases.setdefault(step.phase, time.perf_counter() - begun)

    settings = Settings.from_environment({}, default_home=folder)
    with open_workspace(settings) as opened:
        before = most_memory_mb() or 0.0
        report: IngestReport = ingest(
            files,
            SourceMapping(),
            crm=opened.crm,
            imported_at=datetime(2026, 1, 5, tzinfo=UTC),
            report=told,
        )
        seconds = time.perf_counter() - begun
        cpu_seconds = time.process_time() - begun_cpu
    rows = sum(table.read_count for table in report.tables.values())
    accepted = sum(table.accepted_count for table in report.tables.values())
    peak = most_memory_mb()
    print(
        f"{rows:,}|{accepted:,}|{seconds:.1f} s|{cpu_seconds:.1f} s|{rows / seconds:,.0f}|"
        f"{phases['contacts']:.1f} s|{peak or 0:,.0f} MB|{before:,.0f} MB"
    )


def main() -> None:
    """Write the files, import them twice, and print what it took."""
    if len(sys.argv) > 2:
        import_files(Path(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    header = [
        "run",
        "rows",
        "accepted",
        "time",
        "processor time",
        "rows/s",
        "until first write",
        "peak",
        "at start",
    ]
    with fresh_home() as settings:
        files = write_files(settings.home, count)
        size = sum(path.stat().st_size for path in files.present().values()) / 1e6
        print(f"{machine()}; CSV files of {size:,.0f} MB\n")
        command = [sys.executable, "-m", "benchmarks.importing", str(count), str(settings.home)]
        rows = []
        for run in ("first", "again"):
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env={**os.environ}
            )
            rows.append([run, *done.stdout.strip().split("|")])
    print(markdown(header, rows))


if __name__ == "__main__":
    main()
