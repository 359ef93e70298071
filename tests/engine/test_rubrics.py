"""The real small model judges by a board's own rubric, and a whole board in one run."""

import pytest

from tests.support.app_server import Server
from tests.support.fake_backend import IDEAS

API = "/api/v1"


def test_own_criteria_are_read_off_digits_beside_calibrated_ones(shared_server: Server) -> None:
    board = shared_server.http.post(f"{API}/boards", json={"name": "Judged"}).json()["id"]
    criteria = [
        {"name": "cost", "description": "how little money it takes", "weight": 2},
        {"name": "novelty"},
    ]
    body = {"name": "For the street", "criteria": criteria}
    rubric = shared_server.http.post(f"{API}/boards/{board}/rubrics", json=body).json()["id"]
    ideas = [
        shared_server.http.post(
            f"{API}/ideas", json={"board_id": board, "title": title, "body": text}
        ).json()["id"]
        for title, text in IDEAS[:2]
    ]

    asked = {"rubric_id": rubric, "seed": 1}
    answer = shared_server.http.post(f"{API}/boards/{board}/evaluate", json=asked).json()
    alone = shared_server.http.post(f"{API}/evaluate", json={"idea_id": ideas[0], **asked}).json()

    judged = {one["idea_id"]: one for one in answer["evaluations"]}
    failed = {one["idea_id"] for one in answer["failed"]}
    assert judged.keys() | failed == set(ideas)
    for one in [*judged.values(), *([alone] if "scores" in alone else [])]:
        assert all(1 <= score <= 10 for score in one["scores"].values())
        # The standard deviation of digits, and the head's error as its card has it.
        assert 0 < one["spread"]["cost"] < 4.5
        assert one["spread"]["novelty"] == 1.6
        overall = (2 * one["scores"]["cost"] + one["scores"]["novelty"]) / 3
        assert one["overall"] == pytest.approx(overall, abs=0.051)
    assert judged
    first = next(iter(judged.values()))
    assert first["uncalibrated"] == ["cost"]
    table = shared_server.http.get(f"{API}/boards/{board}/table?rubric_id={rubric}").json()["ideas"]
    assert {row["idea_id"] for row in table if row["rank"]} == judged.keys()
