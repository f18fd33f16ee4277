"""The gate: may this version become champion? Named checks, each with its evidence.

Pure: evidence in, decision out. Compared is always the judged fit on rows it has not seen, never
the refit that ships. A failed check of *safety*, *worth* or *calibration* refuses: serving would
mislead. A failed check of the *champion* refuses what is shown worse and keeps the champion where
nothing is shown. A *note* is a sentence on the version and refuses nothing.

The champion is challenged again and again, and each look could promote by luck. So look k of an
account and model, counted for good, may spend 0.05 x 6 / (pi^2 k^2) of error (the series sums to
0.05), and a look counts only after 10 % new mature entities. Refreshes may not lose little by
little: their gains since the last new recipe are added up, and the sum must not be shown worse.
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
"""Calibration error that is let pass, after correction for what noise adds."""
MOST_MEAN_GAP = 0.03
"""Distance of mean score and share of positive outcomes that is let pass, either way."""
SLOPES = (0.67, 1.5)
"""Calibration slopes that are let pass."""
FEWEST_DISTINCT_SCORES = 2
SUSPICIOUS_AUC = 0.95
TOO_GOOD_AUC = 0.98
"""A model this good outside generated data has most likely seen the outcome."""
MOST_BRIER_LOSS = 0.005
"""What replaces a rule must not be worse by more, with 95 %."""
UNMEASURED = Figure(None)


class CheckKind(StrEnum):
    """What a failure of the check means."""

    SAFETY = "safety"
    WORTH = "worth"
    CALIBRATION = "calibration"
    CHAMPION = "champion"
    TARGET = "target"
    NOTE = "note"


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

    @property
    def stands_in_the_way(self) -> bool:
        """Whether it failed, and is more than a note."""
        return not self.passed and self.kind is not CheckKind.NOTE


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the gate says, and why."""

    verdict: Verdict
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the checks that stood in the way."""
        return tuple(check.sentence for check in self.checks if check.stands_in_the_way)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the version, though it refuses nothing."""
        return tuple(
            check.sentence
            for check in self.checks
            if check.kind is CheckKind.NOTE and not check.passed
        )


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A column that seems to know the outcome."""

    column: str
    is_proven: bool
    sentence: str
    auc: Figure = UNMEASURED
    threshold: float = SUSPICIOUS_AUC
    """What the lower bound of `auc` lies above."""
    evidence: str = ""
    """What was found, without what to do about it."""


@dataclass(frozen=True, kw_only=True)
class AgainstChampion:
    """The paired comparison with the version that serves."""

    champion_number: int
    is_refresh: bool
    """Same spec, features, estimator and rung; only newer data."""
    replaces_rule: bool = False
    """The champion is the simple rule and the new version is more than that."""
    earlier_gain: float = 0.0
    """Sum of the Brier gains of the refreshes since the last new recipe."""
    earlier_variance: float = 0.0
    """Sum of the variances of those gains."""
    brier_gains: Vector
    """Champion's Brier score less ours: the sample's value, then every resample's."""
    unseen_positives: int
    unseen_negatives: int
    is_cross_fitted: bool
    """Both recipes refitted on the same folds, for want of rows that the champion never saw."""
    new_entity_share: float
    """Mature entities that came since the last look, as a share of those then."""
    look: int
    """Number of this look of the account and model, from 1; it never starts anew."""

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
    is_generated: bool = False
    """Whether the data was generated; such data may be as easy as it likes."""
    moving_columns: Sequence[str] = ()
    """Columns that move the scores most, the strongest first; wanted only where `is_too_good`."""


def decide(evidence: Evidence) -> Decision:
    """Return the verdict and every check behind it."""
    checks = (
        *_safety(evidence),
        _worth(evidence),
        *calibration_checks(evidence.evaluation.calibration),
        *_targets(evidence),
        *_champion(evidence),
        *_notes(evidence),
    )
    return Decision(verdict=_verdict(checks, evidence), checks=checks)


