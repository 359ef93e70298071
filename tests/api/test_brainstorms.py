"""Brainstorms over REST: their sources, what they avoid, and how suggestions are handled."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.engine.types import GenerateRequest
from service.errors import EngineCrashed
from service.prompts.answers import brainstorm_answer
from service.prompts.methods import METHODS
from tests.support.fake_backend import IDEAS, FakeBackend

pytestmark = pytest.mark.both_databases

API = "/api/v1"
TOPIC = {"topic": "a street party that costs nothing"}


def post(client: TestClient, path: str, body: Any = None, status: int = 200) -> Any:
    response = client.post(f"{API}/{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()


def get(client: TestClient, path: str) -> Any:
    response = client.get(f"{API}/{path}")
    assert response.status_code == 200, response.text
    return response.json()


def add(client: TestClient, title: str, body: str = "") -> str:
    return str(post(client, "ideas", {"title": title, "body": body}, status=201)["id"])


def suggest(client: TestClient, n: int = 1, **more: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = post(client, "brainstorm", TOPIC | {"n": n} | more)["suggestions"]
    return made


def asked(backend: FakeBackend) -> list[str]:
    """The last message of each request to the model."""
    return [request.messages[-1].content for request in backend.history]  # type: ignore[union-attr]


def test_several_ideas_are_combined_and_the_first_is_the_parent(
    client: TestClient, backend: FakeBackend
) -> None:
    ideas = [add(client, "Tool shelf", "Lend drills."), add(client, "Soup day", "Cook together.")]

    answer = post(client, "brainstorm", {"idea_ids": ideas, "n": 2})
    kept = post(client, f"suggestions/{answer['suggestions'][0]['id']}/keep", status=201)

    assert all("Tool shelf. Lend drills." in text for text in asked(backend))
    assert all("Soup day. Cook together." in text for text in asked(backend))
    assert kept["parent_id"] == ideas[0]
    assert get(client, f"runs/{answer['run_id']}")["request"]["idea_ids"] == ideas


def test_a_combination_that_only_repeats_one_of_its_ideas_is_drawn_again(
    client: TestClient, backend: FakeBackend
) -> None:
    title, text = IDEAS[0]
    ideas = [add(client, title, text), add(client, "Soup day", "Cook together.")]
    backend.replies.append(brainstorm_answer("Chair cinema", text))
    backend._ideas = 1

    answer = post(client, "brainstorm", {"idea_ids": ideas, "n": 1})

    assert answer["suggestions"][0]["title"] == IDEAS[1][0]
    assert len(backend.history) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"idea_ids": ["a"]}, "/idea_ids"),
        ({"idea_ids": list("abcdef")}, "/idea_ids"),
        ({"idea_ids": ["a", "a"]}, "/idea_ids"),
        ({"idea_ids": ["a", "b"], "topic": "x"}, "/topic"),
        ({"suggestion_id": "a", "idea_id": "b"}, "/topic"),
        (TOPIC | {"angle": "no such angle"}, "/angle"),
        (TOPIC | {"avoid": ["x"] * 21}, "/avoid"),
    ],
)
def test_a_brainstorm_that_contradicts_itself_is_refused(
    client: TestClient, body: dict[str, Any], pointer: str
) -> None:
    problem = post(client, "brainstorm", body, status=422)

    assert problem["errors"][0]["pointer"] == pointer
    assert get(client, "runs") == []


@pytest.mark.parametrize(("avoid_board", "drawn"), [(True, 2), (False, 1)])
def test_copies_of_board_ideas_are_drawn_again_or_only_marked(
    client: TestClient, backend: FakeBackend, avoid_board: bool, drawn: int
) -> None:
    there = add(client, *IDEAS[0])

    made = suggest(client, avoid_board=avoid_board)

    assert len(backend.history) == drawn
    assert made[0].get("similar_to") == (None if avoid_board else there)


def test_ideas_similar_to_avoided_texts_are_drawn_again(
    client: TestClient, backend: FakeBackend
) -> None:
    made = suggest(client, avoid=["Bring a chair for a cinema on a white sheet between trees."])

    assert made[0]["title"] == IDEAS[1][0]
    assert len(backend.history) == 2


def test_a_brainstorm_may_use_one_angle_only(client: TestClient) -> None:
    made = suggest(client, 3, method="six-hats", angle="white hat, facts")

    assert {one["angle"] for one in made} == {"white hat, facts"}


def test_the_methods_are_listed_with_when_to_use_them(client: TestClient) -> None:
    listed = get(client, "methods")

    assert [one["id"] for one in listed] == list(METHODS)
    assert all(one["when"].startswith("When ") for one in listed)
    assert {"eliminate", "reverse"} <= set(listed[1]["angles"])


def test_more_like_a_suggestion_works_before_it_is_kept(
    client: TestClient, backend: FakeBackend
) -> None:
    board = post(client, "boards", {"name": "Party"}, status=201)["id"]
    one = suggest(client, board_id=board)[0]
    backend.history.clear()

    answer = post(client, "brainstorm", {"suggestion_id": one["id"], "n": 2})

    (request,) = backend.history
    assert isinstance(request, GenerateRequest)
    liked = request.messages[-2].content
    assert liked == brainstorm_answer(one["title"], one["text"])
    run = get(client, f"runs/{answer['run_id']}")
    assert (run["board_id"], run["request"]["suggestion_id"]) == (board, one["id"])


def test_more_like_a_suggestion_of_an_idea_branches_from_that_idea(client: TestClient) -> None:
    idea = add(client, "Tool shelf")
    one = post(client, "brainstorm", {"idea_id": idea, "n": 1})["suggestions"][0]

    more = post(client, "brainstorm", {"suggestion_id": one["id"], "n": 1})["suggestions"][0]

    assert post(client, f"suggestions/{more['id']}/keep", status=201)["parent_id"] == idea


def test_an_edited_suggestion_is_kept_as_a_version_by_the_model_and_one_by_a_person(
    client: TestClient,
) -> None:
    one = suggest(client)[0]

    kept = post(client, f"suggestions/{one['id']}/keep", {"title": "Mine"}, status=201)
    mine, models = get(client, f"ideas/{kept['id']}/versions")

    assert (kept["title"], kept["version"], kept["origin"]) == ("Mine", 2, "model")
    assert (mine["title"], mine["origin"], mine["run_id"]) == ("Mine", "human", None)
    assert (models["title"], models["origin"]) == (one["title"], "model")
    assert models["run_id"] == get(client, "runs")[0]["run_id"]


def test_keeping_a_suggestion_with_its_own_text_makes_one_version(client: TestClient) -> None:
    one = suggest(client)[0]

    body = {"title": one["title"], "body": one["text"]}
    kept = post(client, f"suggestions/{one['id']}/keep", body, status=201)

    assert kept["version"] == 1


def test_an_edit_beyond_the_limits_keeps_nothing(client: TestClient) -> None:
    one = suggest(client)[0]

    post(client, f"suggestions/{one['id']}/keep", {"body": "x" * 9000}, status=422)

    assert get(client, "ideas") == []


def test_all_open_suggestions_are_kept_at_once_or_those_named(client: TestClient) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 4})
    first, second, *rest = (one["id"] for one in answer["suggestions"])
    keep = f"runs/{answer['run_id']}/keep"
    post(client, f"suggestions/{first}/discard")

    named = post(client, keep, {"suggestion_ids": [second]})
    others = post(client, keep)

    assert [one["title"] for one in named] == [answer["suggestions"][1]["title"]]
    assert len(others) == len(rest)
    assert post(client, keep) == []
    states = [one["state"] for one in get(client, f"runs/{answer['run_id']}")["suggestions"]]
    assert states == ["discarded", "kept", "kept", "kept"]


def test_naming_a_suggestion_of_another_run_keeps_nothing(client: TestClient) -> None:
    stranger = suggest(client)[0]["id"]
    answer = post(client, "brainstorm", TOPIC | {"n": 1})
    own = answer["suggestions"][0]["id"]

    post(client, f"runs/{answer['run_id']}/keep", {"suggestion_ids": [own, stranger]}, status=422)

    assert get(client, "ideas") == []
    post(client, "runs/nobody/keep", status=404)


def test_new_ideas_avoid_a_suggestion_marked_less_like_this(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 1})
    one = answer["suggestions"][0]
    assert post(client, f"suggestions/{one['id']}/avoid")["state"] == "avoided"
    backend._ideas = 0

    again = post(client, f"runs/{answer['run_id']}/repeat", {"seed": "new"})

    assert again["suggestions"][0]["title"] == IDEAS[1][0]
    request = get(client, f"runs/{again['run_id']}")["request"]
    assert request["avoid"] == [f"{one['title']}. {one['text']}"]
    assert post(client, f"suggestions/{one['id']}/reopen")["state"] == "open"


def test_a_run_is_repeated_with_its_seed_or_with_another(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 1, "seed": 7})
    backend._ideas = 0
    same = post(client, f"runs/{answer['run_id']}/repeat")
    new = post(client, f"runs/{answer['run_id']}/repeat", {"seed": "new"})

    seeds = [get(client, f"runs/{one['run_id']}")["seed"] for one in (answer, same, new)]
    assert seeds[0] == seeds[1] == 7 != seeds[2]
    assert asked(backend)[0] == asked(backend)[1]


@pytest.mark.parametrize("action", ["refine", "evaluate"])
def test_any_kind_of_run_can_be_repeated(client: TestClient, action: str) -> None:
    first = post(client, action, {"title": "Tool shelf", "body": "Lend drills."})

    again = post(client, f"runs/{first['run_id']}/repeat")

    same = {name for name in first if name not in ("run_id", "timing")}
    assert {name: again[name] for name in same} == {name: first[name] for name in same}


def test_a_redraw_keeps_the_angle_and_differs_from_the_suggestions_beside_it(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 2, "method": "scamper"})
    one, other = answer["suggestions"]
    backend.replies.append(brainstorm_answer(other["title"], other["text"]))

    redrawn = post(client, f"suggestions/{one['id']}/redraw", {"seed": 5})

    assert [new["angle"] for new in redrawn["suggestions"]] == [one["angle"]]
    assert redrawn["suggestions"][0]["title"] not in (one["title"], other["title"])
    old = get(client, f"runs/{answer['run_id']}")["suggestions"][0]
    assert (old["state"], old["redrawn_in"]) == ("discarded", redrawn["run_id"])
    run = get(client, f"runs/{redrawn['run_id']}")
    assert (run["seed"], run["request"]["n"]) == (5, 1)


def test_keeping_all_also_keeps_redrawn_suggestions(client: TestClient) -> None:
    answer = post(client, "brainstorm", TOPIC | {"n": 2})
    one = answer["suggestions"][0]["id"]
    new = post(client, f"suggestions/{one}/redraw")["suggestions"][0]

    kept = post(client, f"runs/{answer['run_id']}/keep")

    assert [idea["title"] for idea in kept] == [new["title"], answer["suggestions"][1]["title"]]
    post(client, f"suggestions/{one}/redraw", status=409)


def test_a_failed_redraw_can_be_repeated(client: TestClient, backend: FakeBackend) -> None:
    one = suggest(client)[0]["id"]
    backend.replies.append(EngineCrashed("The model process stopped."))

    post(client, f"suggestions/{one}/redraw", status=502)

    assert len(post(client, f"suggestions/{one}/redraw")["suggestions"]) == 1


def test_a_suggestion_that_became_an_idea_is_not_redrawn(client: TestClient) -> None:
    one = suggest(client)[0]["id"]
    post(client, f"suggestions/{one}/keep", status=201)

    for action in ("redraw", "avoid", "discard"):
        post(client, f"suggestions/{one}/{action}", status=409)
    assert len(get(client, "runs")) == 1


def test_runs_are_listed_by_board_kind_and_status_page_by_page(
    client: TestClient, backend: FakeBackend
) -> None:
    board = post(client, "boards", {"name": "Party"}, status=201)["id"]
    for _ in range(3):
        suggest(client, board_id=board)
    backend.replies.append(EngineCrashed("The model process stopped."))
    post(client, "brainstorm", TOPIC | {"board_id": board}, status=502)
    post(client, "evaluate", {"title": "Tool shelf"})

    seen, address = [], f"{API}/runs?board={board}&kind=brainstorm&status=done&limit=2"
    while address:
        page = client.get(address)
        seen += [run["run_id"] for run in page.json()]
        address = page.links.get("next", {}).get("url", "")

    every = [run["run_id"] for run in get(client, f"runs?board={board}")]
    assert (len(every), len(seen), seen) == (4, 3, every[1:])
    assert len(get(client, "runs?status=failed")) == 1
    assert client.get(f"{API}/runs?cursor=bad").json()["errors"][0]["pointer"] == "/cursor"


def test_a_redraw_can_be_watched_while_its_run_goes_on(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.delay_s = 0.02
    detached = {"prefer": "respond-async"}
    address = client.post(f"{API}/brainstorm", json=TOPIC, headers=detached).headers["location"]
    while not (made := client.get(address).json()["suggestions"]):
        time.sleep(0.02)

    redraw = client.post(f"{API}/suggestions/{made[0]['id']}/redraw", headers=detached)

    assert redraw.status_code == 202
    events = client.get(f"{redraw.headers['location']}/events").text
    assert events.count("event: suggestion\n") == 1
    client.post(f"{address}/cancel")


def recents(client: TestClient, board: str) -> list[str]:
    """The ids of the runs in the row of brainstorms on the board's page."""
    row = client.get(f"/boards/{board}").text.partition('<nav class="recent"')[2]
    return re.findall(r'\?run=([0-9a-f-]+)"', row.partition("</nav>")[0])


