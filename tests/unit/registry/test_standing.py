"""What serves, and what was refused, in one sentence."""

from typing import Any

import pytest
from tests.unit.cli.samples import version

from chatlift.registry.standing import standing_of
from chatlift.registry.versions import Version
from chatlift.vocabulary import ModelName, Verdict

LEADS = ModelName.LEAD_SCORING
PASSED: dict[str, Any] = {"gate": {"checks": []}}


def served(number: int) -> Version:
    return version(number=number, **PASSED)


def refused(number: int, verdict: Verdict = Verdict.REFUSE) -> Version:
    return version(number=number, verdict=verdict, is_champion=False)


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        ([], "No version of lead_scoring serves yet: there is none."),
        ([served(7)], "lead_scoring v7 serves."),
        (
            [refused(8), served(7)],
            "lead_scoring v7 goes on serving: v8 was refused by the check better: Worse.",
        ),
        (
            [refused(8, Verdict.KEEP_CHAMPION), served(7)],
            "lead_scoring v7 goes on serving: v8 was kept as a candidate by the check better: "
            "Worse.",
        ),
        (
            [refused(8), refused(7)],
            "No version of lead_scoring serves. v8 was refused by the check better: Worse. Nothing "
            "else serves.",
        ),
        ([served(8), refused(7)], "lead_scoring v8 serves."),
    ],
)
def test_a_standing_names_who_serves_and_who_was_refused(
    versions: list[Version], sentence: str
) -> None:
    assert standing_of(LEADS, versions).sentence == sentence


def test_versions_of_other_models_do_not_count() -> None:
    other = version(model=ModelName.CHURN, number=9)
    assert standing_of(LEADS, [other, served(7)]).sentence == "lead_scoring v7 serves."
