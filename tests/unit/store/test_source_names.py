"""Each source once, in order, of this account only."""

from __future__ import annotations

from tests.histories import START, at
from tests.unit.store.test_reading_contacts import told_by

from chatlift.store.accounts import ensure_account
from chatlift.store.bulk import table_of
from chatlift.store.crm import Crm
from chatlift.store.source_names import source_names
from chatlift.store.tables import ContactRow


def names(crm: Crm) -> list[str]:
    with crm.database.read() as connection:
        return list(connection.scalars(source_names(table_of(ContactRow), crm.account_id)))


def test_each_source_is_found_once_and_none_of_another_account(crm: Crm) -> None:
    assert names(crm) == []
    for source, phone in (("shop", "+34600111222"), ("app", "+34600333444"), ("Ärger", "+34600")):
        told_by(source, crm, {"anna": phone, f"b of {source}": phone + "1"}, START)
    other = Crm(crm.database, ensure_account(crm.database, "other", time_zone="UTC").account_id)
    told_by("elsewhere", other, {"anna": "+34600111222"}, START)
    assert sorted(names(crm)) == ["app", "shop", "Ärger"]
    assert names(other) == ["elsewhere"]
    crm.write_observation("only watched", observed_from=at(0), observed_through=at(1))
    assert sorted(crm.sources()) == ["app", "only watched", "shop", "Ärger"]
