"""How many leads came, week by week."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select

from chatlift.store.database import Database
from chatlift.store.tables import LeadRow, ObservationRow


def new_leads_by_week(
    database: Database, account_id: int, *, weeks: int, now: datetime
) -> tuple[int, ...]:
    """Count an account's leads created in each of the last weeks, newest week first.

    Time passes by what was observed: the newest week ends where the source that reaches furthest
    does, and not later than now.
    """
    observed = select(func.max(ObservationRow.observed_through)).where(
        ObservationRow.account_id == account_id
    )
    with database.of_account(account_id).read() as connection:
        reached = connection.scalar(observed)
        end = now if reached is None else min(now, reached)
        ends = [end - timedelta(weeks=week) for week in range(weeks + 1)]
        counts = [
            func.count().filter(LeadRow.created_at > start, LeadRow.created_at <= stop)
            for stop, start in pairwise(ends)
        ]
        mine = select(*counts).select_from(LeadRow).where(LeadRow.account_id == account_id)
        return tuple(connection.execute(mine).one())
