"""What people, programs and orchestrators are told when a model is missing, broken or loading."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.analysis.score_heads import ScoreHead
from service.app import create_app
from service.engine.types import ModelInfo, ModelState, Role
from service.settings import Settings
from tests.support.fake_backend import EMBEDDING_SIZE, FAKE_MODEL, FakeBackend

API = "/api/v1"
CAUSE = f"The file /srv/models/ideas.gguf is missing. It should have the SHA-256 {'c' * 64}."
PAGE = {"accept": "text/html"}
TITLES: dict[ModelState, str] = {
    "absent": "The model is missing",
    "failed": "The model cannot be used",
    "loading": "The model is getting ready",
    "fetching": "The model is being prepared: 100%",
}


@contextmanager
def serving(settings: Settings, backend: FakeBackend) -> Iterator[TestClient]:
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        yield client


def with_model(**changes: Any) -> FakeBackend:
    return FakeBackend(model=replace(FAKE_MODEL, **changes))


@pytest.mark.parametrize("state", ["absent", "failed"])
def test_a_server_without_its_model_is_degraded_and_still_gets_requests(
    settings: Settings, state: ModelState
) -> None:
    with serving(settings, with_model(state=state, error=CAUSE)) as client:
        response = client.get("/readyz")

    told = response.json()
    can = "missing" if state == "absent" else "failed"
    assert (response.status_code, told["status"]) == (200, "degraded")
    assert told["abilities"] == {"brainstorm": can, "refine": can, "evaluate": can}
    assert told["models"]["fake"]["error"] == CAUSE


@pytest.mark.parametrize(
    ("changes", "tells_strangers"),
    [({}, True), ({"require_key": True}, False), ({"allowed_hosts": ("ideas.lan",)}, False)],
)
def test_only_those_who_may_know_the_server_are_told_which_file_is_wrong(
    settings: Settings, changes: dict[str, Any], tells_strangers: bool
) -> None:
    backend = with_model(state="failed", error=CAUSE)
    with serving(settings.model_copy(update=changes), backend) as client:
        key = client.app.state.store.keys.create("watch", scope="read")  # type: ignore[attr-defined]
        sent = [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {key}"}]
        answers = [client.get("/readyz", headers=headers) for headers in sent]

    assert [one.status_code for one in answers] == [200] * 3
    told = ["error" in one.json()["models"]["fake"] for one in answers]
    assert told == [tells_strangers, tells_strangers, True]


@pytest.mark.parametrize(
    ("state", "can"), [("ready", "ready"), ("idle", "ready"), ("loading", "loading")]
)
def test_a_server_whose_model_is_there_or_coming_is_ready(
    settings: Settings, state: ModelState, can: str
) -> None:
    with serving(settings, with_model(state=state)) as client:
        told = client.get("/readyz").json()

    assert (told["status"], told["abilities"]["brainstorm"]) == ("ready", can)


@pytest.mark.parametrize("untried", [False, True])
def test_a_model_that_nobody_has_tried_is_named(settings: Settings, untried: bool) -> None:
    with serving(settings, with_model(untried=untried)) as client:
        told = client.get("/readyz").json()["models"]["fake"]

    assert told.get("untried", False) == untried


def test_only_what_needs_the_missing_model_is_told_to_be_impossible(settings: Settings) -> None:
    ideas = replace(FAKE_MODEL, name="ideas", roles=("brainstorm",), state="absent", error=CAUSE)
    backend = FakeBackend(model=ideas, others=(replace(FAKE_MODEL, roles=("general",)),))
    with serving(settings, backend) as client:
        told = client.get("/readyz").json()
        board = client.get("/", headers=PAGE).text

    states = {"brainstorm": "missing", "refine": "ready", "evaluate": "ready"}
    assert (told["status"], told["abilities"]) == ("degraded", states)
    banner = board.partition('id="models"')[2].partition("</b>")[0]
    assert "Not possible just now: brainstorm" in banner
    assert "refine" not in banner


@pytest.mark.parametrize("state", TITLES)
def test_pages_say_that_the_model_is_not_there_without_paths_or_hashes(
    settings: Settings, state: ModelState
) -> None:
    with serving(settings, with_model(state=state, error=CAUSE)) as client:
        idea = client.post(f"{API}/ideas", json={"title": "Tool shelf"}).json()["id"]
        pages = [client.get(path, headers=PAGE).text for path in ("/", f"/ideas/{idea}")]

    for page in pages:
        assert TITLES[state] in page
        assert "/srv/models" not in page
        assert "c" * 64 not in page


def test_a_page_with_a_ready_model_has_no_banner(client: TestClient) -> None:
    banner = client.get("/", headers=PAGE).text.partition('id="models"')[2].partition("</div>")[0]

    assert "notice" not in banner
    assert "hx-get" not in banner


def test_the_banner_that_waits_says_when_the_model_is_ready(settings: Settings) -> None:
    backend = with_model(state="loading")
    asked = {"hx-request": "true", "hx-target": "div#models"}
    with serving(settings, backend) as client:
        before = client.get("/models", headers=asked).text
        backend.model = FAKE_MODEL
        after = client.get("/models", headers=asked).text

    assert "The model is getting ready" in before
    assert "hx-trigger" in before
    assert "The model is ready" in after
    assert "hx-trigger" not in after


@pytest.mark.parametrize(
    ("action", "task"),
    [
        ("brainstorm", {"topic": "a street party"}),
        ("refine", {"title": "Tool shelf"}),
        ("evaluate", {"title": "Tool shelf"}),
    ],
)
def test_a_run_without_a_model_names_the_file_over_rest_and_not_on_its_page(
    settings: Settings, action: str, task: dict[str, str]
) -> None:
    head = str(settings.data_dir / "head.npz")
    save_head(Path(head))
    backend = with_model(state="absent", error=CAUSE, identity="", score_head=head)
    with serving(settings, backend) as client:
        problem = client.post(f"{API}/{action}", json=task)
        run = client.get(f"{API}/runs").json()[0]
        page = client.get(f"/runs/{run['run_id']}").text

    assert (problem.status_code, problem.json()["detail"]) == (503, CAUSE)
    assert run["error"] == {"type": "model-unavailable", "detail": CAUSE}
    assert "The model cannot be used just now. Your ideas are safe." in page
    assert "/srv/models" not in page


def save_head(path: Path) -> None:
    ScoreHead(
        identity=FAKE_MODEL.identity or "",
        criteria=("novelty",),
        mean=np.zeros(EMBEDDING_SIZE, dtype=np.float32),
        scale=np.ones(EMBEDDING_SIZE, dtype=np.float32),
        weights=np.zeros((1, EMBEDDING_SIZE), dtype=np.float32),
        bias=np.array([3.0], dtype=np.float32),
    ).save(path)


class LateBackend(FakeBackend):
    """Its model's weights are only known once something has been asked of it."""

    def model_for(self, role: Role) -> ModelInfo:
        return replace(super().model_for(role), identity="", state="loading")


def test_an_evaluation_that_begins_while_the_model_loads_uses_its_score_head(
    settings: Settings,
) -> None:
    path = settings.data_dir / "head.npz"
    save_head(path)
    backend = LateBackend(model=replace(FAKE_MODEL, score_head=str(path)))
    with serving(settings, backend) as client:
        task = {"title": "Tool shelf", "criteria": ["novelty"]}
        answer = client.post(f"{API}/evaluate", json=task).json()

    assert (answer["scores"], answer["scoring"]["method"]) == ({"novelty": 3.0}, "head")
