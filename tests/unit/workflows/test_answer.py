"""An answer about one contact is the one that it gets among all, whatever is asked beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier

import polars as pl
import pytest
from tests.businesses import SOURCE, records_of
from tests.histories import at, history
from tests.unit.workflows.conftest import DAYS
from tests.walks import walks_of

from chatlift.errors import InvalidInput, NotReady
from chatlift.learn.scoring import Answer, AnswerState
from chatlift.registry.serving import history_of
from chatlift.registry.versions import NoChampion
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName
from chatlift.workflows.answer import Answering, AnswerReport, AnswerRequest, answer
from chatlift.workflows.predict import PredictReport, PredictRequest, predict

NOW = at(DAYS)
LEADS = ModelName.LEAD_SCORING
MANY = 32
"""Callers at once: more than a pool holds connections."""


def asked(
    workspace: Workspace, *ids: str, answering: Answering | None = None, **request: object
) -> AnswerReport:
    chosen = {"model": LEADS, "ids": ids} | request
    return answer(workspace, answering or Answering(), AnswerRequest(**chosen), now=NOW)  # type: ignore[arg-type]


def everybody(report: PredictReport) -> dict[str, Answer]:
    return {p.external_id: p.answer for p in (*report.predictions, *report.past_horizon)}


def ids_of(workspace: Workspace, model: ModelName) -> list[str]:
    read = history_of(workspace)
    frame = read.leads if model is LEADS else read.contacts
    names: list[str] = frame["external_id"].to_list()
    return names


def test_alone_together_and_of_all_an_answer_is_the_same(shop_on: Workspace) -> None:
    answering = Answering()
    for model in ModelName:
        told = everybody(predict(shop_on, PredictRequest(model=model), now=NOW))
        names = ids_of(shop_on, model)
        together = asked(shop_on, *names, model=model, answering=answering)
        assert {found.external_id: found.answer for found in together.answers} == told
        assert len(told) > 3
        assert set(together.not_scored) == set(names) - set(told)
        standing_out = [n for n, a in told.items() if "more often" in (a.best_time or "")]
        assert bool(standing_out) == (model is ModelName.ENGAGEMENT)
        for name in [*list(told)[::5], *standing_out]:
            alone = asked(shop_on, name, model=model, answering=answering)
            assert [found.answer for found in alone.answers] == [told[name]], (model, name)
            assert alone.version_number == 2


def test_for_a_past_instant_the_version_of_then_answers(shop_on: Workspace) -> None:
    answering = Answering()
    for day, version, hindsight in ((85, 1, False), (95, 2, False), (70, 2, True)):
        told = predict(shop_on, PredictRequest(model=LEADS, as_of=at(day)), now=NOW)
        found = asked(shop_on, *everybody(told), as_of=at(day), answering=answering)
        assert {a.external_id: a.answer for a in found.answers} == everybody(told)
        assert (found.version_number, found.in_hindsight) == (version, hindsight)
        assert (told.version_number, told.in_hindsight) == (version, hindsight)
        assert found.as_of == at(day)


def test_answers_come_in_the_order_asked_and_each_name_is_told(shop_on: Workspace) -> None:
    names = ids_of(shop_on, LEADS)
    open_leads = [a.external_id for a in asked(shop_on, *names).answers][:4]
    by_name = asked(shop_on, *reversed(open_leads))
    assert [a.asked for a in by_name.answers] == open_leads[::-1]
    numbers = [str(a.answer.entity_id) for a in by_name.answers]
    by_number = asked(shop_on, *numbers)
    assert [a.asked for a in by_number.answers] == numbers
    assert [a.answer for a in by_number.answers] == [a.answer for a in by_name.answers]
    assert [a.external_id for a in by_number.answers] == open_leads[::-1]


def test_who_cannot_be_scored_and_who_is_not_known_stand_apart(shop_on: Workspace) -> None:
    report = asked(shop_on, "l5", "l1", "nobody", "99999999999999999999999", "l5", "\0", "²")
    assert [a.external_id for a in report.answers] == ["l5"]
    assert report.not_scored == {"l1": "it is closed, or was not created yet"}
    assert report.unknown_ids == ("nobody", "99999999999999999999999", "\0", "²")


def test_a_lead_past_its_horizon_says_so(shop: Workspace) -> None:
    states = {a.external_id: a.answer.state for a in asked(shop, *ids_of(shop, LEADS)).answers}
    assert states["l5"] is AnswerState.PAST_HORIZON
    assert states["l109"] is AnswerState.SCORED


def test_an_id_of_two_sources_is_asked_for_by_number(shop_on: Workspace) -> None:
    other = history(contacts=[(5, 80)], messages=[(5, "in", 90, "hello")])
    shop_on.crm.write(records_of(other), source="other")
    model = ModelName.ENGAGEMENT
    report = asked(shop_on, "c5", model=model)
    assert report.answers == ()
    assert "ask by its number" in report.not_scored["c5"]
    numbers = shop_on.crm.contact_ids_of(["c5"], source=SOURCE)
    by_number = asked(shop_on, str(numbers["c5"]), model=model)
    assert [a.external_id for a in by_number.answers] == ["c5"]


def test_a_person_of_two_sources_is_answered_for_by_either_id(shop_on: Workspace) -> None:
    """The person goes by the contact that was written first."""
    model = ModelName.ENGAGEMENT
    shop_on.crm.write(
        replace(records_of(history(contacts=[(901, 80)])), contacts=with_phone(901)),
        source="other",
    )
    shop_on.crm.write_observation("other", observed_from=at(0), observed_through=at(DAYS))
    shop_on.crm.write(replace(records_of(history()), contacts=with_phone(7)), source=SOURCE)
    shop_on.crm.link()
    report = asked(shop_on, "c7", "c901", model=model)
    assert [(a.asked, a.external_id) for a in report.answers] == [("c7", "c7"), ("c901", "c7")]
    assert report.answers[0].answer == report.answers[1].answer
    told = everybody(predict(shop_on, PredictRequest(model=model), now=NOW))
    assert told["c7"] == report.answers[0].answer


def with_phone(contact: int) -> pl.DataFrame:
    told = records_of(history(contacts=[(contact, 0)])).contacts
    return told.with_columns(phone=pl.lit("+34600111222"))


def test_records_that_come_in_count_from_the_next_answer_on(shop_on: Workspace) -> None:
    answering = Answering()
    model = ModelName.CHURN
    before = asked(shop_on, "c69", model=model, answering=answering).answers
    news = history(contacts=[(69, 0)], messages=[(69, "in", DAYS - 0.5, "please stop")])
    told = records_of(news)
    renamed = told.messages.with_columns(external_id=pl.lit("news"))
    shop_on.crm.write(replace(told, messages=renamed), source=SOURCE)
    after = asked(shop_on, "c69", model=model, answering=answering).answers
    report = predict(shop_on, PredictRequest(model=model), now=NOW)
    assert [a.answer for a in after] == [everybody(report)["c69"]]
    assert after != before


def test_a_source_that_ended_before_is_answered_as_of_its_end(shop: Workspace) -> None:
    later = history(contacts=[(901, 101)], messages=[(901, "in", 140, "hello")], through=160)
    shop.crm.write(records_of(later), source="later")
    shop.crm.write_observation("later", observed_from=at(0), observed_through=at(160))
    request = AnswerRequest(model=ModelName.ENGAGEMENT, ids=("c7", "c901"))
    report = answer(shop, Answering(), request, now=at(200))
    assert [a.answer.as_of for a in report.answers] == [at(100), at(160)]
    assert report.as_of == at(160)
    assert report.is_stale
    assert not answer(shop, Answering(), request, now=at(160)).is_stale


def test_what_cannot_be_asked_is_refused(shop: Workspace) -> None:
    with pytest.raises(InvalidInput, match="lies in the future"):
        asked(shop, "l5", as_of=NOW + timedelta(days=1))
    with pytest.raises(InvalidInput, match="1,001 ids"):
        asked(shop, *map(str, range(1001)))
    shop.versions.delete_model(LEADS, by="a test", now=NOW, force=True)
    with pytest.raises(NoChampion):
        asked(shop, "l5")
    shop.crm.delete_source(SOURCE)
    with pytest.raises(NotReady, match="no data"):
        asked(shop, "c7", model=ModelName.CHURN)


@pytest.mark.parametrize("model", list(ModelName))
def test_an_answer_about_one_walks_through_nobody_elses_rows(
    shop_on: Workspace, model: ModelName
) -> None:
    answering = Answering()
    first, second = ids_of(shop_on, model)[-2:]
    asked(shop_on, first, model=model, answering=answering)
    with walks_of(shop_on.database) as walks:
        asked(shop_on, second, model=model, answering=answering)
    assert walks == []


def test_more_callers_than_connections_are_answered_while_the_champion_is_loaded(
    shop_on: Workspace,
) -> None:
    (name,) = ids_of(shop_on, LEADS)[-1:]
    answering, begin = Answering(), Barrier(MANY)

    def ask(as_of: datetime | None) -> float:
        begin.wait()
        report = asked(shop_on, name, answering=answering, as_of=as_of)
        return report.answers[0].answer.score

    with ThreadPoolExecutor(MANY) as pool:
        scores = list(pool.map(ask, [None, NOW] * (MANY // 2)))
    assert len(set(scores)) == 1
