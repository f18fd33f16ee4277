"""The gate: may this version become champion? Named checks, each with its evidence.

Pure: evidence in, decision out. Compared is always the judged fit on rows it has not seen, never
the refit that ships. Three kinds of checks: *safety* (a failure refuses), *quality* (no better
than the plain rule: refuses, since it would be worse than nothing) and *champion* (worse refuses;
not shown better keeps the champion).

The champion may be challenged again and again, and each look could promote by luck. So look k may
spend 0.05 x 6 / (pi^2 k^2) of error (the series sums to 0.05), and a look counts only after 10 %
new mature entities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from chatlift.learn.evaluation import Evaluation
from chatlift.learn.metrics import Figure, Vector
from chatlift.learn.specs.base import ModelSpec, Readiness, Target
from chatlift.vocabulary import Verdict

ERROR_BUDGET = 0.05
FEWEST_NEW_SHARE = 0.10
FEWEST_UNSEEN_PER_CLASS = 30
CALIBRATED_ERROR = 0.05
SMALL_MEAN_GAP = 0.02
"""A mean score that is shown to be this close to the base rate is close enough."""
CALIBRATION_ERROR_FROM_ENTITIES = 1_000
FEWEST_DISTINCT_SCORES = 3
SUSPICIOUS_AUC = 0.95
UNMEASURED = Figure(None)


class CheckKind(StrEnum):
    """What a failure of the check means."""

    SAFETY = "safety"
    QUALITY = "quality"
    CHAMPION = "champion"
    TARGET = "target"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One named condition with its evidence."""

    name: str
    kind: CheckKind
    passed: bool
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the gate says, and why."""

    verdict: Verdict
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the checks that did not pass."""
        return tuple(check.sentence for check in self.checks if not check.passed)


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A column that seems to know the outcome."""

    column: str
    is_proven: bool
    sentence: str
    auc: Figure = UNMEASURED


@dataclass(frozen=True, kw_only=True)
class AgainstChampion:
    """The paired comparison with the version that serves."""

    champion_number: int
    is_refresh: bool
    """Same spec, features and estimator; only newer data."""
    brier_gains: Vector
    """Champion's Brier score less ours: the sample's value, then every resample's."""
    unseen_positives: int
    unseen_negatives: int
    is_cross_fitted: bool
    """Both recipes refitted on the same folds, for want of rows that the champion never saw."""
    new_entity_share: float
    """Mature entities that came since the last look, as a share of those then."""
    look: int
    """Number of this look since the champion was promoted, from 1."""

    @property
    def allowed_error(self) -> float:
        """Error that this look may spend."""
        return ERROR_BUDGET * 6 / (math.pi**2 * self.look**2)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the gate looks at."""

    spec: ModelSpec
    floors: Readiness
    evaluation: Evaluation
    leaks: Sequence[Leak]
    accepted_columns: frozenset[str]
    """Suspected columns that a person has vouched for."""
    suite_failures: Sequence[str]
    """What the model test suite found; empty: it passed."""
    scores: Vector
    """Probabilities of the shipped version on its examples."""
    targets: Sequence[Target]
    require_targets: bool
    against: AgainstChampion | None


def decide(evidence: Evidence) -> Decision:
    """Return the verdict and every check behind it."""
    checks = (
        *_safety(evidence),
        *_quality(evidence),
        *_targets(evidence),
        *_champion(evidence),
    )
    return Decision(verdict=_verdict(checks, evidence), checks=checks)


def _verdict(checks: Sequence[Check], evidence: Evidence) -> Verdict:
    failed = [check for check in checks if not check.passed]
    if any(check.kind is not CheckKind.CHAMPION for check in failed):
        return Verdict.REFUSE
    if not failed:
        return Verdict.PROMOTE
    is_worse = evidence.against is not None and _is_shown_worse(evidence.against)
    return Verdict.REFUSE if is_worse else Verdict.KEEP_CHAMPION


def _safety(evidence: Evidence) -> tuple[Check, ...]:
    return (
        _enough(evidence),
        _no_leak(evidence),
        _sound_scores(evidence),
        _suite(evidence),
    )


def _enough(evidence: Evidence) -> Check:
    counts = evidence.evaluation.counts
    return Check(
        name="enough_data",
        kind=CheckKind.SAFETY,
        passed=counts.entities >= evidence.floors.entities,
        value=float(counts.entities),
        threshold=float(evidence.floors.entities),
        sentence=f"There are {counts.entities} mature {evidence.spec.entity}s "
        f"({counts.examples} examples), {counts.positive_entities} with a positive outcome.",
    )


def _no_leak(evidence: Evidence) -> Check:
    open_leaks = [
        leak
        for leak in evidence.leaks
        if leak.is_proven or leak.column not in evidence.accepted_columns
    ]
    told = " ".join(leak.sentence for leak in open_leaks)
    worst = open_leaks[0].auc if open_leaks else Figure(None)
    return _measured(
        worst,
        name="no_leak",
        kind=CheckKind.SAFETY,
        passed=not open_leaks,
        threshold=SUSPICIOUS_AUC,
        sentence=told or "No column knows the outcome beforehand.",
    )


def _sound_scores(evidence: Evidence) -> Check:
    scores = evidence.scores
    is_sound = bool(np.isfinite(scores).all()) and bool(((scores > 0) & (scores < 1)).all())
    distinct = len(np.unique(np.round(scores, 6)))
    return Check(
        name="sound_scores",
        kind=CheckKind.SAFETY,
        passed=is_sound and distinct >= FEWEST_DISTINCT_SCORES,
        value=float(distinct),
        threshold=float(FEWEST_DISTINCT_SCORES),
        sentence=f"Scores are {'finite and in range' if is_sound else 'NOT all finite numbers'}, "
        f"with {distinct} different values.",
    )


def _suite(evidence: Evidence) -> Check:
    failures = evidence.suite_failures
    return Check(
        name="model_test_suite",
        kind=CheckKind.SAFETY,
        passed=not failures,
        value=float(len(failures)),
        threshold=0.0,
        sentence="The model test suite failed: " + " ".join(failures)
        if failures
        else "The model test suite passed on this version.",
    )


def _quality(evidence: Evidence) -> tuple[Check, ...]:
    return (
        _beats_chance(evidence),
        _beats_rule(evidence),
        _beats_base_brier(evidence),
        _mean_is_right(evidence),
        *_calibrated(evidence),
    )


def _measured(
    figure: Figure, *, name: str, kind: CheckKind, passed: bool, threshold: float, sentence: str
) -> Check:
    """Return a check of a figure, with its interval."""
    return Check(
        name=name,
        kind=kind,
        passed=passed,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        threshold=threshold,
        sentence=sentence,
    )


def _beats_chance(evidence: Evidence) -> Check:
    auc = evidence.evaluation.figures["roc_auc"]
    passed = auc.low is not None and auc.low > 0.5
    return _measured(
        auc,
        name="better_than_chance",
        kind=CheckKind.QUALITY,
        passed=passed,
        threshold=0.5,
        sentence=f"ROC AUC is {_told(auc)}; "
        + ("above" if passed else "not shown to be above")
        + " the 0.50 of chance.",
    )


def _beats_rule(evidence: Evidence) -> Check:
    rule = evidence.evaluation.rule
    gain = rule.auc_gain
    passed = gain.low is not None and gain.low > 0
    return _measured(
        gain,
        name="better_than_simple_rule",
        kind=CheckKind.QUALITY,
        passed=passed,
        threshold=0.0,
        sentence=f"ROC AUC is {_told(gain, sign=True)} against the simple rule "
        f"({rule.name}: {_told(rule.figures['roc_auc'])}); "
        + ("better." if passed else "not shown to be better."),
    )


def _beats_base_brier(evidence: Evidence) -> Check:
    gain = evidence.evaluation.brier_gain
    passed = gain.low is not None and gain.low > 0
    return _measured(
        gain,
        name="better_brier_than_base_rate",
        kind=CheckKind.QUALITY,
        passed=passed,
        threshold=0.0,
        sentence=f"The Brier score is {_told(gain, sign=True)} below the base rate's; "
        + ("better." if passed else "not shown to be better."),
    )


def _mean_is_right(evidence: Evidence) -> Check:
    gap = evidence.evaluation.figures["mean_score_gap"]
    contains = _contains(gap, 0.0)
    is_small = _lies_within(gap, SMALL_MEAN_GAP)
    verdict = "the same within its interval." if contains else "they differ."
    if is_small and not contains:
        verdict = f"they differ by less than {SMALL_MEAN_GAP:g}, which is small."
    passed = contains or is_small
    return _measured(
        gap,
        name="mean_score_is_base_rate",
        kind=CheckKind.QUALITY,
        passed=passed,
        threshold=0.0,
        sentence=f"The mean score is {_told(gap, sign=True)} from the share of positive outcomes; "
        + verdict,
    )


def _calibrated(evidence: Evidence) -> tuple[Check, ...]:
    figures = evidence.evaluation.figures
    if evidence.evaluation.counts.judged_entities >= CALIBRATION_ERROR_FROM_ENTITIES:
        error = figures["calibration_error"]
        passed = error.value is not None and error.value <= CALIBRATED_ERROR
        return (
            _measured(
                error,
                name="calibrated",
                kind=CheckKind.QUALITY,
                passed=passed,
                threshold=CALIBRATED_ERROR,
                sentence=f"Calibration error is {_told(error)}; at most {CALIBRATED_ERROR} is "
                "allowed.",
            ),
        )
    return (
        _line_check("calibration_intercept", figures, 0.0),
        _line_check("calibration_slope", figures, 1.0),
    )


def _line_check(name: str, figures: Mapping[str, Figure], right: float) -> Check:
    """Judge slope or intercept; a miss that is shown to be small in points is let pass.

    Where a model places nearly all rows right the line is as good as vertical, and no interval
    contains 1, though the probabilities are a point or two off at most.
    """
    figure, error = figures[name], figures["calibration_error"]
    contains = _contains(figure, right)
    is_small = error.high is not None and error.high <= CALIBRATED_ERROR
    word = name.removeprefix("calibration_")
    told = (
        f"The calibration {word} is {_told(figure)}; its interval "
        f"{'contains' if contains else 'does not contain'} {right:g}."
    )
    if not contains and is_small:
        told += f" Probabilities are off by {_told(error)} on average, which is small."
    return _measured(
        figure,
        name=name,
        kind=CheckKind.QUALITY,
        passed=contains or is_small,
        threshold=right,
        sentence=told,
    )


def _targets(evidence: Evidence) -> tuple[Check, ...]:
    if not evidence.require_targets:
        return ()
    return tuple(_target(target, evidence.evaluation) for target in evidence.targets)


def _target(target: Target, evaluation: Evaluation) -> Check:
    figure = evaluation.figures[target.metric]
    passed = figure.value is not None and target.is_met(figure.value)
    side = "below" if target.is_upper else "above"
    return _measured(
        figure,
        name=f"target_{target.metric}",
        kind=CheckKind.TARGET,
        passed=passed,
        threshold=target.bound,
        sentence=f"The target {target.metric} {side} {target.bound:g} is "
        f"{'met' if passed else 'not met'}: {_told(figure)}.",
    )


def _champion(evidence: Evidence) -> tuple[Check, ...]:
    return () if evidence.against is None else champion_checks(evidence.against)


def champion_checks(against: AgainstChampion) -> tuple[Check, ...]:
    """Return the checks against the version that serves; the gate's error rates are theirs."""
    if against.is_refresh:
        return (_not_worse(against),)
    return (_fresh_look(against), _shown_better(against))


