"""The default synthetic CRM and its truth, looked at as the store and the models will."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from chatlift.records import CONTACTS, CONVERSATIONS, FACTS, LEADS, MESSAGES
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.grammar import POOL, compose_pools
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import Progress

UNTIL = datetime(2026, 3, 4, 10, 37, tzinfo=UTC)


def request(**changed):
    return SimulationRequest(**({"until": UNTIL, "seed": 1000} | changed))


@pytest.fixture(scope="module")
def easy():
    return simulate_crm(request())


@pytest.fixture(scope="module")
def many():
    """Enough contacts for rates to be told from chance."""
    return simulate_crm(
        request(contacts=3000, conversations=3000, closed_leads=2500, open_leads=100,
                difficulty=Difficulty.REALISTIC)
    )  # fmt: skip


def test_the_default_counts_are_exact(easy):
    records = easy.records
    assert (records.contacts.height, records.conversations.height) == (200, 150)
    outcomes = dict(records.leads.group_by("outcome").len().iter_rows())
    assert outcomes == {"won": 36, "lost": 84, "open": 30}
    assert records.messages.height > 5000


def test_records_have_the_contract_s_columns(easy):
    records = easy.records
    assert records.contacts.schema == CONTACTS
    assert records.conversations.schema == CONVERSATIONS
    assert records.messages.schema == MESSAGES
    assert records.leads.schema == LEADS
    assert records.facts.schema == FACTS


def test_every_record_names_one_that_exists(easy):
    records = easy.records
    contacts = set(records.contacts["external_id"])
    for rows in (records.conversations, records.messages, records.leads):
        assert set(rows["contact_external_id"]) <= contacts
    known = {
        "contact": contacts,
        "lead": set(records.leads["external_id"]),
        "message": set(records.messages["external_id"]),
    }
    for subject, rows in records.facts.partition_by("subject", as_dict=True).items():
        assert set(rows["subject_external_id"]) <= known[subject[0]]


@pytest.mark.parametrize("difficulty", list(Difficulty))
def test_the_same_request_gives_the_same_crm_and_another_seed_another(difficulty):
    small = {"contacts": 30, "conversations": 20, "closed_leads": 10, "open_leads": 5}
    first, again, other = (
        simulate_crm(request(**small, difficulty=difficulty, seed=seed)) for seed in (1, 1, 2)
    )
    for name in ("contacts", "conversations", "messages", "leads", "facts"):
        assert getattr(first.records, name).equals(getattr(again.records, name))
    assert not first.records.messages.equals(other.records.messages)
    assert first.truth.contacts.equals(again.truth.contacts)


def test_nothing_is_dated_after_the_end(easy):
    records = easy.records
    dated = [
        records.contacts["created_at"],
        records.messages["sent_at"],
        records.leads["created_at"],
        records.leads["closed_at"],
        records.facts["known_at"],
    ]
    assert all(instants.drop_nulls().max() <= UNTIL for instants in dated)


def test_closed_leads_are_older_than_the_horizon_and_open_ones_younger(easy):
    age = UNTIL - pl.col("created_at")
    leads = easy.records.leads.with_columns(age=age)
    closed = leads.filter(pl.col("outcome") != "open")
    assert closed["age"].min() >= timedelta(days=30)
    assert leads.filter(pl.col("outcome") == "open")["age"].max() <= timedelta(days=30)
    assert closed.filter(pl.col("closed_at") <= pl.col("created_at")).is_empty()


def test_a_lead_writes_eight_messages_in_its_first_week_and_most_are_open_after_it(easy):
    leads = easy.records.leads.filter(pl.col("outcome") != "open")
    first_week = (
        leads.join(easy.records.messages, on="contact_external_id")
        .filter(
            pl.col("direction") == "in",
            pl.col("sent_at") < pl.col("created_at") + pl.duration(days=7),
        )
        .group_by("external_id")
        .len()
    )
    assert first_week.height == 120
    assert first_week["len"].min() >= 8
    won = leads.filter(pl.col("outcome") == "won")
    assert (won["closed_at"] - won["created_at"] > timedelta(days=7)).mean() > 0.75


def test_nobody_writes_after_asking_not_to_be_written_to(many):
    opted_out = many.records.facts.filter(pl.col("name") == "opted_out")
    later = opted_out.join(
        many.records.messages, left_on="subject_external_id", right_on="contact_external_id"
    ).filter(pl.col("sent_at") > pl.col("known_at") + pl.duration(hours=2))
    assert opted_out.height > 20
    assert later.is_empty()


def test_some_fields_are_missing_and_some_sends_fail(easy):
    facts = easy.records.facts
    assert 0 < easy.records.contacts["name"].null_count() < 40
    assert 100 < facts.filter(pl.col("name") == "city").height < 200
    assert facts.filter(pl.col("name") == "status", pl.col("value") == "failed").height > 3


def test_a_campaign_reaches_many_contacts_within_an_hour(many):
    sends = many.records.messages.join(many.truth.sends, on="external_id", how="semi")
    by_hour = sends.group_by(pl.col("sent_at").dt.truncate("1h")).len()["len"]
    assert by_hour.max() > 10 * by_hour.median()


def test_every_language_and_intent_has_hundreds_of_sentences():
    pools = compose_pools(np.random.default_rng(0))
    distinct = [pools.slice(start, POOL).n_unique() for start in range(0, len(pools), POOL)]
    # Terse intents (short answers, stop, automatic welcome) have fewer; nobody composes those.
    assert min(distinct) >= 15
    assert sorted(distinct)[len(distinct) // 3] > 1000
    assert not any("{" in sentence for sentence in pools)


def test_an_answer_to_a_send_comes_as_often_as_the_truth_says(many):
    messages, truth = many.records.messages, many.truth.sends
    inbound = messages.filter(pl.col("direction") == "in").select(
        "contact_external_id", pl.col("sent_at").alias("next_at")
    )
    sends = (
        messages.join(truth, on="external_id")
        .sort("sent_at")
        .join_asof(
            inbound.sort("next_at"), left_on="sent_at", right_on="next_at",
            by="contact_external_id", strategy="forward", check_sortedness=False,
        )
        .filter(pl.col("sent_at") + pl.duration(hours=24) <= UNTIL)
        .with_columns(
            answered=(pl.col("next_at") - pl.col("sent_at") <= pl.duration(hours=24))
            .fill_null(value=False)
        )
    )  # fmt: skip
    assert_calibrated(sends, "answered", within=0.03)


def test_contacts_fall_silent_as_often_as_the_truth_says(many):
    inbound = (
        many.records.messages.filter(pl.col("direction") == "in")
        .select(pl.col("contact_external_id").alias("external_id"), "sent_at")
        .sort("sent_at")
    )
    cutoffs = many.truth.contacts.sort("cutoff").join_asof(
        inbound, left_on="cutoff", right_on="sent_at", by="external_id", strategy="forward",
        check_sortedness=False,
    )  # fmt: skip
    horizon = pl.col("cutoff") + pl.duration(days=30)
    silent = cutoffs.with_columns(silent=(pl.col("sent_at") >= horizon).fill_null(value=True))
    assert cutoffs["cutoff"].dt.weekday().unique().to_list() == [1]
    # The truth does not know the calendar of campaigns, hence the wider bound.
    assert_calibrated(silent, "silent", within=0.06)


def test_leads_are_won_as_often_as_the_truth_says(many):
    in_time = pl.col("closed_at") <= pl.col("created_at") + pl.duration(days=30)
    leads = (
        many.records.leads.filter(pl.col("outcome") != "open")
        .join(many.truth.leads, on="external_id")
        .with_columns(won=(pl.col("outcome") == "won") & in_time)
    )
    assert_calibrated(leads, "won", within=0.08)
    still_open = leads.filter(pl.col("closed_at") >= pl.col("created_at") + pl.duration(days=7))
    assert still_open.height < leads.height
    after_week = still_open.with_columns(probability="probability_after_week")
    assert_calibrated(after_week, "won", within=0.08)
    gaps = [rows["won"].mean() - rows["probability"].mean() for rows in (after_week, still_open)]
    # The quick wins are over, and the chance of before does not know it.
    assert abs(gaps[0]) < 0.008 < 0.016 < abs(gaps[1])


def assert_calibrated(rows, label, *, within):
    """Compare the share of `label` with the mean probability in each fifth of the rows."""
    fifths = (
        rows.with_columns(fifth=pl.col("probability").rank("ordinal") * 5 // (rows.height + 1))
        .group_by("fifth")
        .agg(gap=pl.col(label).mean() - pl.col("probability").mean())
    )
    assert fifths["gap"].abs().max() < within


def test_drift_changes_answers_in_the_last_third_only():
    small = {"contacts": 400, "conversations": 400, "closed_leads": 0, "open_leads": 0}
    rates = []
    for drift in (0.0, 1.0):
        simulated = simulate_crm(request(**small, drift=drift))
        sends = simulated.records.messages.join(simulated.truth.sends, on="external_id")
        changes_at = request().first_midnight + timedelta(days=request().drift_day)
        late = pl.col("sent_at") >= changes_at
        rates.append([sends.filter(part)["probability"].mean() for part in (~late, late)])
    # On the very day before the change, the chance of a message tomorrow already differs.
    assert rates[0][0] == pytest.approx(rates[1][0], abs=1e-3)
    assert rates[1][1] < 0.8 * rates[0][1]


def test_the_work_can_be_stopped_between_steps():
    class Stop(Exception):
        pass

    def stop(step: Progress):
        if step.phase == "messages":
            raise Stop

    with pytest.raises(Stop):
        simulate_crm(request(), report=stop)
