"""Brainstorm, refine and evaluate over REST: the three ways to answer, and how runs are stored."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from anyio.from_thread import BlockingPortal
from fastapi.testclient import TestClient

from service.analysis.score_heads import ScoreHead
from service.app import create_app
from service.errors import EngineBusy, EngineCrashed
from service.ideation.drafting import REDRAWS_PER_IDEA
from service.prompts.answers import brainstorm_answer
from service.settings import Settings
from service.store.runs import NewRun
from tests.support.fake_backend import (
    EMBEDDING_SIZE,
    FAKE_MODEL,
    IDEAS,
    Broken,
    Endless,
    FakeBackend,
)

API = "/api/v1"
TOPIC = {"topic": "a street party that costs nothing"}


def post(client: TestClient, action: str, body: dict[str, Any], status: int = 200) -> Any:
    response = client.post(f"{API}/{action}", json=body)
    assert response.status_code == status, response.text
    return response.json()


def add(client: TestClient, title: str = "tool shelf", body: str = "shelf for drills") -> Any:
    return client.post(f"{API}/ideas", json={"title": title, "body": body}).json()


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_brainstorm_gives_exactly_n_different_suggestions(client: TestClient) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 8})

    assert answer["status"] == "done"
    assert len({suggestion["title"] for suggestion in answer["suggestions"]}) == 8
    assert len({suggestion["angle"] for suggestion in answer["suggestions"]}) == 8
    assert all(suggestion["text"] for suggestion in answer["suggestions"])
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["timing"]["total_s"] >= answer["timing"]["first_s"] > 0


def test_a_streamed_brainstorm_sends_every_step_in_order(client: TestClient) -> None:
    response = client.post(
        f"{API}/brainstorm", json=TOPIC | {"n": 2}, headers={"accept": "text/event-stream"}
    )

    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response.text)
    names = [name for name, _ in told]
    assert names[:2] == ["queued", "started"]
    assert names[-2:] == ["result", "done"]
    assert names.count("suggestion") == 2
    assert told[-2][1]["suggestions"] == [data for name, data in told if name == "suggestion"]


def test_a_detached_brainstorm_answers_at_once_and_can_be_watched(client: TestClient) -> None:
    started = client.post(
        f"{API}/brainstorm", json=TOPIC | {"n": 3}, headers={"prefer": "respond-async"}
    )

    assert started.status_code == 202
    assert started.headers["preference-applied"] == "respond-async"
    address = started.headers["location"]
    told = events(client.get(f"{address}/events").text)
    assert [name for name, _ in told][-1] == "done"
    run = client.get(address).json()
    assert (run["status"], len(run["suggestions"])) == ("done", 3)


def test_watching_resumes_after_the_last_event_seen(client: TestClient) -> None:
    started = client.post(
        f"{API}/brainstorm", json=TOPIC | {"n": 2}, headers={"prefer": "respond-async"}
    )
    address = f"{started.headers['location']}/events"
    whole = events(client.get(address).text)

    rest = events(client.get(address, headers={"last-event-id": "3"}).text)

    assert rest == whole[3:]


def test_a_run_keeps_its_provenance(client: TestClient) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 1, "seed": 42})

    run = client.get(f"{API}/runs/{answer['run_id']}").json()

    assert (run["model"], run["weights_sha256"], run["seed"]) == ("fake", "f" * 64, 42)
    assert run["request"]["topic"] == TOPIC["topic"]
    assert TOPIC["topic"] in run["prompts"][0][1]["content"]
    assert run["started_at"] <= run["finished_at"]


def test_drafts_that_start_together_send_the_same_requests_for_the_same_seed(
    client: TestClient, backend: FakeBackend
) -> None:
    # Later drafts depend on timing: their titles avoid the first letters of titles that came before.
    together = 2
    for _ in range(2):
        post(client, "brainstorm", TOPIC | {"n": together, "seed": 7})
        backend._ideas = 0

    asked = [replace(request, id="") for request in backend.history]
    assert sorted(map(repr, asked[:together])) == sorted(map(repr, asked[together:]))


@pytest.mark.parametrize(
    "useless",
    [
        "",
        "I cannot help with that.",
        "Title: Half\nIdea: It begins and then it",
        brainstorm_answer("A street party", "A street party that costs nothing."),
        brainstorm_answer(*IDEAS[0]),
    ],
    ids=["empty", "no form", "cut in the middle", "copy of the topic", "twice the same"],
)
def test_unusable_ideas_are_drawn_again(
    client: TestClient, backend: FakeBackend, useless: str
) -> None:
    backend.replies.extend([brainstorm_answer(*IDEAS[0]), useless, brainstorm_answer(*IDEAS[1])])
    backend._ideas = 2

    answer = post(client, "brainstorm", TOPIC | {"n": 3})

    titles = {suggestion["title"] for suggestion in answer["suggestions"]}
    assert titles == {IDEAS[0][0], IDEAS[1][0], IDEAS[2][0]}
    assert len(backend.history) == 4


def test_a_partial_brainstorm_is_done_and_counts_the_rejected_drafts(
    client: TestClient, backend: FakeBackend
) -> None:
    repeated, n = brainstorm_answer(*IDEAS[0]), 4
    drafts = n * (1 + REDRAWS_PER_IDEA)
    backend.replies.extend([repeated, "nonsense", "nonsense"] + [repeated] * drafts)

    answer = post(client, "brainstorm", TOPIC | {"n": n})

    assert (answer["status"], len(answer["suggestions"])) == ("done", 1)
    assert answer["incomplete"] == {"reason": "drafts", "repeats": drafts - 3, "unusable": 2}
    run = client.get(f"{API}/runs/{answer['run_id']}").json()
    assert (run["status"], run["error"]) == ("done", None)
    assert run["result"] == {"incomplete": answer["incomplete"]}


def test_a_complete_brainstorm_has_no_field_incomplete(client: TestClient) -> None:
    assert "incomplete" not in post(client, "brainstorm", TOPIC | {"n": 2})


def test_a_brainstorm_without_any_idea_fails_with_the_reason(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.extend(["nonsense"] * 50)

    problem = post(client, "brainstorm", TOPIC | {"n": 4}, status=502)

    assert problem["type"] == "/problems/answer-unusable"
    assert "None of the model's drafts could be used" in problem["detail"]
    run = client.get(f"{API}/runs").json()[0]
    assert (run["status"], run["error"]["detail"]) == ("failed", problem["detail"])


def test_a_brainstorm_past_its_deadline_is_done_with_the_ideas_it_has(
    settings: Settings,
) -> None:
    backend = FakeBackend(model=replace(FAKE_MODEL, slots=1))
    backend.replies.extend([brainstorm_answer(*IDEAS[0]), Endless("Title: Half")])
    hasty = settings.model_copy(update={"run_deadline_s": 1.0})
    with TestClient(create_app(hasty, backend), base_url="http://localhost") as client:
        answer = post(client, "brainstorm", TOPIC | {"n": 2})

    assert (answer["status"], len(answer["suggestions"])) == ("done", 1)
    assert answer["incomplete"] == {"reason": "deadline", "repeats": 0, "unusable": 0}


def test_a_suggestion_similar_to_an_idea_on_the_board_names_that_idea(client: TestClient) -> None:
    near = add(
        client, "Film night", "Everyone brings a chair and we watch on the wall of the school."
    )

    answer = post(client, "brainstorm", TOPIC | {"n": 1})

    assert answer["suggestions"][0]["title"] == IDEAS[0][0]
    assert answer["suggestions"][0]["similar_to"] == near["id"]


def test_keeping_a_suggestion_twice_makes_one_idea(client: TestClient) -> None:
    suggestion = post(client, "brainstorm", TOPIC | {"n": 1})["suggestions"][0]
    address = f"{API}/suggestions/{suggestion['id']}/keep"

    first = client.post(address)
    second = client.post(address)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["title"] == suggestion["title"]
    assert (first.json()["origin"], first.json()["status"]) == ("model", "kept")
    assert len(client.get(f"{API}/ideas").json()) == 1


def test_a_suggestion_can_be_edited_when_kept_and_a_discard_can_be_undone(
    client: TestClient,
) -> None:
    one, two = post(client, "brainstorm", TOPIC | {"n": 2})["suggestions"]

    kept = client.post(f"{API}/suggestions/{one['id']}/keep", json={"title": "Mine"}).json()
    discarded = client.post(f"{API}/suggestions/{two['id']}/discard").json()
    reopened = client.post(f"{API}/suggestions/{two['id']}/reopen").json()

    assert (kept["title"], kept["body"]) == ("Mine", one["text"])
    assert (discarded["state"], reopened["state"]) == ("discarded", "open")
    assert client.post(f"{API}/suggestions/{one['id']}/discard").status_code == 409


def test_branching_from_an_idea_makes_its_children(
    client: TestClient, backend: FakeBackend
) -> None:
    idea = add(client)

    answer = post(client, "brainstorm", {"idea_id": idea["id"], "n": 1})
    kept = client.post(f"{API}/suggestions/{answer['suggestions'][0]['id']}/keep").json()

    assert kept["parent_id"] == idea["id"]
    assert "shelf for drills" in repr(backend.history[0])


def test_refine_changes_nothing_until_it_is_accepted(client: TestClient) -> None:
    idea = add(client)

    answer = post(client, "refine", {"idea_id": idea["id"], "instruction": "clearer"})

    assert answer["title"]
    assert answer["body"]
    assert answer["changes"]
    assert client.get(f"{API}/ideas/{idea['id']}").json()["body"] == "shelf for drills"
    accepted = client.post(f"{API}/runs/{answer['run_id']}/accept").json()
    assert (accepted["body"], accepted["version"]) == (answer["body"], 2)
    newest = client.get(f"{API}/ideas/{idea['id']}/versions").json()[0]
    assert (newest["origin"], newest["run_id"]) == ("model", answer["run_id"])
    assert client.post(f"{API}/runs/{answer['run_id']}/accept").status_code == 409


def test_a_refinement_of_an_outdated_text_is_not_accepted_unseen(client: TestClient) -> None:
    idea = add(client)
    answer = post(client, "refine", {"idea_id": idea["id"]})
    client.patch(f"{API}/ideas/{idea['id']}", json={"body": "theirs"})

    accepted = client.post(f"{API}/runs/{answer['run_id']}/accept", headers={"if-match": '"1"'})

    assert accepted.status_code == 412
    assert client.get(f"{API}/ideas/{idea['id']}").json()["body"] == "theirs"


def test_a_refinement_can_be_rejected_and_free_text_has_nothing_to_accept(
    client: TestClient,
) -> None:
    idea = add(client)
    rejected = post(client, "refine", {"idea_id": idea["id"]})["run_id"]
    free = post(client, "refine", {"title": "tool shelf", "body": "drills"})["run_id"]

    assert client.post(f"{API}/runs/{rejected}/reject").json()["decision"] == "rejected"
    assert client.post(f"{API}/runs/{rejected}/accept").status_code == 409
    assert client.post(f"{API}/runs/{free}/accept").status_code == 409


def test_evaluate_gives_scores_strengths_concerns_and_a_step(client: TestClient) -> None:
    idea = add(client)

    answer = post(client, "evaluate", {"idea_id": idea["id"]})

    assert list(answer["scores"]) == ["novelty", "feasibility", "impact", "clarity"]
    assert all(1 <= score <= 10 for score in answer["scores"].values())
    assert answer["overall"] == pytest.approx(sum(answer["scores"].values()) / 4, abs=0.05)
    assert answer["strengths"]
    assert answer["concerns"]
    assert answer["next_step"]
    assert answer["scoring"] == {
        "method": "digits",
        "calibrated": False,
        "uncalibrated": list(answer["scores"]),
    }
    assert client.get(f"{API}/ideas/{idea['id']}").json()["score"] == answer["overall"]
    stored = client.get(f"{API}/ideas/{idea['id']}/evaluations").json()[0]
    assert (stored["scores"], stored["idea_version"]) == (answer["scores"], 1)


def test_criteria_of_the_caller_are_scored_in_the_order_given(client: TestClient) -> None:
    criteria = [{"name": "cost", "description": "how cheap it is"}, "impact"]

    answer = post(client, "evaluate", {"title": "Tool shelf", "criteria": criteria})

    assert list(answer["scores"]) == ["cost", "impact"]


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A score head whose scores are a bias plus a tenth of one number of the embedding."""
    path = tmp_path / "head.npz"
    weights = np.zeros((2, EMBEDDING_SIZE), dtype=np.float32)
    weights[0, 0] = weights[1, 1] = 0.1
    ScoreHead(
        identity="f" * 64,
        criteria=("novelty", "clarity"),
        mean=np.zeros(EMBEDDING_SIZE, dtype=np.float32),
        scale=np.ones(EMBEDDING_SIZE, dtype=np.float32),
        weights=weights,
        bias=np.array([3.0, 8.0], dtype=np.float32),
    ).save(path)
    return path


