"""The ladder in words: what each rung is, how it was chosen, how far scores were anchored.

Input: an evaluation as `reporting.evaluation_to_json` gives it. Output: sentences for people. Every
surface that shows a version takes them from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from chatlift.vocabulary import Rung

RUNG_WORDS: Mapping[Rung, str] = MappingProxyType(
    {
        Rung.RULE: "the simple rule alone",
        Rung.SHRUNKEN: "the prescribed algorithm, held close to the simple rule",
        Rung.FULL: "the prescribed algorithm",
        Rung.BLEND: "a weighted sum of the prescribed algorithm, a companion and the simple rule",
    }
)
"""What the scores of a version on this rung are made of."""
SHORT_WORDS: Mapping[Rung, str] = MappingProxyType(
    {
        Rung.RULE: "the simple rule",
        Rung.SHRUNKEN: "a model held close to it",
        Rung.FULL: "the full model",
        Rung.BLEND: "a blend",
    }
)
SMALLEST_SHIFT_POINTS = 0.05
"""A smaller mean shift of the scores is shown as none."""


def basis_words(basis: Rung) -> str:
    """Return a rung with what it is.

    Examples
    --------
    >>> basis_words(Rung.RULE)
    'rule: the simple rule alone'
    """
    return f"{basis}: {RUNG_WORDS[basis]}"


def listed_rungs(rungs: Sequence[Rung]) -> str:
    """Return rungs as they are listed in a sentence, with their names.

    Examples
    --------
    >>> listed_rungs([Rung.RULE, Rung.SHRUNKEN])
    'the simple rule and a model held close to it (rule, shrunken)'
    """
    return f"{' and '.join(SHORT_WORDS[rung] for rung in rungs)} ({', '.join(rungs)})"


def choice_sentence(evaluation: Mapping[str, Any]) -> str:
    """Say how the rung was chosen: by the data, and by how many of the judged fits, or by a person.

    Examples
    --------
    >>> choice_sentence({"chosen_rungs": {"full": 2, "blend": 13}})
    'Chosen by log loss on the training rows; of 15 judged fits 13 chose blend, 2 full.'
    >>> choice_sentence({"rung_of_data": "full"})[:46]
    'Kept from the version that serves: full, which'
    """
    if evaluation.get("set_rung"):
        return f"Set by a person: basis={evaluation['set_rung']}."
    if evaluation.get("rung_of_data"):
        return (
            f"Kept from the version that serves: {evaluation['rung_of_data']}, which the data "
            "would choose now, was not shown to be better."
        )
    chosen = evaluation.get("chosen_rungs") or {}
    if not chosen:
        return "Trained before there was a choice."
    (most, count), *others = sorted(chosen.items(), key=lambda item: -item[1])
    fits = sum(chosen.values())
    rest = "".join(f", {number} {rung}" for rung, number in others)
    counted = f"of {fits} judged fits {count}" if fits > 1 else "the judged fit"
    return f"Chosen by log loss on the training rows; {counted} chose {most}{rest}."


def anchor_sentence(evaluation: Mapping[str, Any]) -> str:
    """Say how far the newest outcomes moved the scores; empty where it was not recorded.

    Examples
    --------
    >>> anchor_sentence({"anchor": -0.2, "anchor_points": -3.14})
    'Scores are lowered by 3.1 points on average (0.20 in log-odds) to follow the newest outcomes.'
    """
    points, anchor = evaluation.get("anchor_points"), evaluation.get("anchor")
    if points is None or anchor is None:
        return ""
    if abs(points) < SMALLEST_SHIFT_POINTS:
        return "The newest outcomes ask for no shift of the scores."
    way = "raised" if points > 0 else "lowered"
    return (
        f"Scores are {way} by {abs(points):.1f} points on average ({abs(anchor):.2f} in log-odds) "
        "to follow the newest outcomes."
    )


def basis_lines(basis: Rung, evaluation: Mapping[str, Any]) -> list[str]:
    """Return all that is said of a version's rung, one sentence a line."""
    anchor = anchor_sentence(evaluation)
    return [
        f"Basis: {basis_words(basis)}",
        f"  {choice_sentence(evaluation)}",
        *([f"  {anchor}"] if anchor else []),
    ]
