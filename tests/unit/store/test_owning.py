"""What counts as naming an account, statement by statement."""

from typing import Any

import pytest
from sqlalchemy import Table, and_, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ClauseElement

from chatlift.store.base import Base
from chatlift.store.bulk import table_of
from chatlift.store.job_tables import ScoreRow
from chatlift.store.owning import ACCOUNT_COLUMN, OWNED, OWNED_BY, owned_in_text, owning_of
from chatlift.store.registry_tables import (
    EvaluationPredictionRow,
    ModelStateRow,
    TrainingRunRow,
    VersionRow,
)
from chatlift.store.tables import ContactRow, LeadRow, MessageRow

CONTACTS, MESSAGES, LEADS = table_of(ContactRow), table_of(MessageRow), table_of(LeadRow)
VERSIONS, STATES = table_of(VersionRow), table_of(ModelStateRow)
EVALUATIONS, RUNS, SCORES = (
    table_of(EvaluationPredictionRow),
    table_of(TrainingRunRow),
    table_of(ScoreRow),
)
OWN = 7
OF_CONTACT = MESSAGES.c.contact_id == CONTACTS.c.contact_id
OWN_CONTACTS = select(CONTACTS.c.contact_id).where(CONTACTS.c.account_id == OWN)
OWN_VERSIONS = select(VERSIONS.c.version_id).where(VERSIONS.c.account_id == OWN)
OWN_LEADS = select(LEADS.c.contact_id).where(LEADS.c.account_id == OWN)
OTHER = CONTACTS.alias()
NEWER = aliased(MessageRow)
OF_NO_ACCOUNT = {"installation"}
"""Tables that hold nothing of any account."""

NAMED: dict[str, Any] = {
    "compared": select(MESSAGES).where(MESSAGES.c.account_id == OWN),
    "compared the other way round": select(MESSAGES).where(MESSAGES.c.account_id == OWN),
    "compared without its index": select(MESSAGES).where(MESSAGES.c.account_id + 0 == OWN),
    "compared beside others": select(MESSAGES).where(
        and_(MESSAGES.c.text == "a", and_(MESSAGES.c.account_id == OWN, MESSAGES.c.kind == "text"))
    ),
    "by class": select(MessageRow.text).where(MessageRow.account_id == OWN),
    "joined by a key": select(MESSAGES)
    .join(CONTACTS, OF_CONTACT)
    .where(CONTACTS.c.account_id == OWN),
    "joined the old way": select(MESSAGES.c.text).where(OF_CONTACT, CONTACTS.c.account_id == OWN),
    "joined on both accounts": select(MESSAGES)
    .join(LEADS, MESSAGES.c.account_id == LEADS.c.account_id)
    .where(LEADS.c.account_id == OWN),
    "what may be missing": select(VERSIONS)
    .outerjoin(STATES, STATES.c.champion_version_id == VERSIONS.c.version_id)
    .where(VERSIONS.c.account_id == OWN),
    "among the own contacts": select(MESSAGES).where(MESSAGES.c.contact_id.in_(OWN_CONTACTS)),
    "subselect for each row": select(
        CONTACTS.c.name,
        select(func.count()).where(OF_CONTACT).scalar_subquery(),
    ).where(CONTACTS.c.account_id == OWN),
    "exists for each row": select(CONTACTS.c.name).where(
        CONTACTS.c.account_id == OWN, exists().where(OF_CONTACT)
    ),
    "rows of rows": select(func.count()).select_from(OWN_CONTACTS.subquery()),
    "joined to rows of rows": select(MESSAGES).join(
        (some := OWN_CONTACTS.cte()), some.c.contact_id == MESSAGES.c.contact_id
    ),
    "both of a union": OWN_CONTACTS.union_all(
        select(LEADS.c.contact_id).where(LEADS.c.account_id == OWN)
    ),
    "alias": select(OTHER.c.name).where(OTHER.c.account_id == OWN),
    "alias of a class": select(NEWER.text).where(NEWER.account_id == OWN),
    "change": update(RUNS).where(RUNS.c.account_id == OWN).values(message=""),
    "change with another table": update(STATES)
    .where(STATES.c.champion_version_id == VERSIONS.c.version_id, VERSIONS.c.account_id == OWN)
    .values(last_number=VERSIONS.c.number),
    "change from a subselect": update(STATES)
    .where(STATES.c.account_id == OWN)
    .values(champion_version_id=OWN_VERSIONS.scalar_subquery()),
    "deletion": delete(MESSAGES).where(MESSAGES.c.account_id == OWN),
    "deletion of some": delete(CONTACTS).where(CONTACTS.c.contact_id.in_(OWN_CONTACTS.limit(5))),
    "child joined to its parent": select(EVALUATIONS)
    .join(VERSIONS, VERSIONS.c.version_id == EVALUATIONS.c.version_id)
    .where(VERSIONS.c.account_id == OWN),
    "child of own parents": update(EVALUATIONS)
    .where(EVALUATIONS.c.version_id.in_(OWN_VERSIONS))
    .values(label=None),
    "new row": insert(CONTACTS).values(account_id=OWN, source="s", external_id="e"),
    "new rows of a select": insert(CONTACTS).from_select(
        ["account_id", "name"],
        select(LEADS.c.account_id, LEADS.c.source).where(LEADS.c.account_id == OWN),
    ),
    "no table of an account": select(text("version_num")).select_from(text("alembic_version")),
}

