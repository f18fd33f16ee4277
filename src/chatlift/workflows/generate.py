"""Generate: a synthetic CRM in place of files, so that anyone can try everything in a minute.

Generated records never stand beside real ones, and `replace` deletes only generated ones. The
observation is written last, so records without one are what a killed generation left: the next one
says so and replaces them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chatlift.errors import Conflict
from chatlift.records import Records
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.quality import Quality, quality_of
from chatlift.simulate.request import SimulationRequest
from chatlift.simulate.truth_files import save_truth
from chatlift.store.crm import Crm
from chatlift.store.outcomes import WriteCounts
from chatlift.vocabulary import SIMULATED, LeadOutcome, Progress, ReportProgress, no_progress

SIMULATED_SHARE = 0.3
"""Share of the whole work that is done when the records are made but not yet written."""


UNFINISHED = "An earlier generation was stopped half-way; what it left is replaced."


@dataclass(frozen=True, kw_only=True)
class GenerateResult:
    """What was generated."""

    contacts: int
    conversations: int
    messages: int
    leads_won: int
    leads_lost: int
    leads_open: int
    quality: Quality
    written: WriteCounts
    truth_folder: Path

    @property
    def leads(self) -> int:
        """All leads, closed and open."""
        return self.leads_closed + self.leads_open

    @property
    def leads_closed(self) -> int:
        """Leads with an outcome."""
        return self.leads_won + self.leads_lost

    def lines(self) -> tuple[str, ...]:
        """Return what was created, one line per step, for a person.

        The lines come in the order of the steps; open leads have one of their own.
        """
        return (
            f"Created {self.contacts:,} contacts",
            f"Created {self.conversations:,} conversations",
            f"Created {self.leads_closed:,} leads ({self.leads_won:,} converted, "
            f"{self.leads_lost:,} not converted)",
            f"Created {self.leads_open:,} open leads to score",
            f"Created {self.messages:,} messages",
        )


def generate(
    request: SimulationRequest,
    *,
    crm: Crm,
    truth_folder: Path,
    replace: bool = False,
    report: ReportProgress = no_progress,
) -> GenerateResult:
    """Simulate a CRM and write it into the account, its truth into `truth_folder`.

    Parameters
    ----------
    truth_folder
        `<home>/truth/<account>`; what was there is replaced.
    replace
        Delete generated records that are there first. Real ones are never touched.
    report
        Told as each step begins and, with a `Created ...` line, as it ends.

    Raises
    ------
    Conflict
        If the account holds imported records, or a whole generated CRM and not `replace`.
    """
    _refuse_overwriting(crm, replace=replace)
    is_unfinished = _is_unfinished(crm)
    if is_unfinished:
        report(Progress(phase="created", fraction=0.0, message=UNFINISHED))
    simulation = simulate_crm(request, report=_within(report, 0.0, SIMULATED_SHARE))
    if replace or is_unfinished:
        crm.delete_source(SIMULATED, report=_within(report, SIMULATED_SHARE, SIMULATED_SHARE))
    # The truth goes first: records without their truth would be judged by an older one.
    save_truth(truth_folder, simulation.truth)
    written = _write(crm, simulation.records, report)
    crm.write_observation(
        SIMULATED, observed_from=request.first_midnight, observed_through=request.until
    )
    result = _result(simulation.records, written, truth_folder)
    for line in result.lines():
        report(Progress(phase="created", fraction=1.0, message=line))
    return result


def _refuse_overwriting(crm: Crm, *, replace: bool) -> None:
    imported = [source for source in crm.sources() if source != SIMULATED]
    if imported:
        raise Conflict(
            f"This account holds records from {', '.join(imported)}; generated ones would mix "
            "with them. Generate into another account, such as CHATLIFT_ACCOUNT=demo."
        )
    if not replace and SIMULATED in crm.sources() and not _is_unfinished(crm):
        raise Conflict(
            f"This account already holds generated records ({crm.counts().contacts:,} contacts). "
            "Pass --replace to delete them and generate anew."
        )


def _is_unfinished(crm: Crm) -> bool:
    """Tell whether there are generated records of a generation that did not come to its end."""
    observed = crm.read_history(contact_ids=[], with_text=False).observations
    return SIMULATED in crm.sources() and SIMULATED not in observed.get_column("source")


def _write(crm: Crm, records: Records, report: ReportProgress) -> WriteCounts:
    """Write the records, table by table, so that each step can say how far it is."""
    counts = WriteCounts()
    parts = list(_parts(records))
    for step, (table, part) in enumerate(parts):
        begins = SIMULATED_SHARE + (1 - SIMULATED_SHARE) * step / len(parts)
        ends = SIMULATED_SHARE + (1 - SIMULATED_SHARE) * (step + 1) / len(parts)
        report(Progress(phase=table, fraction=begins, message=f"Creating {table}"))
        written = crm.write(part, source=SIMULATED, report=_within(report, begins, ends))
        counts = _with_table(counts, table, written)
    return counts


def _with_table(counts: WriteCounts, table: str, written: WriteCounts) -> WriteCounts:
    return replace(
        counts,
        **{table: getattr(written, table)},
        rejections=counts.rejections.vstack(written.rejections),
    )


def _parts(records: Records) -> Iterator[tuple[str, Records]]:
    yield "contacts", Records(contacts=records.contacts)
    yield "conversations", Records(conversations=records.conversations)
    yield "leads", Records(leads=records.leads)
    yield "messages", Records(messages=records.messages)
    yield "facts", Records(facts=records.facts)


def _result(records: Records, written: WriteCounts, truth_folder: Path) -> GenerateResult:
    quality = quality_of(records)
    return GenerateResult(
        contacts=records.contacts.height,
        conversations=records.conversations.height,
        messages=records.messages.height,
        leads_won=quality.outcomes.get(LeadOutcome.WON, 0),
        leads_lost=quality.outcomes.get(LeadOutcome.LOST, 0),
        leads_open=quality.outcomes.get(LeadOutcome.OPEN, 0),
        quality=quality,
        written=written,
        truth_folder=truth_folder,
    )


def _within(report: ReportProgress, begins: float, ends: float) -> ReportProgress:
    """Return a report that fits a part's own progress into the whole."""

    def told(step: Progress) -> None:
        report(replace(step, fraction=begins + (ends - begins) * step.fraction))

    return told