def _verdict(checks: Sequence[Check], evidence: Evidence) -> Verdict:
    failed = [check for check in checks if check.stands_in_the_way]
    if any(check.kind is not CheckKind.CHAMPION for check in failed):
        return Verdict.REFUSE
    if not failed:
        return Verdict.PROMOTE
    is_worse = evidence.against is not None and is_shown_worse(evidence.against)
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
    sentences = " ".join(leak.sentence for leak in open_leaks)
    return _measured(
        open_leaks[0].auc if open_leaks else UNMEASURED,
        name="no_leak",
        kind=CheckKind.SAFETY,
        passed=not open_leaks,
        threshold=open_leaks[0].threshold if open_leaks else SUSPICIOUS_AUC,
        sentence=sentences or "No imported column was found to know the outcome beforehand.",
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


def _worth(evidence: Evidence) -> Check:
    gain = evidence.evaluation.brier_gain
    passed = gain.low is not None and gain.low > 0
    return _measured(
        gain,
        name="better_than_base_rate",
        kind=CheckKind.WORTH,
        passed=passed,
        threshold=0.0,
        sentence=f"The Brier score is {_gain_words(gain)} than that of giving everybody the base "
        "rate; " + ("shown to be better." if passed else "not shown to be better."),
    )


def calibration_checks(figures: Mapping[str, Figure]) -> tuple[Check, ...]:
    """Return the checks of calibration; each refuses only what is shown to be bad.

    Parameters
    ----------
    figures
        Those of `evaluation.CALIBRATION_REPORTED`, as `metrics.measure_calibration` returns them.
    """
    gap, slope = figures["mean_score_gap"], figures["calibration_slope"]
    error = figures["calibration_error"]
    is_far_off = error.low is not None and error.low > CALIBRATED_ERROR
    is_close = error.high is not None and error.high <= CALIBRATED_ERROR
    return (
        _calibration_check(
            "mean_score_is_base_rate",
            gap,
            passed=_touches(gap, -MOST_MEAN_GAP, MOST_MEAN_GAP),
            threshold=MOST_MEAN_GAP,
            sentence=f"The mean score is {_figure_words(gap, sign=True)} from the share of "
            f"positive outcomes; up to {MOST_MEAN_GAP:g} either way is let pass.",
        ),
        # Where a model places nearly all rows right, the line is as good as vertical, though the
        # probabilities are hardly off (docs/decisions/0010-a-vertical-calibration-line.md).
        _calibration_check(
            "calibration_slope",
            slope,
            passed=_touches(slope, *SLOPES) or is_close,
            threshold=1.0,
            sentence=f"The calibration slope is {_figure_words(slope)}; {SLOPES[0]:g} to "
            f"{SLOPES[1]:g} is let pass, and any slope where probabilities are hardly off.",
        ),
        _calibration_check(
            "calibration_error",
            error,
            passed=not is_far_off,
            threshold=CALIBRATED_ERROR,
            sentence=f"Probabilities are off by {_figure_words(error)} on average; up to "
            f"{CALIBRATED_ERROR:g} is let pass.",
        ),
    )


def _calibration_check(
    name: str, figure: Figure, *, passed: bool, threshold: float, sentence: str
) -> Check:
    return _measured(
        figure,
        name=name,
        kind=CheckKind.CALIBRATION,
        passed=passed,
        threshold=threshold,
        sentence=sentence + ("" if passed else " It is shown to be further off."),
    )


def _touches(figure: Figure, low: float, high: float) -> bool:
    """Tell whether any of the interval lies within the bounds; one not measured does."""
    if figure.low is None or figure.high is None:
        return True
    return figure.low <= high and figure.high >= low


def _notes(evidence: Evidence) -> tuple[Check, ...]:
    notes = (_beats_rule(evidence), _is_believable(evidence))
    return tuple(note for note in notes if note is not None)


def _beats_rule(evidence: Evidence) -> Check | None:
    """Say whether it ranks better than the simple rule; None where it is the rule."""
    rule = evidence.evaluation.rule
    gain = rule.auc_gain
    if gain.value is None or gain.low is None or gain.high is None:
        return None
    passed = gain.low > 0
    needed = _outcomes_to_settle(gain, evidence.evaluation.counts.judged_entities)
    return _measured(
        gain,
        name="better_than_simple_rule",
        kind=CheckKind.NOTE,
        passed=passed,
        threshold=0.0,
        sentence=f"Ranks better than {rule.name!r} alone: ROC AUC {_figure_words(gain, sign=True)}."
        if passed
        else f"Ranks no better than {rule.name!r} alone on what there is: ROC AUC "
        f"{_figure_words(gain, sign=True)}. About {needed:,} outcomes would settle it.",
    )


SETTLED_DIFFERENCE = 0.02
"""A difference of ROC AUC below this is not worth settling."""


def _outcomes_to_settle(gain: Figure, judged: int) -> int:
    """Return how many judged entities make an interval narrow enough to leave out zero.

    The interval narrows with the root of the count. A gain smaller than `SETTLED_DIFFERENCE` is
    taken for that.
    """
    if gain.value is None or gain.low is None or gain.high is None:
        return judged
    reach = (gain.high - gain.low) / 2
    wanted = max(abs(gain.value), SETTLED_DIFFERENCE)
    return max(10 * round(judged * (reach / wanted) ** 2 / 10), judged)


def is_too_good(evaluation: Evaluation) -> bool:
    """Tell whether it ranks so well that it has most likely seen the outcome."""
    low = evaluation.figures["roc_auc"].low
    return low is not None and low > TOO_GOOD_AUC


def _is_believable(evidence: Evidence) -> Check | None:
    auc = evidence.evaluation.figures["roc_auc"]
    if evidence.is_generated or not is_too_good(evidence.evaluation):
        return None
    named = f" ({', '.join(evidence.moving_columns)})" if evidence.moving_columns else ""
    return _measured(
        auc,
        name="believable",
        kind=CheckKind.NOTE,
        passed=False,
        threshold=TOO_GOOD_AUC,
        sentence=f"ROC AUC {_figure_words(auc)} is too good to be true for what customers do. "
        f"Look at the columns that move the scores most{named}: one of them may be filled in "
        "after the outcome. Leave an imported one out with --leave-out.",
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
        f"{'met' if passed else 'not met'}: {_figure_words(figure)}.",
    )


def _champion(evidence: Evidence) -> tuple[Check, ...]:
    return () if evidence.against is None else champion_checks(evidence.against)


def champion_checks(against: AgainstChampion) -> tuple[Check, ...]:
    """Return the checks against the version that serves; the gate's error rates are theirs."""
    if against.is_refresh:
        return (_not_worse(against), _not_worse_in_sum(against))
    if against.replaces_rule:
        return (_better_than_rule_champion(against),)
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
    passed = not _is_worse_alone(against)
    return _measured(
        figure,
        name="refresh_not_worse",
        kind=CheckKind.CHAMPION,
        passed=passed,
        threshold=0.0,
        sentence=f"A refresh of v{against.champion_number}: its Brier score is "
        f"{_gain_words(figure)} than that version's on {_rows_words(against)}; "
        + ("not shown to be worse." if passed else "shown to be worse."),
    )


def _not_worse_in_sum(against: AgainstChampion) -> Check:
    """Add up the gains of all refreshes since the last new recipe, so that losses do not hide."""
    total, spread = _summed_gain(against)
    figure = Figure(total, total - 1.96 * spread, total + 1.96 * spread)
    passed = not _is_worse_in_sum(against)
    return _measured(
        figure,
        name="refreshes_not_worse_in_sum",
        kind=CheckKind.CHAMPION,
        passed=passed,
        threshold=0.0,
        sentence=f"All refreshes since the last new recipe together: the Brier score is "
        f"{_gain_words(figure)}; " + ("not shown to be worse." if passed else "shown to be worse."),
    )


def _better_than_rule_champion(against: AgainstChampion) -> Check:
    figure = _gain(against)
    bound = _one_sided_bound(against, ERROR_BUDGET)
    passed = bool(figure.value is not None and figure.value > 0 and bound > -MOST_BRIER_LOSS)
    return Check(
        name="better_than_rule_champion",
        kind=CheckKind.CHAMPION,
        passed=passed,
        value=figure.value,
        low=bound if math.isfinite(bound) else None,
        high=figure.high,
        threshold=-MOST_BRIER_LOSS,
        sentence=f"In place of the simple rule that serves as v{against.champion_number}: the "
        f"Brier score is {_gain_words(figure)} on {_rows_words(against)}; "
        + ("better, and " if passed else "not better, or ")
        + f"{'not worse' if passed else 'perhaps worse'} by more than {MOST_BRIER_LOSS:g}.",
    )


def _fresh_look(against: AgainstChampion) -> Check:
    passed = against.new_entity_share >= FEWEST_NEW_SHARE
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
    bound = _one_sided_bound(against, against.allowed_error)
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
        f"{_gain_words(figure)} than that version's on {_rows_words(against)}; "
        + ("shown to be better" if passed else "not shown to be better")
        + f" (this look may err {against.allowed_error:.1%} of the time).",
    )


