"""A brainstorm with some of its ideas is a result; only one with nothing is an error."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.errors import EngineCrashed
from service.prompts.answers import brainstorm_answer
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import new_id
from service.store.runs import NewRun, RunOutcome
from tests.api.test_brainstorms import TOPIC, get, post
from tests.support.fake_backend import IDEAS, FakeBackend
from tests.support.people import store_of

CRASH = EngineCrashed("The model process stopped.")


def cut_short(client: TestClient, backend: FakeBackend, n: int = 4) -> str:
    """A brainstorm whose model ends after its first idea."""
    backend.model = replace(backend.model, slots=1)
    backend.replies.extend([brainstorm_answer(*IDEAS[0]), CRASH])
    post(client, "brainstorm", TOPIC | {"n": n}, status=502)
    return str(get(client, "runs")[0]["run_id"])


def with_ideas(client: TestClient, fits: list[float | None], outcome: RunOutcome) -> str:
    """A brainstorm for one idea more than it made."""
    store = store_of(client)
    board = store.boards.default().id
    request = {"topic": "a street party", "n": len(fits) + 1}
    run = store.runs.create(NewRun("brainstorm", request, 7, board_id=board))
    for place, fit in enumerate(fits):
        title, text = IDEAS[place]
        idea = SuggestionPublic(id=new_id(), angle="", title=title, text=text, fit=fit)
        store.suggestions.add(run.run_id, place, idea)
    store.runs.finish(run.run_id, outcome)
    return run.run_id


def titles_in_order(page: str) -> list[str]:
    return [title for _, title in sorted((page.find(f"<h3>{one}</h3>"), one) for one, _ in IDEAS)][
        -3:
    ]


def test_a_brainstorm_that_ends_early_says_how_many_ideas_are_missing(
    client: TestClient, backend: FakeBackend
) -> None:
    page = client.get(f"/runs/{cut_short(client, backend)}").text

    assert "1 new idea; 3 are missing" in page
    assert "The model process stopped." in page
    assert "Get the 3 missing ideas" in page
    assert "Cut short" in page
    assert "notice-bad" not in page
    assert "Try again" not in page


def test_the_missing_ideas_alone_are_asked_for_and_differ_from_those_there(
    client: TestClient, backend: FakeBackend
) -> None:
    run = cut_short(client, backend)
    backend.replies.extend([brainstorm_answer(*IDEAS[0])])

    answer = client.post(f"/runs/{run}/more", data={"only_missing": "true"}, follow_redirects=False)

    assert answer.status_code == 303
    added: Any = get(client, answer.headers["location"].replace("/runs/", "runs/"))
    assert added["request"]["n"] == 3
    assert added["request"]["sources"] == ["model"]
    assert added["request"]["avoid"] == [f"{IDEAS[0][0]}. {IDEAS[0][1]}"]


def test_a_brainstorm_with_all_its_ideas_has_none_missing(client: TestClient) -> None:
    run = post(client, "brainstorm", TOPIC | {"n": 2})["run_id"]

    assert "get-missing" not in client.get(f"/runs/{run}").text
    refused = client.post(f"/runs/{run}/more", data={"only_missing": "true"})
    assert refused.status_code == 409
    assert "has all its ideas" in refused.text


def test_ideas_made_before_the_server_stopped_are_a_result(client: TestClient) -> None:
    run = with_ideas(client, [None, None, None], RunOutcome("interrupted"))
    board = store_of(client).boards.default().id

    page = client.get(f"/runs/{run}").text

    assert "3 new ideas; 1 is missing" in page
    assert "Get the missing idea" in page
    assert "notice-bad" not in page
    assert "Cut short" in client.get(f"/boards/{board}/runs").text


def test_a_brainstorm_without_any_idea_is_an_error_with_a_reason_and_a_way_on(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append(CRASH)
    post(client, "brainstorm", TOPIC | {"n": 2}, status=502)

    page = client.get(f"/runs/{get(client, 'runs')[0]['run_id']}").text

    assert "notice-bad" in page
    assert "This brainstorm made no ideas" in page
    assert "The model process stopped." in page
    assert "word the topic differently" in page
    assert "Try again" in page


@pytest.mark.parametrize("place", ["run", "board"])
def test_the_ideas_that_people_are_expected_to_keep_come_first(
    client: TestClient, place: str
) -> None:
    run = with_ideas(client, [0.2, 0.7, 0.4], RunOutcome("done", result={}))
    board = store_of(client).boards.default().id
    address = f"/runs/{run}?" if place == "run" else f"/boards/{board}?run={run}&"

    best_first = client.get(address).text
    as_made = client.get(f"{address}order=made").text

    assert titles_in_order(best_first) == [IDEAS[1][0], IDEAS[2][0], IDEAS[0][0]]
    assert "Best first, by what people keep" in best_first
    assert titles_in_order(as_made) == [IDEAS[0][0], IDEAS[1][0], IDEAS[2][0]]
    assert "Put the best first" in as_made


def test_without_an_estimate_suggestions_stay_as_they_came(client: TestClient) -> None:
    run = with_ideas(client, [None, None, None], RunOutcome("done", result={}))

    page = client.get(f"/runs/{run}").text

    assert titles_in_order(page) == [IDEAS[0][0], IDEAS[1][0], IDEAS[2][0]]
    assert "Best first" not in page
    assert "data-has-order" not in page


def test_keeping_a_suggestion_can_be_undone(client: TestClient) -> None:
    run = post(client, "brainstorm", TOPIC | {"n": 1})
    suggestion = run["suggestions"][0]["id"]

    kept = client.post(f"/suggestions/{suggestion}/keep")
    assert f"/suggestions/{suggestion}/reopen" in kept.text
    assert len(get(client, "ideas")) == 1
    client.post(f"/suggestions/{suggestion}/reopen")

    assert get(client, "ideas") == []
    assert get(client, f"runs/{run['run_id']}")["suggestions"][0]["state"] == "open"


def test_a_kept_suggestion_is_reopened_over_the_api_once_its_idea_is_deleted(
    client: TestClient,
) -> None:
    suggestion = post(client, "brainstorm", TOPIC | {"n": 1})["suggestions"][0]["id"]
    idea = post(client, f"suggestions/{suggestion}/keep", status=201)["id"]

    post(client, f"suggestions/{suggestion}/reopen", status=409)
    client.delete(f"/api/v1/ideas/{idea}")

    assert post(client, f"suggestions/{suggestion}/reopen")["state"] == "open"


@pytest.mark.parametrize("part", ["instruction", "evaluate"])
def test_a_suggestion_is_kept_for_its_next_step(client: TestClient, part: str) -> None:
    suggestion = post(client, "brainstorm", TOPIC | {"n": 1})["suggestions"][0]["id"]

    answer = client.post(
        f"/suggestions/{suggestion}/keep", data={"part": part}, follow_redirects=False
    )

    idea = get(client, "ideas")[0]["id"]
    assert answer.headers["location"] == f"/ideas/{idea}#{part}"
    assert f'id="{part}"' in client.get(f"/ideas/{idea}").text
