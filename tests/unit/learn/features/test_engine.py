"""What features may know: only the contact's own records strictly before the cutoff."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift import history as shapes
from chatlift.errors import Conflict, InvalidInput
from chatlift.history import History
from chatlift.learn.features.asof import AsOf
from chatlift.learn.features.attributes import attributes_as_of
from chatlift.learn.features.catalogue import all_features, catalogue, merged
from chatlift.learn.features.declare import Feature
from chatlift.learn.features.engine import compute_features
from chatlift.learn.features.quantiles import Buckets
from chatlift.learn.features.text import (
    TextWeights,
    hash_messages,
    inbound_windows,
    windowed_means,
)
from chatlift.records import INSTANT
from chatlift.vocabulary import FactSubject, ModelName

START = datetime(2026, 1, 1, tzinfo=UTC)
CUTOFF = START + timedelta(days=100)
CONTACTS = (1, 2, 3)
TEXTS = ("how much?", "ok 12", "😀", "", None, "¿cuándo?", "thanks a lot")

PLUGIN = """
import polars as pl
from chatlift.learn.features.declare import Feature

def offered():
    return [Feature(
        name="long_messages_received_count_30d", meaning="long messages", unit="messages",
        null_means="not observed", group="shape", high="writes at length", low="writes briefly",
        compute=lambda asof: asof.total(pl.col("is_in") & (pl.col("characters_in") > 5), 30),
    )]
