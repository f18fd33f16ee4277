"""Measure what the ladder of recipes ships on realistic accounts of four sizes.

python -m benchmarks.ladder [--contacts 100 200 500 2000] [--seeds 20] [--first 0] [--processes 2]

Every account goes the public path: generated until a fixed instant, conversations and leads in
the proportion of the defaults, trained with the defaults. Chosen, rule, full (the prescribed
algorithm) and reference are compared on the same rows: the leading ones of the basis, in the first
repeat of the folds. Regret is the log loss of what "choose, then fit" answered, less that of the
rung which turned out best on these rows; it is never told to the choice.

Seeds 1000 to 1019 are for development, 0 to 19 are reported. Wanted: served in 95 % of the
accounts of 200 contacts, worse than the rule by more than 0.01 AUC in at most 1 of 20, median
regret at most 0.01 nats.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from benchmarks.common import figure_of, fresh_home, markdown, now, share_of
from benchmarks.workers import add_seed_options, as_they_end, seeds_of

from chatlift.learn.evaluation import Basis
from chatlift.learn.metrics import Judged, measure_values
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.generate import generate
from chatlift.workflows.train import ModelOutcome, TrainRequest, train

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = (100, 200, 500, 2000)
RIVALS = ("rule", "prescribed", "reference")
MEASURES = ("log_loss", "roc_auc")
WORSE_BY = 0.01
"""A loss of ROC AUC against the rule that counts."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One unit of work: an account to generate and train on."""

    contacts: int
    seed: int
    models: tuple[ModelName, ...]


