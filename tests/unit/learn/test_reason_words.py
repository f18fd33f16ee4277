"""Sentences: the fact that a seller can check, its yardstick, and silence where it does not fit."""

from __future__ import annotations

import math

import pytest

from chatlift.learn.features.attributes import AttributeEncoder, EncodedAttribute
from chatlift.learn.features.catalogue import all_features, catalogue
from chatlift.learn.reason_evidence import ColumnEvidence
from chatlift.learn.reason_words import ColumnWords, Known, words_of_columns
from chatlift.learn.specs.base import Outcome
from chatlift.vocabulary import ModelName

KNOWN = Known(outcome=Outcome(happened="bought", did_not_happen="did not buy"), base_rate=0.29)
ENCODER = AttributeEncoder(
    attributes=(
        EncodedAttribute(name="lead.source", kind="category", categories=("Referral",)),
        EncodedAttribute(name="lead.is_urgent", kind="boolean"),
        EncodedAttribute(name="contact.company_size", kind="number"),
        EncodedAttribute(name="contact.renewal", kind="date"),
    )
)
OUR_WORDS = ("cutoff", "snapshot", "known as", "observed", "null", "nan", "smoothed", "{", "None")


def column(name: str, **evidence: object) -> ColumnWords:
    features = {feature.name: feature for feature in catalogue(ModelName.LEAD_SCORING)}
    given = {name: ColumnEvidence(**evidence)}  # type: ignore[arg-type]
    [words] = words_of_columns([name], ENCODER, features, given, KNOWN)
    return words


def test_a_category_is_told_with_its_rate_and_that_of_all() -> None:
    words = column("lead.source=Referral", rate=0.41, rate_without=0.2)
    told = words.sentence(1.0, 0.0, None, raises=True)
    assert told == "source Referral: 41 % of those bought, 29 % of all"
    assert words.sentence(1.0, 0.0, None, raises=False) is None
    assert words.sentence(0.0, 0.0, None, raises=False) is None


def test_a_rate_that_reads_like_that_of_all_is_not_told() -> None:
    assert column("lead.source=Referral", rate=0.294).sentence(1.0, 0.0, None, raises=True) is None


def test_a_category_of_fewer_than_ten_contacts_is_not_told() -> None:
    assert column("lead.source=Referral").sentence(1.0, 0.0, None, raises=True) is None
    other = column("lead.source=other", rate=0.9)
    assert other.sentence(1.0, 0.0, None, raises=True) is None


def test_an_unknown_value_is_told_only_where_it_helped() -> None:
    shown = column("lead.source=missing", rate=0.1, missing_rate=0.1)
    silent = column("lead.source=missing", rate=0.1)
    told = "no source is given: 10 % of those bought, 29 % of all"
    assert shown.sentence(1.0, 0.0, None, raises=False) == told
    assert silent.sentence(1.0, 0.0, None, raises=False) is None
    size = column("contact.company_size", direction=1)
    assert size.sentence(math.nan, 8.0, None, raises=False) is None


def test_yes_and_no_have_rates() -> None:
    words = column("lead.is_urgent", rate=0.6, rate_without=0.1)
    assert words.sentence(1.0, 0.0, None, raises=True) == (
        "is urgent: yes: 60 % of those bought, 29 % of all"
    )
    assert words.sentence(0.0, 0.0, None, raises=False) == (
        "is urgent: no: 10 % of those bought, 29 % of all"
    )


def test_numbers_and_dates_stand_beside_the_usual_one() -> None:
    size, renewal = (
        column("contact.company_size", direction=1),
        column("contact.renewal", direction=-1),
    )
    assert size.sentence(1250.0, 8.0, None, raises=True) == "company size 1,250; most 8"
    assert (
        renewal.sentence(-12.0, 200.0, None, raises=True) == "renewal in 12 days; most 7 months ago"
    )


def test_a_value_in_the_middle_third_is_no_reason() -> None:
    words = column("contact.company_size", direction=1, middle=(6.0, 12.0))
    assert words.sentence(12.0, 8.0, None, raises=True) is None
    assert words.sentence(13.0, 8.0, None, raises=True) == "company size 13; most 8"


@pytest.mark.parametrize("direction", [-1, 0, 1])
def test_a_sentence_speaks_one_way_only(direction: int) -> None:
    words = column("reply_delay_median_hours", direction=direction)
    told = {
        (value, raises): words.sentence(value, 3.0, None, raises=raises)
        for value in (0.1, 20.0)
        for raises in (True, False)
    }
    fast, slow = (
        "answers within 6 minutes; most take 3 hours",
        "takes 20 hours to answer; most take 3 hours",
    )
    assert {key: text for key, text in told.items() if text} == {
        -1: {(0.1, True): fast, (20.0, False): slow},
        0: {},
        1: {(0.1, False): fast, (20.0, True): slow},
    }[direction]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 2.0, 7.5, 5000.0])
def test_no_word_of_ours_reaches_a_seller(value: float) -> None:
    for feature in all_features():
        evidence = {
            feature.name: ColumnEvidence(direction=1, rate=0.9, rate_without=0.9, missing_rate=0.9)
        }
        features = {feature.name: feature}
        [words] = words_of_columns([feature.name], ENCODER, features, evidence, KNOWN)
        told = [
            words.sentence(value, usual, 4.0, raises=raises)
            for usual in (0.1, 0.9, 3.0)
            for raises in (True, False)
        ]
        told.append(words.sentence(math.nan, 1.0, None, raises=True))
        for text in filter(None, told):
            assert not [word for word in OUR_WORDS if word in text], (feature.name, text)
            assert " 1 messages" not in text
            assert "1 days" not in text.replace("11 days", "").replace("21 days", "")
