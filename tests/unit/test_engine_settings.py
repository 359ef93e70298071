"""Which engine the settings choose, and which settings are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.backend import build_backend
from service.cli.main import main
from service.engine.embedded.switchable import SwitchableBackend
from service.engine.remote import RemoteBackend
from service.settings import Settings

URL = "http://127.0.0.1:8080"


def test_an_engine_url_replaces_the_catalogs_models(settings: Settings) -> None:
    asked = settings.model_copy(update={"engine_url": URL, "engine_model": "m", "slots": 3})

    backend = build_backend(asked)

    assert isinstance(build_backend(settings), SwitchableBackend)
    assert isinstance(backend, RemoteBackend)
    assert (backend.models()[0].name, backend.models()[0].slots) == ("m", 3)


@pytest.mark.parametrize(
    "given",
    [
        {"engine_url": ""},
        {"engine_url": "localhost:8080"},
        {"engine_url": "ftp://localhost"},
        {"engine_url": "http://"},
        {"engine_url": "http://localhost:none"},
        {"engine_url": "http://user:secret@localhost"},
        {"engine_url": "http://localhost/v1?key=secret"},
        {"engine_key": ""},
        {"engine_key": "two\nlines"},
        {"engine_key": "schlüssel"},
        {"engine_model": ""},
    ],
)
def test_invalid_engine_settings_are_refused_at_startup(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given))) as refusal:
        Settings(**given)

    assert "secret" not in str([item["msg"] for item in refusal.value.errors()])


def test_the_key_of_an_engine_is_not_shown() -> None:
    assert "secret" not in repr(Settings(engine_url=URL, engine_key="secret"))


def test_no_model_is_fetched_for_a_remote_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_ENGINE_URL", URL)
    monkeypatch.setenv("IDEAPOOL_CATALOG", "/nowhere.toml")

    assert main(["models", "fetch"]) == 0
    assert "IDEAPOOL_ENGINE_URL" in capsys.readouterr().out
