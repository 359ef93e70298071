"""What follows the reader of a run: how far it is, how it ended, and what can be done."""

import pytest
from fastapi.testclient import TestClient

from service.errors import EngineCrashed
from service.store.runs import RunOutcome
from tests.api.test_brainstorms import TOPIC, add, get, post
from tests.api.test_partial_runs import with_ideas
from tests.api.test_run_pages import await_request, shown, start
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of


def toast(client: TestClient, run: str) -> str:
    answer = client.get(f"/runs/{run}/toast")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    return answer.text


def test_a_run_under_way_is_named_and_can_be_stopped(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.gate.clear()
    run = start(client, "brainstorm")
    await_request(backend)

    html = shown(client, f"{run}/toast", "Writing: 0 of 2 ideas")

    assert "Writing: 0 of 2 ideas" in html
    assert 'data-state="live"' in html
    assert f'action="{run}/stop"' in html
    assert "“a street party”" in html
    assert f"?run={run.removeprefix('/runs/')}#run" in html
    backend.gate.set()


@pytest.mark.parametrize(("count", "words"), [(1, "1 idea evaluated"), (3, "3 ideas evaluated")])
def test_an_evaluation_ends_with_how_many_ideas_it_evaluated(
    client: TestClient, count: int, words: str
) -> None:
    for place in range(count):
        add(client, f"Idea {place}", "Said in a few words.")
    board = store_of(client).boards.default().id
    run = post(client, f"boards/{board}/evaluate")["run_id"]

    html = toast(client, run)

    assert words in html
    assert 'data-state="done"' in html
    assert "/stop" not in html


def test_a_partial_brainstorm_ends_as_a_result(client: TestClient) -> None:
    run = with_ideas(client, [None, None], RunOutcome("failed", error={"type": "x", "detail": "y"}))

    html = toast(client, run)

    assert "2 new ideas; 1 is missing" in html
    assert 'data-state="done"' in html


def test_a_run_with_nothing_has_failed(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append(EngineCrashed("The model process stopped."))
    post(client, "brainstorm", TOPIC | {"n": 1}, status=502)

    assert 'data-state="failed"' in toast(client, get(client, "runs")[0]["run_id"])


def test_a_toast_leaves_the_message_for_the_next_page(client: TestClient) -> None:
    run = post(client, "brainstorm", TOPIC | {"n": 2})
    one = run["suggestions"][0]["id"]
    client.post(f"/suggestions/{one}/discard", follow_redirects=False)

    toast(client, run["run_id"])

    assert "is discarded." in client.get(f"/runs/{run['run_id']}").text