FORGOTTEN: dict[str, tuple[Any, set[str]]] = {
    "nothing compared": (select(MESSAGES), {"messages"}),
    "a number handed over": (select(MESSAGES).where(MESSAGES.c.message_id == 3), {"messages"}),
    "a class": (select(MessageRow.text).where(MessageRow.message_id == 3), {"messages"}),
    "either": (
        select(MESSAGES).where(or_(MESSAGES.c.account_id == OWN, MESSAGES.c.kind == "text")),
        {"messages"},
    ),
    "not": (select(MESSAGES).where(~(MESSAGES.c.account_id == OWN)), {"messages"}),
    "all but": (select(MESSAGES).where(MESSAGES.c.account_id != OWN), {"messages"}),
    "another column": (select(MESSAGES).where(MESSAGES.c.contact_id == OWN), {"messages"}),
    "several accounts": (select(MESSAGES).where(MESSAGES.c.account_id.in_([OWN, 8])), {"messages"}),
    "asked, not required": (select(MESSAGES.c.account_id == OWN), {"messages"}),
    "one of two": (
        select(MESSAGES.c.text, LEADS.c.source).where(MESSAGES.c.account_id == OWN),
        {"leads"},
    ),
    "joined by what is no key": (
        select(MESSAGES)
        .join(LEADS, MESSAGES.c.source == LEADS.c.source)
        .where(LEADS.c.account_id == OWN),
        {"messages"},
    ),
    "joined by something less": (
        select(MESSAGES)
        .join(CONTACTS, MESSAGES.c.contact_id >= CONTACTS.c.contact_id)
        .where(CONTACTS.c.account_id == OWN),
        {"messages"},
    ),
    "compared where rows may be missing": (
        select(MESSAGES).outerjoin(CONTACTS, and_(OF_CONTACT, CONTACTS.c.account_id == OWN)),
        {"messages"},
    ),
    "compared where all rows stay": (
        select(MESSAGES).outerjoin(CONTACTS, and_(OF_CONTACT, MESSAGES.c.account_id == OWN)),
        {"messages", "contacts"},
    ),
    "a subselect": (
        select(MESSAGES.c.text).where(
            MESSAGES.c.account_id == OWN, MESSAGES.c.contact_id.in_(select(CONTACTS.c.contact_id))
        ),
        {"contacts"},
    ),
    "not among the own": (
        select(MESSAGES).where(MESSAGES.c.contact_id.not_in(OWN_CONTACTS)),
        {"messages"},
    ),
    "a subselect that stands by itself": (
        select(CONTACTS.c.name, select(func.count(MESSAGES.c.text)).scalar_subquery()).where(
            CONTACTS.c.account_id == OWN
        ),
        {"messages"},
    ),
    "the same table twice": (
        select(CONTACTS.c.name, OTHER.c.name).where(CONTACTS.c.account_id == OWN),
        {"contacts"},
    ),
    "the same table again inside": (
        select(CONTACTS.c.name).where(
            CONTACTS.c.account_id == OWN,
            CONTACTS.c.name.in_(select(CONTACTS.c.name).where(CONTACTS.c.source == "s")),
        ),
        {"contacts"},
    ),
    "rows of rows": (
        select(func.count()).select_from(select(CONTACTS.c.name).subquery()),
        {"contacts"},
    ),
    "one of a union": (OWN_CONTACTS.union_all(select(LEADS.c.contact_id)), {"leads"}),
    "a common table": (
        select((every := select(LEADS.c.lead_id).cte()).c.lead_id).select_from(every),
        {"leads"},
    ),
    "a change": (update(RUNS).where(RUNS.c.run_id == "r").values(message=""), {"training_runs"}),
    "a change from a subselect": (
        update(STATES)
        .where(STATES.c.account_id == OWN)
        .values(champion_version_id=select(func.max(VERSIONS.c.version_id)).scalar_subquery()),
        {"versions"},
    ),
    "a change with another table": (
        update(STATES).where(STATES.c.account_id == OWN).values(last_number=VERSIONS.c.number),
        {"versions"},
    ),
    "a deletion": (delete(RUNS).where(RUNS.c.run_id == "r"), {"training_runs"}),
    "a child by its parent's number": (
        select(EVALUATIONS).where(EVALUATIONS.c.version_id == 3),
        {"evaluation_predictions"},
    ),
    "a child beside its parent": (
        select(EVALUATIONS, VERSIONS).where(VERSIONS.c.account_id == OWN),
        {"evaluation_predictions"},
    ),
    "a new child": (insert(EVALUATIONS).values(version_id=3), {"evaluation_predictions"}),
    "new rows of a select": (
        insert(CONTACTS).from_select(["account_id"], select(LEADS.c.account_id)),
        {"leads"},
    ),
    "new rows under a number of another kind": (
        insert(CONTACTS).from_select(
            ["account_id"], select(LEADS.c.lead_id).where(LEADS.c.account_id == OWN)
        ),
        {"contacts"},
    ),
    "words": (select(text("name")).select_from(text("contacts")), {"contacts"}),
    "words alone": (text("DELETE FROM contacts WHERE contact_id = :number"), {"contacts"}),
}

