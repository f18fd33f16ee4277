"""The ladder in words."""

from chatlift.learn.ladder_words import (
    RUNG_WORDS,
    SHORT_WORDS,
    anchor_sentence,
    basis_lines,
    choice_sentence,
)
from chatlift.vocabulary import Rung


def test_every_rung_has_words() -> None:
    assert set(RUNG_WORDS) == set(SHORT_WORDS) == set(Rung)


def test_how_a_rung_was_chosen_counts_the_judged_fits() -> None:
    told = choice_sentence({"chosen_rungs": {"rule": 2, "full": 4, "blend": 9}})
    assert told.endswith("of 15 judged fits 9 chose blend, 4 full, 2 rule.")
    assert choice_sentence({"chosen_rungs": {"full": 1}}).endswith("the judged fit chose full.")
    assert "Set by a person: basis=rule." in choice_sentence(
        {"chosen_rungs": {"rule": 15}, "set_rung": "rule"}
    )


def test_a_shift_of_the_scores_is_told_with_its_sign() -> None:
    assert "raised by 4.2 points on average (0.18 in log-odds)" in anchor_sentence(
        {"anchor": 0.18, "anchor_points": 4.21}
    )
    assert "lowered by 4.2 points" in anchor_sentence({"anchor": -0.18, "anchor_points": -4.2})
    assert "no shift" in anchor_sentence({"anchor": 0.001, "anchor_points": 0.02})


def test_a_version_of_before_the_ladder_claims_nothing() -> None:
    assert basis_lines(Rung.FULL, {}) == [
        "Basis: full: the prescribed algorithm",
        "  Trained before there was a choice.",
    ]
