"""docs/design/a-request.md names every file that runs during a brainstorm, with a real model."""

import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.tracing import ChildTracer, files_named, tracing


def test_a_brainstorm_runs_only_in_files_that_are_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tracing"
    folder.mkdir()
    child = ChildTracer(folder)
    monkeypatch.setenv("PYTHONPATH", child.python_path)
    with tracing() as tracer, TestClient(create_app(settings)) as client:
        client.headers["Host"] = "localhost"
        models = client.get("/readyz").json()["models"]
        while any(one["state"] != "ready" for one in models.values()):
            time.sleep(0.05)
            models = client.get("/readyz").json()["models"]
        client.post("/api/v1/ideas", json={"title": "Tool Wall", "body": "Hang up the tools."})
        child.start()
        tracer.is_on = True
        answer = client.post("/api/v1/brainstorm", json={"topic": "a shed", "n": 2, "seed": 1})
        tracer.is_on = False
        files = tracer.files | child.stop()

    assert answer.status_code == 200
    assert files - set(files_named()) == set()
    assert set(files_named("The path")) - files == set()
