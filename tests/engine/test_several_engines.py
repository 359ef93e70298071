"""Two Ideapools with the real small model as the engines of a third."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.app_server import START_S, serving


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_board_works_on_with_one_of_its_two_engines(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "board")]
    for folder in folders:
        folder.mkdir()
    with serving(folders[0]) as first, serving(folders[1]) as second:
        for server in (first, second):
            server.await_models()
        settings = Settings(
            data_dir=folders[2],
            engine_url=f"{first.url},{second.url}",
            engine_model=next(iter(first.models)),
            idea_bank=False,
            board_ideas=False,
        )
        with TestClient(create_app(settings), base_url="http://localhost") as client:

            def engines() -> dict[str, Any]:
                told = client.get("/readyz").json()["engines"]
                return {one["url"]: one for one in told}

            def brainstorm(seed: int) -> int:
                asked = {"topic": "a greener balcony", "n": 2, "seed": seed}
                answer = client.post("/api/v1/brainstorm", json=asked)
                assert answer.status_code == 200, answer.text
                return len(answer.json()["suggestions"])

            until(lambda: {one["state"] for one in engines().values()} == {"ready"})
            assert all(one["kind"] == "Ideapool" for one in engines().values())
            assert brainstorm(1) == 2

            first.kill()
            assert [brainstorm(seed) for seed in (2, 3)] == [2, 2]
            until(lambda: engines()[first.url]["state"] == "failed")
            assert "cannot be reached" in engines()[first.url]["error"]

            first.start()
            first.await_models()
            until(lambda: engines()[first.url]["state"] != "failed")
            assert brainstorm(4) == 2
