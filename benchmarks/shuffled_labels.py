"""Train on labels that were shuffled; the mean ROC AUC of many seeds has to be 0.50 +- 0.02.

python -m benchmarks.shuffled_labels [--seeds 50] [--first 1] [--cv-folds 5] [--model ...]

Any way by which a row, its contact or a later outcome gets into its own prediction lifts the
mean. Leads go the whole public path: generated, their outcomes shuffled among them before they
are written, trained by `workflows.train`. Churn and engagement have no outcome that could be
shuffled in the records (their labels are made of messages), so the labels of their examples are:
each contact gets labels drawn from another contact's, which keeps the labels of one contact alike
and so would also show folds that divide a contact.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, markdown, mean_of, now

from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe
from chatlift.learn.metrics import measure
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.threads import one_thread_each
from chatlift.records import Records
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import SIMULATED, LeadOutcome, ModelName
from chatlift.workflows.train import TrainRequest, train

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
LONGEST_OPEN = timedelta(days=29)
LEADS_ONLY = TrainRequest(models=(ModelName.LEAD_SCORING,), requested_model="lead_scoring")


def request_of(seed: int) -> SimulationRequest:
    """Return the default counts at the realistic difficulty."""
    return SimulationRequest(until=UNTIL, seed=seed, difficulty=Difficulty.REALISTIC)


def shuffled_leads(leads: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Return the leads with the outcomes of the closed ones dealt anew; all dates stay.

    A closing after the horizon makes a win a loss, whatever the outcome says, so every closing is
    first brought inside it, the same way for all.
    """
    closed = (leads["outcome"] != LeadOutcome.OPEN).to_numpy()
    outcomes = leads["outcome"].to_numpy().copy()
    outcomes[closed] = random.permutation(outcomes[closed])
    inside = pl.min_horizontal("closed_at", pl.col("created_at") + LONGEST_OPEN)
    closed_at = pl.when(pl.col("closed_at").is_not_null()).then(inside)
    return leads.with_columns(
        outcome=pl.Series(outcomes, dtype=pl.String), closed_at=closed_at
    ).with_columns(outcome_known_at=pl.coalesce("closed_at", "outcome_known_at"))


def write_shuffled(workspace: Workspace, seed: int) -> None:
    """Write a generated CRM whose outcomes say nothing."""
    request = request_of(seed)
    records: Records = simulate_crm(request).records
    random = np.random.default_rng(seed)
    told = replace(records, leads=shuffled_leads(records.leads, random))
    workspace.crm.write(told, source=SIMULATED)
    workspace.crm.write_observation(
        SIMULATED, observed_from=request.first_midnight, observed_through=request.until
    )


def lead_auc(seed: int, request: TrainRequest = LEADS_ONLY) -> float:
    """Return the out-of-fold ROC AUC on shuffled outcomes, through the public path.

    Raises
    ------
    RuntimeError
        If nothing was trained.
    """
    with fresh_home() as settings, open_workspace(settings) as opened:
        write_shuffled(opened, seed)
        (outcome,) = train(opened, request, clock=now).outcomes
    if outcome.evaluation is None:
        raise RuntimeError(f"Seed {seed} was not trained: {outcome.sentence}")
    return float(outcome.evaluation["out_of_fold"]["roc_auc"]["value"])


def shuffled_by_contact(examples: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Return the examples with each contact's labels drawn from those of another contact."""
    contacts = examples["contact_id"].to_numpy()
    labels = examples["label"].to_numpy()
    known = np.unique(contacts)
    donor = dict(zip(known.tolist(), random.permutation(known).tolist(), strict=True))
    dealt = np.empty(len(labels), dtype=np.int8)
    for contact in known.tolist():
        mine = contacts == contact
        dealt[mine] = random.choice(labels[contacts == donor[contact]], int(mine.sum()))
    return examples.with_columns(label=pl.Series(dealt))


def contact_auc(model: ModelName, seed: int, cv_folds: int = 5) -> float:
    """Return the out-of-fold ROC AUC of churn or engagement on labels of other contacts."""
    spec, features = SPECS[model], catalogue(model)
    with fresh_home() as settings, open_workspace(settings) as opened:
        write_shuffled(opened, seed)
        history, key = history_of(opened), opened.text_key
    mature = spec.examples(history, spec.spans).filter(pl.col("label").is_not_null())
    dealt = shuffled_by_contact(mature, np.random.default_rng(seed))
    snapshot = take_snapshot(history, dealt, features, key=key)
    names = tuple(feature.name for feature in features)
    recipe = Recipe(estimator=spec.estimator, parameters=spec.parameters(), seed=0, features=names)
    with one_thread_each():
        found = out_of_fold(snapshot, recipe, Options(cv_folds=cv_folds, threads=2), repeats=1)
    judged = [part.judged(snapshot) for part in found.by_repeat()]
    value = measure(judged, ("roc_auc",), seed=0)["roc_auc"].value
    return float("nan") if value is None else value


def auc_of(model: ModelName, seed: int, cv_folds: int) -> float:
    """Return the ROC AUC on shuffled labels of one model and seed."""
    if model is ModelName.LEAD_SCORING:
        return lead_auc(seed, replace(LEADS_ONLY, cv_folds=cv_folds))
    return contact_auc(model, seed, cv_folds)


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description="Train on shuffled labels.")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--cv-folds", type=int, default=LEADS_ONLY.cv_folds)
    parser.add_argument("--model", choices=list(ModelName))
    chosen = parser.parse_args()
    models = [ModelName(chosen.model)] if chosen.model else list(ModelName)
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    print(markdown(["model", "seeds", "mean out-of-fold AUC +- standard error"], []), flush=True)
    for model in models:
        aucs = [auc_of(model, seed, chosen.cv_folds) for seed in seeds]
        print(f"| {model} | {len(aucs)} | {mean_of(aucs)} |", flush=True)


if __name__ == "__main__":
    main()
