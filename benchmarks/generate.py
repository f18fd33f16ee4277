"""Generate 100,000 contacts with about 5 million messages; print time and memory.

python -m benchmarks.generate [contacts]

Once as the command, which writes them into a new SQLite database and prints the table of their
quality, and then the simulation alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

from benchmarks.common import fresh_home, machine

from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.request import SimulationRequest

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


def most_memory_mb(*, of_children: bool = False) -> float | None:
    """Return the largest resident size so far; None where the system does not tell (Windows)."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows.
    except ImportError:
        return None
    whose = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    return resource.getrusage(whose).ru_maxrss / 1024


def run_command(request: SimulationRequest) -> None:
    """Run `chatlift generate` in an empty home and print what it took."""
    with fresh_home() as settings:
        arguments = (
            f"--contacts={request.contacts}",
            f"--conversations={request.conversations}",
            f"--leads={request.closed_leads}",
            f"--open-leads={request.open_leads}",
            f"--seed={request.seed}",
            f"--until={request.until.isoformat()}",
        )
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "chatlift", "generate", *arguments],
            env=os.environ | {"CHATLIFT_HOME": str(settings.home)},
            check=True,
        )
        print(f"The whole command: {time.perf_counter() - begun:.1f} s")
    tell_memory(most_memory_mb(of_children=True))


def simulate_alone(request: SimulationRequest) -> None:
    """Simulate in this process and print what it took."""
    begun = time.perf_counter()
    records = simulate_crm(request).records
    print(
        f"Simulating alone: {time.perf_counter() - begun:.1f} s ({records.messages.height:,} "
        f"messages, {records.facts.height:,} facts)"
    )
    tell_memory(most_memory_mb())


def tell_memory(megabytes: float | None) -> None:
    """Print the largest resident size, where it is known."""
    if megabytes is not None:
        print(f"Largest resident size: {megabytes:,.0f} MB")


def main() -> None:
    """Generate both ways, each once."""
    request = request_of(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    print(machine())
    run_command(request)
    simulate_alone(request)


if __name__ == "__main__":
    main()
