"""Several engines as people and programs see them: /readyz, metrics, the page, REST and the doctor."""

import html
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.cli.main import main
from service.engine.types import EngineStatus, Stats
from service.settings import Settings
from tests.support.app_server import free_port, served
from tests.support.fake_backend import FakeBackend

ERROR = "The engine at http://gpu-2:8080 is left out: it serves another model."
READY = EngineStatus("http://gpu-1:8080", "vLLM", "qwen3", "ready", 3, 8, 0, 0, None)
DIFFERENT = EngineStatus(
    "http://gpu-2:8080", "llama-server", "llama-8b", "different", 0, 4, 2, 1, ERROR
)
BUSY = EngineStatus("http://gpu-3:8080", "vLLM", "qwen3", "busy", 8, 8, 0, 1, "It was full.")
PAGE = {"accept": "text/html"}


class SeveralEngines(FakeBackend):
    def stats(self) -> Stats:
        return replace(super().stats(), engines=(READY, DIFFERENT, BUSY))


@pytest.fixture
def remote(migrated: Settings) -> Settings:
    urls = ",".join(one.url for one in (READY, DIFFERENT, BUSY))
    return Settings(
        **migrated.model_dump(exclude={"engine_url", "engine_key"}, exclude_none=True),
        engine_url=urls,
        engine_key="sk-secret",
    )


@pytest.fixture
def client(remote: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(remote, SeveralEngines()), base_url="http://localhost") as client:
        yield client


def test_readiness_names_each_engine_with_state_and_last_error(client: TestClient) -> None:
    told = client.get("/readyz").json()

    assert told["status"] == "ready"
    assert [(one["url"], one["state"], one["running"]) for one in told["engines"]] == [
        (READY.url, "ready", 3),
        (DIFFERENT.url, "different", 0),
        (BUSY.url, "busy", 8),
    ]
    assert told["engines"][1]["error"] == ERROR
    assert "secret" not in json.dumps(told)


def test_without_engines_readiness_says_nothing_of_them(migrated: Settings) -> None:
    with TestClient(create_app(migrated, FakeBackend()), "http://localhost") as client:
        assert "engines" not in client.get("/readyz").json()
        assert client.get("/api/v1/models").json()["engines"] == []
        assert "ideapool_engine_ready{" not in client.get("/metrics").text


def test_metrics_have_a_line_for_each_engine(client: TestClient) -> None:
    lines = client.get("/metrics").text.splitlines()

    assert f'ideapool_engine_ready{{url="{READY.url}"}} 1.0' in lines
    assert f'ideapool_engine_ready{{url="{BUSY.url}"}} 0.0' in lines
    assert f'ideapool_engine_running{{url="{READY.url}"}} 3.0' in lines
    assert f'ideapool_engine_failures{{url="{DIFFERENT.url}"}} 2.0' in lines


def test_the_page_and_rest_show_the_engines(client: TestClient) -> None:
    told = client.get("/api/v1/models").json()["engines"]
    page = html.unescape(client.get("/models", headers=PAGE).text)

    assert [one["url"] for one in told] == [READY.url, DIFFERENT.url, BUSY.url]
    assert "These 3 servers answer for this Ideapool" in page
    assert "3 of 8" in page
    assert ERROR in page
    assert "secret" not in page
    assert "Fetch and use" not in page


def test_the_page_reloads_the_engines_alone(client: TestClient) -> None:
    asked = {**PAGE, "hx-request": "true", "hx-target": "div#engines"}
    part = client.get("/models", headers=asked).text

    assert part.strip().startswith('<div id="engines"')
    assert "<html" not in part


def test_the_doctor_page_says_how_each_engine_is(client: TestClient) -> None:
    page = html.unescape(client.get("/help/doctor", headers=PAGE).text)

    assert "http://gpu-1:8080: ready, vLLM with qwen3, 3 of 8 places taken" in page
    assert "http://gpu-2:8080: another model, llama-server with llama-8b" in page
    assert ERROR in page
    assert "secret" not in page


def doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **settings: str
) -> list[dict[str, str]]:
    for name, value in settings.items():
        monkeypatch.setenv(f"IDEAPOOL_{name.upper()}", value)
    main(["doctor", "--json"])
    return [one for one in json.loads(capsys.readouterr().out) if one["subject"] == "engines"]


def test_the_command_asks_the_running_server_how_the_engines_are(
    remote: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(create_app(remote, SeveralEngines())) as url:
        found = doctor(
            monkeypatch,
            capsys,
            data_dir=str(remote.data_dir),
            port=url.rpartition(":")[2],
            engine_url=str(remote.engine_url),
        )

    assert [one["state"] for one in found] == ["ok", "better", "ok"]
    assert found[1]["advice"] == ERROR


def test_the_command_asks_the_engines_itself_where_no_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    found = doctor(
        monkeypatch,
        capsys,
        data_dir=str(tmp_path),
        port=str(free_port()),
        engine_url=", ".join(urls),
    )

    assert [one["state"] for one in found] == ["broken", "broken"]
    assert all(url in one["text"] for url, one in zip(urls, found, strict=True))
    assert all("cannot be reached" in one["advice"] for one in found)
