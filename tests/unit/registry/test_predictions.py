from datetime import UTC, datetime

import polars as pl
from tests.businesses import records_of
from tests.histories import history

from chatlift.registry.predictions import SERVED, Predictions
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_served_answers_are_listed_newest_first(database: Database) -> None:
    account = ensure_account(database, "default", time_zone="UTC").account_id
    told = history(contacts=[(7, 0)])
    Crm(database, account).write(records_of(told), source="story")
    log = Predictions(database, account)
    served = pl.DataFrame(
        [[1, 1], [5, 6], [1, None], ["f", "g"], [0.25, 0.75], [NOW, NOW]], schema=SERVED
    )
    assert log.log(ModelName.CHURN, served, now=NOW) == 2
    found = log.list(ModelName.CHURN)
    assert found.select(list(SERVED)).equals(served.reverse())
    assert log.list(ModelName.LEAD_SCORING).is_empty()


def test_an_answer_about_somebody_forgotten_since_is_not_kept(database: Database) -> None:
    account = ensure_account(database, "default", time_zone="UTC").account_id
    log = Predictions(database, account)
    served = pl.DataFrame([[1], [5], [7], ["f"], [0.25], [NOW]], schema=SERVED)
    assert log.log(ModelName.CHURN, served, now=NOW) == 0
