"""What an import of feeds did, as lines."""

from __future__ import annotations

from collections.abc import Mapping

from chatlift.store.outcomes import TableCounts
from chatlift.workflows.ingest_feeds import FeedReport


def feed_lines(report: FeedReport) -> list[str]:
    """Return what became of the entries, and up to when the source was observed."""
    lines = [_table(name, counts) for name, counts in report.tables.items() if counts.total]
    if report.completed_count:
        lines.append(
            f"  {report.completed_count:,} messages took the place of what had been known only by "
            "its status."
        )
    for title, counts in (("Entries", report.entry_counts), ("Lines", report.line_counts)):
        if counts:
            lines.append(f"{title}: {_listed(counts)}.")
    if report.passed_over:
        lines.append(f"Passed over, being no records: {_listed(report.passed_over)}.")
    if report.rejected_count:
        lines.append(
            f"{report.rejected_count:,} entries were rejected. See them with: "
            f"chatlift import rejected list {report.batch_id}"
        )
    if report.observed_from is not None and report.observed_through is not None:
        lines.append(
            f"Observed: {report.observed_from:%Y-%m-%d %H:%M} to "
            f"{report.observed_through:%Y-%m-%d %H:%M} UTC. Time passes for outcomes up to there."
        )
    if report.is_all_rejected:
        return lines
    return [
        *lines,
        f"Import batch {report.batch_id} is done. Go on with: chatlift data check, which tells "
        "what can be trained; where nobody keeps leads, before it: chatlift leads derive",
    ]


def _table(name: str, counts: TableCounts) -> str:
    return (
        f"{name}: {counts.total:,} read = {counts.accepted:,} accepted + "
        f"{counts.duplicate:,} duplicate + {counts.rejected:,} rejected"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
