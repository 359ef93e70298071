"""Whose scores the cards show and are sorted by: one rubric's at a time, which the board chooses."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from service.app import create_app
from service.prompts.tasks import DEFAULT_CRITERIA
from service.schemas.evaluation import DEFAULT_NAMES
from service.settings import Settings
from service.store.database import MIGRATIONS
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases

IDEAS, BOARDS, EVALUATE = "/api/v1/ideas", "/api/v1/boards", "/api/v1/evaluate"
# The fake scores the first criterion lowest, so that one criterion alone is below the default's mean.
OWN: dict[str, Any] = {
    "name": "For the street",
    "criteria": [{"name": "cost", "description": "how cheap it is"}],
}
PAGE = {"accept": "text/html"}


def call(client: TestClient, method: str, path: str, status: int = 200, **options: Any) -> Any:
    response = client.request(method, path, **options)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(elsewhere, FakeBackend()), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def board(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


@pytest.fixture
def own(client: TestClient, board: str) -> str:
    return str(call(client, "POST", f"{BOARDS}/{board}/rubrics", 201, json=OWN)["id"])


def add(client: TestClient, title: str, **more: Any) -> str:
    return str(call(client, "POST", IDEAS, 201, json={"title": title, **more})["id"])


def evaluate(client: TestClient, idea: str, rubric: str | None = None) -> float:
    answer = call(client, "POST", EVALUATE, json={"idea_id": idea, "rubric_id": rubric})
    return float(answer["overall"])


def score(client: TestClient, idea: str) -> float | None:
    found: float | None = call(client, "GET", f"{IDEAS}/{idea}")["score"]
    return found


def show(client: TestClient, board: str, rubric: str, is_shown: bool = True) -> None:
    call(client, "PATCH", f"{BOARDS}/{board}/rubrics/{rubric}", json={"is_shown": is_shown})


def test_the_default_rubric_has_the_criteria_that_are_asked_for() -> None:
    assert tuple(one.name for one in DEFAULT_CRITERIA) == DEFAULT_NAMES


def test_an_evaluation_by_another_rubric_leaves_the_score_of_the_card(
    client: TestClient, board: str, own: str
) -> None:
    idea = add(client, "Tool shelf")
    usual = evaluate(client, idea)

    other = evaluate(client, idea, own)
    call(client, "POST", f"{BOARDS}/{board}/evaluate", json={"rubric_id": own})
    call(client, "POST", EVALUATE, json={"idea_id": idea, "criteria": ["impact"]})

    assert other != usual
    assert score(client, idea) == usual


def test_a_board_shows_and_sorts_by_the_scores_of_the_rubric_it_chose(
    client: TestClient, board: str, own: str
) -> None:
    both, only_own, only_usual = (add(client, title) for title in ("Both", "Own", "Usual"))
    usual = evaluate(client, both)
    evaluate(client, only_usual)
    low = evaluate(client, both, own)
    evaluate(client, only_own, own)

    show(client, board, own)
    shown = [score(client, one) for one in (both, only_own, only_usual)]
    best = [one["title"] for one in call(client, "GET", f"{IDEAS}?sort=score")]
    show(client, board, own, is_shown=False)

    assert shown == [low, low, None]
    assert best[-1] == "Usual"
    assert [score(client, one) for one in (both, only_own, only_usual)] == [usual, None, usual]


def test_only_one_rubric_of_a_board_is_shown(client: TestClient, board: str, own: str) -> None:
    body = OWN | {"name": "For the house"}
    second = call(client, "POST", f"{BOARDS}/{board}/rubrics", 201, json=body)["id"]

    show(client, board, own)
    show(client, board, second)

    shown = {one["id"]: one["is_shown"] for one in call(client, "GET", f"{BOARDS}/{board}/rubrics")}
    assert shown == {own: False, second: True}


def test_a_deleted_rubric_gives_the_cards_back_to_the_default_one(
    client: TestClient, board: str, own: str
) -> None:
    idea = add(client, "Tool shelf")
    usual, other = evaluate(client, idea), evaluate(client, idea, own)
    show(client, board, own)

    call(client, "DELETE", f"{BOARDS}/{board}/rubrics/{own}", 204)
    without = score(client, idea)
    call(client, "POST", f"{BOARDS}/{board}/rubrics/{own}/restore")

    assert (without, score(client, idea)) == (usual, other)


def test_another_weight_counts_on_the_cards_at_once(
    client: TestClient, board: str, own: str
) -> None:
    idea = add(client, "Tool shelf")
    criteria = [*OWN["criteria"], {"name": "fun", "description": "how much people laugh"}]
    address = f"{BOARDS}/{board}/rubrics/{own}"
    call(client, "PATCH", address, json={"criteria": criteria, "is_shown": True})
    before = evaluate(client, idea, own)

    criteria[1]["weight"] = 50
    call(client, "PATCH", address, json={"criteria": criteria})

    assert score(client, idea) != before
    assert (
        score(client, idea)
        == call(client, "GET", f"{BOARDS}/{board}/table?rubric_id={own}")["ideas"][0]["overall"]
    )


@pytest.mark.parametrize("way", ["patch", "bulk"])
def test_an_idea_that_moves_shows_the_score_by_the_rubric_of_its_new_board(
    client: TestClient, board: str, own: str, way: str
) -> None:
    idea = add(client, "Tool shelf")
    usual, other = evaluate(client, idea), evaluate(client, idea, own)
    show(client, board, own)
    target = call(client, "POST", BOARDS, 201, json={"name": "Elsewhere"})["id"]

    if way == "patch":
        call(client, "PATCH", f"{IDEAS}/{idea}", json={"board_id": target})
    else:
        task = {"operation": "move", "ids": [idea], "board_id": target}
        change = call(client, "POST", f"{IDEAS}/bulk", json=task)["id"]
    moved = score(client, idea)
    if way == "patch":
        call(client, "PATCH", f"{IDEAS}/{idea}", json={"board_id": board})
    else:
        call(client, "POST", f"/api/v1/changes/{change}/undo")

    assert (moved, score(client, idea)) == (usual, other)


def test_an_import_brings_the_choice_along(
    client: TestClient, other: TestClient, board: str, own: str
) -> None:
    idea = add(client, "Tool shelf")
    usual, low = evaluate(client, idea), evaluate(client, idea, own)
    show(client, board, own)
    archive = call(client, "GET", "/api/v1/export")

    call(other, "POST", "/api/v1/import", json=archive)

    assert score(other, idea) == low
    assert [one["is_shown"] for one in call(other, "GET", f"{BOARDS}/{board}/rubrics")] == [True]
    assert usual != low


def test_a_rubric_that_comes_to_a_board_that_is_there_is_not_shown(
    client: TestClient, other: TestClient, board: str, own: str
) -> None:
    archive = call(client, "GET", "/api/v1/export")
    call(other, "POST", "/api/v1/import", json=archive | {"rubrics": []})
    show(client, board, own)

    call(other, "POST", "/api/v1/import", json=call(client, "GET", "/api/v1/export"))

    assert [one["is_shown"] for one in call(other, "GET", f"{BOARDS}/{board}/rubrics")] == [False]


def test_pages_name_the_rubric_and_offer_the_one_of_an_evaluation(
    client: TestClient, board: str, own: str
) -> None:
    add(client, "Tool shelf")
    run = call(client, "POST", f"{BOARDS}/{board}/evaluate", json={"rubric_id": own})["run_id"]
    named, offered = "Scores by “For the street”", "Show “For the street” on the cards"

    before = client.get(f"/boards/{board}?run={run}", headers=PAGE).text
    client.post(f"/boards/{board}/rubrics/shown", data={"rubric": own}, headers=PAGE)
    after = client.get(f"/boards/{board}?run={run}", headers=PAGE).text

    assert (named in before, offered in before) == (False, True)
    assert (named in after, offered in after) == (True, False)


def test_an_idea_says_that_its_card_shows_another_rubric(client: TestClient, own: str) -> None:
    idea = add(client, "Tool shelf")
    told = "card shows the scores of another rubric"
    seen = []
    for task in ({}, {"rubric_id": own}, {"criteria": ["impact"]}):
        call(client, "POST", EVALUATE, json={"idea_id": idea, **task})
        seen.append(told in client.get(f"/ideas/{idea}", headers=PAGE).text)

    assert seen == [False, True, True]


@pytest.mark.sqlite_only
def test_an_old_board_goes_on_showing_the_rubric_it_was_evaluated_by_last(
    settings: Settings,
) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(settings.sqlalchemy_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    usual = json.dumps(dict.fromkeys(DEFAULT_NAMES, 8.0))
    with sqlite3.connect(settings.data_dir / "ideapool.db") as old:
        for board, last in (("b", "r"), ("c", None)):
            old.execute(
                "INSERT INTO board (id, name, goal, created_at, updated_at) VALUES (?, ?, '', ?, ?)",
                (board, board, _moment(1), _moment(1)),
            )
            for number, title in enumerate(("first", "second")):
                idea = f"{board}-{title}"
                old.execute(
                    "INSERT INTO idea (id, board_id, title, title_key, body, status, star, origin, "
                    "version, revision, score, scored_version, created_at, updated_at) VALUES "
                    "(?, ?, ?, ?, '', 'draft', 0, 'human', 1, 1, 5.0, 1, ?, ?)",
                    (idea, board, title, title, _moment(1), _moment(1)),
                )
                old.execute(
                    "INSERT INTO run (id, kind, status, request, model, weights_sha256, seed, "
                    "decision, created_at) VALUES (?, 'evaluate', 'done', '{}', '', '', 1, 'open', ?)",
                    (f"run-{idea}", _moment(1)),
                )
                for by, value, day in ((None, 8.0, 2), ("r", 5.0, 3 if last else 1)):
                    if by is None or number == 0:
                        scores = usual if by is None else json.dumps({"cost": 5.0})
                        old.execute(
                            "INSERT INTO evaluation (id, run_id, idea_id, idea_version, rubric_id, "
                            "criteria, scores, spread, uncalibrated, overall, method, calibrated, "
                            "strengths, concerns, next_step, created_at) VALUES "
                            "(?, ?, ?, 1, ?, '[]', ?, '{}', '[]', ?, 'digits', 0, '[]', '[]', '', ?)",
                            (f"{idea}-{by}", f"run-{idea}", idea, by, scores, value, _moment(day)),
                        )
        old.execute(
            "INSERT INTO rubric VALUES ('r', 'b', 'Ours', '[]', 1, ?, ?, NULL)",
            (_moment(1), _moment(1)),
        )

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        shown = {one["id"]: one["score"] for one in call(client, "GET", IDEAS)}

    assert shown == {"b-first": 5.0, "b-second": None, "c-first": 8.0, "c-second": 8.0}


def _moment(day: int) -> str:
    return f"2026-01-{day:02} 00:00:00"