DIALECTS = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS, ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("statement", NAMED.values(), ids=NAMED)
def test_the_account_is_named(statement: ClauseElement, dialect: Any) -> None:
    assert owning_of(statement.compile(dialect=dialect)).unowned == set()


@pytest.mark.parametrize("dialect", DIALECTS, ids=["sqlite", "postgresql"])
@pytest.mark.parametrize(("statement", "tables"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_the_account_is_forgotten(statement: ClauseElement, tables: set[str], dialect: Any) -> None:
    assert owning_of(statement.compile(dialect=dialect)).unowned == tables


@pytest.mark.parametrize("dialect", [sqlite, postgresql], ids=["sqlite", "postgresql"])
def test_a_row_that_is_there_is_changed_only_if_it_is_an_own_one(dialect: Any) -> None:
    def unowned(key: list[str], **choices: Any) -> frozenset[str]:
        row = dialect.insert(SCORES).values(account_id=OWN, job_id=1, entity_id=2)
        changed = row.on_conflict_do_update(index_elements=key, set_={"band": ""}, **choices)
        return owning_of(changed.compile(dialect=dialect.dialect())).unowned

    key = ["job_id", "entity_id"]
    assert unowned(key) == {"scores"}
    assert unowned(["account_id", *key]) == set()
    assert unowned(key, where=SCORES.c.account_id == OWN) == set()
    assert unowned(key, where=SCORES.c.band == "") == {"scores"}


@pytest.mark.parametrize(
    "table",
    [table for table in Base.metadata.sorted_tables if table.name not in OF_NO_ACCOUNT],
    ids=lambda table: table.name,
)
def test_every_table_is_owned(table: Table) -> None:
    (key, *_) = table.primary_key.columns
    for statement in (
        select(table).where(key == 1),
        update(table).where(key == 1).values({key: 1}),
        delete(table).where(key == 1),
    ):
        found = owning_of(statement.compile())
        is_its_number = key.name == ACCOUNT_COLUMN
        assert found.touched == {table.name}
        assert found.unowned == (set() if is_its_number else {table.name})


def test_a_table_has_an_account_or_a_parent_that_has_one() -> None:
    tables = Base.metadata.tables
    with_account = {name for name, table in tables.items() if ACCOUNT_COLUMN in table.c}
    assert set(OWNED_BY).isdisjoint(with_account)
    assert with_account | set(OWNED_BY) == set(tables) - OF_NO_ACCOUNT == OWNED
    for name, column in OWNED_BY.items():
        (reference,) = tables[name].c[column].foreign_keys
        assert reference.column.table.name in with_account


def test_the_compared_parameters_are_told() -> None:
    statement = select(MESSAGES).where(MESSAGES.c.account_id + 0 == OWN)
    compiled = statement.compile(dialect=sqlite.dialect())
    found = owning_of(compiled)
    assert [compiled.params[name] for name in found.accounts] == [OWN]
    assert [compiled.params[name] for name in found.zeros] == [0]


def test_a_text_names_tables_outside_of_quoted_values() -> None:
    assert owned_in_text("SELECT 'leads' FROM contacts, pg_class") == {"contacts"}
    assert owned_in_text("PRAGMA foreign_keys=ON") == set()
