"""Say afterwards since when imported columns were known: since the creation of their records.

Checked against the data first: a column that is filled in, or takes its values, as leads close
cannot have been known at their creation, whatever anybody says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.gate import Leak
from chatlift.learn.leaks import contradictions
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import Workspace
from chatlift.sources.mapping import ALL_COLUMNS
from chatlift.store.vouching import FactColumn, date_to_creation, fact_columns
from chatlift.vocabulary import FactSubject, Progress, ReportProgress, no_progress


@dataclass(frozen=True, kw_only=True)
class ColumnChange:
    """What became of one column."""

    attribute: str
    """Such as `lead.source`."""
    changed_count: int
    """Records whose value is known since their creation now, and was since an import before."""


@dataclass(frozen=True, kw_only=True)
class KnownSinceReport:
    """What was changed."""

    columns: tuple[ColumnChange, ...]
    doubts: tuple[str, ...]
    """What the data says against a column without proving it; training will ask for a word."""

    @property
    def changed_count(self) -> int:
        """Return the changed values of all columns."""
        return sum(column.changed_count for column in self.columns)


def known_since_creation(
    workspace: Workspace,
    names: Collection[str],
    *,
    subject: FactSubject | None = None,
    report: ReportProgress = no_progress,
) -> KnownSinceReport:
    """Let columns that are known since their import only be known since their record's creation.

    Doing it again changes nothing.

    Parameters
    ----------
    names
        Columns as the files call them; `all`: every column known since an import only.
    subject
        Only columns of contacts, or of leads; None: of both.

    Raises
    ------
    InvalidInput
        If there is no such column, or the data contradicts one; nothing is changed then.
    """
    chosen = _chosen(fact_columns(workspace.crm), names, subject)
    late = [column for column in chosen if column.import_known_count]
    history = as_if_known_at_creation(history_of(workspace), late) if late else History()
    against = contradictions(history, [column.attribute for column in late])
    _refuse(against)
    return KnownSinceReport(
        columns=_changed(workspace, chosen, report),
        doubts=tuple(leak.evidence for leak in against),
    )


def _chosen(
    columns: Sequence[FactColumn], names: Collection[str], subject: FactSubject | None
) -> list[FactColumn]:
    of_subject = [column for column in columns if subject in {None, column.subject}]
    if ALL_COLUMNS in names:
        return [column for column in of_subject if column.import_known_count]
    known = {column.name for column in of_subject}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InvalidInput(
            f"There is no column {', '.join(map(repr, unknown)) or 'named'}. "
            f"There are: {', '.join(sorted(known)) or 'none'}. Name some of them, or all."
        )
    return [column for column in of_subject if column.name in names]


def as_if_known_at_creation(history: History, columns: Sequence[FactColumn]) -> History:
    """Return the history with the first values of these columns known since the creation."""
    created = pl.concat(
        [
            history.contacts.select(
                subject=pl.lit(str(FactSubject.CONTACT)),
                subject_id="contact_id",
                created="created_at",
            ),
            history.leads.select(
                subject=pl.lit(str(FactSubject.LEAD)), subject_id="lead_id", created="created_at"
            ),
        ]
    )
    named = pl.DataFrame(
        [[str(column.subject), column.name] for column in columns],
        schema={"subject": pl.String(), "name": pl.String()},
        orient="row",
    ).with_columns(is_named=pl.lit(value=True))
    facts = history.facts.join(created, on=["subject", "subject_id"], how="left").join(
        named, on=["subject", "name"], how="left"
    )
    is_first = pl.col("known_at") == pl.col("known_at").min().over("subject", "name", "subject_id")
    moved = pl.when(is_first & pl.col("is_named")).then(pl.min_horizontal("created", "known_at"))
    dated = facts.with_columns(known_at=moved.otherwise("known_at"))
    in_order = dated.select(history.facts.columns).sort(
        "subject", "name", "subject_id", "known_at", maintain_order=True
    )
    return History(
        contacts=history.contacts,
        leads=history.leads,
        facts=in_order,
        observations=history.observations,
        time_zone=history.time_zone,
    )


def _refuse(against: Sequence[Leak]) -> None:
    proven = [leak for leak in against if leak.is_proven]
    if proven:
        told = " ".join(leak.evidence for leak in proven)
        raise InvalidInput(
            f"{', '.join(leak.column for leak in proven)} cannot have been known at the creation. "
            f"{told} Nothing was changed; name the other columns only."
        )


def _changed(
    workspace: Workspace, columns: Sequence[FactColumn], report: ReportProgress
) -> tuple[ColumnChange, ...]:
    changes = []
    for column in columns:

        def tell(done: int, column: FactColumn = column) -> None:
            share = done / max(column.import_known_count, 1)
            report(
                Progress(
                    phase="dates",
                    fraction=min(share, 1.0),
                    message=f"{column.attribute}: {done:,} values",
                )
            )

        count = date_to_creation(workspace.crm, column, tell=tell)
        changes.append(ColumnChange(attribute=column.attribute, changed_count=count))
    return tuple(changes)
