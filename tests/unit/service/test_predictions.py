from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.histories import at as instant
from tests.services import Served, give_champions, served

from chatlift.registry.prediction_log import PredictionLog
from chatlift.service.paging import cursor_of
from chatlift.vocabulary import ModelName, Role

PREFIX = "/api/v1/ml"
PATHS = ("lead-scoring", "churn", "engagement")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service whose account has a champion of each model."""
    with served(tmp_path_factory.mktemp("home")) as opened:
        give_champions(opened)
        opened.client.headers.update(opened.headers(Role.VIEWER))
        yield opened


def cursor_past_all_numbers() -> str:
    return f"cursor={cursor_of([0.5, 10**20])}"


def listed(at: Served, path: str, **params: Any) -> Any:
    told = at.client.get(f"{PREFIX}/{path}", params=params)
    assert told.status_code == 200, told.text
    return told.json()


@pytest.mark.parametrize("path", PATHS)
def test_pages_hold_everybody_once_by_score(at: Served, path: str) -> None:
    whole = listed(at, path, limit=200)
    seen: list[Any] = []
    cursor = None
    while True:
        page = listed(at, path, limit=7, **({"cursor": cursor} if cursor else {}))
        seen += page["predictions"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole["predictions"]
    assert len(seen) == whole["total"]
    # All leads of this story are closed.
    assert (len(seen) > 7) == (path != "lead-scoring")
    probabilities = [found["probability"] for found in seen]
    assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("path", PATHS)
def test_one_now_and_a_batch_say_what_the_list_says(at: Served, path: str) -> None:
    rows = listed(at, path, limit=200)["predictions"]
    ids = [row["external_id"] for row in rows]
    told = at.client.post(f"{PREFIX}/{path}/batch", json={"ids": [*ids, "nobody"]}).json()
    assert [found["id"] for found in told["not_scored"]] == ["nobody"]
    answers = {found["external_id"]: found for found in told["predictions"]}
    for row in rows:
        assert close(answers[row["external_id"]], row)
    for row in rows[:3]:
        found = at.client.get(f"{PREFIX}/{path}/{row['external_id']}").json()
        assert close({name: found[name] for name in row}, row)
        assert (found["is_stale"], found["in_hindsight"]) == (True, False)


def close(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers are the same; floats of one sum may differ in the last bit."""
    same = {name: value for name, value in one.items() if name not in {"probability", "reasons"}}
    assert same == {name: other[name] for name in same}
    assert one["probability"] == pytest.approx(other["probability"], abs=1e-9)
    assert [r["words"] for r in one["reasons"]] == [r["words"] for r in other["reasons"]]
    return True


def test_a_list_is_narrowed_by_band_trend_and_id(at: Served) -> None:
    rows = listed(at, "churn", limit=200)["predictions"]
    for name in ("band", "trend"):
        value = rows[0][name]
        found = listed(at, "churn", limit=200, **{name: value})["predictions"]
        assert found == [row for row in rows if row[name] == value]
    found = listed(at, "churn", search=rows[0]["external_id"].upper())["predictions"]
    assert rows[0] in found
    assert listed(at, "churn", search="no such id")["total"] == 0


def test_an_unknown_id_is_not_found(at: Served) -> None:
    told = at.client.get(f"{PREFIX}/churn/nobody")
    assert (told.status_code, told.json()["type"]) == (404, "urn:chatlift:problem:not_found")


def test_a_closed_lead_has_no_score_and_it_says_why(at: Served) -> None:
    told = at.client.get(f"{PREFIX}/lead-scoring/l1")
    assert (told.status_code, "it is closed" in told.json()["detail"]) == (409, True)


def test_what_would_have_been_said_then_is_marked(at: Served) -> None:
    row = listed(at, "churn")["predictions"][0]
    then = instant(140).isoformat()
    told = at.client.get(f"{PREFIX}/churn/{row['external_id']}", params={"as_of": then})
    if told.status_code == 200:
        assert told.json()["in_hindsight"]
    later = {"as_of": "2999-01-01T00:00:00Z"}
    assert at.client.get(f"{PREFIX}/churn/{row['external_id']}", params=later).status_code == 422


def test_best_times_are_told_in_words(at: Served) -> None:
    ids = [row["external_id"] for row in listed(at, "engagement")["predictions"]]
    told = at.client.post(f"{PREFIX}/engagement/best-time", json={"ids": ids}).json()
    assert len(told["best_times"]) == len(ids)
    assert all(row["best_time"] for row in told["best_times"])


