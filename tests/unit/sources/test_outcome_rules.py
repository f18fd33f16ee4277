import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.sources.outcome_rules import OutcomeRule, Term, TermKind, normalised, parse_rule

WORDS = st.text("abcdeñé:=_-0123 ", min_size=1, max_size=12).map(normalised)
VALUES = st.lists(WORDS.filter(bool), min_size=1, max_size=3).map(tuple)
TERMS = st.builds(Term, kind=st.sampled_from(TermKind), values=VALUES)
RULES = st.lists(TERMS, min_size=1, max_size=3).map(lambda told: OutcomeRule(terms=tuple(told)))


@given(RULES)
def test_a_rule_that_is_told_is_read_back_the_same(rule: OutcomeRule) -> None:
    assert parse_rule(rule.told()) == rule


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("tag:paid", "tag", ("paid",)),
        ("TAG:Paid", "tag", ("paid",)),
        (
            'phrase:"order confirmed"|"pago recibido"',
            "phrase",
            ("order confirmed", "pago recibido"),
        ),
        ("phrase-out:sent|shipped", "phrase-out", ("sent", "shipped")),
        ("template:order_paid", "template", ("order_paid",)),
        ("fact:stage=paid", "fact", ("stage=paid",)),
        ('fact:stage="closed won"', "fact", ("stage=closed won",)),
    ],
)
def test_each_kind_of_term_is_read(text: str, kind: str, values: tuple[str, ...]) -> None:
    assert parse_rule(text).terms == (Term(kind=TermKind(kind), values=values),)


@pytest.mark.parametrize(
    "text", ["", "paid", "tag:", "tag:paid and tag:won", "stage:paid", 'phrase:"open', 'tag:""']
)
def test_what_is_no_rule_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput, match="tag:paid"):
        parse_rule(text)
