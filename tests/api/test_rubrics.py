"""The rubrics of boards over REST: evaluating ideas by them, and the table of results."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from service.analysis.score_heads import ScoreHead
from service.app import create_app
from service.engine.types import ProbeRequest
from service.settings import Settings
from service.store.database import MIGRATIONS
from tests.support.fake_backend import EMBEDDING_SIZE, FAKE_MODEL, FakeBackend

pytestmark = pytest.mark.both_databases

IDEAS, BOARDS, EVALUATE = "/api/v1/ideas", "/api/v1/boards", "/api/v1/evaluate"
COST = {"name": "cost", "description": "how little money it takes", "weight": 3}
FUN = {"name": "fun", "description": "how much people laugh", "weight": 1}
Json = dict[str, Any]


def call(client: TestClient, method: str, path: str, status: int = 200, **options: Any) -> Any:
    response = client.request(method, path, **options)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


@pytest.fixture
def board(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


@pytest.fixture
def rubrics(board: str) -> str:
    return f"{BOARDS}/{board}/rubrics"


@pytest.fixture
def rubric(client: TestClient, rubrics: str) -> Json:
    body = {"name": "For the street", "criteria": [COST, FUN]}
    made: Json = call(client, "POST", rubrics, 201, json=body)
    return made


@pytest.fixture
def idea(client: TestClient) -> str:
    return str(call(client, "POST", IDEAS, 201, json={"title": "Tool shelf"})["id"])


def test_a_rubric_can_be_created_changed_deleted_and_restored(
    client: TestClient, rubrics: str, rubric: Json
) -> None:
    address = f"{rubrics}/{rubric['id']}"
    assert call(client, "GET", rubrics) == [rubric]
    assert rubric["criteria"] == [COST, FUN]

    changed = call(client, "PATCH", address, json={"name": "For all", "criteria": [FUN]})
    assert (changed["name"], changed["criteria"], changed["revision"]) == ("For all", [FUN], 2)
    assert client.get(address).headers["etag"] == '"2"'

    call(client, "DELETE", address, 204)
    assert call(client, "GET", rubrics) == []
    call(client, "GET", address, 404)
    assert call(client, "POST", f"{address}/restore")["name"] == "For all"
    assert call(client, "POST", f"{address}/restore")["revision"] == 4


def test_a_rubric_that_somebody_else_changed_is_not_overwritten(
    client: TestClient, rubrics: str, rubric: Json
) -> None:
    address = f"{rubrics}/{rubric['id']}"
    call(client, "PATCH", address, json={"name": "Theirs"}, headers={"if-match": '"1"'})

    response = client.patch(address, json={"name": "Mine"}, headers={"if-match": '"1"'})

    assert (response.status_code, response.headers["etag"]) == (412, '"2"')
    assert call(client, "DELETE", address, 412, headers={"if-match": '"1"'})
    assert call(client, "GET", address)["name"] == "Theirs"


@pytest.mark.parametrize(
    ("criteria", "pointer"),
    [
        ([], "/criteria"),
        ([COST, COST | {"name": "Cost"}], "/criteria"),
        ([{"name": f"c{number}"} for number in range(9)], "/criteria"),
        ([COST | {"weight": 0}], "/criteria/0/weight"),
        ([COST | {"weight": "much"}], "/criteria/0/weight"),
        ([COST | {"name": " "}], "/criteria/0/name"),
        ([COST | {"description": "x" * 201}], "/criteria/0/description"),
    ],
)
def test_bad_criteria_are_refused_with_the_pointer_of_the_fault(
    client: TestClient, rubrics: str, criteria: list[Any], pointer: str
) -> None:
    problem = call(client, "POST", rubrics, 422, json={"name": "x", "criteria": criteria})

    assert problem["errors"][0]["pointer"] == pointer


def test_two_rubrics_of_a_board_cannot_have_the_same_name(
    client: TestClient, rubrics: str, rubric: Json
) -> None:
    body = {"name": "FOR THE STREET", "criteria": [FUN]}
    assert "another name" in call(client, "POST", rubrics, 409, json=body)["detail"]
    other = call(client, "POST", rubrics, 201, json=body | {"name": "Other"})
    call(client, "PATCH", f"{rubrics}/{other['id']}", 409, json={"name": "For the street"})

    call(client, "DELETE", f"{rubrics}/{rubric['id']}", 204)
    call(client, "PATCH", f"{rubrics}/{other['id']}", json={"name": "For the street"})
    call(client, "POST", f"{rubrics}/{rubric['id']}/restore", 409)


def test_a_rubric_cannot_be_used_on_another_board(
    client: TestClient, rubric: Json, idea: str
) -> None:
    other = call(client, "POST", BOARDS, 201, json={"name": "Other"})["id"]
    elsewhere = call(client, "POST", IDEAS, 201, json={"title": "x", "board_id": other})["id"]

    call(client, "GET", f"{BOARDS}/{other}/rubrics/{rubric['id']}", 404)
    call(client, "GET", f"{BOARDS}/{other}/table?rubric_id={rubric['id']}", 404)
    call(client, "POST", f"{BOARDS}/{other}/evaluate", 404, json={"rubric_id": rubric["id"]})
    body = {"idea_id": elsewhere, "rubric_id": rubric["id"]}
    problem = call(client, "POST", EVALUATE, 422, json=body)
    assert problem["errors"][0]["pointer"] == "/rubric_id"
    call(client, "POST", EVALUATE, 404, json={"idea_id": idea, "rubric_id": "nobody"})


def test_an_idea_is_evaluated_by_a_rubric_and_its_weights(
    client: TestClient, backend: FakeBackend, rubric: Json, idea: str
) -> None:
    answer = call(client, "POST", EVALUATE, json={"idea_id": idea, "rubric_id": rubric["id"]})

    assert list(answer["scores"]) == ["cost", "fun"]
    weighted = (3 * answer["scores"]["cost"] + answer["scores"]["fun"]) / 4
    assert answer["overall"] == pytest.approx(weighted, abs=0.051)
    assert answer["criteria"] == [COST, FUN]
    probes = next(one for one in backend.history if isinstance(one, ProbeRequest)).prompts
    assert "for cost (how little money it takes):" in probes[0][-1].content
    stored = call(client, "GET", f"{IDEAS}/{idea}/evaluations")[0]
    assert (stored["rubric_id"], stored["criteria"]) == (rubric["id"], [COST, FUN])
    assert stored["spread"] == answer["spread"]


def test_giving_both_criteria_and_a_rubric_is_refused(client: TestClient, rubric: Json) -> None:
    body = {"title": "x", "criteria": ["fun"], "rubric_id": rubric["id"]}

    assert call(client, "POST", EVALUATE, 422, json=body)["errors"][0]["pointer"] == "/rubric_id"


def test_an_evaluation_is_stale_once_the_text_has_changed(client: TestClient, idea: str) -> None:
    assert call(client, "GET", f"{IDEAS}/{idea}")["is_stale"] is False
    call(client, "POST", EVALUATE, json={"idea_id": idea})
    assert call(client, "GET", f"{IDEAS}/{idea}")["is_stale"] is False

    call(client, "PATCH", f"{IDEAS}/{idea}", json={"tags": ["home"]})
    assert call(client, "GET", f"{IDEAS}/{idea}")["is_stale"] is False
    call(client, "PATCH", f"{IDEAS}/{idea}", json={"body": "Another text."})

    assert call(client, "GET", f"{IDEAS}/{idea}")["is_stale"] is True
    assert call(client, "GET", IDEAS)[0]["is_stale"] is True
    assert call(client, "GET", f"{IDEAS}/{idea}/evaluations")[0]["is_stale"] is True
    call(client, "POST", EVALUATE, json={"idea_id": idea})
    assert call(client, "GET", f"{IDEAS}/{idea}")["is_stale"] is False
    stale = [one["is_stale"] for one in call(client, "GET", f"{IDEAS}/{idea}/evaluations")]
    assert stale == [False, True]


def test_the_spread_of_a_digit_score_is_the_standard_deviation_of_the_digits(
    client: TestClient,
) -> None:
    spread = call(client, "POST", EVALUATE, json={"title": "x", "criteria": ["fun"]})["spread"]

    # The fake model's digits halve with each step away from 5.
    digits = np.arange(10)
    weights = 0.5 ** abs(digits - 5)
    mean = np.average(digits, weights=weights)
    expected = np.sqrt(np.average((digits - mean) ** 2, weights=weights))
    assert spread["fun"] == pytest.approx(expected, abs=0.005)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    path = tmp_path / "head.npz"
    ScoreHead(
        identity="f" * 64,
        criteria=("novelty", "clarity"),
        mean=np.zeros(EMBEDDING_SIZE, dtype=np.float32),
        scale=np.ones(EMBEDDING_SIZE, dtype=np.float32),
        weights=np.zeros((2, EMBEDDING_SIZE), dtype=np.float32),
        bias=np.array([3.0, 8.0], dtype=np.float32),
    ).save(path)
    return path


@pytest.fixture
def headed(settings: Settings, head: Path) -> Iterator[TestClient]:
    backend = FakeBackend(model=replace(FAKE_MODEL, score_head=str(head)))
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        yield client


def test_the_spread_of_a_head_score_is_the_heads_error_on_held_out_ideas(
    head: Path, headed: TestClient
) -> None:
    figures = {"identity": "f" * 64, "agreement": {"error": {"novelty": 1.507}}}
    head.with_suffix(".json").write_text(json.dumps(figures))

    answer = call(headed, "POST", EVALUATE, json={"title": "x", "criteria": ["novelty", "clarity"]})

    assert answer["spread"] == {"novelty": 1.51, "clarity": None}
    assert answer["scoring"]["method"] == "head"


@pytest.mark.parametrize("figures", [None, {"identity": "0" * 64}])
def test_a_head_without_a_measured_error_gives_no_spread(
    head: Path, headed: TestClient, figures: Json | None
) -> None:
    if figures is not None:
        figures |= {"agreement": {"error": {"novelty": 1.5}}}
        head.with_suffix(".json").write_text(json.dumps(figures))

    answer = call(headed, "POST", EVALUATE, json={"title": "x", "criteria": ["novelty"]})

    assert answer["spread"] == {"novelty": None}


def test_unreadable_figures_of_a_head_are_refused_with_its_path(
    head: Path, headed: TestClient
) -> None:
    head.with_suffix(".json").write_text("{")

    problem = call(headed, "POST", EVALUATE, 503, json={"title": "x"})

    assert str(head) in problem["detail"]


def test_a_head_scores_only_the_criteria_it_was_trained_on(headed: TestClient) -> None:
    criteria = [{"name": "Novelty"}, {"name": "clarity", "description": "how short it is"}]

    answer = call(headed, "POST", EVALUATE, json={"title": "x", "criteria": criteria})

    assert answer["scores"]["Novelty"] == 3.0
    assert answer["scoring"]["uncalibrated"] == ["clarity"]


@pytest.fixture
def table(client: TestClient, board: str, rubric: Json) -> str:
    """Three ideas: one is evaluated, one was changed after its evaluation, one is not evaluated."""
    for title in ("Soup", "Chalk", "Dogs"):
        idea = call(client, "POST", IDEAS, 201, json={"title": title})["id"]
        if title != "Dogs":
            call(client, "POST", EVALUATE, json={"idea_id": idea, "rubric_id": rubric["id"]})
        if title == "Chalk":
            call(client, "PATCH", f"{IDEAS}/{idea}", json={"body": "Another text."})
    archived = call(client, "POST", IDEAS, 201, json={"title": "Old", "status": "archived"})
    assert archived
    return f"{BOARDS}/{board}/table?rubric_id={rubric['id']}"


def test_the_table_compares_ideas_by_a_rubric(client: TestClient, table: str) -> None:
    found = call(client, "GET", table)

    assert [one["name"] for one in found["criteria"]] == ["cost", "fun"]
    rows = {row["title"]: row for row in found["ideas"]}
    assert rows.keys() == {"Soup", "Chalk", "Dogs"}
    assert [rows[title]["rank"] for title in ("Soup", "Chalk", "Dogs")] == [1, 1, None]
    assert [rows[title]["is_stale"] for title in rows] == [title == "Chalk" for title in rows]
    assert rows["Dogs"]["scores"] == {"cost": None, "fun": None}
    assert found["ideas"][-1]["title"] == "Dogs"


def test_the_table_sorts_by_any_column_with_unscored_ideas_last(
    client: TestClient, table: str
) -> None:
    def titles(sort: str) -> list[str]:
        return [row["title"] for row in call(client, "GET", f"{table}&{sort}")["ideas"]]

    assert titles("sort=title&order=ascending") == ["Chalk", "Dogs", "Soup"]
    assert titles("sort=title&order=descending") == ["Soup", "Dogs", "Chalk"]
    assert titles("sort=2&order=ascending")[-1] == "Dogs"
    assert titles("sort=2&order=descending")[-1] == "Dogs"
    call(client, "GET", f"{table}&sort=9", 422)


def test_a_new_weight_changes_the_table_at_once_and_a_new_wording_makes_scores_stale(
    client: TestClient, table: str, rubrics: str, rubric: Json
) -> None:
    before = call(client, "GET", table)["ideas"][0]

    call(
        client,
        "PATCH",
        f"{rubrics}/{rubric['id']}",
        json={"criteria": [COST | {"weight": 1}, FUN | {"weight": 3}]},
    )
    reweighted = call(client, "GET", table)["ideas"]
    assert all(row["overall"] > before["overall"] for row in reweighted[:2])
    assert [row["is_stale"] for row in reweighted].count(True) == 1

    changed = [COST | {"description": "how dear it is"}, FUN, {"name": "reach"}]
    call(client, "PATCH", f"{rubrics}/{rubric['id']}", json={"criteria": changed})
    reworded = call(client, "GET", table)["ideas"]
    assert [row["is_stale"] for row in reworded].count(True) == 2
    assert all(row["overall"] is None and row["rank"] is None for row in reworded)


def test_the_default_table_leaves_out_evaluations_by_other_criteria(
    client: TestClient, board: str, idea: str
) -> None:
    call(client, "POST", EVALUATE, json={"idea_id": idea, "criteria": ["fun"]})
    address = f"{BOARDS}/{board}/table"
    assert call(client, "GET", address)["ideas"][0]["overall"] is None

    overall = call(client, "POST", EVALUATE, json={"idea_id": idea})["overall"]
    call(client, "POST", EVALUATE, json={"idea_id": idea, "criteria": ["fun"]})

    assert call(client, "GET", address)["ideas"][0]["overall"] == overall


def test_the_table_as_csv_is_safe_from_formulas_and_keeps_numbers(
    client: TestClient, board: str, rubrics: str
) -> None:
    criteria = [{"name": "=fun"}, {"name": "cost"}]
    rubric = call(client, "POST", rubrics, 201, json={"name": "x", "criteria": criteria})["id"]
    idea = call(client, "POST", IDEAS, 201, json={"title": "=1+1"})["id"]
    call(client, "POST", EVALUATE, json={"idea_id": idea, "rubric_id": rubric})

    response = client.get(f"{BOARDS}/{board}/table?rubric_id={rubric}&format=csv")

    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert rows[0]["title"] == "'=1+1"
    assert "'=fun" in rows[0]
    assert float(rows[0]["cost"]) > 1
    assert float(rows[0]["cost ±"]) > 0
    assert "evaluations.csv" in response.headers["content-disposition"]


@pytest.mark.sqlite_only
def test_migrated_evaluations_get_their_criteria_but_no_spread(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(settings.sqlalchemy_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    moment = "2026-01-01 00:00:00"
    request = {"criteria": [{"name": "cost", "description": "how cheap"}, "novelty"]}
    result = {"scoring": {"method": "mixed", "calibrated": False, "uncalibrated": ["cost"]}}
    with sqlite3.connect(settings.data_dir / "ideapool.db") as old:
        old.execute(f"INSERT INTO board VALUES ('b', 'Old', '', '{moment}', '{moment}', NULL)")
        old.execute(
            "INSERT INTO idea VALUES (1, 'i', 'b', 'Shelf', 'shelf', '', 'draft', 0, NULL, "
            f"'human', 2, 2, 5.0, '{moment}', '{moment}', NULL)"
        )
        old.execute(
            "INSERT INTO run (id, kind, status, idea_id, idea_version, request, model, "
            "weights_sha256, seed, result, decision, created_at) VALUES "
            f"('r', 'evaluate', 'done', 'i', 1, ?, '', '', 1, ?, 'open', '{moment}')",
            (json.dumps(request), json.dumps(result)),
        )
        old.execute(
            "INSERT INTO evaluation VALUES ('e', 'r', 'i', 1, ?, 5.0, 'mixed', 0, '[]', '[]', "
            f"'', '{moment}')",
            (json.dumps({"cost": 4.0, "novelty": 6.0}),),
        )

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        evaluation = call(client, "GET", f"{IDEAS}/i/evaluations")[0]
        idea = call(client, "GET", f"{IDEAS}/i")

    assert evaluation["is_stale"] is True
    # Criteria that were given by hand are no rubric that a card could show.
    assert (idea["score"], idea["is_stale"]) == (None, False)
    assert [one["description"] for one in evaluation["criteria"]] == [
        "how cheap",
        "how different the idea is from what already exists",
    ]
    assert evaluation["spread"] == {"cost": None, "novelty": None}
    assert evaluation["uncalibrated"] == ["cost"]
