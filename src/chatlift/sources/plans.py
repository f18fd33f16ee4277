"""How one file of an import will be read: its columns, and how their values are written.

Making a plan reads the whole file once, a piece at a time, and understands no row yet: what cannot
be read at all is found before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.sources.cells import InstantForm, cleaned
from chatlift.sources.column_forms import (
    COUNTED,
    INSTANT_SIGNS,
    Counts,
    ValueForm,
    ValueKind,
    count_signs,
    instant_form,
    value_form,
)
from chatlift.sources.files import open_table
from chatlift.sources.mapping import CREATION, IMPORT, SourceMapping, TableMapping, resolve_columns
from chatlift.sources.raw_tables import PIECE_ROWS, TableFile
from chatlift.vocabulary import FactSubject

REQUIRED: dict[str, tuple[str, ...]] = {
    "contacts": ("external_id", "created_at"),
    "conversations": ("external_id", "contact_external_id", "started_at"),
    "leads": ("external_id", "contact_external_id", "created_at", "outcome"),
    "messages": ("contact_external_id", "direction", "sent_at"),
    "facts": ("subject_external_id", "name", "known_at"),
}
TOLD_BY_COLUMN = {
    "contact": FactSubject.CONTACT,
    "lead": FactSubject.LEAD,
    "deal": FactSubject.LEAD,
    "message": FactSubject.MESSAGE,
}
"""How the column of a fact's subject begins, where no column says what the facts are about."""
SUBJECTS = {
    "contacts": FactSubject.CONTACT,
    "leads": FactSubject.LEAD,
    "messages": FactSubject.MESSAGE,
}
"""What the further columns of a table are facts about. Those of messages are left out unless
the mapping says since when they are known: there would be millions that nobody asked for."""
KEPT_AS_WRITTEN = frozenset({"text"})
"""Fields in which `-` or `N/A` is what somebody wrote, and not a missing value."""


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """How one file is read."""

    table: str
    file: TableFile
    mapping: TableMapping
    columns: Mapping[str, str]
    """Field to column; `created_at` may stand for `import` instead of a column."""
    row_count: int
    """All rows of the file but blank ones."""
    instants: Mapping[str, InstantForm] = field(default_factory=dict)
    """Column that holds instants to how they are written."""
    values: Mapping[str, ValueForm] = field(default_factory=dict)
    """Further column to how its values are written."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Column that becomes facts to since when its values are known: `creation`, `import` or
    a date column."""
    subject: FactSubject | None = None
    """What all facts of a file of facts are about; None: a column says it."""

    @property
    def file_name(self) -> str:
        """The file's name, without its folder."""
        return self.file.name

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns that stand for nothing and become no facts."""
        used = {*self.columns.values(), *self.known, *self.known.values()}
        return tuple(c for c in self.file.headers if c not in used)

    @property
    def import_known(self) -> tuple[str, ...]:
        """Columns whose values are known by this import only."""
        return tuple(column for column, when in self.known.items() if when == IMPORT)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Columns whose values stay as they are written, each with what could not be decided."""
        return tuple(f"{c}: {form.doubt}" for c, form in self.values.items() if form.doubt)

    @property
    def found(self) -> dict[str, str]:
        """What the values of the whole file told, as options of a mapping for parts of it."""
        orders = {str(form.order) for form in self.instants.values() if form.order is not None}
        decimals = {v.decimal for v in self.values.values() if v.kind is ValueKind.NUMBER}
        told = {"date_order": orders, "decimal": decimals}
        return {option: values.pop() for option, values in told.items() if len(values) == 1}

    @property
    def piece_rows(self) -> int:
        """Rows read and written at once, fewer where each brings many facts."""
        return max(PIECE_ROWS // (1 + len(self.known)), 1_000)

    def cells_of(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Return the cells without blanks around them; what says nothing is null."""
        return cells.select(self._cell(name).alias(name) for name in cells.columns)

    def _cell(self, column: str) -> pl.Expr:
        as_written = {self.columns.get(name) for name in KEPT_AS_WRITTEN}
        return cleaned(column, () if column in as_written else self.mapping.missing)


def look_at_nothing() -> None:
    """Do nothing between two pieces."""


def make_plan(
    table: str,
    path: Path,
    mapping: SourceMapping,
    *,
    between: Callable[[], None] = look_at_nothing,
) -> TablePlan:
    """Open a file and find out how it is to be read.

    Parameters
    ----------
    between
        Called between two pieces of rows; what it raises ends the reading.

    Raises
    ------
    InvalidInput
        If it cannot be read at all, lacks a column without which none of its rows means
        anything, or holds dates that can be read in two ways.
    """
    own = mapping.of(table)
    file = open_table(path, separator=own.separator, encoding=own.encoding, sheet=own.sheet)
    columns = resolve_columns(table, own, file.headers)
    _require_columns(table, columns, file)
    known = _known(table, own, columns, file)
    bare = TablePlan(
        table=table,
        file=file,
        mapping=own,
        columns=columns,
        row_count=0,
        known=known,
        subject=_subject(columns, file.name) if table == "facts" else None,
    )
    dated = [c for name, c in columns.items() if name.endswith("_at") and c in file.headers]
    dated += [when for when in known.values() if when in file.headers]
    row_count, counts = _survey(bare, dict.fromkeys(dated), between)
    form = partial(
        instant_form,
        file_name=file.name,
        said=own.date_order,
        date_format=own.date_format,
        time_zone=own.time_zone,
    )
    value = partial(value_form, said_order=own.date_order, said_decimal=own.decimal)
    return TablePlan(
        table=table,
        file=file,
        mapping=own,
        columns=columns,
        row_count=row_count,
        instants={column: form(counts[column], column) for column in dict.fromkeys(dated)},
        values={column: value(counts[column]) for column in known},
        known=known,
        subject=bare.subject,
    )


def _survey(
    plan: TablePlan, dated: Mapping[str, None], between: Callable[[], None]
) -> tuple[int, dict[str, Counts]]:
    """Return the number of rows, and by column how many values show which sign."""
    wanted: dict[str, Sequence[str] | None] = dict.fromkeys(dated, INSTANT_SIGNS)
    wanted |= dict.fromkeys(plan.known)
    row_count, counted = 0, COUNTED.to_frame()
    for piece in plan.file.pieces():
        between()
        row_count += piece.height
        cells = plan.cells_of(piece.cells.select([*wanted]))
        both = pl.concat([counted, count_signs(cells, wanted)])
        counted = both.group_by("column", "sign").agg(pl.col("count").sum())
    found: dict[str, dict[str, int]] = {column: _NoSigns() for column in wanted}
    for column, sign, count in counted.rows():
        found[column][sign] = count
    return row_count, dict(found)


class _NoSigns(dict[str, int]):
    """Counts of a column; what was not seen was seen no time."""

    def __missing__(self, _sign: str) -> int:
        return 0


def _require_columns(table: str, columns: Mapping[str, str], file: TableFile) -> None:
    missing = [name for name in REQUIRED[table] if name not in columns]
    if missing:
        raise InvalidInput(
            f"No column of {file.name} stands for {missing[0]} of {table}; it has: "
            f"{', '.join(file.headers[:50])}. Name it in the mapping: "
            f'[{table}] {missing[0]} = "<column>".'
        )


def _known(
    table: str, mapping: TableMapping, columns: Mapping[str, str], file: TableFile
) -> dict[str, str]:
    """Return each column that becomes facts, with since when its values are known."""
    taken = {*columns.values(), *mapping.ignore, *mapping.known.values()}
    named = [c for c in file.headers if c in {*mapping.known, *mapping.known_at_creation}]
    free = file.headers if table in {"contacts", "leads"} else named
    for when in mapping.known.values():
        if when not in {CREATION, IMPORT, *file.headers}:
            raise InvalidInput(
                f"The mapping says that a column of {table} is known since {when!r}, and "
                f"{file.name} has: {', '.join(file.headers[:50])}. "
                "Write creation, import or one of these."
            )
    return {c: mapping.known_since(c) for c in free if c not in taken}


def _subject(columns: Mapping[str, str], file_name: str) -> FactSubject | None:
    if "subject" in columns:
        return None
    told = columns["subject_external_id"].strip().lower()
    for beginning, subject in TOLD_BY_COLUMN.items():
        if told.startswith(beginning):
            return subject
    raise InvalidInput(
        f"No column of {file_name} stands for subject of facts (contact, lead or message), and "
        f"{columns['subject_external_id']!r} does not tell it. Name it in the mapping: "
        '[facts] subject = "<column>".'
    )
