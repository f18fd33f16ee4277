"""The model test suite: does a stored version still do what was measured of it.

Pure: the version's model as read from its files, its stored predictions and today's history in,
named findings out. Training runs it on every new version before it may be promoted; a person
runs it on what serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.estimators import Vector
from chatlift.learn.evaluation import REPORTED
from chatlift.learn.metrics import Figure, Judged, measure_values
from chatlift.learn.scoring import Scorer
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import Target
from chatlift.records import INSTANT
from chatlift.vocabulary import FactSubject, ModelName

SAME = 1e-6
NUDGE = 1e-6
MOST_ROWS = 200
MOST_MOVED = 0.02
"""Mean change of probability that a nudge of one part in a million may cause."""
SHIPPED_FOLD = -2
"""Fold of stored predictions that the shipped model made of the rows it was fitted on."""
STORED = pl.Schema(
    {
        "entity_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "cutoff": INSTANT,
        "label": pl.Int8(),
        "is_leading": pl.Boolean(),
        "repeat": pl.Int64(),
        "fold": pl.Int64(),
        "probability": pl.Float64(),
        "threshold": pl.Float64(),
    }
)
"""One row per stored prediction. Fold -1: the temporal holdout; -2: by the shipped model."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One named check of the suite."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a version said of itself when it was registered."""

    stored: pl.DataFrame
    """One row per stored prediction; see `STORED`."""
    figures: Mapping[str, Figure]
    """The leading figures."""
    basis: str
    targets: Sequence[Target]


def run_suite(
    scorer: Scorer, history: History, recorded: Recorded, as_of: datetime, *, strict: bool = False
) -> list[Finding]:
    """Return every finding; the version passes if all do.

    Parameters
    ----------
    as_of
        The instant for which real entities are scored.
    strict
        Whether a target that is not met is a failure.
    """
    rebuilt = _rebuilt(scorer, history, recorded)
    now = scorer.snapshot(history, as_of)
    sample = rebuilt.take(_spread(len(rebuilt)))
    return [
        _figures_hold(recorded),
        _knows_more_than_chance(recorded),
        _labels_hold(recorded, rebuilt),
        _reproduces(scorer, recorded, rebuilt),
        _in_range(scorer, now, sample),
        _deterministic(scorer, sample),
        _single_is_batch(scorer, sample),
        _does_not_memorise(scorer, sample),
        _edge_inputs(scorer, as_of),
        *([_targets_met(recorded)] if strict else []),
    ]


def _spread(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return at most `MOST_ROWS` row numbers, evenly spread."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, MOST_ROWS)).astype(np.int64))


def _rebuilt(scorer: Scorer, history: History, recorded: Recorded) -> Snapshot:
    """Compute the stored examples anew from today's history."""
    today = scorer.spec.examples(history, scorer.spans)
    wanted = recorded.stored.select("entity_id", "cutoff").unique()
    examples = today.join(wanted, on=["entity_id", "cutoff"], how="semi", maintain_order="left")
    return take_snapshot(history, examples, scorer.features, key=scorer.key)


def leading_judged(stored: pl.DataFrame, basis: str) -> list[Judged]:
    """Return the leading rows of the basis, one set per repeat."""
    is_basis = pl.col("fold") == -1 if basis == "holdout" else pl.col("fold") >= 0
    rows = stored.filter(is_basis, pl.col("is_leading")).sort("repeat", "entity_id", "cutoff")
    return [
        Judged(
            part.get_column("label").cast(pl.Float64).to_numpy(),
            part.get_column("probability").to_numpy(),
            part.select((pl.col("probability") >= pl.col("threshold")).cast(pl.Float64))
            .to_series()
            .to_numpy(),
            part.get_column("contact_id").to_numpy(),
        )
        for part in rows.partition_by("repeat", maintain_order=True)
    ]