def _not_worse(against: AgainstChampion) -> Check:
    figure = _gain(against)
    if len(against.brier_gains) < 2:
        return Check(
            name="refresh_not_worse",
            kind=CheckKind.CHAMPION,
            passed=False,
            sentence=f"A refresh of v{against.champion_number} without one example that it has "
            "not seen: nothing is new, so it stays.",
        )
    passed = not _is_shown_worse(against)
    return _measured(
        figure,
        name="refresh_not_worse",
        kind=CheckKind.CHAMPION,
        passed=passed,
        threshold=0.0,
        sentence=f"A refresh of v{against.champion_number}: its Brier score is "
        f"{_told(figure, sign=True)} below that version's on {_rows_told(against)}; "
        + ("not shown to be worse." if passed else "shown to be worse."),
    )


def _fresh_look(against: AgainstChampion) -> Check:
    passed = against.look == 1 or against.new_entity_share >= FEWEST_NEW_SHARE
    return Check(
        name="fresh_look",
        kind=CheckKind.CHAMPION,
        passed=passed,
        value=against.new_entity_share,
        threshold=FEWEST_NEW_SHARE,
        sentence=f"Look {against.look} at a new recipe: {against.new_entity_share:.0%} new mature "
        f"entities since the last look; {'enough' if passed else 'wait'} for "
        f"{FEWEST_NEW_SHARE:.0%}.",
    )


