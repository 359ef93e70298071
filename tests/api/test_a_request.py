"""docs/design/a-request.md names every file that runs during a brainstorm, above the engine."""

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.fake_backend import FakeBackend
from tests.support.tracing import files_named, tracing

# What the fake stands for, and the model process.
BELOW = ("service/engine/embedded/", "service/engine/admission/", "service/engine/decoding/")


def test_a_brainstorm_runs_only_in_files_that_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the service does on its own runs beside requests, at any moment.
    monkeypatch.setattr("service.app._recurring_work", lambda *_: ())
    with tracing() as tracer, TestClient(create_app(settings, FakeBackend())) as client:
        client.headers["Host"] = "localhost"
        client.post("/api/v1/ideas", json={"title": "Tool Wall", "body": "Hang up the tools."})
        tracer.is_on = True
        answer = client.post("/api/v1/brainstorm", json={"topic": "a tidy shed", "n": 2})
        tracer.is_on = False

    assert answer.status_code == 200
    assert tracer.files - set(files_named()) == set()
    above = {one for one in files_named("The path") if not one.startswith(BELOW)}
    assert above - tracer.files == set()
