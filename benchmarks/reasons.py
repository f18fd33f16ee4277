"""Measure whether reasons name what moves the outcome: generated data with known causes.

python -m benchmarks.reasons [--first 0] [--seeds 20] [--difficulty easy|realistic]

In generated data a lead's interest decides whether it buys, and shows only in what the contact
writes, in how fast it answers, in how often it writes again on the same day, and a little in the
lead's source and value. Five columns of pure chance are added to the three that are there (city,
plan, company size). Every seed goes the public path: generated, trained with the defaults but for
fewer folds of the figures, and everybody scored who can be. Seeds 0 to 19 are reported; those that
anything was chosen on are 1000 to 1019.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, machine, markdown, now, share_of

from chatlift.learn.explain import Reason
from chatlift.learn.reason_groups import TEXT_GROUP
from chatlift.records import FACTS, Records
from chatlift.registry.scores import Prediction
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import SIMULATED, FactSubject, ModelName
from chatlift.workflows.generate import generate
from chatlift.workflows.predict import PredictRequest, predict
from chatlift.workflows.train import TrainRequest, train

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
FIRST_VERSION = "1"
HOT = "hot"
BEST = 5
MISSING_SHARE = 0.3
CAUSES = (
    "reply_delay_",
    "last_reply_delay_",
    "quick_reply_share_",
    "messages_received_count",
    "messages_received_since_lead_count",
    "messages_received_per_active_day_",
    "questions_received_",
    "numbers_received_share_",
    "characters_received_",
    "last_message_in_",
    "lead_value",
)
"""How the columns begin that the generator makes from a lead's interest; what is said decides
also how long it is and whether it asks or names a number."""
CAUSING_ATTRIBUTES = ("lead.source", "lead.value")


@dataclass(frozen=True, kw_only=True)
class SeedReasons:
    """What was told for one seed."""

    seed: int
    hot: int
    """Open leads in the highest band."""
    silent: int
    """Of these, leads without any reason that raises them."""
    causes: int
    """Of these, leads whose first reason is a true cause."""
    best: int
    """The best open leads, at most `BEST` of them, in whatever band."""
    best_silent: int
    best_causes: int
    first: Counter[str]
    """Columns of the first reasons of hot leads."""
    told: Counter[ModelName]
    """Reasons told of everybody who was scored."""
    noise: Counter[ModelName]
    """Of these, reasons that name a column of pure chance."""
    lead_causes: int
    """Of the reasons told of leads, those that are true causes."""


def is_cause(reason: Reason) -> bool:
    """Tell whether the generator makes the reason's column from a lead's interest."""
    if reason.group == TEXT_GROUP or reason.feature.startswith(CAUSES):
        return True
    return reason.feature.split("=", 1)[0] in CAUSING_ATTRIBUTES


def is_noise(model: ModelName, reason: Reason) -> bool:
    """Tell whether the reason names an attribute that knows nothing of the model's outcome."""
    if "." not in reason.feature:
        return False
    return not (model is ModelName.LEAD_SCORING and is_cause(reason))


def noise_facts(request: SimulationRequest) -> pl.DataFrame:
    """Return five columns drawn by chance alone, known from creation on, some values missing."""
    records = simulate_crm(request).records
    rng = np.random.default_rng([request.seed, 5])
    contacts, leads = records.contacts.height, records.leads.height
    days = np.char.zfill(rng.integers(1, 28, contacts).astype(str), 2)
    drawn = [
        (FactSubject.CONTACT, "region", rng.choice(["north", "south", "east", "west"], contacts)),
        (FactSubject.CONTACT, "points", rng.integers(0, 500, contacts)),
        (FactSubject.CONTACT, "newsletter", rng.choice(["yes", "no"], contacts)),
        (FactSubject.CONTACT, "member_since", np.char.add("2025-03-", days)),
        (FactSubject.LEAD, "agent", rng.choice(["desk 1", "desk 2", "desk 3"], leads)),
    ]  # fmt: skip
    frames = []
    for subject, name, values in drawn:
        of = records.contacts if subject is FactSubject.CONTACT else records.leads
        frame = of.select(
            subject=pl.lit(str(subject)),
            subject_external_id="external_id",
            name=pl.lit(name),
            value=pl.Series(values.astype(str)),
            known_at="created_at",
        )
        frames.append(frame.filter(pl.Series(rng.random(of.height) >= MISSING_SHARE)))
    return pl.concat([FACTS.to_frame(), *frames])


