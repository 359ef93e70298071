"""Cookies over plain connections, over TLS and under a path."""

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
from service.web.cookie_rules import VIEW_COOKIE
from service.web.pages.cookies import COOKIES
from tests.support.fake_backend import FakeBackend

PLAIN, TLS, ME = "http://localhost", "https://localhost", "/api/v1/me"
NAMES = ["ideapool_session", "__Host-ideapool_session", "__Secure-ideapool_session"]
# By root path and address: the name, its path, and whether it is for TLS only.
SESSIONS = [
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


@pytest.mark.parametrize(("root", "base", "wanted"), SESSIONS)
def test_name_and_attributes_of_the_session_follow_from_how_the_request_came(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool]
) -> None:
    client = browser(app, base)

    assert parts(sign_in(app, client, root)) == wanted
    assert client.get(f"{root}{ME}").status_code == 200


@pytest.mark.parametrize(("root", "base", "wanted"), SESSIONS)
@pytest.mark.parametrize("way_out", ["/logout", "/me/sign-out"])
def test_signing_out_deletes_the_session_with_the_attributes_that_it_was_set_with(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool], way_out: str
) -> None:
    client = browser(app, base)
    sign_in(app, client, root)

    answer = client.post(f"{root}{way_out}")

    assert parts(answer) == wanted
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == f"{root}/login"
    assert client.get(f"{root}{ME}").status_code == 401
    # Under a path it would clear what other apps of the origin keep.
    assert answer.headers.get("clear-site-data") == (None if root else '"cache", "storage"')


@pytest.mark.parametrize(("root", "base", "wanted"), SESSIONS)
def test_no_other_name_of_a_session_is_read(
    app: FastAPI, root: str, base: str, wanted: tuple[str, str, bool]
) -> None:
    session = app.state.store.keys.open_session()
    statuses = {
        name: browser(app, base).get(f"{root}{ME}", headers={"cookie": f"{name}={session}"})
        for name in NAMES
    }

    let_in = [name for name, answer in statuses.items() if answer.status_code == 200]
    assert let_in == [wanted[0]]


def cookies_of(answer: httpx2.Response) -> dict[str, tuple[str, bool]]:
    """By name: the path, and whether it is for TLS only."""
    headers = answer.headers.get_list("set-cookie")
    morsels = [morsel for header in headers for morsel in SimpleCookie(header).values()]
    return {one.key: (one["path"], bool(one["secure"])) for one in morsels}


@pytest.mark.parametrize(
    ("root", "base", "prefix", "path"),
    [
        ("", PLAIN, "", "/"),
        ("", TLS, "__Host-", "/"),
        ("/pool", PLAIN, "", "/"),
        ("/pool", TLS, "__Secure-", "/pool"),
    ],
)
def test_every_cookie_has_the_prefix_and_the_path_that_fit(
    app: FastAPI, root: str, base: str, prefix: str, path: str
) -> None:
    client, is_secure = browser(app, base), base == TLS
    client.headers["accept"] = "text/html"
    set_here = cookies_of(sign_in(app, client, root))
    board = f"/boards/{client.get(f'{root}/api/v1/boards').json()[0]['id']}"
    for form, fields in {
        "/theme": {"theme": "dark"},
        "/language": {"language": "sv"},
        "/shortcuts": {"shortcuts": "off"},
        "/boards": {"name": "Trip"},
        "/me/keys": {"key_name": "script"},
        f"{board}/share": {"days": ""},
    }.items():
        set_here |= cookies_of(client.post(f"{root}{form}", data=fields))
    of_board = cookies_of(client.get(f"{root}{board}?view=list"))

    on_page = f"{'__Secure-' if is_secure else ''}{VIEW_COOKIE}"
    assert of_board.pop(on_page) == (f"{root}{board}", is_secure)
    names = {one.name for one in COOKIES} - {VIEW_COOKIE}
    assert set_here == {f"{prefix}{name}": (path, is_secure) for name in names}
    assert set(of_board) <= set(set_here)
    page = client.get(f"{root}{board}").text
    assert 'lang="sv" data-theme="dark"' in page
    assert 'class="rows"' in page, "the board forgot its view"
    attributes = f"path={path}; secure" if is_secure else "path=/"
    assert f'data-cookie="{prefix}theme" data-attributes="{attributes}"' in page


@pytest.mark.parametrize(("root", "base"), [("/pool", PLAIN), ("/pool", TLS), ("", TLS)])
def test_a_new_key_or_link_is_shown_once_and_on_its_page_only(
    app: FastAPI, root: str, base: str
) -> None:
    client = browser(app, base)
    client.headers["accept"] = "text/html"
    sign_in(app, client, root)
    board = f"/boards/{client.get(f'{root}/api/v1/boards').json()[0]['id']}"
    pages = {
        "/me": ("/me/keys", {"key_name": "script"}, 'id="made" value="ip_'),
        "/people": (
            "/people/invitations",
            {"role": "reader", "days": "7"},
            f'id="made" value="{base}{root}/join/',
        ),
        f"{board}/share": (
            f"{board}/share",
            {"days": ""},
            f'id="made" value="{base}{root}/shared/',
        ),
    }
    for page, (form, fields, wanted) in pages.items():
        assert client.post(f"{root}{form}", data=fields).headers["location"] == f"{root}{page}"
        for other in pages.keys() - {page}:
            assert 'id="made"' not in client.get(f"{root}{other}").text

        assert wanted in client.get(f"{root}{page}").text
        assert 'id="made"' not in client.get(f"{root}{page}").text


@pytest.mark.parametrize("root", [""])
def test_cookies_without_the_prefix_do_not_count_over_tls(app: FastAPI) -> None:
    session = app.state.store.keys.open_session()

    def page(cookies: str) -> str:
        headers = {"accept": "text/html", "cookie": f"{NAMES[1]}={session}; {cookies}"}
        return browser(app, TLS).get("/boards", headers=headers).text

    assert 'data-theme="dark"' in page("__Host-theme=dark")
    assert 'data-theme="dark"' not in page("theme=dark; __Secure-theme=dark")


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
