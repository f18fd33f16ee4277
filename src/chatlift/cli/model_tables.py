"""Versions, their ledger and comparisons as lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chatlift.cli.figures import figure_line, name_of, told_bytes, told_number
from chatlift.cli.training_report import main_file_of, mark, rival_lines
from chatlift.learn.ladder_words import basis_lines
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.champions import LedgerEntry
from chatlift.registry.standing import standing_of
from chatlift.registry.versions import Comparison, Version
from chatlift.vocabulary import ModelName

Damages = Mapping[int, str]
"""What is wrong with a version's files, by `version_id`; intact ones are absent."""
HEAD = (
    f"{'Version':<8}  {'Serves':<6}  {'Basis':<8}  {'Verdict':<13}  {'Failed check':<25}  "
    f"{'Files':<7}  "
    f"{'Created (UTC)':<16}  {'Size':>8}  Figures"
)


def list_lines(versions: Sequence[Version], damages: Damages) -> list[str]:
    """Return one line per model: what serves, else its newest version; then what was refused."""
    if not versions:
        return ["There are no versions yet. Train some with: chatlift train"]
    shown = shown_of(versions)
    rows = [f"{version.model:<13}  {version_row(version, damages)}" for version in shown]
    standings = [standing_of(version.model, versions) for version in shown]
    passed_over = [standing.sentence for standing in standings if standing.passed_over]
    return [f"{'Model':<13}  {HEAD}", *rows, *passed_over, *to_retrain(shown)]


def to_retrain(versions: Iterable[Version]) -> list[str]:
    """Return a line per version that was trained on contacts that were forgotten since."""
    return [
        f"{version.model} v{version.number} was trained on contacts that were forgotten since "
        f"({version.forgotten_count:,}). Train again: chatlift train {version.model}"
        for version in versions
        if version.forgotten_count
    ]


def shown_of(versions: Sequence[Version]) -> list[Version]:
    """Return per model the version that serves, else the newest."""
    shown: dict[ModelName, Version] = {}
    for version in versions:
        if version.is_champion or version.model not in shown:
            shown[version.model] = version
    return [shown[model] for model in ModelName if model in shown]


def version_row(version: Version, damages: Damages) -> str:
    """Return number, role, verdict, state of the files, age, size and figures of a version."""
    return (
        f"{'v' + str(version.number):<8}  {'yes' if version.is_champion else 'no':<6}  "
        f"{version.basis:<8}  {version.verdict:<13}  {version.first_failed_check or '-':<25}  "
        f"{'DAMAGED' if version.version_id in damages else 'intact':<7}  "
        f"{version.created_at:%Y-%m-%d %H:%M}  {told_bytes(version.size_bytes):>8}  "
        f"{told_metrics(version)}"
    )


def told_metrics(version: Version) -> str:
    """Return the headline figures of a version in a line."""
    names = [*SPECS[version.model].headline_metrics, "roc_auc"]
    metrics = version.metrics
    return ", ".join(f"{name_of(n)} {told_number(n, metrics[n])}" for n in names if n in metrics)


def model_lines(
    model: ModelName,
    versions: Sequence[Version],
    ledger: Sequence[LedgerEntry],
    damages: Damages,
) -> list[str]:
    """Return all versions of a model and who served when."""
    lines = [f"{model}: {SPECS[model].question}", *([HEAD] if versions else [])]
    lines += [version_row(v, damages) for v in versions] or ["There are no versions."]
    lines += [standing_of(model, versions).sentence] if versions else []
    lines += to_retrain(versions)
    lines += ["", "Who served when (UTC)"] if ledger else []
    return [*lines, *(_entry(entry) for entry in ledger)]


def _entry(entry: LedgerEntry) -> str:
    before = "none" if entry.from_number is None else f"v{entry.from_number}"
    after = "none" if entry.to_number is None else f"v{entry.to_number}"
    return (
        f"  {entry.changed_at:%Y-%m-%d %H:%M:%S}  {entry.kind:<8}  {before} -> {after}  "
        f"by {entry.decided_by}: {entry.reason or 'no reason given'}"
    )


def version_lines(version: Version, damages: Damages) -> list[str]:
    """Return all that is known of one version."""
    figures: dict[str, Any] = version.evaluation["figures"]
    return [
        f"{version.model} v{version.number}, {'serves' if version.is_champion else 'not serving'}",
        f"Created: {version.created_at:%Y-%m-%d %H:%M} UTC by run {version.run_id}",
        f"Main file: {main_file_of(version.model, version)}",
        f"Size: {told_bytes(version.size_bytes)}; manifest SHA-256 {version.manifest_sha256}",
        _files(damages.get(version.version_id)),
        *to_retrain([version]),
        *basis_lines(version.basis, version.evaluation),
        f"Measured {version.evaluation['basis_words']}",
        *(figure_line(name, figure) for name, figure in figures.items()),
        "Beside it, on the same rows",
        *rival_lines(version.evaluation),
        f"Gate verdict: {version.verdict}",
        *(_check(check) for check in version.gate["checks"]),
    ]


def _files(damage: str | None) -> str:
    return f"Files: DAMAGED: {damage}" if damage else "Files: intact, as they were registered"


def _check(check: dict[str, Any]) -> str:
    return f"  {mark(passed=check['passed'], kind=check['kind'])} {check['sentence']}"


def comparison_lines(found: Comparison) -> list[str]:
    """Return two versions side by side."""
    first, second = found.first, found.second
    lines = [f"{first.model:<26} {'v' + str(first.number):>14} {'v' + str(second.number):>14}"]
    lines.append(f"{'Basis':<26} {first.basis:>14} {second.basis:>14}")
    for name, (one, two) in found.metrics.items():
        lines.append(
            f"{name_of(name):<26} {told_number(name, one):>14} {told_number(name, two):>14}"
        )
    same = "the same data" if first.data_fingerprint == second.data_fingerprint else "other data"
    recipe = "recipe" if first.recipe_fingerprint == second.recipe_fingerprint else "another recipe"
    told = f"the same {recipe}" if recipe == "recipe" else recipe
    return [*lines, f"They were trained on {same} with {told}."]


def to_json(versions: Iterable[Version], damages: Damages) -> list[dict[str, Any]]:
    """Return versions as plain values for programs."""
    return [
        {
            "model": version.model,
            "version": version.number,
            "serves": version.is_champion,
            "filename": SPECS[version.model].main_file,
            "folder": version.folder,
            "size_bytes": version.size_bytes,
            "created_at": version.created_at,
            "run_id": version.run_id,
            "basis": version.basis,
            "verdict": version.verdict,
            "notes": list(version.notes),
            "failed_check": version.first_failed_check,
            "forgotten_contacts": version.forgotten_count,
            "damage": damages.get(version.version_id),
            "metrics": version.metrics,
        }
        for version in versions
    ]
