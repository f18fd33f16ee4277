"""Train, test and predict on real data sets through the public path; print tables.

python -m benchmarks.run_real_data [--only Telco]

Each set is imported into a fresh home as its owner would, trained by `workflows.train`, tested by
`workflows.check` and asked by `workflows.predict`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from benchmarks.common import figure_of, fresh_home, markdown, now
from benchmarks.real_data import (
    RealData,
    crm_sales_opportunities,
    folder,
    persuasion_for_good,
    telco_churn,
)

from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.fitting import Recipe
from chatlift.learn.metrics import Figure, measure
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.threads import one_thread_each
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.store.accounts import save_settings
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import CheckReport, check
from chatlift.workflows.ingest import ingest
from chatlift.workflows.predict import PredictReport, PredictRequest, predict
from chatlift.workflows.train import ModelOutcome, TrainRequest, train

TEXT_PARAMETERS = {"l2": 10.0, "text_strength": 1.0}
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one data set."""

    title: str
    trained: ModelOutcome
    tested: CheckReport
    predicted: PredictReport
    seconds: float
    text: Figure | None = None
    """ROC AUC of the contact's text alone, out of fold; None for sets without text."""


def imported(data: RealData, settings: Settings) -> None:
    """Import a set into the account of the settings, which then reads it as the set asks."""
    with open_workspace(settings) as opened:
        ingest(data.files, data.mapping, crm=opened.crm, imported_at=now())
        own = {str(data.model): data.settings} if data.settings else {}
        save_settings(opened.database, opened.account.account_id, own)


def text_snapshot(workspace: Workspace, model: ModelName) -> Snapshot:
    """Return the mature examples without declared features: text and attributes are left."""
    spec = SPECS[model]
    spans = Choices.of(spec, workspace.account.settings).spans
    history = history_of(workspace)
    mature = spec.examples(history, spans).filter(pl.col("label").is_not_null())
    return take_snapshot(history, mature, (), key=workspace.text_key)


def text_auc(workspace: Workspace, model: ModelName, *, repeats: int = REPEATS) -> Figure:
    """Return the ROC AUC of the text score alone, out of fold, grouped by person."""
    snapshot = text_snapshot(workspace, model)
    recipe = Recipe(estimator="logistic", parameters=TEXT_PARAMETERS, seed=0)
    with one_thread_each():
        found = out_of_fold(snapshot, recipe, Options(threads=2), repeats=repeats)
    judged = [part.judged(snapshot) for part in found.by_repeat()]
    return measure(judged, ("roc_auc",), seed=0)["roc_auc"]


def trained_on(title: str, make: Callable[[Path], RealData], request: TrainRequest) -> Outcome:
    """Take one set the whole way, from its files to predictions."""
    with fresh_home() as settings:
        data = make(settings.home / "files")
        imported(data, settings)
        with open_workspace(settings) as opened:
            report = train(opened, request, clock=now)
            (trained,) = report.outcomes
            number = str(trained.version.number) if trained.version else "champion"
            return Outcome(
                title=title,
                trained=trained,
                tested=check(opened, (data.model,), version=number),
                predicted=predict(opened, _last_open(opened, data, number), now=now()),
                seconds=report.seconds,
                text=text_auc(opened, data.model) if data.files.messages else None,
            )


def _last_open(workspace: Workspace, data: RealData, version: str) -> PredictRequest:
    """Ask as of now, or, where every lead is closed by now, ten days into the newest one."""
    leads = history_of(workspace).leads
    as_of = None
    if data.model is ModelName.LEAD_SCORING and "open" not in leads["outcome"].to_list():
        as_of = leads["created_at"].sort()[-1] + timedelta(days=10)
    return PredictRequest(model=data.model, as_of=as_of, version=version)


def request_for(model: ModelName) -> TrainRequest:
    """Return the default training of one model."""
    return TrainRequest(models=(model,), requested_model=model)


def all_outcomes(only: str) -> Iterator[Outcome]:
    """Take the sets whose title begins with `only` the whole way."""
    leads, churn = request_for(ModelName.LEAD_SCORING), request_for(ModelName.CHURN)
    sets = [
        ("PersuasionForGood", persuasion_for_good, leads),
        ("Telco churn", telco_churn, churn),
        ("CRM sales, closed deals", crm_sales_opportunities, leads),
        ("CRM sales, open deals too", _with_open_deals, leads),
    ]
    for title, make, request in sets:
        if title.startswith(only):
            yield trained_on(title, make, request)


def _with_open_deals(target: Path) -> RealData:
    return crm_sales_opportunities(target, only_closed=False)


def auc(found: Any) -> str:
    """Return the ROC AUC of a set of figures."""
    return figure_of(found["roc_auc"] if found else None)


def row_of(outcome: Outcome) -> list[object]:
    """Return a set's row of the table of figures."""
    found = outcome.trained.evaluation
    if found is None:
        return [outcome.title, outcome.trained.sentence, *["-"] * 7]
    counts = found["counts"]
    return [
        outcome.title,
        f"{counts['entities']:,} ({counts['examples']:,})",
        figure_of(found["figures"]["base_rate"]),
        auc(found["out_of_fold"]),
        auc(found["holdout"]),
        auc(found["unseen_contacts"]),
        auc(found["rule"]["figures"]),
        f"{found['reference']['name']}: {auc(found['reference']['figures'])}",
        f"{outcome.seconds:.0f} s",
    ]


def verdict_of(outcome: Outcome) -> list[object]:
    """Return a set's row of the table of verdicts."""
    decision = outcome.trained.decision
    failed = [] if decision is None else [c.sentence for c in decision.checks if not c.passed]
    findings = [f.name for part in outcome.tested.checks for f in part.findings if not f.passed]
    return [
        outcome.title,
        decision.verdict if decision else outcome.trained.status,
        " ".join(failed) or "none",
        "passed" if outcome.tested.passed else "failed: " + ", ".join(findings),
        f"{len(outcome.predicted.predictions):,}",
    ]


FIGURES = (
    "set",
    "entities (examples)",
    "base rate",
    "AUC out of fold",
    "AUC holdout",
    "AUC of contacts not seen before",
    "simple rule",
    "reference fit",
    "training",
)
VERDICTS = ("set", "verdict", "checks that failed", "model test suite", "predictions")


def main() -> None:
    """Print all tables, or why there is nothing to measure."""
    if not folder().is_dir():
        print(f"No real data at {folder()}; CHATLIFT_REAL_DATA names another folder.")
        return
    parser = argparse.ArgumentParser(description="Take real data the whole way.")
    parser.add_argument("--only", default="", help="sets whose title begins so")
    outcomes = list(all_outcomes(parser.parse_args().only))
    print(markdown(FIGURES, [row_of(outcome) for outcome in outcomes]), end="\n\n")
    print(markdown(VERDICTS, [verdict_of(outcome) for outcome in outcomes]), end="\n\n")
    for outcome in outcomes:
        if outcome.text is not None:
            print(f"{outcome.title}, the contact's text alone: AUC {figure_of(outcome.text)}")


if __name__ == "__main__":
    main()
