"""The cookie of a signed-in browser, over plain connections, over TLS and under a path."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import col, select, update

from service.app import create_app
from service.schemas.identity import now
from service.settings import Settings
from service.store.housekeeping import Housekeeping
from service.store.keys import ENDED_SESSION_LIFE
from service.store.tables import ApiKey
from tests.support.fake_backend import FakeBackend

PLAIN, TLS, ME = "http://localhost", "https://localhost", "/api/v1/me"
NAMES = ["ideapool_session", "__Host-ideapool_session", "__Secure-ideapool_session"]
# By root path and address: the name, its path, and whether it is for TLS only.
COOKIES = [
    ("", PLAIN, (NAMES[0], "/", False)),
    ("", TLS, (NAMES[1], "/", True)),
    ("/pool", PLAIN, (NAMES[0], "/", False)),
    ("/pool", TLS, (NAMES[2], "/pool", True)),
]


@pytest.fixture
def app(migrated: Settings, root: str) -> Iterator[FastAPI]:
    settings = migrated.model_copy(update={"require_key": True, "root_path": root})
    app = create_app(settings, FakeBackend())
    with TestClient(app):
        yield app


def browser(app: FastAPI, base: str) -> TestClient:
    return TestClient(app, base_url=base, follow_redirects=False)


def sign_in(app: FastAPI, client: TestClient, root: str = "") -> httpx2.Response:
    key = app.state.store.keys.create("me")
    answer: httpx2.Response = client.post(f"{root}/login", data={"key": key})
    assert answer.status_code == 303
    return answer


def parts(answer: httpx2.Response) -> tuple[str, str, bool]:
    cookie = SimpleCookie(answer.headers["set-cookie"])
    ((name, morsel),) = cookie.items()
    assert morsel["httponly"]
    assert morsel["samesite"].lower() == "lax"
    assert not morsel["domain"]
    return name, morsel["path"], bool(morsel["secure"])


@pytest.mark.parametrize(("root", "base", "wanted"), COOKIES)
def test_its_name_and_attributes_follow_from_how_the_request_came(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool]
) -> None:
    client = browser(app, base)

    assert parts(sign_in(app, client, root)) == wanted
    assert client.get(f"{root}{ME}").status_code == 200


@pytest.mark.parametrize(("root", "base", "wanted"), COOKIES)
@pytest.mark.parametrize("way_out", ["/logout", "/me/sign-out"])
def test_signing_out_deletes_it_with_the_attributes_that_it_was_set_with(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool], way_out: str
) -> None:
    client = browser(app, base)
    sign_in(app, client, root)

    answer = client.post(f"{root}{way_out}")

    assert parts(answer) == wanted
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == f"{root}/login"
    assert client.get(f"{root}{ME}").status_code == 401


@pytest.mark.parametrize(("root", "base", "wanted"), COOKIES)
def test_no_other_name_is_read(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool]
) -> None:
    session = app.state.store.keys.open_session()
    statuses = {
        name: browser(app, base).get(f"{root}{ME}", headers={"cookie": f"{name}={session}"})
        for name in NAMES
    }

    let_in = [name for name, answer in statuses.items() if answer.status_code == 200]
    assert let_in == [wanted[0]]


@pytest.mark.parametrize("root", [""])
def test_the_page_about_ideapool_has_the_name_that_the_browser_shows(app: FastAPI) -> None:
    client = browser(app, TLS)
    sign_in(app, client)

    assert NAMES[1] in client.get("/about", headers={"accept": "text/html"}).text


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_housekeeping_deletes_sessions_that_ended_long_ago_and_no_keys(
    migrated: Settings, field: str
) -> None:
    # It does not run, so that no housekeeping of its own is under way.
    app = create_app(migrated, FakeBackend())
    keys = app.state.store.keys
    key = keys.create("old")
    ended, ending, going = (keys.open_session() for _ in range(3))
    long_ago = now() - ENDED_SESSION_LIFE - timedelta(seconds=1)
    for token, moment in ((key, long_ago), (ended, long_ago), (ending, now())):
        with app.state.database.write() as session:
            row = col(ApiKey.id) == keys.find(token).id
            session.exec(update(ApiKey).where(row).values({field: moment}))

    asyncio.run(Housekeeping(app.state.store, trash_days=0).work())

    with app.state.database.read() as session:
        left = set(session.exec(select(ApiKey.id)))
    assert left == {keys.find(token).id for token in (key, ending, going)}
    assert keys.find(ended) is None
    app.state.database.close()
