"""What a person types: models, instants, hyperparameters."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from chatlift.cli.reading import (
    chosen_parameters,
    in_zone,
    model_named,
    models_named,
    parse_instant,
)
from chatlift.vocabulary import ModelName, Rung

ALL = tuple(ModelName)
CHURN, LEADS = ModelName.CHURN, ModelName.LEAD_SCORING


def test_a_bare_name_reaches_every_model_that_has_it() -> None:
    chosen = chosen_parameters(ALL, ["max_depth=3"], None)
    assert chosen.parameters == {LEADS: {"max_depth": 3.0}, CHURN: {"max_depth": 3.0}}
    assert chosen.bases == {}


def test_a_model_in_front_names_one() -> None:
    chosen = chosen_parameters(ALL, ["churn.trees=200"], None)
    assert chosen.parameters == {CHURN: {"trees": 200.0}}


def test_settings_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("[churn]\ntrees = 50\nmax_depth = 4\n", encoding="utf-8")
    chosen = chosen_parameters((CHURN,), ["trees=60"], file)
    assert chosen.parameters == {CHURN: {"trees": 60.0, "max_depth": 4.0}}


def test_a_file_may_be_json(tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text(json.dumps({"churn_prediction": {"trees": 50}}), encoding="utf-8")
    assert chosen_parameters((CHURN,), [], file).parameters == {CHURN: {"trees": 50.0}}


def test_the_basis_is_set_for_all_that_are_trained_or_for_one() -> None:
    both = chosen_parameters((LEADS, CHURN), ["basis=full"], None)
    assert both.bases == {LEADS: Rung.FULL, CHURN: Rung.FULL}
    later = chosen_parameters((LEADS, CHURN), ["basis=full", "lead_scoring.basis=rule"], None)
    assert later.bases == {LEADS: Rung.RULE, CHURN: Rung.FULL}
    assert later.parameters == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.toml", '[churn]\ntrees = 50\nbasis = "blend"\n'),
        ("p.json", '{"churn": {"trees": 50, "basis": "blend"}}'),
    ],
)
def test_a_file_may_set_the_basis_too(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    chosen = chosen_parameters((CHURN,), [], file)
    assert (chosen.parameters, chosen.bases) == ({CHURN: {"trees": 50.0}}, {CHURN: Rung.BLEND})
    assert chosen_parameters((CHURN,), ["basis=rule"], file).bases == {CHURN: Rung.RULE}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("deep=3", "churn has: trees, max_depth"),
        ("churn.deep=3", "churn has no hyperparameter 'deep'"),
        ("trees", "write name=value"),
        ("trees=many", "is no number"),
        ("trees=0", "it takes a whole number from 10"),
        ("trees=nan", "it takes a whole number"),
        ("lead_scoring.trees=50", "does not train"),
        ("weather.trees=50", "'weather' is not one model"),
        ("basis=best", "'best' is none of rule, shrunken, full, blend"),
        ("lead_scoring.basis=rule", "does not train"),
    ],
)
def test_a_setting_that_cannot_be_used_says_what_can(setting: str, told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        chosen_parameters((CHURN,), [setting], None)


@pytest.mark.parametrize(
    "text",
    [
        "[churn",
        "churn = 3",
        "[churn]\ntrees = 'many'",
        "[churn]\nl2 = true",
        "[churn]\nbasis = 'best'",
        "[churn]\nbasis = ['rule']",
    ],
)
def test_a_file_that_cannot_be_used_is_wrong_usage(tmp_path: Path, text: str) -> None:
    file = tmp_path / "params.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(typer.BadParameter, match=r"params\.toml"):
        chosen_parameters((CHURN,), [], file)


def test_old_names_are_understood_and_all_is_not_one() -> None:
    assert model_named("churn_prediction") is CHURN
    assert models_named("all") == ALL
    for name in ("all", "chrun"):
        with pytest.raises(typer.BadParameter, match=f"'{name}' is not one model. Name one of: l"):
            model_named(name)


def test_a_naive_instant_is_read_in_the_zone_and_another_keeps_its_own() -> None:
    # Madrid is two hours before UTC in summer.
    assert in_zone(parse_instant("2026-07-01"), "Europe/Madrid") == datetime(
        2026, 6, 30, 22, tzinfo=UTC
    )
    assert in_zone(parse_instant("2026-07-01T12:00Z"), "Europe/Madrid") == datetime(
        2026, 7, 1, 12, tzinfo=UTC
    )


def test_what_is_no_instant_says_how_to_write_one() -> None:
    with pytest.raises(typer.BadParameter, match="2026-03-01"):
        parse_instant("yesterday")