def reasons_of(seed: int, difficulty: Difficulty) -> SeedReasons:
    """Generate, train and score one seed, and count what is told."""
    request = SimulationRequest(until=UNTIL, seed=seed, difficulty=difficulty)
    with fresh_home() as settings, open_workspace(settings) as opened:
        generate(request, crm=opened.crm, truth_folder=opened.truth_folder)
        opened.crm.write(Records(facts=noise_facts(request)), source=SIMULATED)
        train(opened, TrainRequest(cv_folds=2), clock=now)
        scored = {model: _scored(opened, model) for model in ModelName}
    leads = scored[ModelName.LEAD_SCORING]
    hot, best = [p for p in leads if p.answer.band == HOT], leads[:BEST]
    first, first_of_best = _first_raising(hot), _first_raising(best)
    return SeedReasons(
        seed=seed,
        hot=len(hot),
        silent=len(hot) - len(first),
        causes=sum(is_cause(reason) for reason in first),
        best=len(best),
        best_silent=len(best) - len(first_of_best),
        best_causes=sum(is_cause(reason) for reason in first_of_best),
        first=Counter(reason.feature for reason in first),
        told=Counter({m: sum(1 for _ in _reasons(scored[m])) for m in ModelName}),
        lead_causes=sum(is_cause(r) for r in _reasons(scored[ModelName.LEAD_SCORING])),
        noise=Counter({m: sum(is_noise(m, r) for r in _reasons(scored[m])) for m in ModelName}),
    )


def _scored(opened: Workspace, model: ModelName) -> tuple[Prediction, ...]:
    return predict(
        opened, PredictRequest(model=model, version=FIRST_VERSION), now=now()
    ).predictions


def _first_raising(predictions: Sequence[Prediction]) -> list[Reason]:
    """Return the first reason that raises each score, where there is one."""
    raising = [[r for r in p.answer.reasons if r.raises] for p in predictions]
    return [reasons[0] for reasons in raising if reasons]


def _reasons(predictions: Iterable[Prediction]) -> Iterable[Reason]:
    return (reason for prediction in predictions for reason in prediction.answer.reasons)


def print_summary(found: Sequence[SeedReasons]) -> None:
    """Print the shares over all seeds."""
    hot, silent = sum(one.hot for one in found), sum(one.silent for one in found)
    causes = sum(one.causes for one in found)
    told = sum((one.told for one in found), Counter[ModelName]())
    print(f"\nFirst reason a true cause, of all hot leads: {share_of(causes, hot)}")
    print(f"Of the hot leads with a reason: {share_of(causes, hot - silent)}; none: {silent}")
    best, best_silent = sum(one.best for one in found), sum(one.best_silent for one in found)
    best_causes = share_of(sum(one.best_causes for one in found), best - best_silent)
    print(
        f"Of the {BEST} best leads of each seed with a reason: {best_causes}; none: {best_silent}"
    )
    rows: list[list[object]] = [[model, *_noise_cells(found, [model])] for model in ModelName]
    rows.append(["all", *_noise_cells(found, list(ModelName))])
    print(
        "\n" + markdown(["model", "told", "name a column of pure chance", "versions that do"], rows)
    )
    lead_causes = sum(one.lead_causes for one in found)
    shown = share_of(lead_causes, told[ModelName.LEAD_SCORING])
    print(f"\nTrue causes among all reasons told of leads: {shown}")
    columns = sum((one.first for one in found), Counter[str]())
    print("\n" + markdown(["first reason of hot leads", "leads"], columns.most_common(12)))


def _noise_cells(found: Sequence[SeedReasons], models: Sequence[ModelName]) -> list[object]:
    """Return the reasons told, those that name noise, and in how many versions there are any.

    The reasons of one version stand or fall together, so only versions have an interval.
    """
    told = sum(one.told[model] for one in found for model in models)
    noise = sum(one.noise[model] for one in found for model in models)
    versions = [one.noise[model] > 0 for one in found for model in models]
    share = f"{noise:,} = {100 * noise / max(told, 1):.1f} %"
    return [f"{told:,}", share, share_of(sum(versions), len(versions))]


def main() -> None:
    """Print a row per seed as it ends, then the summary, for each difficulty."""
    parser = argparse.ArgumentParser(description="Measure reasons on known causes.")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--difficulty", choices=list(Difficulty))
    chosen = parser.parse_args()
    print(f"Seeds {chosen.first} to {chosen.first + chosen.seeds - 1} on {machine()}")
    for difficulty in [Difficulty(chosen.difficulty)] if chosen.difficulty else list(Difficulty):
        print(f"\n{difficulty}\n")
        print(markdown(["seed", "hot", "no reason", "true cause", "told", "noise"], []))
        found = []
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            one = reasons_of(seed, difficulty)
            found.append(one)
            cells = [seed, one.hot, one.silent, one.causes, one.told.total(), one.noise.total()]
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
        print_summary(found)


if __name__ == "__main__":
    main()
