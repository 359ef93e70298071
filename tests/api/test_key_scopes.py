"""What keys of each scope let through: over REST and `/v1`, by assistants, in browsers and in the store."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from mcp import Client

from service.actor import ACTOR, Actor, KeyScope, Role
from service.app import create_app
from service.cli.main import main
from service.errors import ScopeNeeded
from service.schemas.archive import EXAMPLE
from service.schemas.ideas import IdeaCreate
from service.schemas.people import InvitationCreate, ScopeName, scope_of
from service.settings import Settings
from service.web.access import NEEDS, entries
from service.web.access_table import ON_EVERY_BOARD, SCOPES
from tests.api.test_upgrades import made
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend
from tests.support.mcp_client import PATIENCE_S, over_http, text_of

HOST, API = "http://localhost", "/api/v1"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}
ALL_SCOPES: tuple[ScopeName, ...] = get_args(ScopeName)


@pytest.fixture
def app(migrated: Settings) -> Iterator[FastAPI]:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app):
        yield app


def program(app: FastAPI, scope: ScopeName, person_id: str | None = None) -> TestClient:
    key = app.state.store.keys.create(scope, scope=scope, person_id=person_id)
    return TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})


def browser(app: FastAPI, scope: ScopeName, person_id: str | None = None) -> TestClient:
    """Signed in with a key of this scope."""
    client = TestClient(app, base_url=HOST, follow_redirects=False, headers=PAGE)
    key = app.state.store.keys.create(scope, scope=scope, person_id=person_id)
    assert client.post("/login", data={"key": key}).status_code == 303
    return client


def joined(app: FastAPI, role: Any = "editor") -> str:
    """Returns the id of a person with the role on every board."""
    invitations = app.state.store.invitations
    person_id: str = invitations.join(invitations.create(InvitationCreate(role=role))[1], "Ada")[0]
    return person_id


def let_through(app: FastAPI, scope: KeyScope) -> dict[tuple[str, str], bool]:
    """Whether the check lets an owner with such a key through to each route. No route acts."""

    async def ask(method: str, path: str) -> bool:
        asked = {"type": "http", "method": method, "path": path, "query_string": b""}
        try:
            await app.state.access.check(asked)
        except ScopeNeeded:
            return False
        return True

    async def ask_all() -> dict[tuple[str, str], bool]:
        ACTOR.set(Actor(role=Role.OWNER, scope=scope))
        return {route: await ask(*route) for route in routes(app)}

    return asyncio.run(ask_all())


def routes(app: FastAPI) -> list[tuple[str, str]]:
    found = [
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if route.path is not None and f"{method} {route.path}" in NEEDS
    ]
    assert len(found) > 200
    return found


CHANGES_NOTHING = {"/logout", "/theme", "/language", "/shortcuts", "/mcp"}


def test_a_key_that_may_only_read_gets_no_further_than_safe_methods(app: FastAPI) -> None:
    let = let_through(app, KeyScope.READ)

    unsafe = {path for (method, path), may in let.items() if may and method not in ("GET", "HEAD")}
    assert unsafe == CHANGES_NOTHING


def test_a_key_that_writes_gets_everything_but_what_is_for_owners_and_keys(app: FastAPI) -> None:
    let = let_through(app, KeyScope.WRITE)

    for_owners = set(entries(ON_EVERY_BOARD[Role.OWNER])) - {"GET /metrics"}
    about_keys = set(entries(SCOPES[KeyScope.ADMIN]))
    closed = {f"{method} {path}" for (method, path), may in let.items() if not may}
    assert closed == for_owners | about_keys


def test_each_scope_lets_through_what_the_ones_below_it_do(app: FastAPI) -> None:
    read, write, everything = (let_through(app, scope) for scope in KeyScope)

    assert all(everything.values())
    assert [route for route, may in read.items() if may and not write[route]] == []


def test_every_exception_is_a_route_of_the_table() -> None:
    listed = [one for text in SCOPES.values() for one in entries(text)]

    assert set(listed) <= NEEDS.keys()
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("scope", "method", "path", "body", "says"),
    [
        ("read", "POST", f"{API}/ideas", {"title": "Soup"}, "“write”"),
        ("read", "POST", f"{API}/brainstorm", {"topic": "soup"}, "“write”"),
        ("read", "POST", f"{API}/me/keys", {"name": "more"}, "“admin”"),
        ("write", "POST", f"{API}/me/keys", {"name": "more"}, "“admin”"),
        ("write", "POST", f"{API}/invitations", {}, "“admin”"),
        ("write", "GET", f"{API}/webhooks", None, "“admin”"),
    ],
)
def test_a_refusal_says_which_scope_is_needed(
    app: FastAPI, scope: ScopeName, method: str, path: str, body: Any, says: str
) -> None:
    answer = program(app, scope).request(method, path, json=body)

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/scope-needed"
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses", "embeddings"])
def test_a_key_that_may_only_read_starts_no_model_of_v1(app: FastAPI, path: str) -> None:
    reads = program(app, "read")
    answer = reads.post(f"/v1/{path}", json=CHAT)

    assert reads.get("/v1/models").status_code == 200
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "scope_needed"


def test_a_key_that_writes_may_use_the_model_and_the_board(app: FastAPI) -> None:
    writes = program(app, "write", joined(app))

    assert writes.post("/v1/chat/completions", json=CHAT).status_code == 200
    assert writes.post(f"{API}/ideas", json={"title": "Soup"}).status_code == 201
    assert writes.get(f"{API}/me").json()["scope"] == "write"


def test_a_file_that_names_people_needs_a_key_for_everything(app: FastAPI) -> None:
    writes, everything = program(app, "write"), program(app, "admin")
    assert writes.post(f"{API}/import", json=EXAMPLE | {"people": []}).status_code == 403
    for_nobody = EXAMPLE | {"people": [], "likes": [], "comments": [], "ideas": [], "versions": []}

    refused = writes.post(f"{API}/import", json=EXAMPLE)

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/scope-needed"
    assert "says who wrote, voted, liked or commented" in refused.json()["detail"]
    assert writes.post(f"{API}/import", json=for_nobody).json()["added"]["boards"] == 1
    assert everything.post(f"{API}/import", json=EXAMPLE).json()["added"]["comments"] == 1


def test_an_editor_imports_no_file_that_names_others(app: FastAPI) -> None:
    ada = joined(app)
    editor = program(app, "admin", ada)
    idea = editor.post(f"{API}/ideas", json={"title": "Soup"}).json()
    own = editor.get(f"{API}/export", params={"board": idea["board_id"]}).json()
    own["ideas"][0]["id"] = "another"
    assert own["ideas"][0]["person_id"] == ada

    refused = editor.post(f"{API}/import", json=EXAMPLE)

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/role-needed"
    assert "what others wrote" in refused.json()["detail"]
    assert editor.post(f"{API}/import", json=own).json()["added"]["ideas"] == 1


def test_a_scope_gives_nothing_that_the_role_does_not(app: FastAPI) -> None:
    answer = program(app, "admin", joined(app, "reader")).post(f"{API}/ideas", json={"title": "x"})

    assert answer.json()["type"] == "/problems/role-needed"


def test_owners_export_everything_with_a_key_that_reads(app: FastAPI) -> None:
    assert program(app, "read").get(f"{API}/export").status_code == 200
    assert program(app, "read").get("/metrics").status_code == 200


def test_deleting_for_good_needs_a_key_for_everything(app: FastAPI) -> None:
    writes = program(app, "write")
    idea = writes.post(f"{API}/ideas", json={"title": "Soup"}).json()["id"]
    address = f"{API}/ideas/{idea}"

    refused = writes.delete(address, params={"for_good": True})
    assert refused.json()["type"] == "/problems/scope-needed"
    assert writes.delete(address).status_code == 204
    assert program(app, "admin").delete(address, params={"for_good": True}).status_code == 204


def test_an_assistant_with_a_key_that_reads_uses_only_tools_that_read(migrated: Settings) -> None:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    arguments: dict[str, dict[str, Any]] = {
        "brainstorm": {"topic": "soup"},
        "refine": {"title": "Soup", "body": "Warm."},
        "evaluate": {"title": "Soup", "body": "Warm."},
        "find_ideas": {},
        "add_idea": {"title": "Soup"},
        "update_idea": {"idea_id": "one", "starred": True},
        "rank_ideas": {"compare": 1},
        "export_ideas": {},
    }

    async def story(url: str, key: str) -> None:
        async with over_http(url, key=key) as client:
            await check(client)

    async def check(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == arguments.keys()
        for tool in tools:
            result = await client.call_tool(tool.name, arguments[tool.name])
            assert tool.annotations is not None
            assert result.is_error != tool.annotations.read_only_hint, tool.name
            assert not result.is_error or "“write”" in text_of(result)

    with served(app) as url:
        store = app.state.store
        key = store.keys.create("assistant", scope="read")
        asyncio.run(asyncio.wait_for(story(url, key), PATIENCE_S))

        reads = TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})
        assert reads.get(f"{API}/runs").json() == []


def test_a_browser_has_the_scope_of_the_key_that_it_was_signed_in_with(app: FastAPI) -> None:
    reads = browser(app, "read", joined(app))
    board = app.state.store.boards.default().id

    page = reads.get(f"/boards/{board}")
    refused = reads.post(f"/boards/{board}/ideas", data={"title": "Soup"})

    assert page.status_code == 200
    assert f'action="/boards/{board}/brainstorm"' not in page.text
    assert refused.status_code == 403
    assert "“write”" in refused.text
    assert reads.get(f"{API}/me/sessions").json()[0]["scope"] == "read"
    assert reads.post("/logout").status_code == 303


def test_a_browser_that_may_do_everything_shows_the_forms(app: FastAPI) -> None:
    board = app.state.store.boards.default().id

    page = browser(app, "admin", joined(app)).get(f"/boards/{board}").text

    assert f'action="/boards/{board}/brainstorm"' in page


def test_a_browser_with_a_smaller_scope_cannot_get_out_of_it_by_an_invitation(app: FastAPI) -> None:
    invitations = app.state.store.invitations
    token = invitations.create(InvitationCreate(role="editor"))[1]

    answer = browser(app, "write", joined(app)).post(f"/join/{token}", data={"name": "Ada"})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_no_transaction_changes_a_board_for_a_key_that_reads(app: FastAPI) -> None:
    store = app.state.store
    board = store.boards.default().id
    token = ACTOR.set(Actor(role=Role.OWNER, scope=KeyScope.READ))
    try:
        with pytest.raises(ScopeNeeded):
            store.ideas.create(IdeaCreate(title="Soup", board_id=board))
    finally:
        ACTOR.reset(token)


@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_keys_are_made_and_listed_with_their_scope(app: FastAPI, scope: ScopeName) -> None:
    ada = browser(app, "admin", joined(app))

    over_rest = ada.post(f"{API}/me/keys", json={"name": "one", "scope": scope}).json()
    by_form = ada.post("/me/keys", data={"key_name": "two", "scope": scope})

    assert over_rest["scope"] == scope
    assert by_form.status_code == 303
    listed = ada.get(f"{API}/me/keys").json()
    assert [one["scope"] for one in listed if one["name"] in ("one", "two")] == [scope, scope]


def test_a_key_has_every_right_unless_less_is_asked_for(app: FastAPI) -> None:
    ada = browser(app, "admin", joined(app))

    assert ada.post(f"{API}/me/keys", json={"name": "one"}).json()["scope"] == "admin"
    assert ada.post(f"{API}/me/keys", json={"name": "x", "scope": "all"}).status_code == 422


def test_the_command_makes_and_lists_scopes(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_DATA_DIR", str(migrated.data_dir))
    for scope in ALL_SCOPES:
        assert main(["keys", "create", f"for {scope}", "--scope", scope]) == 0
    assert main(["keys", "create", "as before"]) == 0
    capsys.readouterr()

    main(["keys", "list"])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for line, scope in zip(lines, [*ALL_SCOPES, "admin"], strict=True):
        assert line.split()[2] == scope
        assert "never used" in line


def test_keys_and_sessions_of_earlier_versions_may_do_what_they_could(settings: Settings) -> None:
    path = settings.data_dir / "ideapool.db"
    made(f"sqlite:///{path}", "0020")

    with TestClient(create_app(settings, FakeBackend())):
        pass

    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT scope FROM api_key").fetchall()
    assert {scope_of(one) for (one,) in found} == {KeyScope.ADMIN}
