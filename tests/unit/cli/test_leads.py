from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from chatlift.cli.leads import FEW_SIGNS, derived_lines
from chatlift.store.derived import Replaced
from chatlift.workflows.derive_leads import DeriveReport

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXAMPLES = pl.DataFrame(
    {
        "contact": ["ana", "ben"],
        "created_at": [NOW, NOW],
        "outcome": ["won", "open"],
        "closed_at": [NOW, None],
        "sign": ["phrase:paid", None],
        "text": ["I have\npaid " + "x" * 99, None],
    }
)
FOUND = DeriveReport(
    outcomes={"won": 1, "lost": 1, "open": 1},
    examples=EXAMPLES,
    sign_count=2,
    unused_sign_count=0,
    shared_instant_count=1,
    written=None,
)


def test_an_example_is_one_line_with_what_told_its_outcome() -> None:
    _, ana, ben, *_ = derived_lines(FOUND)
    assert ana.startswith("  ana ")
    assert "2026-03-01  won 2026-03-01 " in ana
    quoted = "I have paid " + "x" * 38  # 50 characters of the message.
    assert ana.endswith(f'  phrase:paid  "{quoted}"')
    assert ben.split() == ["ben", "2026-03-01", "undecided"]


def test_what_was_written_is_counted() -> None:
    written = Replaced(new=3, changed=1, unchanged=0, gone=2)
    told = derived_lines(replace(FOUND, written=written))[-1]
    assert "3 new, 1 changed, 0 as before, 2 gone" in told


def test_signs_that_share_one_instant_are_doubted() -> None:
    shared = replace(FOUND, sign_count=FEW_SIGNS + 5, shared_instant_count=FEW_SIGNS)
    assert any("that of their import" in line for line in derived_lines(shared))
    assert not any(line.startswith("Warning") for line in derived_lines(FOUND))
