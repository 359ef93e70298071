"""Imports that take longer than a moment: the page and the routes that show how far they are and stop them."""

import re
import threading
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.actor import Role
from service.errors import NotFound
from service.schemas.identity import new_id
from service.schemas.imports import Imported
from service.store import batches
from service.transfer import background_import
from tests.support.people import acting_as, add_person, store_of

pytestmark = pytest.mark.both_databases
MANY = 400
LINES = "".join(f"Idea {number}\n" for number in range(MANY))
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
IMPORTS = "/api/v1/imports"


@pytest.fixture
def gate(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """After its first transaction an import waits until the gate is set."""
    gate = threading.Event()
    monkeypatch.setattr(batches, "BATCH_S", 0)
    monkeypatch.setattr(batches, "pause", gate.wait)
    monkeypatch.setattr(background_import, "SOON_S", 0)
    yield gate
    gate.set()
    client.app.state.background_imports.close()  # type: ignore[attr-defined]


def begin_on_page(client: TestClient) -> str:
    """Uploads and confirms the file; returns the address of the progress."""
    chosen = client.post("/import", data={"text": LINES}, headers=BROWSER, follow_redirects=False)
    preview = chosen.headers["location"]
    token, query = preview.removeprefix("/import/").split("?")
    fields = dict(pair.split("=") for pair in query.split("&"))
    confirmed = client.post(
        f"/import/{token}", data=fields, headers=BROWSER, follow_redirects=False
    )
    assert confirmed.status_code == 303
    return str(confirmed.headers["location"])


def begin(client: TestClient) -> str:
    """Returns the address of the import."""
    headers = {"content-type": "text/plain", "prefer": "respond-async"}
    response = client.post("/api/v1/import", content=LINES, headers=headers)
    assert response.status_code == 202, response.text
    return str(response.headers["location"])


def await_status(client: TestClient, address: str, *statuses: str) -> dict[str, object]:
    for _ in range(3000):
        found: dict[str, object] = client.get(address).json()
        if found["status"] in statuses and found["written"]:
            return found
        threading.Event().wait(0.01)
    raise AssertionError(found)


def idea_count(client: TestClient) -> int:
    return sum(store_of(client).boards.counts().values())


def test_the_page_shows_how_far_an_import_is_and_stops_it(
    client: TestClient, gate: threading.Event
) -> None:
    address = begin_on_page(client)
    token = address.split("/")[2]
    await_status(client, f"{IMPORTS}/{token}", "writing")
    page = client.get(address, headers=BROWSER).text
    part = client.get(address, headers=BROWSER | {"HX-Target": "div#import-state"}).text
    written = idea_count(client)
    for shown in (page, part):
        assert f"{written} of {MANY} ideas are imported" in " ".join(shown.split())
        assert 'hx-trigger="every 1s"' in shown
    assert 'http-equiv="refresh"' in page
    assert "</main>" not in part

    stop = re.search(r'action="(/import/[^"]+/stop[^"]*)"', page)
    assert stop is not None
    client.post(stop[1].replace("&amp;", "&"), headers=BROWSER)
    gate.set()
    await_status(client, f"{IMPORTS}/{token}", "stopped")

    page = client.get(address, headers=BROWSER).text
    assert "The import was stopped" in page
    assert "every 1s" not in page
    stored = idea_count(client)
    assert f"{stored} of {MANY} ideas are imported" in " ".join(page.split())
    rest = re.search(r'href="(/import/[^"]+)">\s*Import the rest', page)
    assert rest is not None
    preview = client.get(rest[1].replace("&amp;", "&"), headers=BROWSER).text
    assert f"{MANY - stored} new ideas" in preview


def test_an_import_of_which_nobody_waits_for_the_end_ends_on_its_page(
    client: TestClient, gate: threading.Event
) -> None:
    address = begin_on_page(client)
    gate.set()
    await_status(client, f"{IMPORTS}/{address.split('/')[2]}", "done")

    page = client.get(address, headers=BROWSER).text

    assert f"Imported {MANY} ideas." in page
    assert re.search(r'href="/boards/[^"]+">Go to the board', page)
    assert idea_count(client) == MANY


def test_a_program_follows_an_import_and_stops_it(
    client: TestClient, gate: threading.Event
) -> None:
    address = begin(client)
    found = await_status(client, address, "writing")
    assert (found["total"], found["written"]) == (MANY, idea_count(client))

    client.post(f"{address}/stop")
    gate.set()
    found = await_status(client, address, "stopped")

    assert found["result"] is None
    assert found["written"] == idea_count(client) < MANY
    again = client.post("/api/v1/import", content=LINES, headers={"content-type": "text/plain"})
    assert again.json()["already_there"]["ideas"] == found["written"]
    assert idea_count(client) == MANY


def test_a_short_import_is_answered_as_if_somebody_had_waited(client: TestClient) -> None:
    headers = {"content-type": "text/plain"}
    prefer = {"prefer": "respond-async"}

    soon = client.post("/api/v1/import", content="Soup\n", headers=headers | prefer)
    wrong = client.post("/api/v1/import", content=b"\xff", headers=headers | prefer)

    assert (soon.status_code, soon.json()["added"]["ideas"]) == (200, 1)
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["line"] == 1


def test_an_import_whose_server_ended_is_interrupted(client: TestClient) -> None:
    store, import_id = store_of(client), new_id()
    assert store.file_imports.begin(import_id)
    store.file_imports.watch(import_id, lambda: False).begin(MANY)
    assert client.get(f"{IMPORTS}/{import_id}").json()["status"] == "writing"

    store.locks.release(f"import {import_id}")

    assert client.get(f"{IMPORTS}/{import_id}").json()["status"] == "interrupted"


def test_an_import_that_ends_while_its_state_is_read_is_not_interrupted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, import_id = store_of(client), new_id()
    assert store.file_imports.begin(import_id)
    take = store.locks.take

    def take_after_the_end(name: str) -> bool:
        store.file_imports.end(import_id, Imported(), None)
        return take(name)

    monkeypatch.setattr(store.locks, "take", take_after_the_end)

    assert store.file_imports.get(import_id).status == "done"


def test_an_import_is_nobody_elses_business(client: TestClient) -> None:
    store, import_id = store_of(client), new_id()
    ada, ben = (add_person(store, name) for name in ("Ada", "Ben"))
    with acting_as(ada):
        store.file_imports.begin(import_id)

    for act in (store.file_imports.get, store.file_imports.request_stop):
        with acting_as(ben), pytest.raises(NotFound):
            act(import_id)
        with acting_as(None, Role.OWNER):
            act(import_id)


def test_a_server_that_ends_stops_its_imports(client: TestClient, gate: threading.Event) -> None:
    address = begin(client)
    await_status(client, address, "writing")
    closing = threading.Thread(target=client.app.state.background_imports.close)  # type: ignore[attr-defined]
    closing.start()
    gate.set()
    closing.join()

    found = client.get(address).json()

    assert found["status"] == "stopped"
    assert found["written"] == idea_count(client) < MANY
