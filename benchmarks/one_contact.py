"""Time the reading of one contact's history in a small and in a ten times larger account.

python -m benchmarks.one_contact
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from benchmarks.common import fresh_home, machine, markdown, now
from benchmarks.generate import request_of

from chatlift.registry.workspace import open_workspace
from chatlift.workflows.generate import generate

SIZES = (2_000, 20_000)
ASKED = 200


def row(contacts: int) -> list[str]:
    """Generate so many contacts; return how long one of them takes in the median."""
    with fresh_home() as settings, open_workspace(settings) as workspace:
        request = replace(request_of(contacts), until=now())
        generate(request, crm=workspace.crm, truth_folder=workspace.truth_folder)
        counts, took, messages = workspace.crm.counts(), [], []
        for contact_id in workspace.crm.contact_ids()[:ASKED]:
            begun = time.perf_counter()
            read = workspace.crm.read_history(contact_ids=[contact_id])
            took.append(1000 * (time.perf_counter() - begun))
            messages.append(read.messages.height)
    middle = statistics.median(took)
    return [f"{counts.contacts:,}", f"{statistics.median(messages):.0f}", f"{middle:.2f}"]


def main() -> None:
    """Measure and print a table."""
    print(machine())
    rows = [row(contacts) for contacts in SIZES]
    print(markdown(["contacts", "messages of one", "ms"], rows))


if __name__ == "__main__":
    main()
