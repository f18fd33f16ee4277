from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.businesses import account_of
from tests.histories import business, history

from chatlift.cli.leads import derived_lines
from chatlift.errors import Conflict, InvalidInput, NotReady
from chatlift.registry.workspace import Workspace
from chatlift.sources.derived_leads import Derivation
from chatlift.sources.outcome_rules import parse_rule
from chatlift.workflows.derive_leads import derive_leads

RULES = Derivation(
    won_when=parse_rule('phrase:"let us sign"'),
    lost_when=parse_rule('phrase:"please stop"'),
    quiet_days=60,
)


@pytest.fixture
def chats(tmp_path: Path) -> Iterator[Workspace]:
    """Sixty contacts with conversations and no table of leads."""
    told = business(5, contacts=60, days=100)
    with account_of(tmp_path, replace(told, leads=told.leads.clear())) as workspace:
        yield workspace


def test_a_preview_shows_twenty_leads_and_writes_nothing(chats: Workspace) -> None:
    report = derive_leads(chats, RULES)
    assert report.examples.height == 20
    assert set(report.examples["outcome"]) == {"won", "lost", "open"}
    assert report.written is None
    assert chats.crm.counts().leads == 0
    lines = derived_lines(report)
    assert "Nothing was written" in lines[-1]
    assert any('let us sign"' in line and " won 2026-" in line for line in lines)


def test_written_leads_are_counted_and_again_change_nothing(chats: Workspace) -> None:
    first = derive_leads(chats, RULES, write=True)
    counts = chats.crm.counts()
    assert first.outcomes == {
        "won": counts.leads_won,
        "lost": counts.leads_lost,
        "open": counts.leads_open,
    }
    assert min(first.outcomes.values()) > 0
    again = derive_leads(chats, RULES, write=True).written
    assert again is not None
    assert (again.new, again.changed, again.gone) == (0, 0, 0)
    assert again.unchanged == counts.leads


def test_leads_that_were_told_are_not_doubled(tmp_path: Path) -> None:
    with account_of(tmp_path, business(5, contacts=10, days=90)) as workspace:
        with pytest.raises(Conflict, match="10 leads of their own"):
            derive_leads(workspace, RULES)
        assert workspace.crm.counts().leads == 10


def test_a_source_without_contacts_and_spans_of_no_sense_are_refused(chats: Workspace) -> None:
    with pytest.raises(InvalidInput, match="story"):
        derive_leads(chats, RULES, source="elsewhere")
    with pytest.raises(InvalidInput, match="--quiet-days"):
        derive_leads(chats, replace(RULES, quiet_days=0.5))
    assert derive_leads(chats, RULES, source="story").examples.height == 20


def test_without_a_word_of_anybody_there_is_nothing_to_derive(tmp_path: Path) -> None:
    with account_of(tmp_path, history(contacts=[(1, 0)])) as workspace, pytest.raises(NotReady):
        derive_leads(workspace, RULES)


def test_a_rule_that_finds_nothing_says_so(chats: Workspace) -> None:
    report = derive_leads(chats, Derivation(won_when=parse_rule("tag:paid")))
    told = "\n".join(derived_lines(report))
    assert "nothing was won by this rule" in told
    assert "no lead is ever lost" in told