def _one_sided_bound(against: AgainstChampion, error: float) -> float:
    """Return the gain that is exceeded but for the error allowed; NaN where nothing was measured.

    By the normal law with the resamples' spread: the share allowed to a late look is smaller than
    one resample in all.
    """
    if len(against.brier_gains) < 2:
        return math.nan
    return float(against.brier_gains[0]) - NormalDist().inv_cdf(1 - error) * gain_spread(against)


def gain_spread(against: AgainstChampion) -> float:
    """Return the standard error of the gain; 0 where nothing was measured."""
    return float(against.brier_gains[1:].std()) if len(against.brier_gains) > 1 else 0.0


def is_shown_worse(against: AgainstChampion) -> bool:
    """Tell whether it is worse than the champion, by itself or as the last of many refreshes."""
    return _is_worse_alone(against) or (against.is_refresh and _is_worse_in_sum(against))


def _is_worse_alone(against: AgainstChampion) -> bool:
    resamples = against.brier_gains[1:]
    return bool(len(resamples)) and float(np.quantile(resamples, 1 - ERROR_BUDGET)) < 0


def _is_worse_in_sum(against: AgainstChampion) -> bool:
    total, spread = _summed_gain(against)
    return total + NormalDist().inv_cdf(1 - ERROR_BUDGET) * spread < 0