@pytest.mark.parametrize("ids", [[], ["x"] * 1001, "l1", [1], [""], ["x" * 201], ["\0"]])
def test_a_batch_of_none_or_too_many_is_refused(at: Served, ids: object) -> None:
    told = at.client.post(f"{PREFIX}/churn/batch", json={"ids": ids})
    assert told.status_code == 422


def test_half_a_character_is_refused(at: Served) -> None:
    body = b'{"ids": ["\\ud800"]}'
    headers = {"Content-Type": "application/json"}
    told = at.client.post(f"{PREFIX}/churn/batch", content=body, headers=headers)
    assert told.status_code == 422


@pytest.mark.parametrize(
    "query",
    ["band=lukewarm", "band=hot", "trend=sideways", "search=%00", cursor_past_all_numbers()],
)
def test_what_no_list_goes_by_is_refused(at: Served, query: str) -> None:
    assert at.client.get(f"{PREFIX}/churn?{query}").status_code == 422


def test_without_a_champion_it_says_what_is_missing(at: Served) -> None:
    headers = at.headers(Role.VIEWER, at.other_account())
    answers: list[httpx.Response] = [
        at.client.get(f"{PREFIX}/{path}", headers=headers) for path in PATHS
    ]
    assert [told.status_code for told in answers] == [409] * 3
    assert all(told.json()["type"] == "urn:chatlift:problem:not_ready" for told in answers)


def test_every_answer_says_what_its_scores_are_made_of(at: Served) -> None:
    for path, model in zip(PATHS, ModelName, strict=True):
        champion = at.workspace.versions.champion(model)
        assert champion is not None
        page = listed(at, path, limit=200)
        rows = page["predictions"]
        assert {page["basis"], *(row["basis"] for row in rows)} == {champion.basis}
        if rows:
            name = rows[0]["external_id"]
            told = at.client.get(f"{PREFIX}/{path}/{name}").json()
            batch = at.client.post(f"{PREFIX}/{path}/batch", json={"ids": [name]}).json()
            assert told["basis"] == batch["basis"] == champion.basis


def test_the_message_behind_a_reason_is_shown_to_who_may_read_messages(at: Served) -> None:
    def reasons(role: Role) -> list[dict[str, Any]]:
        names = [f"c{number}" for number in range(1, 71)]
        answers = [
            at.client.get(
                f"{PREFIX}/engagement/{name}",
                params={"as_of": instant(85).isoformat()},
                headers=at.headers(role),
            ).json()
            for name in names
        ]
        found = [r for answer in answers for r in answer.get("reasons", ())]
        return [r for r in found if r["message_id"] is not None]

    shown, hidden = reasons(Role.OPERATOR), reasons(Role.VIEWER)
    texts = {m["message_id"]: m["text"] for m in messages(at)}
    assert shown
    assert [r["message_text"] for r in shown] == [texts[r["message_id"]] for r in shown]
    assert {r["message_text"] for r in hidden} == {None}
    assert [r["message_id"] for r in hidden] == [r["message_id"] for r in shown]


def messages(at: Served) -> list[dict[str, Any]]:
    return at.workspace.crm.read_history().messages.to_dicts()


def test_what_is_said_of_the_past_is_not_kept_for_judging(at: Served) -> None:
    name = listed(at, "churn")["predictions"][0]["external_id"]
    then = {"as_of": instant(140).isoformat()}
    told = at.client.get(f"{PREFIX}/churn/{name}", params=then)
    assert told.status_code == 200
    at.service.prediction_log.close()
    at.service.prediction_log = PredictionLog(at.service.database)
    kept = at.workspace.predictions.list(ModelName.CHURN, limit=10_000)
    assert instant(140) not in kept["as_of"].to_list()


def test_what_is_served_is_kept_for_later_judging(at: Served) -> None:
    name = listed(at, "churn")["predictions"][0]["external_id"]
    fetched = at.client.get(f"{PREFIX}/churn/{name}").json()
    at.service.prediction_log.close()
    newest = at.workspace.predictions.list(ModelName.CHURN, limit=1).row(0, named=True)
    assert newest["entity_id"] == fetched["id"]
    assert newest["probability"] == fetched["probability"]
    assert newest["version_number"] == fetched["model_version"]
    assert newest["as_of"] == datetime.fromisoformat(fetched["as_of"])
    assert len(newest["features_fingerprint"]) == 32
