"""Real and generated records never stand in one account."""

from __future__ import annotations

from chatlift.errors import Conflict
from chatlift.store.crm import Crm
from chatlift.vocabulary import SIMULATED


def refuse_mixing(crm: Crm, source: str) -> None:
    """Refuse records of a real source where generated ones are.

    Raises
    ------
    Conflict
        If the account holds generated records.
    """
    if source != SIMULATED and SIMULATED in crm.sources():
        raise Conflict(
            "This account holds generated records, and real ones must not be mixed with them. "
            "Import into another CHATLIFT_HOME or account."
        )