def _shown_better(against: AgainstChampion) -> Check:
    bound = _lower_bound(against)
    passed = math.isfinite(bound) and bound > 0
    figure = _gain(against)
    return Check(
        name="new_recipe_better",
        kind=CheckKind.CHAMPION,
        passed=passed,
        value=figure.value,
        low=bound if math.isfinite(bound) else None,
        high=figure.high,
        threshold=0.0,
        sentence=f"A new recipe against v{against.champion_number}: its Brier score is "
        f"{_told(figure, sign=True)} below that version's on {_rows_told(against)}; "
        + ("shown to be better" if passed else "not shown to be better")
        + f" (this look may err {against.allowed_error:.1%} of the time).",
    )


def _lower_bound(against: AgainstChampion) -> float:
    """Return the gain that is exceeded but for the error this look may spend.

    By the normal law with the resamples' spread: the share allowed to a late look is smaller than
    one resample in all.
    """
    if len(against.brier_gains) < 2:
        return math.nan
    spread = float(against.brier_gains[1:].std())
    z = NormalDist().inv_cdf(1 - against.allowed_error)
    return float(against.brier_gains[0]) - z * spread


def _is_shown_worse(against: AgainstChampion) -> bool:
    resamples = against.brier_gains[1:]
    return bool(len(resamples)) and float(np.quantile(resamples, 0.95)) < 0


def _gain(against: AgainstChampion) -> Figure:
    values = against.brier_gains
    if len(values) < 2:
        return Figure(float(values[0]) if len(values) else None)
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Figure(float(values[0]), float(low), float(high))


def _rows_told(against: AgainstChampion) -> str:
    if against.is_cross_fitted:
        return "the same folds for both recipes"
    seen = against.unseen_positives + against.unseen_negatives
    return f"{seen} examples that the champion never saw"


def _contains(figure: Figure, value: float) -> bool:
    return figure.low is not None and figure.high is not None and figure.low <= value <= figure.high


def _lies_within(figure: Figure, bound: float) -> bool:
    """Tell whether the whole interval lies between -bound and +bound."""
    if figure.low is None or figure.high is None:
        return False
    return -bound <= figure.low and figure.high <= bound


def _told(figure: Figure, *, sign: bool = False) -> str:
    if figure.value is None:
        return "not measurable"
    style = "+.3f" if sign else ".3f"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{style}}"
    return f"{figure.value:{style}} ({figure.low:{style}} to {figure.high:{style}})"
