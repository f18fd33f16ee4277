"""Generate 100,000 contacts with about 5 million messages; print time and memory.

python benchmarks/generate.py [contacts]
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.request import SimulationRequest
from chatlift.vocabulary import Progress

UNTIL = datetime(2026, 1, 5, tzinfo=UTC)


def request_of(contacts: int) -> SimulationRequest:
    """Return the default proportions at another size: 3 of 4 contacts write and have a lead."""
    writing = contacts * 3 // 4
    closed = writing * 4 // 5
    return SimulationRequest(
        until=UNTIL,
        contacts=contacts,
        conversations=writing,
        closed_leads=closed,
        open_leads=writing - closed,
        seed=1000,
    )


def most_memory_mb() -> float | None:
    """Return the largest resident size so far; None where the system does not tell (Windows)."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows.
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Generate once and print what it took."""
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    begun = time.perf_counter()

    def told(step: Progress) -> None:
        print(f"{time.perf_counter() - begun:6.1f} s  {step.message}")

    records = simulate_crm(request_of(contacts), report=told).records
    seconds = time.perf_counter() - begun
    print(
        f"{contacts:,} contacts, {records.messages.height:,} messages, "
        f"{records.facts.height:,} facts: {seconds:.1f} s"
    )
    memory = most_memory_mb()
    if memory is not None:
        print(f"Largest resident size: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
