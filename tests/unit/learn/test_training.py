"""What a training does before anything is fitted."""

from __future__ import annotations

import polars as pl
from tests.histories import history

from chatlift.learn.specs.base import Spans
from chatlift.learn.specs.lead_scoring import lead_examples
from chatlift.learn.training import thinned


def test_what_becomes_of_a_lead_never_chooses_which_examples_are_left() -> None:
    """Of 200 leads at five ages a third is left, whatever the outcomes are."""
    people = [(c, 0.3 * c) for c in range(1, 201)]
    lost = history(contacts=people, leads=[(c, c, day, "lost", day + 29) for c, day in people])
    won = history(contacts=people, leads=[(c, c, day, "won", day + 29) for c, day in people])
    kept = [thinned(lead_examples(story, Spans()), 400) for story in (lost, won)]
    keys = [rows.select("entity_id", "cutoff", "is_leading") for rows in kept]
    assert 200 < keys[0].height < 500
    assert keys[0].equals(keys[1])
    assert kept[0].filter(pl.col("is_leading")).height > 30
    assert kept[0].get_column("label").sum() == 0
    assert kept[1].get_column("label").sum() == kept[1].height
