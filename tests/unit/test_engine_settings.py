"""Which engine the settings choose, and which settings are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.backend import build_backend, engine_addresses
from service.cli.main import main
from service.engine.embedded.switchable import SwitchableBackend
from service.engine.remote import RemoteBackend
from service.settings import Settings

URL = "http://127.0.0.1:8080"
OTHER = "http://gpu.example:8000/v1"


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
        {"engine_url": f"{URL},"},
        {"engine_url": f"{URL},{URL}/v1/"},
        {"engine_url": f"{URL},http://user:secret@localhost"},
        {"engine_keys": "secret", "engine_url": f"{URL},{OTHER}"},
        {"engine_keys": "a,schlüssel", "engine_url": f"{URL},{OTHER}"},
        {"engine_keys": "secret"},
    ],
)
def test_invalid_engine_settings_are_refused_at_startup(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given))) as refusal:
        Settings(**given)

    assert "secret" not in str([item["msg"] for item in refusal.value.errors()])


def test_the_key_of_an_engine_is_not_shown() -> None:
    assert "secret" not in repr(Settings(engine_url=URL, engine_key="secret"))


def test_several_engines_are_a_list_with_commas() -> None:
    asked = Settings(engine_url=f" {URL} , {OTHER}", engine_model="m", slots=3)
    backend = build_backend(asked)

    assert asked.engine_urls == (URL, OTHER)
    assert [one.url for one in backend.stats().engines] == [URL, OTHER.removesuffix("/v1")]
    assert backend.models()[0].slots == 6


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("ftp://elsewhere", "server 2, 'ftp://elsewhere', must look like"),
        ("http://me:secret@host", "server 2 must not have a user"),
        (f"{URL}/", f"server 2, '{URL}/', is given twice"),
    ],
)
def test_an_error_says_which_of_several_engines_it_is_about(wrong: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(engine_url=f"{URL},{wrong},{OTHER}")


def test_engines_may_have_a_key_each() -> None:
    urls = f"{URL},{OTHER}"
    one, each = (
        Settings(engine_url=urls, engine_key="all"),
        Settings(engine_url=urls, engine_key="all", engine_keys="own,"),
    )

    def keys(settings: Settings) -> list[str | None]:
        return [address.key for address in engine_addresses(settings)]

    assert keys(one) == ["all", "all"]
    assert keys(each) == ["own", "all"]
    assert keys(Settings(engine_url=urls, engine_keys=",own")) == [None, "own"]
    assert "own" not in repr(each)


def test_no_model_is_fetched_for_a_remote_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_ENGINE_URL", URL)
    monkeypatch.setenv("IDEAPOOL_CATALOG", "/nowhere.toml")

    assert main(["models", "fetch"]) == 0
    assert "IDEAPOOL_ENGINE_URL" in capsys.readouterr().out
