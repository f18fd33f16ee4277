"""Every change of the records is counted, and what changes nothing is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
from tests.histories import START, at
from tests.unit.store.test_derived import derived
from tests.unit.store.test_reading_contacts import told_by
from tests.unit.store.test_settling import told

from chatlift.records import Records
from chatlift.store.accounts import ensure_account, save_settings, save_time_zone
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.derived import replace_derived
from chatlift.store.forgetting import Forgetting
from chatlift.store.imports import write_piece
from chatlift.store.known_contacts import all_contacts
from chatlift.store.tombstones import tombstone_key

PHONES = {"anna": "+34600111222", "ben": "+34600333444"}


def is_change(crm: Crm, work: Callable[[], object]) -> bool:
    """Whether a change is counted while the work is done."""
    before = crm.records_revision()
    work()
    return crm.records_revision() > before


def assert_counted_once(crm: Crm, work: Callable[[], object]) -> None:
    """The work is a change, and doing it again is none."""
    assert is_change(crm, work)
    assert not is_change(crm, work)


def test_records_are_a_change_and_told_again_they_are_none(crm: Crm) -> None:
    assert_counted_once(crm, lambda: told_by("shop", crm, PHONES, START))


def test_a_piece_is_a_change_and_told_again_it_is_none(crm: Crm) -> None:
    told_by("shop", crm, PHONES, START)
    piece = told(5, "text", "hello")

    def write() -> None:
        write_piece(
            crm, piece, source="shop", imported_at=None, told_at=START, also=lambda *_: None
        )

    assert_counted_once(crm, write)


def test_what_is_told_better_is_a_change(crm: Crm) -> None:
    crm.write(told(5, "untold"), source="cloud")
    better = told(2, "template", "Your order is paid")
    crm.write(replace(better, messages=better.messages.clear()), source="cloud")
    assert_counted_once(crm, lambda: crm.settle(better, source="cloud"))


def test_what_was_observed_is_a_change(crm: Crm) -> None:
    told_by("shop", crm, PHONES, START)

    def observe(day: float) -> Callable[[], None]:
        return lambda: crm.write_observation("shop", observed_from=at(0), observed_through=at(day))

    assert_counted_once(crm, observe(60))
    assert not is_change(crm, observe(55))
    assert_counted_once(
        crm, lambda: crm.write_contact_observations("shop", ["ben"], observed_through=at(70))
    )
    assert_counted_once(crm, lambda: crm.write_gap("shop", gap_from=at(5), gap_through=at(6)))


def test_who_is_the_same_person_is_a_change(crm: Crm) -> None:
    told_by("shop", crm, PHONES, START)
    told_by("app", crm, {"a1": PHONES["anna"]}, START)
    assert_counted_once(crm, crm.link)


def test_derived_leads_are_a_change(crm: Crm) -> None:
    told_by("shop", crm, PHONES, START)
    contact_id = crm.contact_ids_of(["anna"])["anna"]

    def derive(*outcomes: str) -> Callable[[], object]:
        leads = derived(contact_id, *outcomes)
        return lambda: replace_derived(crm, "derived", leads, contact_source=None)

    assert_counted_once(crm, derive("open", "won"))
    assert_counted_once(crm, derive("open", "lost"))
    assert_counted_once(crm, derive("open"))


def test_what_is_deleted_is_a_change(database: Database) -> None:
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    crm = Crm(database, account_id, tombstone_key=tombstone_key(b"secret", "default"))
    told_by("shop", crm, PHONES, START)
    (anna,) = [contact for contact in all_contacts(crm) if contact.external_id == "anna"]

    def forget() -> None:
        forgetting = Forgetting(crm, [anna])
        forgetting.begin(now=START)
        forgetting.delete_messages(now=START)
        forgetting.delete_contacts()

    assert is_change(crm, forget)
    assert is_change(crm, lambda: crm.delete_source("shop"))
    assert crm.read_history().contacts.is_empty()


def test_another_clock_is_a_change_and_another_target_is_none(crm: Crm) -> None:
    account_id = crm.account_id
    assert is_change(crm, lambda: save_time_zone(crm.database, account_id, "Europe/Madrid"))
    assert not is_change(crm, lambda: save_settings(crm.database, account_id, {}))


def test_nothing_told_is_no_change(crm: Crm) -> None:
    assert not is_change(crm, lambda: crm.write(Records(), source="shop"))
    refused = told(1, "text").messages.with_columns(contact_external_id=pl.lit("nobody"))
    assert not is_change(crm, lambda: crm.write(Records(messages=refused), source="shop"))