def _summed_gain(against: AgainstChampion) -> tuple[float, float]:
    """Return the gain of this refresh and those before it, and its standard error."""
    own = float(against.brier_gains[0]) if len(against.brier_gains) else 0.0
    variance = against.earlier_variance + gain_spread(against) ** 2
    return against.earlier_gain + own, math.sqrt(variance)


def _gain(against: AgainstChampion) -> Figure:
    values = against.brier_gains
    if len(values) < 2:
        return Figure(float(values[0]) if len(values) else None)
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Figure(float(values[0]), float(low), float(high))


def _rows_words(against: AgainstChampion) -> str:
    if against.is_cross_fitted:
        return "the same folds for both recipes"
    seen = against.unseen_positives + against.unseen_negatives
    return f"{seen} examples that the champion never saw"


def _gain_words(gain: Figure) -> str:
    """Say how much better or worse, never better by a negative number.

    Examples
    --------
    >>> _gain_words(Figure(-0.024, -0.03, -0.01))
    'worse by 0.024 (-0.030 to -0.010)'
    """
    if gain.value is None:
        return "not measurably better"
    interval = "" if gain.low is None else f" ({gain.low:+.3f} to {gain.high:+.3f})"
    return f"{'better' if gain.value >= 0 else 'worse'} by {abs(gain.value):.3f}{interval}"


def _figure_words(figure: Figure, *, sign: bool = False) -> str:
    if figure.value is None:
        return "not measurable"
    style = "+.3f" if sign else ".3f"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{style}}"
    return f"{figure.value:{style}} ({figure.low:{style}} to {figure.high:{style}})"