"""


@pytest.fixture(autouse=True, scope="module")
def installed_plugin(tmp_path_factory: pytest.TempPathFactory):
    """A package that offers one feature through the entry point group."""
    site = tmp_path_factory.mktemp("site")
    info = site / "made_features-1.0.dist-info"
    info.mkdir()
    told = "Metadata-Version: 2.1\nName: made-features\nVersion: 1.0\n"
    (info / "METADATA").write_text(told, encoding="utf-8")
    points = "[chatlift.features]\nmade = made_features:offered\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    Path(site / "made_features.py").write_text(PLUGIN, encoding="utf-8")
    sys.path.insert(0, str(site))
    yield
    sys.path.remove(str(site))
    sys.modules.pop("made_features", None)


def moments(first: int, last: int) -> st.SearchStrategy[datetime]:
    """Instants in days from START; often the cutoff itself or a microsecond beside it."""
    return st.integers(first * 86_400, last * 86_400).map(lambda s: START + timedelta(seconds=s))


BEFORE = st.one_of(moments(0, 99), st.just(CUTOFF - timedelta(microseconds=1)))
FROM_CUTOFF = st.one_of(moments(100, 130), st.just(CUTOFF))


def message_rows(when: st.SearchStrategy[datetime], contacts=CONTACTS, most: int = 25):
    one = st.tuples(
        st.sampled_from(contacts),
        when,
        st.sampled_from(["in", "out"]),
        st.sampled_from(["text", "text", "image"]),
        st.sampled_from(TEXTS),
        st.booleans(),
    )
    return st.lists(one, max_size=most)


def fact_rows(when: st.SearchStrategy[datetime]):
    one = st.tuples(
        st.sampled_from(["contact", "lead"]),
        st.sampled_from(CONTACTS),
        st.sampled_from(["plan", "value", "source"]),
        st.sampled_from(["1", "20.5", "gold"]),
        when,
    )
    return st.lists(one, max_size=6)


def made_history(messages, facts=(), later_leads=(), contacts=CONTACTS, zone="Europe/Madrid"):
    """One lead per contact (same id), created on day 40; `later_leads` come on top."""
    lines = [
        (i, contact, i, direction, kind, text, sent_at, automatic)
        for i, (contact, sent_at, direction, kind, text, automatic) in enumerate(messages)
    ]
    leads = [(c, str(c), c, START + timedelta(days=40), "open", None, None) for c in contacts]
    leads += [(100 + i, "x", c, at, "won", at, at) for i, (c, at) in enumerate(later_leads)]
    dated = [(s, i, n, v, at) for s, i, n, v, at in facts]
    people = [(c, str(c), "made", START, None) for c in contacts]

    def shaped(rows, schema, *order):
        return pl.DataFrame(rows, schema=schema, orient="row").sort(*order, maintain_order=True)

    return History(
        contacts=shaped(people, shapes.CONTACTS, "contact_id"),
        messages=shaped(lines, shapes.MESSAGES, "contact_id", "sent_at", "message_id"),
        leads=shaped(leads, shapes.LEADS, "lead_id"),
        facts=shaped(dated, shapes.FACTS, "subject", "name", "subject_id", "known_at"),
        observations=shaped(
            [("made", START, START + timedelta(days=200))], shapes.OBSERVATIONS, "source"
        ),
        time_zone=zone,
    )


def examples_of(contacts=CONTACTS, cutoff: datetime = CUTOFF) -> pl.DataFrame:
    """With a lead and without one: leads, contacts and sends are all such rows."""
    rows = [(c, cutoff, lead) for c in contacts for lead in (c, None)]
    schema = {"contact_id": pl.Int64, "cutoff": INSTANT, "lead_id": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def text_scores(history: History, examples: pl.DataFrame) -> np.ndarray:
    weights = np.random.default_rng(0).integers(-(10**6), 10**6, 2**15).astype(np.int32)
    found = inbound_windows(history, examples, days=30)
    scores = TextWeights(weights=weights).message_scores(hash_messages(found.texts, b"key"))
    return windowed_means(scores, found.starts, found.ends)


@settings(max_examples=20, deadline=None)
@given(
    message_rows(BEFORE),
    fact_rows(BEFORE),
    message_rows(FROM_CUTOFF, most=10),
    fact_rows(FROM_CUTOFF),
    st.lists(st.tuples(st.sampled_from(CONTACTS), FROM_CUTOFF), max_size=3),
)
def test_nothing_known_at_or_after_the_cutoff_changes_anything(
    before, facts, after, later_facts, later_leads
):
    then = made_history(before, facts)
    now = made_history(before + after, facts + later_facts, later_leads)
    closed = pl.when(pl.col("lead_id") == 1).then(pl.lit(CUTOFF, dtype=INSTANT))
    now = replace(now, leads=now.leads.with_columns(closed_at=closed, outcome_known_at=closed))
    examples = examples_of()
    features = all_features()
    assert "long_messages_received_count_30d" in {feature.name for feature in features}
    first, second = (compute_features(h, examples, features) for h in (then, now))
    assert first.equals(second)
    known, later = (attributes_as_of(h, examples) for h in (then, now))
    for column in later.get_columns():  # One that only came later is unknown throughout.
        earlier = known[column.name] if column.name in known.columns else column.clear(len(column))
        assert column.equals(earlier)
    np.testing.assert_array_equal(text_scores(then, examples), text_scores(now, examples))


@settings(max_examples=12, deadline=None)
@given(message_rows(moments(0, 120), most=40))
def test_single_equals_batch_and_other_contacts_change_nothing(messages):
    batch = compute_features(made_history(messages), examples_of(), all_features())
    for number, contact in enumerate(CONTACTS):
        own = [message for message in messages if message[0] == contact]
        alone = compute_features(
            made_history(own, contacts=(contact,)), examples_of((contact,)), all_features()
        )
        assert alone.equals(batch[2 * number : 2 * number + 2])


@settings(max_examples=20, deadline=None)
@given(message_rows(moments(0, 120), contacts=(1,), most=40), st.sampled_from([7, 30, 90]))
def test_window_features_agree_with_counting_by_hand(messages, days):
    history = made_history(messages, contacts=(1,), zone="UTC")
    row = compute_features(history, examples_of((1,)), all_features()).row(0, named=True)
    begin = CUTOFF - timedelta(days=days)
    window = [m for m in messages if begin <= m[1] < CUTOFF]
    inbound = [m for m in window if m[2] == "in"]
    assert row[f"messages_received_count_{days}d"] == len(inbound)
    assert row[f"messages_sent_count_{days}d"] == len(window) - len(inbound)
    if days == 30:
        assert row["media_received_count_30d"] == sum(m[3] == "image" for m in inbound)
        asked = sum(m[4] in ("how much?", "¿cuándo?") for m in inbound)
        assert row["questions_received_count_30d"] == asked
        assert row["long_messages_received_count_30d"] == sum(len(m[4] or "") > 5 for m in inbound)
    last = max((m[1] for m in messages if m[2] == "in" and m[1] < CUTOFF), default=None)
    hours = None if last is None else (CUTOFF - last) / timedelta(hours=1)
    assert row["hours_since_last_message_in"] == pytest.approx(hours)


@settings(max_examples=20, deadline=None)
@given(message_rows(moments(0, 99), contacts=(1,), most=40))
def test_sends_and_answers_agree_with_a_walk_through_the_messages(messages):
    history = made_history(messages, contacts=(1,))
    row = compute_features(history, examples_of((1,)), all_features()).row(0, named=True)
    sends, answered, open_send, previous = 0, 0, None, None
    for _, sent_at, direction, _, _, is_automatic in sorted(messages, key=lambda m: m[1]):
        quiet = previous is None or sent_at - previous >= timedelta(hours=24)
        if direction == "out" and quiet and not is_automatic:
            sends, open_send = sends + 1, sent_at
        elif direction == "in" and open_send is not None:
            answered += sent_at - open_send <= timedelta(hours=24)
            open_send = None
        previous = sent_at
    assert row["sends_count"] == sends
    expected = min((answered + 1) / (sends + 2), 1) if sends else None
    assert row["sends_answered_share"] == pytest.approx(expected)


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9]))
def test_bucketed_quantiles_lie_within_ten_percent(values, share):
    buckets = Buckets(np.array(values))
    for start in (0, len(values) // 2):
        found = buckets.quantile(np.array([start]), np.array([len(values)]), share)[0]
        assert found == pytest.approx(np.quantile(values[start:], share), rel=0.1)


@settings(max_examples=12, deadline=None)
@given(message_rows(moments(0, 120), most=40), fact_rows(BEFORE))
def test_every_feature_is_emitted_once_and_stays_in_its_range(messages, facts):
    features = all_features()
    values = compute_features(made_history(messages, facts), examples_of(), features)
    assert values.columns == [feature.name for feature in features]
    for feature in features:
        column = values[feature.name]
        assert column.dtype == pl.Float64
        assert not column.is_nan().any()
        low, high = column.min(), column.max()
        assert low is None or feature.minimum is None or low >= feature.minimum, feature.name
        assert high is None or feature.maximum is None or high <= feature.maximum, feature.name


def test_windows_before_the_source_was_observed_are_unknown():
    history = made_history([(1, START + timedelta(days=1), "in", "text", "hi", False)])
    examples = examples_of((1,), START + timedelta(days=20))
    row = compute_features(history, examples, all_features()).row(0, named=True)
    assert row["messages_received_count_7d"] == 0
    assert row["messages_received_count_30d"] is None
    assert row["messages_received_count"] == 1


def test_a_fact_counts_from_the_microsecond_after_it_was_known():
    facts = [("lead", 1, "value", "5", CUTOFF)]
    history = made_history([], facts)
    assert AsOf(history, examples_of((1,))).fact(FactSubject.LEAD, "value").to_list() == [None] * 2
    later = examples_of((1,), CUTOFF + timedelta(microseconds=1))
    assert AsOf(history, later).fact(FactSubject.LEAD, "value").to_list() == ["5", None]


@pytest.mark.parametrize(
    "measure",
    [pl.col("is_in").shift(-1), pl.col("hour") > pl.col("hour").max(), pl.col("is_in").reverse()],
)
def test_a_measure_that_might_look_ahead_is_refused(measure):
    view = AsOf(made_history([(1, START, "in", "text", "hi", False)]), examples_of())
    with pytest.raises(InvalidInput, match="might see the future"):
        view.total(measure)


def test_two_features_of_one_name_name_both_origins():
    feature = catalogue(ModelName.CHURN)[0]
    with pytest.raises(Conflict, match=r"first.*second"):
        merged([("first", [feature]), ("second", [feature])])


def test_a_feature_without_words_is_refused():
    with pytest.raises(InvalidInput, match="no high"):
        Feature(
            name="made",
            meaning="m",
            unit="u",
            null_means="n",
            group="g",
            high=" ",
            low="l",
            compute=lambda asof: asof.unknown,
        )


def test_empty_history_gives_rows_without_errors():
    values = compute_features(History(), examples_of(), all_features())
    assert values.height == 6
    assert compute_features(History(), examples_of()[:0], all_features()).height == 0
