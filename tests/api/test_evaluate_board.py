"""Evaluating a board's ideas in one run over REST: progress, failures, stopping, ways to answer."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.engine.types import GenerateRequest
from service.errors import EngineBusy, EngineCrashed, ModelUnavailable
from service.settings import Settings
from service.store.runs import NewRun
from tests.support.fake_backend import IDEAS as TEXTS
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases

IDEAS, BOARDS, RUNS = "/api/v1/ideas", "/api/v1/boards", "/api/v1/runs"
DETACHED = {"prefer": "respond-async"}
Json = dict[str, Any]


def add(client: TestClient, count: int, **fields: Any) -> list[str]:
    """The ids of the new ideas, oldest first."""
    return [
        client.post(IDEAS, json={"title": title, "body": body} | fields).json()["id"]
        for title, body in TEXTS[:count]
    ]


def board_of(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


def evaluate(client: TestClient, expected: int = 200, **asked: Any) -> Any:
    response = client.post(f"{BOARDS}/{board_of(client)}/evaluate", json=asked)
    assert response.status_code == expected, response.text
    return response.json()


def judged(answer: Json) -> set[str]:
    return {one["idea_id"] for one in answer["evaluations"]}


def test_all_ideas_of_a_board_are_evaluated_in_one_run(client: TestClient) -> None:
    ideas = add(client, 4)
    archived = add(client, 1, status="archived")

    answer = evaluate(client)

    assert judged(answer) == set(ideas)
    assert answer["failed"] == []
    assert answer["usage"]["completion_tokens"] > 0
    assert client.get(f"{IDEAS}/{archived[0]}").json()["score"] is None
    assert all(client.get(f"{IDEAS}/{one}").json()["score"] for one in ideas)
    run = client.get(f"{RUNS}/{answer['run_id']}").json()
    assert (run["kind"], run["status"]) == ("evaluate-all", "done")
    assert run["evaluations"] == answer["evaluations"]


def test_an_idea_is_evaluated_the_same_alone_or_with_its_board(client: TestClient) -> None:
    idea = add(client, 3)[1]

    evaluate(client, seed=7)
    client.post("/api/v1/evaluate", json={"idea_id": idea, "seed": 7})

    alone, together = client.get(f"{IDEAS}/{idea}/evaluations").json()
    own = ("run_id", "created_at")
    assert {name: alone[name] for name in alone if name not in own} == {
        name: together[name] for name in together if name not in own
    }


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"q": "soup"}, [1]),
        ({"tags": ["food"]}, [1, 2]),
        ({"archived": True, "star": False}, [0, 1, 2, 4]),
        ({"star": True}, [3]),
        ({"status": "archived"}, [4]),
        ({"status": "draft", "star": False}, [0, 1, 2]),
    ],
)
def test_a_filter_selects_the_ideas_to_evaluate(
    client: TestClient, asked: Json, places: list[int]
) -> None:
    ideas = add(client, 5)
    for place, change in (
        (1, {"tags": ["food"]}),
        (2, {"tags": ["food"]}),
        (3, {"star": True}),
        (4, {"status": "archived"}),
    ):
        client.patch(f"{IDEAS}/{ideas[place]}", json=change)

    assert judged(evaluate(client, **asked)) == {ideas[place] for place in places}


def test_ideas_can_be_named_including_archived_ones(client: TestClient) -> None:
    ideas = add(client, 3)
    client.patch(f"{IDEAS}/{ideas[2]}", json={"status": "archived"})

    assert judged(evaluate(client, idea_ids=ideas[1:])) == set(ideas[1:])
    assert "nobody" in evaluate(client, 404, idea_ids=[ideas[0], "nobody"])["detail"]


def test_only_outdated_leaves_out_ideas_evaluated_as_they_read_now(client: TestClient) -> None:
    ideas = add(client, 3)
    board = board_of(client)
    client.post("/api/v1/evaluate", json={"idea_id": ideas[0]})
    client.post("/api/v1/evaluate", json={"idea_id": ideas[1]})
    client.patch(f"{IDEAS}/{ideas[1]}", json={"body": "Another text."})

    assert judged(evaluate(client, only_outdated=True)) == set(ideas[1:])
    assert "as it reads now" in evaluate(client, 409, only_outdated=True)["detail"]

    body = {"name": "Ours", "criteria": [{"name": "fun"}, {"name": "novelty"}]}
    rubrics = f"{BOARDS}/{board}/rubrics"
    rubric = client.post(rubrics, json=body).json()["id"]
    by_rubric = {"only_outdated": True, "rubric_id": rubric}
    assert judged(evaluate(client, **by_rubric)) == set(ideas)
    reweighted = {"criteria": [{"name": "fun", "weight": 2}, {"name": "novelty"}]}
    client.patch(f"{rubrics}/{rubric}", json=reweighted)
    evaluate(client, 409, **by_rubric)
    client.patch(f"{rubrics}/{rubric}", json={"criteria": [{"name": "fun", "description": "x"}]})
    assert judged(evaluate(client, **by_rubric)) == set(ideas)


def test_a_board_without_ideas_has_nothing_to_evaluate(client: TestClient) -> None:
    assert "Add some" in evaluate(client, 409)["detail"]
    response = client.post(f"{BOARDS}/nobody/evaluate", json={})
    assert response.status_code == 404
    assert client.get(RUNS).json() == []


def test_an_idea_that_fails_is_listed_and_does_not_stop_the_others(
    client: TestClient, backend: FakeBackend
) -> None:
    ideas = add(client, 3)
    # One idea at a time: the run uses half of the fake's two slots.
    backend.replies.append(EngineCrashed("The model process stopped."))

    answer = evaluate(client)

    assert judged(answer) == set(ideas[:2])
    assert answer["failed"] == [
        {
            "idea_id": ideas[2],
            "title": TEXTS[2][0],
            "type": "engine-crashed",
            "detail": "The model process stopped.",
        }
    ]
    told = client.get(f"{RUNS}/{answer['run_id']}/events").text
    assert told.count("event: evaluation") == 2
    assert told.count("event: failure") == 1


def test_the_panel_of_an_evaluation_does_not_name_its_ideas_as_parts_of_a_combination(
    client: TestClient,
) -> None:
    add(client, 3)
    run = evaluate(client)["run_id"]

    panel = client.get(f"/runs/{run}").text.partition('<div class="run-head">')[2]

    assert "/ideas/" not in panel.partition("</div>")[0]


def test_a_run_in_which_every_idea_fails_has_failed(
    client: TestClient, backend: FakeBackend
) -> None:
    add(client, 2)
    backend.replies.extend(["nonsense"] * 6)

    assert "was usable" in evaluate(client, 502)["detail"]

    run = client.get(RUNS).json()[0]
    assert run["status"] == "failed"
    assert len(run["result"]["failed"]) == 2


def test_without_a_model_the_run_ends_at_once(client: TestClient, backend: FakeBackend) -> None:
    add(client, 3)
    backend.replies.append(ModelUnavailable("The file is gone."))

    assert evaluate(client, 503)["detail"] == "The file is gone."
    assert sum(isinstance(one, GenerateRequest) for one in backend.history) == 1


def test_an_idea_is_tried_again_while_the_engine_is_full(
    client: TestClient, backend: FakeBackend
) -> None:
    ideas = add(client, 1)
    backend.replies.append(EngineBusy("All slots are taken.", retry_after_s=0))

    answer = evaluate(client)

    assert (judged(answer), answer["failed"]) == (set(ideas), [])


@pytest.mark.sqlite_only
def test_each_idea_has_a_deadline_of_its_own(settings: Settings) -> None:
    backend = FakeBackend(delay_s=0.002)
    hasty = settings.model_copy(update={"run_deadline_s": 1.5})
    with TestClient(create_app(hasty, backend), base_url="http://localhost") as client:
        ideas = add(client, len(TEXTS))
        began = time.monotonic()

        answer = evaluate(client)

        assert judged(answer) == set(ideas), answer["failed"]
        assert time.monotonic() - began > hasty.run_deadline_s
        backend.gate.clear()
        late = client.post(f"{BOARDS}/{board_of(client)}/evaluate", json={"idea_ids": ideas[:1]})
        assert late.status_code == 504


def test_a_run_over_a_board_leaves_half_of_the_slots_to_others(
    client: TestClient, backend: FakeBackend
) -> None:
    add(client, 6)

    evaluate(client)

    assert backend.peak == 1 == backend.model.slots // 2


@pytest.mark.sqlite_only
def test_a_stopped_run_keeps_its_evaluations_and_a_repeat_does_the_rest(settings: Settings) -> None:
    backend = FakeBackend(delay_s=0.01)
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        ideas = add(client, 6)
        started = client.post(f"{BOARDS}/{board_of(client)}/evaluate", json={}, headers=DETACHED)
        assert started.status_code == 202
        address = started.headers["location"]
        while not client.get(address).json()["evaluations"]:
            time.sleep(0.02)

        run = client.post(f"{address}/cancel").json()

        done = {one["idea_id"] for one in run["evaluations"]}
        assert run["status"] == "cancelled"
        assert done < set(ideas)
        assert backend.running == set()
        rest = evaluate(client, idea_ids=run["request"]["idea_ids"], only_outdated=True)
        assert judged(rest) == set(ideas) - done


def test_evaluations_of_an_interrupted_run_survive_a_restart(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        ideas = add(client, 2)
        answer = evaluate(client, idea_ids=ideas[:1])
        store = client.app.state.store  # type: ignore[attr-defined]
        request = {"board_id": board_of(client), "idea_ids": ideas}
        left = store.runs.create(NewRun("evaluate-all", request, 1, board_of(client)))
        one = client.get(f"{RUNS}/{answer['run_id']}").json()["evaluations"][0]
        result = {"scoring": {name: one[name] for name in ("method", "calibrated", "uncalibrated")}}
        names = ("rubric_id", "criteria", "scores", "spread", "overall", "strengths", "concerns")
        result |= {name: one[name] for name in (*names, "next_step")}
        store.evaluations.add(left.run_id, ideas[1], 1, result)

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        run = client.get(f"{RUNS}/{left.run_id}").json()

    assert run["status"] == "interrupted"
    assert [one["idea_id"] for one in run["evaluations"]] == [ideas[1]]


def test_an_idea_that_changes_during_the_run_is_read_when_its_turn_comes(
    settings: Settings,
) -> None:
    backend = FakeBackend()
    backend.gate.clear()
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        ideas = add(client, 2)
        started = client.post(f"{BOARDS}/{board_of(client)}/evaluate", json={}, headers=DETACHED)
        # The newest idea comes first and waits at the gate.
        while not backend.running:
            time.sleep(0.01)
        client.patch(f"{IDEAS}/{ideas[0]}", json={"body": "Another text."})
        client.portal.call(backend.gate.set)  # type: ignore[union-attr]
        while client.get(started.headers["location"]).json()["status"] != "done":
            time.sleep(0.02)

        assert client.get(f"{IDEAS}/{ideas[0]}/evaluations").json()[0]["idea_version"] == 2
        assert client.get(f"{IDEAS}/{ideas[0]}").json()["is_stale"] is False


def test_the_run_can_be_watched_as_a_stream(client: TestClient) -> None:
    add(client, 2)

    text = client.post(
        f"{BOARDS}/{board_of(client)}/evaluate",
        json={},
        headers={"accept": "text/event-stream"},
    ).text

    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert [name for name in names if name != "queued"] == [
        *("started", "evaluation", "evaluation", "result", "done")
    ]
    data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert len(json.loads(data[-2])["evaluations"]) == 2


def test_a_run_over_a_board_can_be_repeated_or_continued(
    client: TestClient, backend: FakeBackend
) -> None:
    ideas = add(client, 3)
    backend.replies.append(EngineCrashed("The model process stopped."))
    answer = evaluate(client)
    address = f"{RUNS}/{answer['run_id']}/repeat"

    rest = client.post(address, json={"seed": "new"})
    again = client.post(address, json={"seed": "same"})

    assert (rest.status_code, again.status_code) == (200, 200)
    assert judged(rest.json()) == {ideas[2]}
    assert judged(again.json()) == set(ideas)
