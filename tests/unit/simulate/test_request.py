from datetime import UTC, datetime

import pytest

from chatlift.errors import InvalidInput
from chatlift.simulate.request import SimulationRequest

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"conversations": 201}, "201 conversations"),
        ({"conversations": 0}, "at least one"),
        ({"closed_leads": 130}, "160 leads"),
        ({"closed_leads": 10, "converted": 11}, "11 of 10"),
        ({"open_leads": -1}, "from 0 up"),
        ({"until": datetime(2026, 3, 1)}, "no time zone"),  # noqa: DTZ001
        ({"days": 40}, "40 days"),
        ({"drift": 1.5}, "Drift is 1.5"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_was_asked(wrong, told):
    with pytest.raises(InvalidInput, match=told):
        SimulationRequest(**({"until": UNTIL} | wrong))


def test_by_default_thirty_percent_of_the_closed_leads_are_won():
    assert SimulationRequest(until=UNTIL).leads_won == 36
    assert SimulationRequest(until=UNTIL, closed_leads=50).leads_won == 15
    assert SimulationRequest(until=UNTIL, closed_leads=50, converted=3).leads_won == 3
