import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from chatlift.store.accounts import ensure_account
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.registry_tables import ModelStateRow


def test_a_model_has_one_place_for_its_champion(database: Database) -> None:
    account = ensure_account(database, "default", time_zone="UTC").account_id
    row = insert(table_of(ModelStateRow)).values(account_id=account, model="churn", last_number=0)
    mine = database.of_account(account)
    with mine.write() as connection:
        connection.execute(row)
    with pytest.raises(IntegrityError), mine.write() as connection:
        connection.execute(row)
