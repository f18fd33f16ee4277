"""Time the steps of `make demo` on default data, one model's training, and one prediction.

python -m benchmarks.learning
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from benchmarks.common import fresh_home, machine, markdown, now

from chatlift.registry.serving import history_of, scorer_of
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.simulate.request import SimulationRequest
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import check
from chatlift.workflows.generate import generate
from chatlift.workflows.predict import PredictRequest, predict
from chatlift.workflows.train import TrainRequest, train

T = TypeVar("T")
BEST_LEADS = PredictRequest(model=ModelName.LEAD_SCORING, top=10)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what a piece of work returned, and its seconds."""
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def demo_steps(opened: Workspace) -> list[tuple[str, float]]:
    """Return the steps of `make demo` and their seconds, in order."""
    made = SimulationRequest(until=now())

    def generating() -> object:
        return generate(made, crm=opened.crm, truth_folder=opened.truth_folder)

    def training(model: ModelName) -> Callable[[], object]:
        request = TrainRequest(models=(model,), requested_model=model)
        return lambda: train(opened, request, clock=now)

    steps: list[tuple[str, Callable[[], object]]] = [
        ("generate the CRM", generating),
        *((f"train {model}", training(model)) for model in ModelName),
        ("test the three models", lambda: check(opened, tuple(ModelName))),
        ("predict the ten best leads", lambda: predict(opened, BEST_LEADS, now=now())),
    ]
    return [(name, timed(work)[1]) for name, work in steps]


def latencies(opened: Workspace, repeats: int = 10) -> list[tuple[str, float]]:
    """Return the shortest of a few times of one prediction, by model, in two ways.

    `workflow`: what a command or a request does, with reading the account's history; `scorer`:
    with history and version at hand.
    """
    history = history_of(opened)
    found = []
    for model in ModelName:
        asked = PredictRequest(model=model, top=1)
        first = predict(opened, asked, now=now()).predictions[0]
        asked = replace(asked, top=None, external_ids=(first.external_id,))
        scorer = scorer_of(opened, opened.versions.load_serving(model, now=now()).artifact)
        answer = first.answer
        ways: dict[str, Callable[[], object]] = {
            "workflow": lambda a=asked: predict(opened, a, now=now()),  # type: ignore[misc]
            "scorer": lambda s=scorer, a=answer: s.answers(  # type: ignore[misc]
                history, a.as_of, entity_ids=[a.entity_id]
            ),
        }
        for way, work in ways.items():
            shortest = min(timed(work)[1] for _ in range(repeats))
            found.append((f"one {model} prediction, {way}", shortest))
    return found


def on_one_thread(settings: Settings) -> float:
    """Return the seconds of training all three models with one fit at a time."""
    with open_workspace(replace(settings, threads=1)) as opened:
        generate(SimulationRequest(until=now()), crm=opened.crm, truth_folder=opened.truth_folder)
        return timed(lambda: train(opened, TrainRequest(), clock=now))[1]


def main() -> None:
    """Print the tables."""
    with fresh_home() as settings, open_workspace(settings) as opened:
        steps = demo_steps(opened)
        single = latencies(opened)
    with fresh_home() as settings:
        alone = on_one_thread(settings)
    print(machine(), end="\n\n")
    total = [("all steps of the demo", sum(seconds for _, seconds in steps))]
    rows = [*steps, *total, ("train all three, one fit at a time", alone)]
    print(markdown(["step", "seconds"], [[name, f"{took:.1f}"] for name, took in rows]))
    print()
    print(markdown(["answer", "ms"], [[name, f"{1000 * took:.0f}"] for name, took in single]))


if __name__ == "__main__":
    main()
