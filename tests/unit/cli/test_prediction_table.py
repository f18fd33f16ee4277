"""Predictions for people and programs."""

import csv
import io
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.samples import NOON, answer

from chatlift.cli.prediction_table import csv_text, harmless, table_lines, to_json
from chatlift.learn.scoring import AnswerState
from chatlift.registry.scores import Prediction
from chatlift.vocabulary import ModelName, Rung
from chatlift.workflows.predict import PredictReport

HOT = Prediction(external_id="lead-1", answer=answer())
COLD = Prediction(external_id="=2+5", answer=answer(score=12.0, band="cold", reasons=()))


def predicted(*predictions: Prediction, **changes: Any) -> PredictReport:
    return PredictReport(
        **{
            "model": ModelName.LEAD_SCORING,
            "version_number": 7,
            "as_of": NOON,
            "predictions": predictions,
            "basis": Rung.BLEND,
        }
        | changes
    )


def told(*predictions: Prediction, **changes: Any) -> str:
    return "\n".join(table_lines(predicted(*predictions, **changes)))


def test_a_row_tells_score_band_trend_recommendation_and_reasons_each_way() -> None:
    lines = table_lines(predicted(HOT))
    assert lines[-3].split() == [
        "1", "lead-1", "87.3", "hot", "improving",
        "High", "priority", "-", "contact", "immediately",
    ]  # fmt: skip
    assert lines[-2].strip() == "+ replies fast"
    assert lines[-1].strip() == "- seldom writes"


def test_the_head_names_version_and_basis() -> None:
    assert "lead_scoring v7 (basis: blend), as of 2026-03-01" in table_lines(predicted(HOT))[0]
    assert to_json(predicted(HOT))["basis"] == "blend"


def test_an_answer_without_reasons_says_so() -> None:
    row, why = table_lines(predicted(COLD))[-2:]
    assert row.split()[1] == "=2+5"
    assert why.strip() == "no single thing stands out"


def test_what_has_to_be_known_is_said() -> None:
    assert "the data ends there" in told(HOT, is_stale=True)
    assert "in hindsight" in told(HOT, in_hindsight=True)
    assert "nothing reaches the highest band (hot)" in told(COLD)
    assert "nothing reaches" not in told(HOT, COLD)
    assert "Warning: damaged" in told(HOT, warnings=("damaged",))
    assert "no score for lead-9: it is closed" in told(HOT, not_scored={"lead-9": "it is closed"})


def test_leads_past_their_horizon_are_listed_apart() -> None:
    late = Prediction(external_id="lead-old", answer=answer(state=AnswerState.PAST_HORIZON))
    text = told(HOT, past_horizon=(late,))
    assert text.index("lead-1") < text.index("Open past") < text.index("lead-old")


def test_nobody_to_score_is_said() -> None:
    assert "No lead can be scored" in told()


def test_csv_has_a_row_per_answer_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(predicted(HOT, COLD)))))
    assert [row["id"] for row in rows] == ["lead-1", "'=2+5"]
    assert rows[0]["reasons_for"] == "replies fast"
    assert float(rows[1]["score"]) == 12.0


@given(st.text() | st.from_regex(r"-?[0-9]+(\.[0-9]+)?[+x]?", fullmatch=True))
def test_no_cell_of_text_begins_like_a_formula(cell: str) -> None:
    is_negative_number = re.fullmatch(r"-[0-9]+(\.[0-9]+)?", cell)
    begins = ("=", "+", "@", "\t", "\r") if is_negative_number else ("=", "+", "-", "@", "\t", "\r")
    assert not str(harmless(cell)).startswith(begins)


def test_json_has_the_fields_of_the_api() -> None:
    (found,) = to_json(predicted(HOT))["predictions"]
    assert found["interval"] is None
    fields = {"score", "probability", "band", "trend", "reasons", "recommendation", "as_of"}
    assert fields | {"model_version", "interval"} <= set(found)
