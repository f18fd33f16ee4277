"""Derive leads: where a business keeps no table of them, its conversations tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from chatlift.errors import Conflict, InvalidInput, NotReady
from chatlift.history import History
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import Workspace
from chatlift.sources.derived_leads import DERIVED, Derivation, DerivedLeads, derive
from chatlift.store.derived import Replaced, leads_of_other_sources, replace_derived
from chatlift.vocabulary import LeadOutcome

EXAMPLES = 20
"""Leads shown before anything is written."""


@dataclass(frozen=True, kw_only=True)
class DeriveReport:
    """What conversations tell, and what was done about it."""

    outcomes: dict[str, int]
    """Won, lost and open (undecided) to number of leads."""
    examples: pl.DataFrame
    """Up to twenty leads, spread over outcomes and time: the columns of `derived_leads.LEADS`,
    `contact` (the id of its source) and `text` of the message that told the outcome."""
    sign_count: int
    unused_sign_count: int
    shared_instant_count: int
    written: Replaced | None
    """None: nothing was written, it was a preview."""


def derive_leads(
    workspace: Workspace, derivation: Derivation, *, source: str | None = None, write: bool = False
) -> DeriveReport:
    """Find the leads; with `write`, put them in place of those derived before for the source.

    Parameters
    ----------
    source
        Only contacts of this source; None means all.

    Raises
    ------
    InvalidInput
        If a span is too short, or no contact has that source.
    NotReady
        If there is no conversation yet.
    Conflict
        If the contacts have leads of their own, which derived ones would double.
    """
    _check(derivation)
    _refuse_doubling(workspace, source)
    history = _of_source(workspace, history_of(workspace), source)
    found = derive(history, derivation)
    if found.leads.is_empty():
        raise NotReady(
            "No contact has written anything, so there is nothing to derive leads from. Import "
            "messages first."
        )
    return DeriveReport(
        outcomes=_outcomes(found.leads),
        examples=_examples(found, history),
        sign_count=found.sign_count,
        unused_sign_count=found.unused_sign_count,
        shared_instant_count=found.shared_instant_count,
        written=_written(workspace, found, source) if write else None,
    )


def _written(workspace: Workspace, found: DerivedLeads, source: str | None) -> Replaced:
    return replace_derived(workspace.crm, DERIVED, found.leads, contact_source=source)


def _check(derivation: Derivation) -> None:
    for name, days in (
        ("--quiet-days", derivation.quiet_days),
        ("--lost-after", derivation.lost_after_days),
    ):
        if days is not None and not 1 <= days <= 3650:
            raise InvalidInput(f"{name} is {days:g}; it takes 1 to 3650 days.")


def _refuse_doubling(workspace: Workspace, source: str | None) -> None:
    count = leads_of_other_sources(workspace.crm, DERIVED, contact_source=source)
    if count:
        whose = f"The contacts of {source} have" if source else "This account has"
        raise Conflict(
            f"{whose} {count:,} leads of their own, and derived ones would stand beside them as "
            "if they were others. Derive for a source without leads with --source, or use those."
        )


def _of_source(workspace: Workspace, history: History, source: str | None) -> History:
    if source is None:
        return history
    contacts = history.contacts.filter(pl.col("source") == source)
    if contacts.is_empty():
        raise InvalidInput(
            f"No contact comes from {source!r}. There are: {', '.join(workspace.crm.sources())}."
        )
    messages = history.messages.join(contacts, on="contact_id", how="semi")
    is_contact = pl.col("subject_id").is_in(contacts.get_column("contact_id").implode())
    is_message = pl.col("subject_id").is_in(messages.get_column("message_id").implode())
    mine = ((pl.col("subject") == "contact") & is_contact) | (
        (pl.col("subject") == "message") & is_message
    )
    return replace(history, contacts=contacts, messages=messages, facts=history.facts.filter(mine))


def _outcomes(leads: pl.DataFrame) -> dict[str, int]:
    counts = dict(leads.get_column("outcome").value_counts().iter_rows())
    return {str(outcome): counts.get(outcome, 0) for outcome in LeadOutcome}


def _examples(found: DerivedLeads, history: History) -> pl.DataFrame:
    """Return leads spread evenly: each outcome's fair share, over its whole time."""
    told = (LeadOutcome.WON, LeadOutcome.LOST, LeadOutcome.OPEN)
    groups = [found.leads.filter(pl.col("outcome") == o).sort("created_at") for o in told]
    left, picked = EXAMPLES, []
    for place, group in enumerate(sorted(groups, key=lambda g: g.height)):
        share = min(group.height, left // (len(groups) - place))
        left -= share
        picked.append(group.gather(_spread(group.height, share)))
    words = history.messages.select("message_id", "text")
    names = history.contacts.select("contact_id", contact="external_id")
    return (
        pl.concat(picked)
        .join(names, on="contact_id", how="left")
        .join(words, on="message_id", how="left")
        .sort("created_at", "contact_id")
    )


def _spread(count: int, wanted: int) -> list[int]:
    """Return so many places of a list of this length, evenly spread.

    Examples
    --------
    >>> _spread(10, 3)
    [0, 3, 6]
    """
    return [place * count // wanted for place in range(wanted)]
