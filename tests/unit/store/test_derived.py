from datetime import UTC, datetime, timedelta

import polars as pl

from chatlift.records import CONTACTS, LEADS, Records
from chatlift.store.crm import Crm
from chatlift.store.derived import TOLD, Replaced, leads_of_other_sources, replace_derived

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DERIVED = "derived"


def contact_of(crm: Crm, source: str) -> int:
    told = dict.fromkeys(CONTACTS) | {"external_id": source, "created_at": NOW}
    crm.write(Records(contacts=pl.DataFrame([told], schema=CONTACTS)), source=source)
    return crm.contact_ids_of([source], source=source)[source]


def derived(contact_id: int, *outcomes: str) -> pl.DataFrame:
    """One lead per outcome, a day apart."""
    rows = [
        (f"c-{day}", contact_id, NOW + timedelta(days=day), outcome, _end(outcome, day))
        for day, outcome in enumerate(outcomes)
    ]
    return pl.DataFrame(rows, schema=TOLD, orient="row")


def _end(outcome: str, day: int) -> datetime | None:
    return None if outcome == "open" else NOW + timedelta(days=day, hours=1)


def replace_all(crm: Crm, leads: pl.DataFrame) -> Replaced:
    return replace_derived(crm, DERIVED, leads, contact_source=None)


def test_the_same_leads_again_change_nothing(crm: Crm) -> None:
    leads = derived(contact_of(crm, "chats"), "won", "open")
    assert replace_all(crm, leads) == Replaced(new=2, changed=0, unchanged=0, gone=0)
    before = crm.read_history().leads
    assert replace_all(crm, leads) == Replaced(new=0, changed=0, unchanged=2, gone=0)
    assert crm.read_history().leads.equals(before)
    assert before["outcome_known_at"].to_list() == before["closed_at"].to_list()


def test_a_lead_that_stays_keeps_its_number_and_the_others_go(crm: Crm) -> None:
    contact = contact_of(crm, "chats")
    replace_all(crm, derived(contact, "open", "won", "won"))
    before = crm.lead_ids_of(["c-0"])
    changed = replace_all(crm, derived(contact, "lost", "won"))
    assert changed == Replaced(new=0, changed=1, unchanged=1, gone=1)
    assert crm.lead_ids_of(["c-0"]) == before
    assert crm.read_history().leads["outcome"].to_list() == ["lost", "won"]


def test_leads_that_were_told_are_left_alone_and_counted(crm: Crm) -> None:
    contact_of(crm, "chats")
    contact = contact_of(crm, "shop")
    told = {"external_id": "l1", "contact_external_id": "shop", "created_at": NOW}
    lead = dict.fromkeys(LEADS) | told | {"outcome": "open"}
    crm.write(Records(leads=pl.DataFrame([lead], schema=LEADS)), source="shop")
    replace_all(crm, derived(contact, "won"))
    replace_all(crm, derived(contact))
    assert crm.counts().leads == 1
    assert leads_of_other_sources(crm, DERIVED, contact_source=None) == 1
    assert leads_of_other_sources(crm, DERIVED, contact_source="chats") == 0


def test_leads_of_another_source_stay_where_one_is_derived(crm: Crm) -> None:
    chats, shop = contact_of(crm, "chats"), contact_of(crm, "shop")
    of_chats = derived(chats, "won", "open")
    of_shop = derived(shop, "lost").with_columns(external_id=pl.lit("s-0"))
    replace_derived(crm, DERIVED, of_chats, contact_source="chats")
    told = replace_derived(crm, DERIVED, of_shop, contact_source="shop")
    assert told == Replaced(new=1, changed=0, unchanged=0, gone=0)
    fewer = replace_derived(crm, DERIVED, of_chats.head(1), contact_source="chats")
    assert fewer == Replaced(new=0, changed=0, unchanged=1, gone=1)
    assert crm.read_history().leads["outcome"].to_list() == ["won", "lost"]
