"""Train all three models on generated data of many seeds; print the figures against the targets.

python -m benchmarks.twenty_seeds [--difficulty easy|realistic] [--seeds 20] [--first 1]

Every seed goes the public path: generated into a fresh home until a fixed instant, trained with
the defaults. The figures are those of the report: on rows that the fit had not seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from benchmarks.common import fresh_home, markdown, mean_of, now, share_of

from chatlift.registry.workspace import open_workspace
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.generate import generate
from chatlift.workflows.train import ModelOutcome, TrainRequest, train

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
SHOWN = {
    ModelName.LEAD_SCORING: ("mae", "r2", "roc_auc"),
    ModelName.CHURN: ("accuracy", "precision", "recall", "f1", "roc_auc"),
    ModelName.ENGAGEMENT: ("accuracy", "precision", "recall", "f1", "roc_auc"),
}


@dataclass(frozen=True, kw_only=True)
class SeedOutcome:
    """What became of one seed."""

    seed: int
    outcomes: tuple[ModelOutcome, ...]
    seconds: float

    @property
    def missed(self) -> tuple[str, ...]:
        """Targets that were not met, as `model metric`; a model without figures misses all."""
        return tuple(
            f"{outcome.model} {name}" for outcome in self.outcomes for name in missed_by(outcome)
        )


def missed_by(outcome: ModelOutcome) -> tuple[str, ...]:
    """Return the metrics of the targets that one model did not meet."""
    if outcome.evaluation is None:
        return ("everything",)
    return tuple(target["metric"] for target in outcome.evaluation["targets"] if not target["met"])


def outcome_of(
    seed: int, difficulty: Difficulty, request: TrainRequest, *, until: datetime = UNTIL
) -> SeedOutcome:
    """Generate one seed into a fresh home and train on it."""
    with fresh_home() as settings, open_workspace(settings) as opened:
        made = SimulationRequest(until=until, seed=seed, difficulty=difficulty)
        generate(made, crm=opened.crm, truth_folder=opened.truth_folder)
        report = train(opened, request, clock=now)
        return SeedOutcome(seed=seed, outcomes=report.outcomes, seconds=report.seconds)


def _value(outcome: ModelOutcome, metric: str) -> float:
    value = outcome.evaluation["figures"][metric]["value"] if outcome.evaluation else None
    return float("nan") if value is None else float(value)


def _ceiling(outcome: ModelOutcome, metric: str) -> float:
    ceiling = outcome.evaluation["ceiling"] if outcome.evaluation else None
    return float("nan") if ceiling is None else float(ceiling[metric])


def row_of(found: SeedOutcome) -> list[object]:
    """Return the seed's row: figures of all models, verdicts, missed targets."""
    figures = [
        f"{_value(outcome, metric):.2f}"
        for outcome in found.outcomes
        for metric in SHOWN[outcome.model]
    ]
    verdicts = [str(o.decision.verdict) if o.decision else o.status for o in found.outcomes]
    told = "promote" if set(verdicts) == {str(Verdict.PROMOTE)} else " / ".join(verdicts)
    return [found.seed, *figures, told, ", ".join(found.missed) or "all met"]


def header() -> list[str]:
    """Return the names of the columns of `row_of`."""
    short = {ModelName.LEAD_SCORING: "lead", ModelName.CHURN: "churn"}
    names = [f"{short.get(m, 'eng.')} {metric}" for m, shown in SHOWN.items() for metric in shown]
    return ["seed", *names, "verdicts", "targets missed"]


def summary_rows(found: Sequence[SeedOutcome]) -> list[list[object]]:
    """Return one row per model and metric: median, extremes and the median ceiling."""
    rows: list[list[object]] = []
    for place, (model, shown) in enumerate(SHOWN.items()):
        for metric in shown:
            values = [_value(seed.outcomes[place], metric) for seed in found]
            tops = [_ceiling(seed.outcomes[place], metric) for seed in found]
            rows.append(
                [
                    model,
                    metric,
                    f"{np.nanmedian(values):.3f}",
                    f"{np.nanmin(values):.3f} to {np.nanmax(values):.3f}",
                    f"{np.nanmedian(tops):.3f}",
                ]
            )
    return rows


def refusals(found: Sequence[SeedOutcome]) -> list[list[object]]:
    """Return one row per model and failed check: how many seeds failed it."""
    counts: dict[tuple[str, str], int] = {}
    for outcome in (outcome for seed in found for outcome in seed.outcomes):
        checks: Sequence[Any] = outcome.decision.checks if outcome.decision else ()
        for check in checks:
            if not check.passed:
                key = (str(outcome.model), check.name)
                counts[key] = counts.get(key, 0) + 1
    return [[*key, share_of(count, len(found))] for key, count in sorted(counts.items())]


def main() -> None:
    """Print a row per seed as it ends, then the summaries."""
    parser = argparse.ArgumentParser(description="Measure many seeds of generated data.")
    parser.add_argument("--difficulty", choices=list(Difficulty), default=Difficulty.EASY)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    chosen = parser.parse_args()
    found = []
    print(markdown(header(), []))
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        found.append(outcome_of(seed, Difficulty(chosen.difficulty), TrainRequest()))
        print("| " + " | ".join(str(cell) for cell in row_of(found[-1])) + " |", flush=True)
    met = sum(not seed.missed for seed in found)
    print(f"\nEvery target met: {share_of(met, len(found))}")
    print(f"Seconds of training: {mean_of([seed.seconds for seed in found])}\n")
    print(markdown(["model", "metric", "median", "extremes", "ceiling"], summary_rows(found)))
    print()
    print(markdown(["model", "check that failed", "seeds"], refusals(found)))


if __name__ == "__main__":
    main()
