from chatlift.registry.run_rows import TRANSITIONS
from chatlift.vocabulary import FINAL_STATUSES, RunStatus


def test_nothing_leaves_a_final_status() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == FINAL_STATUSES


def test_every_status_has_its_place_in_the_table() -> None:
    assert set(TRANSITIONS) == set(RunStatus)
