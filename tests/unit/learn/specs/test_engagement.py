from __future__ import annotations

import pytest
from tests.histories import at, history

from chatlift.learn.specs.base import Asked, Spans
from chatlift.learn.specs.engagement import contacts_to_write_to, send_examples


def sends(
    *messages: tuple[int, str, float, str], through: float = 50, **more: object
) -> list[tuple[object, ...]]:
    story = history(contacts=[(1, 0)], messages=list(messages), through=through, **more)  # type: ignore[arg-type]
    return send_examples(story, Spans()).select("cutoff", "label").rows()


def test_only_the_first_message_after_a_day_of_quiet_is_a_send() -> None:
    burst = [(1, "out", 1.0, "a"), (1, "out", 1.1, "b"), (1, "out", 2.5, "c")]
    assert sends(*burst) == [(at(1), 0), (at(2.5), 0)]


def test_an_answer_within_a_day_makes_the_label_one() -> None:
    assert sends((1, "out", 1.0, "a"), (1, "in", 1.9, "yes")) == [(at(1), 1)]
    assert sends((1, "out", 1.0, "a"), (1, "in", 2.1, "late")) == [(at(1), 0)]


def test_a_business_message_that_answers_is_no_send() -> None:
    assert sends((1, "in", 1.0, "hello"), (1, "out", 1.2, "hi")) == []


def test_a_send_whose_day_is_not_over_stays_undecided_even_when_answered() -> None:
    assert sends((1, "out", 1.0, "a"), (1, "in", 1.1, "yes"), through=1.5) == [(at(1), None)]


def test_a_contact_that_has_opted_out_is_left_out_from_then_on() -> None:
    told = [(1, "out", 1.0, "a"), (1, "out", 5.0, "b")]
    assert sends(*told, facts=[("contact", 1, "opted_out", "true", 3)]) == [(at(1), 0)]


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "failed"])
@pytest.mark.parametrize("known", [1.0, 1.00001, 3.0])
def test_what_becomes_of_a_send_never_chooses_the_examples(status: str, known: float) -> None:
    told = [(1, "out", 1.0, "a"), (1, "out", 5.0, "b")]
    fact = ("message", 1, "status", status, known)
    assert sends(*told, facts=[fact]) == [(at(1), 0), (at(5), 0)]


def test_a_send_that_failed_is_answered_where_a_second_try_is() -> None:
    told = [(1, "out", 1.0, "a"), (1, "out", 1.1, "again"), (1, "in", 1.3, "yes")]
    assert sends(*told, facts=[("message", 1, "status", "failed", 1.01)]) == [(at(1), 1)]


def test_an_opt_out_after_the_send_leaves_its_example() -> None:
    told = [(1, "out", 1.0, "a")]
    assert sends(*told, facts=[("contact", 1, "opted_out", "true", 1.01)]) == [(at(1), 0)]


def test_nobody_who_opted_out_is_offered_for_writing() -> None:
    story = history(
        contacts=[(1, 0), (2, 0)],
        facts=[("contact", 1, "opted_out", "true", 3), ("contact", 2, "opted_out", "true", 9)],
    )
    asked = Asked.at([1, 2, 3], at(5))
    assert contacts_to_write_to(story, Spans(), asked).get_column("contact_id").to_list() == [2]
