import pytest

from chatlift.registry.schedule_advice import advice


@pytest.mark.parametrize(
    ("counts", "rhythm"),
    [
        ([0, 0, 0, 0], "monthly"),
        ([50, 50, 50, 49], "monthly"),  # 49.75 a week
        ([50, 50, 50, 50], "biweekly"),
        ([400, 0, 0, 0], "weekly"),  # 100 a week
        ([399, 0, 0, 0], "biweekly"),
        ([500, 500, 500, 499], "weekly"),
        ([800, 200, 700, 300], "daily"),  # 500 a week
    ],
)
def test_the_more_new_leads_a_week_the_more_often(counts: list[int], rhythm: str) -> None:
    assert advice(counts).rhythm == rhythm


def test_the_advice_is_a_sentence_with_its_figure() -> None:
    told = advice([70, 80, 75, 75]).sentence
    assert told == (
        "About 75 new leads a week in the last weeks of the records: biweekly is often enough."
    )