def test_redraws_and_brainstorms_without_an_idea_do_not_fill_the_row_of_brainstorms(
    client: TestClient, backend: FakeBackend
) -> None:
    board = post(client, "boards", {"name": "Party"}, status=201)["id"]
    task = TOPIC | {"board_id": board, "n": 2}
    answer = post(client, "brainstorm", task)
    one, other = (each["id"] for each in answer["suggestions"])
    crash = EngineCrashed("The model process stopped.")
    backend.replies.extend([crash] * 3)

    post(client, f"suggestions/{one}/redraw", status=502)
    post(client, "brainstorm", {"suggestion_id": other, "n": 1}, status=502)
    post(client, "brainstorm", task | {"n": 1}, status=502)
    post(client, f"suggestions/{other}/redraw")

    assert recents(client, board) == [answer["run_id"]]
    assert len(get(client, f"runs?board={board}")) == 5


def test_a_brainstorm_with_missing_ideas_is_not_shown_as_failed(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.extend([brainstorm_answer(*IDEAS[0])] * 50)
    run = post(client, "brainstorm", TOPIC | {"n": 2})["run_id"]

    page = client.get(f"/runs/{run}").text

    assert "1 new idea; 5 repeats left out" in page
    assert "This run failed" not in page
    assert "notice-bad" not in page


def test_a_brainstorm_that_fails_midway_shows_its_ideas_and_the_reason(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.model = replace(backend.model, slots=1)
    crash = EngineCrashed("The model process stopped.")
    backend.replies.extend([brainstorm_answer(*IDEAS[0]), crash])
    post(client, "brainstorm", TOPIC | {"n": 2}, status=502)

    page = client.get(f"/runs/{get(client, 'runs')[0]['run_id']}").text

    assert "1 new idea; 1 is missing" in page
    assert "The model process stopped." in page
    assert "This run failed" not in page
