from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from chatlift.records import CONTACTS, LEADS, Records
from chatlift.store.crm import Crm
from chatlift.store.lead_counts import new_leads_by_week

END = datetime(2026, 3, 2, tzinfo=UTC)
DAYS_AGO = [0, 1, 6.9, 7, 7.1, 13, 20.9, 40]
"""Of the leads; one lies beyond three weeks."""


@pytest.fixture
def told(crm: Crm) -> Crm:
    leads = [
        {
            "external_id": f"lead {days}",
            "contact_external_id": "anna",
            "created_at": END - timedelta(days=days),
            "outcome": "open",
            "closed_at": None,
            "outcome_known_at": None,
        }
        for days in DAYS_AGO
    ]
    anna = dict.fromkeys(CONTACTS) | {"external_id": "anna", "created_at": END - timedelta(days=90)}
    records = Records(
        contacts=pl.DataFrame([anna], schema=CONTACTS), leads=pl.DataFrame(leads, schema=LEADS)
    )
    crm.write(records, source="shop")
    return crm


def test_leads_are_counted_by_weeks_back_from_the_end_of_what_was_observed(told: Crm) -> None:
    start = END - timedelta(days=90)
    told.write_observation("old export", observed_from=start, observed_through=start)
    told.write_observation("shop", observed_from=start, observed_through=END)
    a_year_later = END + timedelta(days=365)
    counts = new_leads_by_week(told.database, told.account_id, weeks=3, now=a_year_later)
    assert counts == (3, 3, 1)  # Ages 0, 1, 6.9; 7, 7.1, 13; 20.9 days.


def test_without_anything_observed_the_weeks_end_now(told: Crm) -> None:
    now = END - timedelta(days=7)
    assert new_leads_by_week(told.database, told.account_id, weeks=2, now=now) == (3, 1)
    assert new_leads_by_week(told.database, told.account_id + 1, weeks=2, now=now) == (0, 0)
