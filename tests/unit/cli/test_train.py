"""How a training ends the command."""

import pytest
from tests.unit.cli.samples import failed, not_ready, outcome, report

from chatlift.cli.train import exit_code
from chatlift.vocabulary import Verdict
from chatlift.workflows.train import ModelOutcome


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((outcome(),), 0),
        ((outcome(Verdict.KEEP_CHAMPION),), 0),
        ((outcome(), not_ready()), 0),
        ((not_ready(), not_ready()), 3),
        ((outcome(), outcome(Verdict.REFUSE), not_ready()), 4),
        ((outcome(Verdict.REFUSE), failed()), 1),
        ((failed(), not_ready()), 1),
        ((failed("not_ready"), not_ready()), 3),
        ((outcome(), failed("not_ready")), 0),
        ((outcome(), failed("invalid")), 3),
        ((outcome(Verdict.REFUSE), failed("invalid")), 4),
    ],
)
def test_the_worst_outcome_decides(outcomes: tuple[ModelOutcome, ...], code: int) -> None:
    assert exit_code(report(*outcomes)) == code
