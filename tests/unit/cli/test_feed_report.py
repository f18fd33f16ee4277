from __future__ import annotations

from datetime import UTC, datetime

from chatlift.cli.feed_report import feed_lines
from chatlift.store.outcomes import TableCounts
from chatlift.workflows.ingest_feeds import FeedReport


def test_what_became_of_the_entries_is_told_in_words() -> None:
    report = FeedReport(
        batch_id=4,
        feed_count=1,
        tables={
            "contacts": TableCounts(),
            "messages": TableCounts(accepted=1_200, updated=3, duplicate=2, rejected=1),
        },
        completed_count=3,
        entry_counts={"status": 3, "message": 1_200},
        passed_over={"private note": 2},
        rejected_count=1,
        observed_from=datetime(2025, 1, 1, tzinfo=UTC),
        observed_through=datetime(2025, 2, 1, 8, 30, tzinfo=UTC),
    )
    assert feed_lines(report) == [
        "messages: 1,203 read = 1,200 accepted + 2 duplicate + 1 rejected",
        "  3 messages took the place of what had been known only by its status.",
        "Entries: 1,200 message, 3 status.",
        "Passed over, being no records: 2 private note.",
        "1 entries were rejected. See them with: chatlift import rejected list 4",
        "Observed: 2025-01-01 00:00 to 2025-02-01 08:30 UTC. Time passes for outcomes up to there.",
        "Import batch 4 is done. Go on with: chatlift data check, which tells what can be trained; "
        "where nobody keeps leads, before it: chatlift leads derive",
    ]


def test_an_import_of_which_nothing_can_be_used_is_not_called_done() -> None:
    assert feed_lines(FeedReport(batch_id=1, feed_count=1, rejected_count=2)) == [
        "2 entries were rejected. See them with: chatlift import rejected list 1"
    ]


def test_an_import_of_nothing_says_so_little() -> None:
    (said,) = feed_lines(FeedReport(batch_id=1, feed_count=0))
    assert said.startswith("Import batch 1 is done.")
