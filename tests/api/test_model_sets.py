"""Choosing another set of models while the server runs, over REST and on the page."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.backend import ChosenSet, catalog, selection
from service.cli.main import main
from service.engine.embedded.switchable import SwitchableBackend
from service.settings import Settings
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend
from tests.support.prepared_backend import PreparedBackend

MODELS = "/api/v1/models"
QUIET_S = 0.02
CATALOG = """
default = "modest"

[[model]]
name = "modest-model"
set = "modest"
roles = ["brainstorm", "general"]
hub = { repository = "somebody/models", file = "modest.gguf" }
sha256 = "HASH"
size_bytes = 400_000_000
licence = "Apache-2.0"

[[model]]
name = "vast-model"
set = "vast"
roles = ["brainstorm", "general"]
hub = { repository = "somebody/models", file = "vast.gguf" }
sha256 = "HASH"
size_bytes = 800_000_000
licence = "MIT"
untried = true
""".replace("HASH", "a" * 64)


@pytest.fixture
def two_sets(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG)
    return settings.model_copy(update={"catalog": path, "memory_limit_mb": 4000, "model": None})


@pytest.fixture
def vast() -> PreparedBackend:
    return PreparedBackend("vast-model")


@pytest.fixture
def client(two_sets: Settings, vast: PreparedBackend) -> Iterator[TestClient]:
    current = PreparedBackend("modest-model")
    backend = SwitchableBackend(
        selection(two_sets),
        current,
        lambda _: vast,
        switched=ChosenSet(two_sets).keep,
        quiet_s=QUIET_S,
    )
    with TestClient(create_app(two_sets, backend), base_url="http://localhost") as client:
        yield client


def told(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(MODELS).json()
    return found


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def serve(client: TestClient, name: str) -> int:
    return client.put(f"{MODELS}/served", json={"name": name}).status_code


def test_each_set_says_what_it_takes_here(client: TestClient) -> None:
    found = told(client)

    assert (found["served"], found["change"], found["engine_url"]) == ("modest", None, None)
    modest, vast = found["sets"]
    assert (modest["name"], modest["is_served"], modest["untried"]) == ("modest", True, False)
    assert (vast["name"], vast["is_served"], vast["untried"]) == ("vast", False, True)
    assert (vast["download_bytes"], vast["licences"]) == (800_000_000, ["MIT"])
    assert (vast["tokens_per_s"], vast["obstacle"]) == (None, None)


def test_another_set_is_fetched_first_and_then_answers(
    client: TestClient, vast: PreparedBackend
) -> None:
    assert serve(client, "vast") == 202
    change = told(client)["change"]
    assert (change["name"], change["phase"]) == ("vast", "fetching")
    assert list(client.get("/readyz").json()["models"]) == ["modest-model"]

    vast.files.set()
    until(lambda: vast.is_started)
    found = told(client)
    assert (found["served"], found["change"]) == ("vast", None)
    assert list(client.get("/readyz").json()["models"]) == ["vast-model"]


def test_clients_of_the_api_see_the_models_of_the_set_that_is_served(
    client: TestClient, vast: PreparedBackend
) -> None:
    def known() -> list[str]:
        schemas = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
        models: list[str] = schemas["ChatRequest"]["properties"]["model"]["enum"]
        return models

    before = known()
    serve(client, "vast")
    vast.files.set()
    until(lambda: vast.is_started)

    assert "modest-model" in before
    assert "vast-model" in known()


def test_the_choice_outlives_a_restart_until_the_setting_changes(
    client: TestClient, vast: PreparedBackend, two_sets: Settings
) -> None:
    serve(client, "vast")
    vast.files.set()
    until(lambda: vast.is_started)

    assert selection(two_sets).set == "vast"
    assert selection(two_sets.model_copy(update={"model": "modest"})).set == "modest"


def test_a_chosen_set_that_left_the_catalog_does_not_keep_the_server_from_starting(
    two_sets: Settings, tmp_path: Path
) -> None:
    ChosenSet(two_sets).keep(catalog(two_sets).select("vast"))
    (tmp_path / "catalog.toml").write_text(CATALOG.replace('"vast"', '"immense"'))

    assert selection(two_sets).set == "modest"


def test_the_served_set_can_be_kept_while_another_is_being_fetched(
    client: TestClient, vast: PreparedBackend
) -> None:
    serve(client, "vast")
    assert serve(client, "modest") == 202

    assert told(client)["change"] is None
    assert vast.is_closed


def test_an_unknown_set_is_not_found(client: TestClient) -> None:
    assert serve(client, "gigantic") == 404


def test_a_set_that_does_not_fit_is_refused_with_the_reason(
    two_sets: Settings, vast: PreparedBackend
) -> None:
    tight = two_sets.model_copy(update={"memory_limit_mb": 500})
    backend = SwitchableBackend(
        selection(tight),
        PreparedBackend("modest-model"),
        lambda _: vast,
        switched=lambda _: None,
        quiet_s=QUIET_S,
    )
    with TestClient(create_app(tight, backend), base_url="http://localhost") as client:
        refused = client.put(f"{MODELS}/served", json={"name": "vast"})
        page = client.get("/models", headers={"accept": "text/html"}).text

    assert refused.status_code == 409
    assert "GB of memory" in refused.json()["detail"]
    assert "GB of memory" in page


def test_models_of_another_server_are_not_changed_or_measured_here(settings: Settings) -> None:
    remote = settings.model_copy(update={"engine_url": "http://gpu.example:8080"})
    with TestClient(create_app(remote, FakeBackend()), base_url="http://localhost") as client:
        page = client.get("/models", headers={"accept": "text/html"}).text
        statuses = [serve(client, "standard"), client.post(f"{MODELS}/speed").status_code]

    assert statuses == [409, 409]
    assert "http://gpu.example:8080" in page


def test_the_page_changes_the_set_without_scripts(
    client: TestClient, vast: PreparedBackend
) -> None:
    page = client.get("/models", headers={"accept": "text/html"}).text
    assert "Fetch and use" in page
    during = client.post("/models", data={"name": "vast"}, headers={"accept": "text/html"}).text
    assert "“vast” is being fetched" in during
    vast.files.set()
    until(lambda: vast.is_started)
    after = client.get("/models", headers={"accept": "text/html"}).text

    chip = after.partition('id="model-chip"')[2].partition("</a>")[0]
    assert "vast-model" in chip
    assert "is-ready" in chip


def test_a_set_that_cannot_be_fetched_is_named_with_the_reason(
    client: TestClient, vast: PreparedBackend
) -> None:
    vast.error = "The hub does not answer."
    serve(client, "vast")
    vast.files.set()
    until(lambda: (told(client)["change"] or {}).get("phase") == "failed")
    page = client.get("/models", headers={"accept": "text/html"}).text

    assert told(client)["served"] == "modest"
    assert "“vast” cannot be used; “modest” still answers" in page
    assert "The hub does not answer." in page


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [(None, 0, "vast is served from now on."), ("The hub does not answer.", 1, "does not answer")],
)
def test_the_command_changes_the_set_and_says_how_it_went(
    two_sets: Settings,
    vast: PreparedBackend,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: str | None,
    status: int,
    text: str,
) -> None:
    vast.error = error
    vast.files.set()
    backend = SwitchableBackend(
        selection(two_sets),
        PreparedBackend("modest-model"),
        lambda _: vast,
        switched=lambda _: None,
    )
    with served(create_app(two_sets, backend)) as url:
        monkeypatch.setenv("IDEAPOOL_URL", url)
        found = main(["models", "use", "vast"])

    told = capsys.readouterr()
    assert found == status, told
    assert text in told.out + told.err