def _figures_hold(recorded: Recorded) -> Finding:
    measured = measure_values(leading_judged(recorded.stored, recorded.basis), REPORTED)
    wrong = [
        name
        for name, value in measured.items()
        if not _is_same(value, recorded.figures[name].value)
    ]
    return Finding(
        name="figures_hold",
        passed=not wrong,
        sentence=f"Recorded figures do not follow from the stored predictions: {', '.join(wrong)}."
        if wrong
        else f"{len(measured)} recorded figures follow from the stored predictions.",
    )


def _is_same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= SAME


def _knows_more_than_chance(recorded: Recorded) -> Finding:
    auc = recorded.figures["roc_auc"]
    passed = auc.value is not None and auc.value > 0.5
    value = "unknown" if auc.value is None else f"{auc.value:.3f}"
    return Finding(
        name="knows_more_than_chance",
        passed=passed,
        sentence=f"ROC AUC on unseen rows is {value}, "
        + ("above chance." if passed else "not above chance."),
    )


def _labels_hold(recorded: Recorded, rebuilt: Snapshot) -> Finding:
    then = recorded.stored.filter(pl.col("fold") >= 0).unique(["entity_id", "cutoff"])
    now = rebuilt.examples.select("entity_id", "cutoff", today=pl.col("label"))
    joined = then.join(now, on=["entity_id", "cutoff"], how="left")
    gone = joined.get_column("today").null_count()
    changed = joined.filter(pl.col("label") != pl.col("today")).height
    passed = changed <= 0.01 * max(then.height, 1)
    return Finding(
        name="labels_hold",
        passed=passed,
        sentence=f"{then.height - gone - changed} of {then.height} labels are the same in today's "
        f"data; {changed} changed (later imports corrected an outcome), {gone} can no longer be "
        "rebuilt (deleted or forgotten contacts).",
    )


def _reproduces(scorer: Scorer, recorded: Recorded, rebuilt: Snapshot) -> Finding:
    shipped = recorded.stored.filter(pl.col("fold") == SHIPPED_FOLD)
    rows = rebuilt.examples.select("entity_id", "cutoff").with_columns(
        today=pl.Series(_probabilities(scorer, rebuilt), dtype=pl.Float64)
    )
    joined = shipped.join(rows, on=["entity_id", "cutoff"], how="inner")
    worst = joined.select((pl.col("today") - pl.col("probability")).abs().max()).item()
    passed = worst is not None and worst <= SAME
    told = "none could be compared" if worst is None else f"furthest apart by {worst:.1e}"
    return Finding(
        name="reproduces_stored_predictions",
        passed=passed,
        sentence=f"{joined.height} stored predictions of the shipped model predicted anew: {told}.",
    )


def _in_range(scorer: Scorer, now: Snapshot, sample: Snapshot) -> Finding:
    found = np.concatenate([_probabilities(scorer, now), _probabilities(scorer, sample)])
    passed = bool(np.isfinite(found).all() and ((found > 0) & (found < 1)).all())
    return Finding(
        name="in_range",
        passed=passed,
        sentence=f"{len(found)} probabilities, "
        + ("all between 0 and 1." if passed else "NOT all between 0 and 1."),
    )


def _probabilities(scorer: Scorer, snapshot: Snapshot) -> Vector:
    return scorer.model.probabilities(snapshot) if len(snapshot) else np.empty(0)


def _deterministic(scorer: Scorer, sample: Snapshot) -> Finding:
    passed = np.array_equal(_probabilities(scorer, sample), _probabilities(scorer, sample))
    return Finding(
        name="deterministic",
        passed=passed,
        sentence="The same rows get the same scores twice."
        if passed
        else "The same rows got different scores the second time.",
    )


def _single_is_batch(scorer: Scorer, sample: Snapshot) -> Finding:
    batch = _probabilities(scorer, sample)
    rows = _spread(len(sample))[:25]
    single = np.array([_probabilities(scorer, sample.take([row]))[0] for row in rows.tolist()])
    worst = float(np.abs(batch[rows] - single).max()) if len(rows) else 0.0
    return Finding(
        name="single_is_batch",
        passed=worst <= SAME,
        sentence=f"{len(rows)} rows scored alone and together: apart by {worst:.1e} at most.",
    )


