"""`ideapool doctor` looks at the machine, changes nothing, and says what to do."""

import html
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.cli.doctor import CHECKS
from service.cli.main import main
from service.health import CHECKS as OF_THE_MACHINE
from service.health import Finding, examine
from service.settings import Settings
from service.web.pages.doctor import SUBJECTS
from tests.support.app_server import free_port, listening, served
from tests.support.fake_backend import FakeBackend


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Without the small model, which other tests have fetched."""
    return settings.model_copy(update={"port": free_port(), "bundled_models_dir": None})


def found(settings: Settings, subject: str, **changes: Any) -> Finding:
    (one,) = (
        one
        for one in examine(settings.model_copy(update=changes), CHECKS)
        if one.subject == subject and one.state != "ok"
    )
    return one


def test_a_fresh_folder_lacks_only_the_models(settings: Settings) -> None:
    findings = list(examine(settings, CHECKS))

    assert {one.subject for one in findings} == CHECKS.keys() - {"servers"}
    assert all(one.state != "broken" for one in findings), findings
    models = [one for one in findings if one.subject == "models"]
    assert all(one.state == "better" and "models fetch" in one.advice for one in models)


def test_it_changes_nothing(settings: Settings) -> None:
    before = sorted(settings.data_dir.rglob("*")) if settings.data_dir.exists() else None

    list(examine(settings, CHECKS))

    after = sorted(settings.data_dir.rglob("*")) if settings.data_dir.exists() else None
    assert after == before


def test_a_server_for_others_without_a_key_is_broken(settings: Settings) -> None:
    assert "keys create" in found(settings, "keys", host="0.0.0.0").advice


def test_a_port_of_another_program_is_named(settings: Settings) -> None:
    with listening(settings.port):
        one = found(settings, "port")

    assert one.state == "broken"
    assert str(settings.port) in one.text


def test_a_running_server_is_recognised(settings: Settings) -> None:
    with served(create_app(settings, FakeBackend())) as url:
        running = settings.model_copy(update={"port": int(url.rpartition(":")[2])})
        (port,) = (one for one in examine(running, CHECKS) if one.subject == "port")

    assert port.state == "ok"
    assert "Ideapool runs at" in port.text


def test_a_damaged_database_is_found(settings: Settings) -> None:
    path = settings.data_dir / "ideapool.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not a database" * 1000)

    assert "restore" in found(settings, "database").advice


def test_an_older_schema_is_not_an_error(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeBackend())):
        pass
    with sqlite3.connect(settings.data_dir / "ideapool.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0009'")
    database.close()

    assert found(settings, "database").state == "better"


def test_more_memory_than_the_machine_has_is_not_enough(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.health.memory_bytes", lambda: 100_000_000)

    assert "IDEAPOOL_MODEL" in found(settings, "memory").advice


def test_a_missing_library_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_LIBRARY", "none")

    one = found(settings, "library")

    assert one.state == "broken"
    assert "There is no library of llama.cpp of the right version" in one.text


def test_the_page_says_what_the_command_says(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeBackend()), "http://localhost") as client:
        page = client.get("/help/doctor")
        # The database and the disk fill while the server runs.
        filling = ("database", "data folder")
        checks = {name: look for name, look in OF_THE_MACHINE.items() if name not in filling}
        findings = list(examine(settings, checks))
    shown = html.unescape(page.text)

    assert page.status_code == 200
    assert [one for one in findings if one.text not in shown or one.advice not in shown] == []
    assert SUBJECTS.keys() == OF_THE_MACHINE.keys()
    # What needs attention comes first.
    assert shown.index("Could be better") < shown.index("All right")


def test_the_page_is_only_for_this_machine_and_for_those_with_a_key(settings: Settings) -> None:
    def told(**changes: Any) -> tuple[int, bool]:
        server = settings.model_copy(update=changes)
        app = create_app(server, FakeBackend())
        with TestClient(app, "http://localhost") as client:
            if server.needs_key:
                key = app.state.store.keys.create("me")
                assert client.get("/help/doctor").status_code == 401
                client.headers["Authorization"] = f"Bearer {key}"
            page, board = client.get("/help/doctor"), client.get("/")
            return page.status_code, "/help/doctor" in board.text

    assert told() == (200, True)
    assert told(host="0.0.0.0") == (200, True)
    assert told(host="0.0.0.0", require_key=False) == (403, False)
    # A reverse proxy on this machine serves others.
    assert told(allowed_hosts=("ideas.example",)) == (403, False)
    assert told(allowed_hosts=("ideas.example",), require_key=True) == (200, True)


def test_a_page_of_another_site_cannot_ask_for_the_checks(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeBackend()), "http://localhost") as client:
        asked = client.get("/help/doctor", headers={"Sec-Fetch-Site": "cross-site"})

    assert asked.status_code == 403


def test_the_command_prints_json_and_fails_if_something_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("IDEAPOOL_PORT", str(free_port()))

    assert main(["doctor", "--json"]) == 0
    assert {one["subject"] for one in json.loads(capsys.readouterr().out)} == CHECKS.keys() - {
        "servers"
    }

    monkeypatch.setenv("IDEAPOOL_HOST", "0.0.0.0")
    assert main(["doctor"]) == 1
    assert "→ Run “ideapool keys create NAME”." in capsys.readouterr().out
