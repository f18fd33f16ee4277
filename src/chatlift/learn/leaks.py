"""Columns that know the outcome beforehand: proven ones refuse, suspected ones need a word.

Only imported attributes are looked at, each as a whole with all of its values, and only those that
a fit would look at. Features that Chatlift computes from dated messages are exempt: their instants
are known, and a property test holds that they never see the cutoff.

Three questions are asked of a column: does it tell the outcome better than any other
one (`leak_scores`); does it look otherwise on closed leads than on open ones of the same age
(`closings`); and was it written as leads closed, by its own dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chatlift.history import History
from chatlift.learn.closings import ClosingsOf, Difference, contact_closings, lead_closings
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.gate import SUSPICIOUS_AUC, UNMEASURED, Leak
from chatlift.learn.leak_scores import ColumnScore, ColumnScores, first_rows
from chatlift.learn.snapshots import Snapshot
from chatlift.vocabulary import FactSubject

HIGH_AUC = 0.85
"""AUC of one column from which on it is compared with the best of the others."""
LEAST_AUC = 0.82
"""The lower bound of such an AUC has to lie above this."""
MOST_FILLED_GAP = 0.3
"""Share filled on closed leads less that on open ones, above which a column is suspected."""
MOST_ONLY_CLOSED = 0.2
"""Share of closed leads with a value that no open one has, above which a column is suspected."""
ALL_BUT_FEW = 0.9
"""Share of closed leads from which on it is as good as all: then a leak is proven."""
HALF = 0.5


def find_leaks(
    history: History, snapshot: Snapshot, closings_of: ClosingsOf | None, *, seed: int
) -> list[Leak]:
    """Return the attributes that seem to know the outcome, each once, the proven ones first.

    Parameters
    ----------
    closings_of
        Finds the leads or contacts that are closed and those that are not; None: the label is made
        of no such closing.
    """
    first = snapshot.take(first_rows(snapshot))
    encoder = AttributeEncoder.learn(first.attributes, first.contacts.tolist())
    if not encoder.attributes:
        return []
    leaks: list[Leak] = []
    if closings_of is not None:
        closings = closings_of(history, encoder.names)
        leaks += closing_leaks(closings.differences(encoder), closings.subject)
    for score in ColumnScores(encoder, first, seed=seed).above(HIGH_AUC):
        leaks += _told_by_score(score)
    return _foremost(leaks)


def contradictions(history: History, names: Sequence[str]) -> list[Leak]:
    """Return what speaks against columns having been known at the creation of their records.

    Those of leads are compared between closed and open leads; those of contacts also between
    contacts that churned and others, where enough did.

    Parameters
    ----------
    names
        Attributes, such as `lead.reason`; their facts carry the dates that are to be checked.
    """
    leaks: list[Leak] = []
    for closings_of in (lead_closings, contact_closings) if names else ():
        closings = closings_of(history, names)
        encoder = AttributeEncoder.learn(closings.attributes, closings.ids.tolist())
        leaks += closing_leaks(closings.differences(encoder), closings.subject)
    return _foremost(leaks)


def _foremost(leaks: Sequence[Leak]) -> list[Leak]:
    """Return one leak per column, the proven ones first."""
    in_order = sorted(leaks, key=lambda leak: not leak.is_proven)
    foremost = {leak.column: leak for leak in reversed(in_order)}
    return [leak for leak in in_order if foremost[leak.column] is leak]


def _told_by_score(score: ColumnScore) -> Iterator[Leak]:
    low, gain = score.auc.low, score.gain.low
    if low is None or score.auc.value is None:
        return
    if low > SUSPICIOUS_AUC:
        yield _suspected(
            score.name,
            f"The imported attribute {score.name} alone separates the outcomes almost wholly "
            f"(AUC {score.auc.value:.3f}, at least {low:.3f}).",
            score,
            threshold=SUSPICIOUS_AUC,
        )
    elif low > LEAST_AUC and gain is not None and gain > 0:
        yield _suspected(
            score.name,
            f"The imported attribute {score.name} alone tells the outcomes better (AUC "
            f"{score.auc.value:.3f}, at least {low:.3f}) than any other attribute{_best(score)}.",
            score,
            threshold=LEAST_AUC,
        )


def _best(score: ColumnScore) -> str:
    if not score.best_other or score.best_other_auc.value is None:
        return ""
    return f" (the best of them: {score.best_other}, AUC {score.best_other_auc.value:.3f})"


def closing_leaks(differences: Iterable[Difference], subject: FactSubject) -> list[Leak]:
    """Return what the differences between closed ones and open ones say against columns."""
    closed, still_open = _words(subject)
    return [
        leak
        for difference in differences
        for leak in (
            *_told_by_known_dates(difference, closed),
            *_told_by_filling(difference, closed, still_open),
            *_told_by_values(difference, closed, still_open),
            *_told_by_dates(difference, closed, subject),
        )
    ]


def _told_by_known_dates(difference: Difference, closed: str) -> Iterator[Leak]:
    column, share = difference.name, difference.at_closing
    if share <= HALF or difference.dated_at_closing <= ALL_BUT_FEW:
        return
    told = f"{share:.0%} of {closed} got their first {column} at the end, by its own dates."
    yield (_proven if share > ALL_BUT_FEW else _suspected)(column, told)


def _words(subject: FactSubject) -> tuple[str, str]:
    if subject is FactSubject.CONTACT:
        return "contacts that churned", "contacts that did not"
    return "closed leads", "open ones"


def _told_by_filling(difference: Difference, closed: str, still_open: str) -> Iterator[Leak]:
    column, filled = difference.name, difference.filled_closed
    if filled - difference.filled_open <= MOST_FILLED_GAP:
        return
    told = f"The attribute {column} is filled on {filled:.0%} of {closed} and on "
    if difference.filled_open == 0:
        yield _proven(column, f"{told}none of {difference.open_count} {still_open}.")
        return
    yield _suspected(
        column,
        f"{told}{difference.filled_open:.0%} of {still_open}, as if it were filled in at the end.",
    )


def _told_by_values(difference: Difference, closed: str, still_open: str) -> Iterator[Leak]:
    column, share = difference.name, difference.only_closed
    if share <= MOST_ONLY_CLOSED:
        return
    told = (
        f"Of {closed}, {share:.0%} have a value of {column} that none of "
        f"{difference.open_count} {still_open} has"
    )
    if share > ALL_BUT_FEW:
        yield _proven(column, f"{told}: it is written at the end.")
    else:
        yield _suspected(column, f"{told}, as if it were written at the end.")


def _told_by_dates(
    difference: Difference, closed: str, subject: FactSubject | None
) -> Iterator[Leak]:
    column, share = difference.name, difference.is_closing_date
    if share <= HALF:
        return
    told = f"The date {column} is the day of the end itself for {share:.0%} of {closed}."
    # A contract may name its own end from the beginning; no lead names the day of its closing.
    if share > ALL_BUT_FEW and subject is FactSubject.LEAD:
        yield _proven(column, told)
    else:
        yield _suspected(column, told)


def _proven(column: str, told: str) -> Leak:
    return Leak(
        column=column,
        is_proven=True,
        evidence=told,
        sentence=f"{told} So it is known only after the outcome. Leave it out with "
        f"--leave-out {column}.",
    )


def _suspected(
    column: str,
    told: str,
    score: ColumnScore | None = None,
    *,
    threshold: float = SUSPICIOUS_AUC,
) -> Leak:
    return Leak(
        column=column,
        is_proven=False,
        auc=score.auc if score else UNMEASURED,
        threshold=threshold,
        evidence=told,
        sentence=f"{told} If it was filled in after the outcome it must not be used: leave it out "
        f"with --leave-out {column}, or vouch for it with --accept-column {column}.",
    )
