"""Hand-made results that the reports are tested on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatlift.learn.explain import Reason
from chatlift.learn.gate import Check, CheckKind, Decision
from chatlift.learn.readiness import Need, ReadinessReport
from chatlift.learn.scoring import Answer, AnswerState, Trend
from chatlift.registry.run_rows import Run
from chatlift.registry.versions import Version
from chatlift.vocabulary import ModelName, RunStatus, Verdict
from chatlift.workflows.train import ModelOutcome, TrainReport

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
METRICS = [
    "mae",
    "r2",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "brier",
    "calibration_error",
    "lift_10",
    "lift_20",
    "base_rate",
    "mean_score_gap",
    "calibration_slope",
    "calibration_intercept",
    "log_loss",
]


def figures(**values: float | None) -> dict[str, Any]:
    """All figures at 0.9 (0.8 to 1.0) but for the named ones, which stand alone."""
    found: dict[str, Any] = {n: {"value": 0.9, "low": 0.8, "high": 1.0} for n in METRICS}
    return found | {n: {"value": v, "low": None, "high": None} for n, v in values.items()}


def evaluation(**values: float | None) -> dict[str, Any]:
    gain = {"value": 0.1, "low": 0.05, "high": 0.15}
    rival = {"name": "a plain rule", "figures": figures(), "auc_gain": gain}
    return {
        "basis": "out_of_fold",
        "basis_words": "out of fold over all mature examples",
        "figures": figures(**values),
        "holdout": None,
        "unseen_contacts": None,
        "by_age": {},
        "rule": rival,
        "reference": rival | {"name": "another algorithm"},
        "prescribed": rival | {"name": "xgboost"},
        "rungs": {
            "rule": rival,
            "shrunken": rival | {"name": "shrunken"},
            "full": rival | {"name": "xgboost"},
            "blend": rival | {"name": "blend"},
        },
        "chosen_rungs": {"full": 4, "blend": 11},
        "shipped_rung": "blend",
        "set_rung": None,
        "anchor": 0.18,
        "anchor_points": 4.2,
        "brier_gain": gain,
        "counts": {
            "entities": 120,
            "examples": 490,
            "positive_entities": 36,
            "training_entities": 96,
            "training_examples": 392,
            "undecided": 93,
        },
        "targets": [
            {"metric": "mae", "bound": 10.0, "is_upper": True, "value": 6.2, "met": True},
            {"metric": "r2", "bound": 0.8, "is_upper": False, "value": 0.7, "met": False},
        ],
        "ceiling": {"mae": 3.9, "r2": 0.94},
        "entities": 120,
    }


def version(**changes: Any) -> Version:
    values: dict[str, Any] = {
        "version_id": 1,
        "model": ModelName.LEAD_SCORING,
        "number": 7,
        "created_at": NOON,
        "run_id": "run-1",
        "recipe_fingerprint": "r",
        "data_fingerprint": "d",
        "manifest_sha256": "0" * 64,
        "folder": Path("artifacts") / "v7",
        "size_bytes": 500_000,
        "verdict": Verdict.PROMOTE,
        "metrics": {"mae": 6.2, "r2": 0.86, "roc_auc": 0.95},
        "evaluation": evaluation(),
        "gate": {
            "verdict": "promote",
            "checks": [
                {"name": "better", "kind": "worth", "passed": False, "sentence": "Worse."},
                {"name": "rule", "kind": "note", "passed": False, "sentence": "As the rule."},
            ],
        },
        "is_champion": True,
    }
    return Version(**(values | changes))


def decision(verdict: Verdict = Verdict.PROMOTE) -> Decision:
    passed = verdict is Verdict.PROMOTE
    check = Check(
        name="better", kind=CheckKind.WORTH, passed=passed, sentence="Better than the base rate."
    )
    note = Check(name="rule", kind=CheckKind.NOTE, passed=False, sentence="As good as the rule.")
    return Decision(verdict=verdict, checks=(check, note))


def outcome(verdict: Verdict = Verdict.PROMOTE, **changes: Any) -> ModelOutcome:
    values: dict[str, Any] = {
        "model": ModelName.LEAD_SCORING,
        "sentence": "v7 serves now.",
        "evaluation": evaluation(mae=6.2, r2=0.7),
        "decision": decision(verdict),
        "version": version(is_champion=verdict is Verdict.PROMOTE, verdict=verdict),
        "serving_number": 7 if verdict is Verdict.PROMOTE else None,
        "parameters": {"trees": 100, "max_depth": 5},
        "rounds": 66,
    }
    return ModelOutcome(**(values | changes))


def not_ready() -> ModelOutcome:
    need = Need(what="mature contacts", found=3, needed=100)
    return ModelOutcome(
        model=ModelName.CHURN,
        sentence="Not enough data to train churn: 3 mature contacts of 100 needed.",
        readiness=ReadinessReport(needs=(need,), undecided=2),
    )


def failed(kind: str = "internal") -> ModelOutcome:
    frame = {"file": "chatlift/learn/fitting.py", "line": 7, "function": "fit"}
    error: Mapping[str, Any] = {
        "type": "FloatingPointError",
        "kind": kind,
        "sentence": "Something broke.",
        "frames": [frame],
        "causes": [],
    }
    return ModelOutcome(model=ModelName.ENGAGEMENT, sentence="It failed.", error=error)


def run(status: RunStatus = RunStatus.COMPLETED) -> Run:
    return Run(
        run_number=1,
        run_id="run-1",
        account_id=1,
        requested_model="all",
        models=tuple(ModelName),
        status=status,
        phase="gate",
        progress_percent=100.0,
        current_model=None,
        message="done",
        request={"seed": 0},
        metrics={"churn": {"accuracy": 0.8, "roc_auc": None}},
        verdicts={"churn": {"sentence": "v7 serves now."}},
        error=None,
        created_at=NOON,
        started_at=NOON,
        completed_at=NOON.replace(second=30),
        attempt=1,
        attempts_allowed=1,
        requested_by="",
        claimed_by=None,
        lease_expires_at=None,
        cancel_requested_at=None,
    )


def report(*outcomes: ModelOutcome) -> TrainReport:
    return TrainReport(run=run(), outcomes=outcomes, seconds=8.0)


def answer(**changes: Any) -> Answer:
    values: dict[str, Any] = {
        "entity_id": 1,
        "contact_id": 4,
        "state": AnswerState.SCORED,
        "probability": 0.873,
        "score": 87.3,
        "band": "hot",
        "recommendation": "High priority - contact immediately",
        "trend": Trend.IMPROVING,
        "reasons": (
            Reason(group="pace", feature="a", words="replies fast", raises=True, share=0.6),
            Reason(group="time", feature="b", words="seldom writes", raises=False, share=0.4),
        ),
        "as_of": NOON,
    }
    return Answer(**(values | changes))
