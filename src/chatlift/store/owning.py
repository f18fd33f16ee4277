"""Which account a statement names: read off the statement, once for each that is compiled.

A table is owned if it has an `account_id`, or if `OWNED_BY` says by which parent it is owned. A
statement may look at an owned table only where it names its owner. In each SELECT, UPDATE, DELETE
and subselect by itself, an owned table is *reached*

- by `table.account_id = :account` (or `table.account_id + 0 = :account`, for no index to be used)
  among the conditions that all must hold, never within OR or NOT;
- from a table that is reached, by an equality of which one side is a key: a foreign key, the only
  column of a primary key, a unique column, or `account_id` itself;
- by `key IN (SELECT ...)` or `key = (SELECT ...)` where the subselect reads a reached table.

Owned tables that are not reached are `unowned`. What is said here in ignorance of the data is
this: a key that a caller hands over is never enough, but a key found in a reached row is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    Column,
    CompoundSelect,
    Delete,
    Insert,
    Join,
    Select,
    TextClause,
    Update,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import Compiled
from sqlalchemy.sql.elements import BooleanClauseList, ClauseElement, ColumnClause
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromClause, SelectBase, TableClause

from chatlift.store.schema import TABLES

ACCOUNT_COLUMN = "account_id"
OWNED_BY: Mapping[str, str] = {
    "evaluation_predictions": "version_id",
    "rejected_rows": "batch_id",
    "retraining_marks": "version_id",
}
"""Tables without an account of their own, and the column that names the parent that has one."""

OWNED = frozenset(
    name for name, table in TABLES.tables.items() if ACCOUNT_COLUMN in table.c
) | frozenset(OWNED_BY)

WRITTEN_ACCOUNT = re.compile(rf"{ACCOUNT_COLUMN}(_m\d+)?")
"""How the parameters that are written into the account's column are called."""
QUOTED_TEXT = re.compile("'[^']*'")
WORD = re.compile(r"\w+")
TABLE_IN_SQL = re.compile(r'(?:\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+))|(?:\b(\w+)"?\.)', re.I)


@dataclass(frozen=True, kw_only=True)
class Owning:
    """Which owned tables a statement touches, and by which parameters it names their account."""

    touched: frozenset[str] = frozenset()
    unowned: frozenset[str] = frozenset()
    """Of the touched, those of which the statement does not say whose rows it means."""
    accounts: tuple[str, ...] = ()
    """Names of the parameters that must be the account."""
    zeros: tuple[str, ...] = ()
    """Names of the parameters that are added to an account and must be 0."""
    writes_account: bool = False
    """Whether an account is written, under parameters that `WRITTEN_ACCOUNT` matches."""
    inserts: bool = False
    """Whether there must be such a parameter."""


def owning_of(compiled: Compiled) -> Owning:
    """Return which account a compiled statement names."""
    statement = cast("ClauseElement", compiled.statement)
    found = _Found()
    _look(statement, _Around(), found)
    # What was not met on the way, such as tables in a text, is met in the words of the result.
    hidden = _named_in(str(compiled)) - found.touched
    names = cast("Any", compiled).bind_names if found.accounts or found.zeros else {}
    return Owning(
        touched=frozenset(found.touched | hidden),
        unowned=frozenset(found.unowned | hidden),
        accounts=tuple({names[bind]: None for bind in found.accounts}),
        zeros=tuple({names[bind]: None for bind in found.zeros}),
        writes_account=isinstance(statement, Insert | Update) and bool(found.touched),
        inserts=_inserts_account(statement),
    )


def owned_in_text(sql: str) -> frozenset[str]:
    """Return the owned tables that an SQL text may touch: those that it names at all."""
    return OWNED.intersection(WORD.findall(QUOTED_TEXT.sub("", sql)))


def _named_in(sql: str) -> set[str]:
    told = TABLE_IN_SQL.findall(QUOTED_TEXT.sub("", sql))
    return {name for pair in told for name in pair if name in OWNED}