@dataclass(frozen=True, kw_only=True)
class ModelResult:
    """What became of one model of one account."""

    contacts: int
    seed: int
    model: ModelName
    status: str
    """The verdict, or `not_ready` or `failed`."""
    failed_check: str = ""
    rung: str = ""
    """What the shipped version is made of."""
    basis: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Log loss and ROC AUC by `chosen`, `rule`, `prescribed`, `reference` and `rung <name>`."""
    auc_gains: Mapping[str, Any] = field(default_factory=dict)
    """ROC AUC of the chosen less that of each rival, with its interval within the account."""
    account_seconds: float = 0.0
    """Generating the account and training all its models."""

    @property
    def is_served(self) -> bool:
        """Whether the gate promoted it."""
        return self.status == Verdict.PROMOTE

    @property
    def regret(self) -> float:
        """Log loss of the chosen less that of the best rung on these rows, in nats."""
        rungs = [one["log_loss"] for name, one in self.figures.items() if name.startswith("rung ")]
        return round(self.figures["chosen"]["log_loss"] - min(rungs), 6) + 0.0  # Never -0.

    def difference(self, rival: str, measure: str) -> float:
        """Return the chosen's figure less the rival's."""
        return self.figures["chosen"][measure] - self.figures[rival][measure]


def request_of(contacts: int, seed: int) -> SimulationRequest:
    """Return an account of so many contacts in the proportions of the default one.

    Examples
    --------
    >>> made = request_of(500, 0)
    >>> made.conversations, made.closed_leads, made.open_leads
    (375, 300, 75)
    """
    usual = SimulationRequest(until=UNTIL)
    return SimulationRequest(
        until=UNTIL,
        contacts=contacts,
        conversations=contacts * usual.conversations // usual.contacts,
        closed_leads=contacts * usual.closed_leads // usual.contacts,
        open_leads=contacts * usual.open_leads // usual.contacts,
        seed=seed,
        difficulty=Difficulty.REALISTIC,
    )


def results_of(account: Account) -> list[ModelResult]:
    """Generate an account into a fresh home, train, and compare on the rows that decided."""
    began = time.perf_counter()
    with fresh_home() as settings, open_workspace(settings) as opened:
        made = request_of(account.contacts, account.seed)
        generate(made, crm=opened.crm, truth_folder=opened.truth_folder)
        request = TrainRequest(models=account.models)
        outcomes = train(opened, request, clock=now).outcomes
        seconds = time.perf_counter() - began
        return [_result_of(account, outcome, opened, seconds) for outcome in outcomes]


def _result_of(
    account: Account, outcome: ModelOutcome, opened: Workspace, seconds: float
) -> ModelResult:
    evaluation, version = outcome.evaluation, outcome.version
    if evaluation is None or version is None or outcome.decision is None:
        return ModelResult(
            contacts=account.contacts,
            seed=account.seed,
            model=outcome.model,
            status=outcome.status,
            account_seconds=seconds,
        )
    stored = opened.versions.evaluation_predictions(version)
    return ModelResult(
        contacts=account.contacts,
        seed=account.seed,
        model=outcome.model,
        status=outcome.decision.verdict,
        failed_check=version.first_failed_check or "",
        rung=version.basis,
        basis=evaluation["basis"],
        figures=figures_of(evaluation, first_repeat(stored, evaluation["basis"])),
        auc_gains={rival: evaluation[rival]["auc_gain"] for rival in RIVALS},
        account_seconds=seconds,
    )


def first_repeat(stored: pl.DataFrame, basis: str) -> Judged:
    """Return what was chosen and answered on the leading rows of the basis, in the first repeat.

    Parameters
    ----------
    stored
        One row per stored prediction; see `chatlift.learn.suite.STORED`.
    """
    folds = pl.col("fold") == -1 if basis == Basis.HOLDOUT else pl.col("fold") >= 0
    rows = stored.filter(folds, pl.col("is_leading"), pl.col("repeat") == 0)
    return Judged(
        rows["label"].cast(pl.Float64).to_numpy(),
        rows["probability"].to_numpy(),
        (rows["probability"] >= rows["threshold"]).cast(pl.Float64).to_numpy(),
        rows["contact_id"].fill_null(-1).to_numpy(),
    )


def figures_of(evaluation: Mapping[str, Any], chosen: Judged) -> dict[str, dict[str, float]]:
    """Return log loss and ROC AUC of the chosen, its rivals and all rungs, on the same rows."""
    rivals = {rival: evaluation[rival] for rival in RIVALS}
    rivals |= {f"rung {rung}": found for rung, found in evaluation["rungs"].items()}
    return {"chosen": _numbers(measure_values([chosen], MEASURES))} | {
        name: _numbers({m: found["figures"][m]["value"] for m in MEASURES})
        for name, found in rivals.items()
    }


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: np.nan if value is None else float(value) for name, value in values.items()}


HEADER = [
    "contacts",
    "seed",
    "model",
    "verdict",
    "rung",
    "basis",
    *(f"{m} {who}" for m in MEASURES for who in ("chosen", *RIVALS)),
    *(f"AUC less that of the {rival}" for rival in RIVALS),
    "regret",
    "seconds of the account",
]


def row_of(result: ModelResult) -> list[object]:
    """Return the row of one model of one account."""
    start = [result.contacts, result.seed, result.model]
    if not result.figures:
        return [*start, result.status, *["-"] * (len(HEADER) - 5), f"{result.account_seconds:.0f}"]
    verdict = " ".join(filter(None, [str(result.status), result.failed_check]))
    figures = [f"{result.figures[who][m]:.3f}" for m in MEASURES for who in ("chosen", *RIVALS)]
    gains = [figure_of(result.auc_gains[rival]) for rival in RIVALS]
    ending = [f"{result.regret:.4f}", f"{result.account_seconds:.0f}"]
    return [*start, verdict, result.rung, result.basis, *figures, *gains, *ending]


def mean_difference(values: Sequence[float]) -> str:
    """Return the mean of paired differences with its 95 % interval over accounts (Student's t).

    Examples
    --------
    >>> mean_difference([-0.02, 0.0, 0.02])
    '+0.000 (-0.050 to +0.050)'
    """
    from scipy.stats import t

    known = np.asarray(values)[np.isfinite(values)]
    if len(known) < 2:
        return "-" if not len(known) else f"{known[0]:+.3f}"
    reach = t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    mean = known.mean()
    return f"{mean:+.3f} ({mean - reach:+.3f} to {mean + reach:+.3f})"


Groups = Mapping[tuple[int, ModelName], Sequence[ModelResult]]


def grouped(results: Iterable[ModelResult]) -> Groups:
    """Return the results by size and model, smallest first."""
    groups: dict[tuple[int, ModelName], list[ModelResult]] = {}
    for result in sorted(results, key=lambda one: (one.contacts, list(ModelName).index(one.model))):
        groups.setdefault((result.contacts, result.model), []).append(result)
    return groups


def verdict_rows(groups: Groups) -> list[list[object]]:
    """Return per size and model: share served, rungs, accounts worse than the rule, regret."""
    rows: list[list[object]] = []
    for key, results in groups.items():
        fitted = [one for one in results if one.figures]
        rungs = Counter(one.rung for one in fitted)
        worse = sum(one.difference("rule", "roc_auc") < -WORSE_BY for one in fitted)
        regrets = [one.regret for one in fitted]
        rows.append(
            [
                *key,
                share_of(sum(one.is_served for one in results), len(results)),
                sum(one.status == "not_ready" for one in results),
                ", ".join(f"{rung} {count}" for rung, count in rungs.most_common()) or "-",
                f"{worse} of {len(fitted)}",
                f"{np.median(regrets):.4f}" if regrets else "-",
                f"{max(regrets):.4f}" if regrets else "-",
            ]
        )
    return rows


def figure_rows(groups: Groups) -> list[list[object]]:
    """Return per size, model and measure: medians, and paired differences over the accounts."""
    rows: list[list[object]] = []
    for key, results in groups.items():
        fitted = [one for one in results if one.figures]
        for measure in MEASURES if fitted else ():
            medians = [
                f"{np.nanmedian([one.figures[who][measure] for one in fitted]):.3f}"
                for who in ("chosen", *RIVALS)
            ]
            differences = [
                mean_difference([one.difference(rival, measure) for one in fitted])
                for rival in RIVALS
            ]
            rows.append([*key, measure, *medians, *differences])
    return rows


def summary(results: Iterable[ModelResult]) -> str:
    """Return both tables of the summary."""
    groups = grouped(results)
    verdicts = markdown(
        [
            "contacts",
            "model",
            "served",
            "not ready",
            "rungs shipped",
            f"worse than the rule by > {WORSE_BY:g} AUC",
            "median regret",
            "largest regret",
        ],
        verdict_rows(groups),
    )
    figures = markdown(
        [
            "contacts",
            "model",
            "median of",
            "chosen",
            *RIVALS,
            *(f"chosen less {rival}, mean over accounts" for rival in RIVALS),
        ],
        figure_rows(groups),
    )
    return f"{verdicts}\n\n{figures}"


def main() -> None:
    """Print a row per account and model as it ends, then the summaries."""
    parser = argparse.ArgumentParser(description="Measure the ladder of recipes.")
    parser.add_argument("--contacts", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--models", nargs="+", choices=list(ModelName), default=list(ModelName))
    add_seed_options(parser)
    chosen = parser.parse_args()
    models = tuple(ModelName(name) for name in chosen.models)
    accounts = [
        Account(contacts=contacts, seed=seed, models=models)
        for contacts in chosen.contacts
        for seed in seeds_of(chosen)
    ]
    results: list[ModelResult] = []
    print(markdown(HEADER, []), flush=True)
    for found in as_they_end(results_of, accounts, chosen.processes):
        for result in found:
            print("| " + " | ".join(str(cell) for cell in row_of(result)) + " |", flush=True)
        results.extend(found)
    print(f"\n{summary(results)}")


if __name__ == "__main__":
    main()