def _does_not_memorise(scorer: Scorer, sample: Snapshot) -> Finding:
    """Nudge every number by one part in a million: a score must not hang on exact values."""
    if not len(sample):
        return Finding(name="does_not_memorise", passed=True, sentence="No rows to nudge.")
    matrix = scorer.model.design(sample)
    nudged = (matrix + np.abs(matrix) * NUDGE + NUDGE * 1e-3).astype(np.float32)
    model = scorer.model
    before = model.calibrator.probabilities(model.estimator.margins(matrix))
    after = model.calibrator.probabilities(model.estimator.margins(nudged))
    moved = float(np.abs(before - after).mean())
    passed = moved <= MOST_MOVED
    return Finding(
        name="does_not_memorise",
        passed=passed,
        sentence=f"Inputs nudged by one part in a million move scores by {100 * moved:.2f} points "
        + ("on average." if passed else "on average: the model remembers rows."),
    )


def _edge_inputs(scorer: Scorer, as_of: datetime) -> Finding:
    """Score contacts with no messages, with unheard-of values, and with nothing but emoji."""
    history = edge_history(scorer.spec.model, as_of)
    found = _probabilities(scorer, _edge_snapshot(scorer, history, as_of))
    passed = bool(len(found)) and bool(np.isfinite(found).all())
    passed = passed and bool(((found > 0) & (found < 1)).all())
    return Finding(
        name="edge_inputs",
        passed=passed,
        sentence="No messages, unknown values and emoji only: "
        + ("each gets a score in range." if passed else "NOT every one gets a score in range."),
    )


def _edge_snapshot(scorer: Scorer, history: History, as_of: datetime) -> Snapshot:
    contacts = history.contacts.get_column("contact_id")
    is_lead = scorer.spec.model is ModelName.LEAD_SCORING
    examples = pl.DataFrame(
        {
            "contact_id": contacts,
            "lead_id": contacts if is_lead else pl.Series([None] * len(contacts), dtype=pl.Int64),
            "entity_id": contacts,
            "cutoff": pl.Series([as_of] * len(contacts), dtype=INSTANT),
        }
    )
    return take_snapshot(history, examples, scorer.features, key=scorer.key)


def edge_history(model: ModelName, as_of: datetime) -> History:
    """Return four contacts: silent, unknown values, emoji only, one very long message."""
    created_at = as_of - timedelta(days=3)
    sent_at = as_of - timedelta(days=1)
    ids = [1, 2, 3, 4]
    subject = FactSubject.LEAD if model is ModelName.LEAD_SCORING else FactSubject.CONTACT
    texts = ["\U0001f600\U0001f64f\U0001f3fd" * 20, "a" * 10_000]
    return History(
        contacts=pl.DataFrame(
            [[i, f"edge-{i}", "edge", created_at, None] for i in ids],
            schema=crm.CONTACTS,
            orient="row",
        ),
        messages=pl.DataFrame(
            [
                [i, i + 2, None, "in", "text", text, sent_at, False]
                for i, text in enumerate(texts, start=1)
            ],
            schema=crm.MESSAGES,
            orient="row",
        ),
        leads=pl.DataFrame(
            [[i, f"edge-{i}", i, created_at, "open", None, None] for i in ids],
            schema=crm.LEADS,
            orient="row",
        ),
        facts=pl.DataFrame(
            [[subject, 2, "source", "never heard of this before", created_at]],
            schema=crm.FACTS,
            orient="row",
        ),
        observations=pl.DataFrame(
            [["edge", created_at, as_of]], schema=crm.OBSERVATIONS, orient="row"
        ),
    )


def _targets_met(recorded: Recorded) -> Finding:
    missed = [
        f"{target.metric} {figure.value:.2f}"
        for target in recorded.targets
        if (figure := recorded.figures[target.metric]).value is not None
        and not target.is_met(figure.value)
    ]
    return Finding(
        name="targets_met",
        passed=not missed,
        sentence=f"Targets not met: {', '.join(missed)}." if missed else "All targets are met.",
    )