@dataclass(kw_only=True)
class _Found:
    """What was met so far."""

    touched: set[str] = field(default_factory=set)
    unowned: set[str] = field(default_factory=set)
    accounts: list[BindParameter[Any]] = field(default_factory=list)
    zeros: list[BindParameter[Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Around:
    """The tables of the statements around a subselect, by name, and those reached in them."""

    all: frozenset[str] = frozenset()
    reached: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class _Condition:
    """One of the conditions that all must hold; `narrows` is None where it narrows all tables."""

    clause: ClauseElement
    narrows: frozenset[str] | None = None


@dataclass(kw_only=True)
class _Block:
    """One SELECT, UPDATE or DELETE without the subselects in it."""

    leaves: dict[str, FromClause] = field(default_factory=dict)
    conditions: list[_Condition] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)

    def spread(self, source: FromClause, found: _Found) -> frozenset[str]:
        """Take up a table or all tables of a join; return their names."""
        if isinstance(source, Join):
            return self._spread_join(source, found)
        if isinstance(source, AliasedReturnsRows):
            is_table = isinstance(source.element, TableClause)
            if not is_table and _look(cast("ClauseElement", source.element), _Around(), found):
                self.reached.add(_name(source))
        elif not isinstance(source, TableClause) and _is_wrapped(source):
            return self.spread(source.element, found)  # type: ignore[attr-defined]
        self.leaves[_name(source)] = source
        return frozenset({_name(source)})

    def _spread_join(self, join: Join, found: _Found) -> frozenset[str]:
        left, right = self.spread(join.left, found), self.spread(join.right, found)
        narrows = frozenset() if join.full else right if join.isouter else None
        if join.onclause is not None:
            self.add([join.onclause], narrows=narrows)
        return left | right

    def add(
        self, clauses: Iterable[ClauseElement], *, narrows: frozenset[str] | None = None
    ) -> None:
        """Take up conditions that all must hold."""
        for clause in clauses:
            for one in _conjuncts(clause):
                self.conditions.append(_Condition(clause=one, narrows=narrows))

    def settle(self, around: _Around, found: _Found) -> None:
        """Reach from what is known whatever can be reached."""
        before = -1
        while len(self.reached) > before:
            before = len(self.reached)
            for condition in self.conditions:
                names = self._reached_by(condition.clause, around, found)
                self.reached |= {
                    name for name in names if condition.narrows is None or name in condition.narrows
                }

    def around(self, outer: _Around) -> _Around:
        """Return what a subselect of this block may refer to."""
        mine = frozenset(self.leaves)
        seen = (outer.reached - mine) | self.reached
        return _Around(all=outer.all | mine, reached=frozenset(seen))

    def _reached_by(self, clause: ClauseElement, outer: _Around, found: _Found) -> Iterator[str]:
        if not isinstance(clause, BinaryExpression):
            return
        if clause.operator not in (operators.eq, operators.in_op):
            return
        sides = (_bare(clause.left), _bare(clause.right))
        for one, other in (sides, sides[::-1]):
            if isinstance(other, BindParameter) and clause.operator is operators.eq:
                yield from self._bound(one, other, found)
            elif isinstance(one, ColumnClause) and _is_key(one):
                if isinstance(other, SelectBase):
                    # Looked at again with all other subselects once everything is reached.
                    if _look(other, self.around(outer), _Found()):
                        yield _owner(one)
                elif isinstance(other, ColumnClause) and clause.operator is operators.eq:
                    yield from self._from_other(one, other, outer)
                    yield from self._from_other(other, one, outer)

    def _bound(
        self, compared: ClauseElement, bind: BindParameter[Any], found: _Found
    ) -> Iterator[str]:
        if isinstance(compared, BinaryExpression) and compared.operator is operators.add:
            added = _bare(compared.right)
            if isinstance(added, BindParameter):
                found.zeros.append(added)
                compared = _bare(compared.left)
        if isinstance(compared, ColumnClause) and compared.name == ACCOUNT_COLUMN:
            found.accounts.append(bind)
            yield _owner(compared)

    def _from_other(
        self, column: ColumnClause[Any], other: ColumnClause[Any], outer: _Around
    ) -> Iterator[str]:
        if _owner(other) in self.around(outer).reached:
            yield _owner(column)


def _look(statement: ClauseElement, outer: _Around, found: _Found) -> bool:
    """Look through a statement; return whether its rows are those of an account."""
    statement = _bare(statement)
    if isinstance(statement, CompoundSelect):
        looked = [_look(one, outer, found) for one in statement.selects]
        return all(looked)
    if isinstance(statement, Select):
        return _look_at_select(statement, outer, found)
    if isinstance(statement, Update | Delete):
        return _look_at_change(statement, outer, found)
    if isinstance(statement, Insert):
        return _look_at_insert(statement, found)
    _look_inside(statement, outer, found)
    return False


def _look_at_select(statement: Select[Any], outer: _Around, found: _Found) -> bool:
    block = _Block()
    sources = list(statement.get_final_froms())
    if statement._auto_correlate:
        own = [source for source in sources if _name(source) not in outer.all]
        sources = own or sources
    for source in sources:
        block.spread(source, found)
    criteria = [] if statement.whereclause is None else [statement.whereclause]
    return _close(block, statement, criteria, outer, found)


def _look_at_change(statement: Update | Delete, outer: _Around, found: _Found) -> bool:
    block = _Block()
    block.spread(cast("FromClause", statement.table), found)
    for column in _columns_in(statement):
        if _owner(column) not in block.leaves and isinstance(column.table, FromClause):
            block.spread(column.table, found)
    criteria = [] if statement.whereclause is None else [statement.whereclause]
    return _close(block, statement, criteria, outer, found)


def _close(
    block: _Block,
    statement: ClauseElement,
    criteria: Iterable[ClauseElement],
    outer: _Around,
    found: _Found,
) -> bool:
    block.add(criteria)
    block.settle(outer, found)
    owned = {name for name, leaf in block.leaves.items() if _table_of(leaf) in OWNED}
    found.touched |= {str(_table_of(block.leaves[name])) for name in owned}
    found.unowned |= {str(_table_of(block.leaves[name])) for name in owned - block.reached}
    _look_inside(statement, block.around(outer), found)
    return bool(block.reached & block.leaves.keys())


def _look_at_insert(statement: Insert, found: _Found) -> bool:
    table = statement.table.name
    if table in OWNED:
        found.touched.add(table)
    is_ours = _conflicts_are_own(statement, found) and _selected_account_is_own(statement, found)
    if table in OWNED_BY or (table in OWNED and not is_ours):
        found.unowned.add(table)
    _look_inside(statement, _Around(), found)
    return False


def _inserts_account(statement: ClauseElement) -> bool:
    if not isinstance(statement, Insert) or statement.select is not None:
        return False
    return statement.table.name in OWNED


def _selected_account_is_own(statement: Insert, found: _Found) -> bool:
    """Tell whether an INSERT of a SELECT takes the account from where it is the own one."""
    if statement.select is None:
        return True
    names = [_text_name(name) for name in statement._select_names or ()]
    selected = dict(zip(names, statement.select.selected_columns, strict=True))
    account = _bare(selected.get(ACCOUNT_COLUMN, TextClause("")))
    if isinstance(account, BindParameter):
        found.accounts.append(account)
        return True
    # The SELECT itself is looked at as every other: a table it reads is reached or unowned.
    return isinstance(account, ColumnClause) and account.name == ACCOUNT_COLUMN


def _conflicts_are_own(statement: Insert, found: _Found) -> bool:
    """Tell whether the row that is updated in place of an insert can only be the account's."""
    clause: Any = getattr(statement, "_post_values_clause", None)
    if not hasattr(clause, "update_values_to_set"):
        return True
    target = clause.inferred_target_elements or ()
    if ACCOUNT_COLUMN in map(_text_name, target):
        return True
    block = _Block()
    block.spread(cast("FromClause", statement.table), found)
    block.add([] if clause.update_whereclause is None else [clause.update_whereclause])
    block.settle(_Around(), found)
    return statement.table.name in block.reached


def _look_inside(element: ClauseElement, around: _Around, found: _Found) -> None:
    """Look at the subselects, texts and other statements inside an element."""
    for child in element.get_children():
        if isinstance(child, SelectBase | Update | Delete | Insert):
            _look(child, around, found)
        elif isinstance(child, TextClause):
            _note_text(child.text, found)
        elif isinstance(child, ColumnClause):
            if child.is_literal:
                _note_text(child.name, found)
        elif isinstance(child, Join) or not isinstance(child, FromClause):
            _look_inside(child, around, found)
    if isinstance(element, TextClause):
        _note_text(element.text, found)


def _note_text(text: str, found: _Found) -> None:
    named = owned_in_text(text)
    found.touched |= named
    found.unowned |= named


def _columns_in(element: ClauseElement) -> Iterator[ColumnClause[Any]]:
    """Yield the columns that a statement names outside of its subselects."""
    for child in element.get_children():
        if isinstance(child, ColumnClause):
            yield child
        elif not isinstance(child, SelectBase | FromClause):
            yield from _columns_in(child)


def _conjuncts(clause: ClauseElement) -> Iterator[ClauseElement]:
    clause = _bare(clause)
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from _conjuncts(part)
    else:
        yield clause


def _bare(element: Any) -> Any:
    """Return an element without brackets and names around it."""
    while _is_wrapped(element):
        element = element.element
    return element


def _is_wrapped(element: Any) -> bool:
    is_source = isinstance(element, AliasedReturnsRows | TableClause)
    return not is_source and isinstance(getattr(element, "element", None), ClauseElement)


def _is_key(column: ColumnClause[Any]) -> bool:
    return any(isinstance(base, Column) and _names_a_row(base) for base in column.base_columns)


def _names_a_row(column: Column[Any]) -> bool:
    is_alone = column.primary_key and len(column.table.primary_key) == 1
    is_unique = is_alone or bool(column.unique)
    return is_unique or bool(column.foreign_keys) or column.name == ACCOUNT_COLUMN


def _owner(column: ColumnClause[Any]) -> str:
    return "" if column.table is None else _name(column.table)


def _name(source: Any) -> str:
    return str(getattr(source, "name", ""))


def _text_name(column: Any) -> str:
    return str(getattr(column, "name", column))


def _table_of(leaf: FromClause) -> str | None:
    """Return the name of the table behind a leaf or its alias; None where it is another thing."""
    inner = leaf.element if isinstance(leaf, AliasedReturnsRows) else leaf
    return inner.name if isinstance(inner, TableClause) else None