def served_with(settings: Settings, **changes: Any) -> Iterator[TestClient]:
    backend = FakeBackend(model=replace(FAKE_MODEL, **changes))
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        yield client


def test_criteria_that_the_score_head_does_not_know_are_marked_as_uncalibrated(
    settings: Settings, head: Path
) -> None:
    for client in served_with(settings, score_head=str(head)):
        known = post(client, "evaluate", {"title": "Tool", "criteria": ["clarity", "novelty"]})
        mixed = post(client, "evaluate", {"title": "Tool", "criteria": ["novelty", "cost"]})

        assert known["scoring"] == {"method": "head", "calibrated": True, "uncalibrated": []}
        assert known["scores"] == {"clarity": 8.0, "novelty": 3.1}
        assert mixed["scoring"]["method"] == "mixed"
        assert mixed["scoring"]["uncalibrated"] == ["cost"]


def test_a_score_head_for_another_model_is_not_used_and_the_log_says_so(
    settings: Settings, head: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for client in served_with(settings, score_head=str(head), identity="0" * 64):
        answers = [post(client, "evaluate", {"title": "Tool"}) for _ in range(2)]

    assert {answer["scoring"]["method"] for answer in answers} == {"digits"}
    warnings = [one for one in caplog.messages if "other weights" in one]
    assert len(warnings) == 1
    assert str(head) in warnings[0]


def test_a_model_with_the_role_refine_is_used_for_refining_only(settings: Settings) -> None:
    usual = replace(FAKE_MODEL, name="usual")
    tuned = replace(FAKE_MODEL, name="tuned", roles=("refine",))
    backend = FakeBackend(model=usual, others=(tuned,))
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        for action in ("refine", "evaluate"):
            post(client, action, {"title": "Tool shelf", "body": "Saws on hooks."})
        post(client, "brainstorm", TOPIC)
        runs = {run["kind"]: run["model"] for run in client.get(f"{API}/runs").json()}

    assert runs == {"refine": "tuned", "evaluate": "usual", "brainstorm": "usual"}


def test_a_failed_evaluation_leaves_no_score(client: TestClient, backend: FakeBackend) -> None:
    idea = add(client)
    backend.replies.extend(["nonsense"] * 9)

    post(client, "evaluate", {"idea_id": idea["id"]}, status=502)

    assert client.get(f"{API}/ideas/{idea['id']}").json()["score"] is None
    assert client.get(f"{API}/ideas/{idea['id']}/evaluations").json() == []


@pytest.mark.parametrize("action", ["brainstorm", "refine", "evaluate"])
def test_a_crashed_engine_fails_the_run_and_leaves_the_board_usable(
    client: TestClient, backend: FakeBackend, action: str
) -> None:
    backend.replies.append(Broken("Title: A", EngineCrashed("The model process stopped.")))
    body: dict[str, Any] = TOPIC if action == "brainstorm" else {"title": "Tool shelf"}

    problem = post(client, action, body, status=502)

    assert problem["detail"] == "The model process stopped."
    assert client.get(f"{API}/runs").json()[0]["status"] == "failed"
    assert add(client)["title"] == "tool shelf"
    assert client.get("/livez").status_code == 200


def test_an_error_in_a_stream_is_its_last_event(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append(EngineCrashed("The model process stopped."))

    response = client.post(f"{API}/brainstorm", json=TOPIC, headers={"accept": "text/event-stream"})

    name, data = events(response.text)[-1]
    assert (name, data["type"], data["detail"]) == (
        "error", "engine-crashed", "The model process stopped."
    )  # fmt: skip


def test_a_full_engine_says_when_to_try_again(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append(EngineBusy("All slots are taken.", retry_after_s=7))

    response = client.post(f"{API}/refine", json={"title": "Tool shelf"})

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


def test_runs_beyond_the_limit_are_refused_at_once(settings: Settings) -> None:
    backend = FakeBackend()
    backend.gate.clear()
    few = settings.model_copy(update={"queue_limit": 2, "drain_s": 0})
    with TestClient(create_app(few, backend), base_url="http://localhost") as client:
        detached = {"prefer": "respond-async"}
        statuses, times = [], []
        for _ in range(7):
            began = time.monotonic()
            response = client.post(f"{API}/brainstorm", json=TOPIC, headers=detached)
            statuses.append(response.status_code)
            if response.status_code == 503:
                times.append(time.monotonic() - began)
                assert int(response.headers["retry-after"]) >= 1

    assert statuses == [202] * 2 + [503] * 5
    # The machine may have been busy with something else in the others.
    assert min(times) < 0.1


def test_a_run_past_its_deadline_is_stopped_with_the_reason(settings: Settings) -> None:
    backend = FakeBackend(delay_s=0.2)
    hasty = settings.model_copy(update={"run_deadline_s": 0.3})
    with TestClient(create_app(hasty, backend), base_url="http://localhost") as client:
        problem = post(client, "refine", {"title": "Tool shelf"}, status=504)

        assert "0.3 seconds" in problem["detail"]
        assert backend.running == set()


def test_a_stopping_server_has_callers_try_again(settings: Settings) -> None:
    backend = FakeBackend()
    backend.gate.clear()
    app = create_app(settings, backend)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.post, f"{API}/brainstorm", json=TOPIC)
        while not backend.running:
            time.sleep(0.01)
        for part in (app.state.runs, app.state.completions):
            cast(BlockingPortal, client.portal).call(part.close, 0)
        chat = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}
        answers = [
            waiting.result(),
            client.post(f"{API}/brainstorm", json=TOPIC),
            client.post("/v1/chat/completions", json=chat),
        ]

    assert "interrupted" in answers[0].json()["detail"]
    assert [(one.status_code, one.headers["retry-after"]) for one in answers] == [(503, "5")] * 3


def test_cancel_stops_the_run_and_keeps_what_it_made(settings: Settings) -> None:
    backend = FakeBackend(delay_s=0.01)
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        started = client.post(
            f"{API}/brainstorm", json=TOPIC | {"n": 20}, headers={"prefer": "respond-async"}
        )
        address = started.headers["location"]
        while not client.get(address).json()["suggestions"]:
            time.sleep(0.05)

        run = client.post(f"{address}/cancel").json()

        assert run["status"] == "cancelled"
        assert run["suggestions"]
        assert backend.running == set()
        assert client.post(f"{address}/cancel").json() == run


def test_a_run_left_unfinished_by_the_last_server_is_interrupted(settings: Settings) -> None:
    backend = FakeBackend(delay_s=10)
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        store = client.app.state.store  # type: ignore[attr-defined]
        left = store.runs.create(NewRun("brainstorm", TOPIC, 1))

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        run = client.get(f"{API}/runs/{left.run_id}").json()
        told = events(client.get(f"{API}/runs/{left.run_id}/events").text)

    assert run["status"] == "interrupted"
    assert told[-1] == ("done", {"run_id": left.run_id, "status": "interrupted"})


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("brainstorm", {}, "/topic"),
        ("brainstorm", TOPIC | {"idea_id": "x"}, "/topic"),
        ("brainstorm", TOPIC | {"n": 0}, "/n"),
        ("brainstorm", TOPIC | {"n": 21}, "/n"),
        ("brainstorm", TOPIC | {"method": "magic"}, "/method"),
        ("brainstorm", TOPIC | {"creativity": 2}, "/creativity"),
        ("brainstorm", TOPIC | {"seed": -1}, "/seed"),
        ("refine", {}, "/title"),
        ("refine", {"idea_id": "x", "title": "y"}, "/idea_id"),
        ("evaluate", {"title": "x", "criteria": []}, "/criteria"),
        ("evaluate", {"title": "x", "criteria": ["a", "a"]}, "/criteria"),
    ],
)
def test_bad_tasks_are_refused_before_a_run_begins(
    client: TestClient, action: str, body: dict[str, Any], pointer: str
) -> None:
    problem = post(client, action, body, status=422)

    assert problem["errors"][0]["pointer"] == pointer
    assert client.get(f"{API}/runs").json() == []


def test_an_unknown_idea_is_not_found(client: TestClient) -> None:
    post(client, "refine", {"idea_id": "nobody"}, status=404)
