"""Every route against every role, against members of another board and against strangers."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.actor import ACTOR, STRANGER, Actor, Role
from service.app import create_app
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.schemas.people import InvitationCreate, PersonUpdate
from service.settings import Settings
from service.store import Store
from service.store.access import is_of_a_board
from service.store.topics import topic_key
from service.web.access import FOR_OWNERS, NEEDS, Need, entries, need_of
from service.web.access_table import (
    FOR_ANYBODY,
    ON_A_BOARD,
    ON_A_BOARD_OF_THE_QUERY,
    ON_EVERY_BOARD,
)
from service.web.guard import OPEN_PATHS, OPEN_PREFIXES
from tests.support.fake_backend import FakeBackend

# Words that stand in no other text.
SECRET, OPEN_WORD = "zanzibarite", "quillwort"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
JSON = {"accept": "application/json"}
REFUSED = {401, 403, 404}
# Whether a stream ends is another test's business.
STREAMS = ("/live", "/events")


@dataclass
class Pool:
    """Two boards with ideas, and a client for each role on the first of them."""

    app: FastAPI
    store: Store
    ids: dict[str, str] = field(default_factory=dict)
    secret: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, *, html: bool = False, **more: Any) -> Any:
        headers = dict(PAGE if html else JSON)
        if who in self.tokens:
            headers["authorization"] = f"Bearer {self.tokens[who]}"
        client = TestClient(
            self.app,
            base_url="http://localhost",
            raise_server_exceptions=False,
            follow_redirects=False,
        )
        return client.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("access"),
        model="small",
        idea_bank=False,
        require_key=True,
    )
    app = create_app(settings, FakeBackend())
    with TestClient(app, base_url="http://localhost"):
        pool = Pool(app, app.state.store)
        pool.tokens["owner"] = pool.store.keys.create("owner")
        for scope in ("read", "write"):
            key = pool.store.keys.create(scope, scope=scope)
            pool.tokens[f"{scope} key of an owner"] = key
        pool.ids = things(pool, OPEN_WORD)
        pool.secret = things(pool, SECRET)
        for name in ("reader", "commenter", "editor"):
            join(pool, name, name, pool.ids["board_id"])
            join(pool, f"{name} of everything", name, None)
        join(pool, "other", "editor", pool.secret["board_id"])
        yield pool


def join(pool: Pool, name: str, role: str, board_id: str | None) -> str:
    made = pool.ask(
        "owner", "POST", "/api/v1/invitations", json={"role": role, "board_id": board_id}
    ).json()
    client = TestClient(pool.app, base_url="http://localhost", follow_redirects=False)
    joined = client.post(made["url"].removeprefix("http://localhost"), data={"name": name})
    assert joined.status_code == 303, joined.text
    key = client.post("/api/v1/me/keys", json={"name": "test"}).json()
    pool.tokens[name] = key["key"]
    found: str = client.get("/api/v1/me").json()["person"]["id"]
    return found


def things(pool: Pool, word: str) -> dict[str, str]:
    """One of everything on a board of its own; each text has the word."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        answer = pool.ask("owner", "POST", f"/api/v1{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    board = post("/boards", name=f"{word} board", goal=f"{word} goal")["id"]
    ideas = [
        post("/ideas", board_id=board, title=f"{word} {n}", body=f"{word} text {n}", tags=[word])
        for n in range(3)
    ]
    one, other, third = (idea["id"] for idea in ideas)
    rubric = post(
        f"/boards/{board}/rubrics", name=f"{word} rubric", criteria=[{"name": "cost", "weight": 1}]
    )
    vote = post(f"/boards/{board}/comparisons", first_id=one, second_id=other, outcome="first")
    change = post("/ideas/bulk", operation="set_star", ids=[one], star=True)
    comment = post(f"/ideas/{one}/comments", body=f"{word} comment")
    sent = {"file": (f"{word}.txt", f"{word} file".encode())}
    file = pool.ask("owner", "POST", f"/api/v1/ideas/{one}/attachments", files=sent)
    run = post("/brainstorm", board_id=board, topic=f"{word} topic", n=2)
    pool.ask("owner", "DELETE", f"/api/v1/ideas/{third}")
    return {
        "board_id": board,
        "idea_id": one,
        "rubric_id": rubric["id"],
        "comparison_id": vote["id"],
        "change_id": change["id"],
        "comment_id": comment["id"],
        "attachment_id": file.json()["id"],
        "run_id": run["run_id"],
        "suggestion_id": run["suggestions"][0]["id"],
        "deleted_id": third,
        "other_id": other,
    }


def routes(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if route.path is not None
        for method in sorted(route.methods or ())
        if not (route.path in OPEN_PATHS or route.path.startswith(OPEN_PREFIXES))
    ]


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "1"), path)


def test_every_route_says_which_role_it_needs(pool: Pool) -> None:
    known = {f"{method} {path}" for method, path in routes(pool.app)}

    assert known - NEEDS.keys() == set(), "add them to service/web/access_table.py"


def test_no_route_is_listed_twice() -> None:
    texts = [FOR_ANYBODY, *ON_A_BOARD.values(), *ON_EVERY_BOARD.values()]
    listed = Counter(one for text in texts for one in entries(text))
    listed.update(ON_A_BOARD_OF_THE_QUERY)

    assert [one for one, times in listed.items() if times > 1] == []


def test_a_route_that_is_not_listed_is_for_owners() -> None:
    assert need_of("POST", "/api/v1/forgotten") == FOR_OWNERS


def role_in(who: str, need: Need) -> Role | None:
    """The role that counts for somebody on the first board."""
    name, _, everywhere = who.partition(" ")
    if name == "owner":
        return Role.OWNER
    if name == "other":
        return Role.EDITOR if need.parameter is None else None
    return Role[name.upper()] if everywhere or need.parameter != "" else None


MEMBERS = ["reader", "commenter", "editor"]
WHO = [*MEMBERS, *(f"{one} of everything" for one in MEMBERS), "owner", "other"]


@pytest.mark.parametrize("who", WHO)
def test_every_route_lets_in_those_with_the_role_and_nobody_else(pool: Pool, who: str) -> None:
    """The check itself is asked, so that no route acts."""
    actor = pool.store.people.by_token(pool.tokens[who])
    assert actor is not None
    for method, path in routes(pool.app):
        need = NEEDS[f"{method} {path}"]
        if need.parameter == "?":
            continue
        status = checked(pool, actor, method, filled(path, pool.ids))
        held = role_in(who, need)
        may = need.role is None or (held is not None and held >= need.role)
        allowed = {200} if may else {403, 404}

        assert status in allowed, f"{who}: {method} {path}: {status}"
        names_a_board = any(map(is_of_a_board, re.findall(r"\{(\w+)\}", path)))
        if who == "other" and names_a_board and need.role is not None:
            assert status == 404, f"{method} {path} tells that it exists"
        if who in MEMBERS and not may:
            assert status == 403, f"{method} {path} does not say which role is needed"


def checked(pool: Pool, actor: Actor, method: str, path: str) -> int:

    from service.web.errors import status_of

    scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    token = ACTOR.set(actor)
    try:
        anyio.run(pool.app.state.access.check, scope)
    except Exception as error:
        return status_of(error)
    finally:
        ACTOR.reset(token)
    return 200


def test_strangers_get_in_nowhere(pool: Pool) -> None:
    for method, path in routes(pool.app):
        answer = pool.ask("stranger", method, filled(path, pool.ids))

        assert answer.status_code == 401, f"{method} {path}"


@pytest.mark.parametrize("who", MEMBERS)
def test_no_page_and_no_answer_shows_anything_of_another_board(pool: Pool, who: str) -> None:
    """With its ids in the path and in the query, on each address that can be loaded."""
    places = [pool.ids, pool.secret]
    queries = ["", f"?board={pool.secret['board_id']}&q={SECRET}&idea={pool.secret['idea_id']}"]
    for method, path in routes(pool.app):
        if method != "GET" or path.endswith(STREAMS) or path == "/metrics":
            continue
        for ids in places:
            for query in queries:
                html = not path.startswith(("/api/", "/v1/"))
                answer = pool.ask(who, "GET", filled(path, ids) + query, html=html)
                text = answer.text
                # What the reader asked for, which the page repeats.
                for echo in ("q={}", "topic={}", 'value="{}"', "“{}”"):
                    text = text.replace(echo.format(SECRET), "")

                assert answer.status_code < 500, f"{path}{query}: {answer.text}"
                assert SECRET not in text, f"{path}{query} with {ids is pool.secret}"
                for name in ("idea_id", "run_id"):
                    shown = answer.headers.get("location", "") + text.replace(query[1:], "")
                    assert ids is pool.secret or pool.secret[name] not in shown, f"{path}{query}"


@pytest.mark.parametrize("path", ["/api/v1/ideas", "/api/v1/runs", "/api/v1/boards"])
def test_lists_have_only_what_one_may_read(pool: Pool, path: str) -> None:
    mine = pool.ask("reader", "GET", path).text
    everything = pool.ask("owner", "GET", path).text

    assert OPEN_WORD in mine
    assert SECRET not in mine
    assert SECRET in everything
    assert pool.ask("reader", "GET", f"/api/v1/ideas?q={SECRET}").json() == []


def bodies(ids: dict[str, str], mine: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Requests that name things of another board in their body."""
    both = [mine["idea_id"], ids["idea_id"]]
    votes = {"first_id": ids["idea_id"], "second_id": ids["other_id"], "outcome": "first"}
    return [
        ("/ideas", {"board_id": ids["board_id"], "title": "x"}),
        ("/ideas", {"board_id": mine["board_id"], "title": "x", "parent_id": ids["idea_id"]}),
        ("/ideas/bulk", {"operation": "set_star", "ids": [ids["idea_id"]], "star": False}),
        ("/ideas/bulk", {"operation": "delete", "ids": both}),
        (
            "/ideas/bulk",
            {"operation": "move", "ids": [mine["idea_id"]], "board_id": ids["board_id"]},
        ),
        ("/ideas/bulk", {"operation": "restore", "ids": [ids["deleted_id"]]}),
        ("/brainstorm", {"board_id": ids["board_id"], "topic": "x", "n": 1}),
        ("/brainstorm", {"idea_id": ids["idea_id"], "n": 1}),
        ("/brainstorm", {"board_id": mine["board_id"], "idea_ids": both, "n": 1}),
        (
            "/brainstorm",
            {"board_id": mine["board_id"], "suggestion_id": ids["suggestion_id"], "n": 1},
        ),
        ("/refine", {"idea_id": ids["idea_id"]}),
        ("/evaluate", {"idea_id": ids["idea_id"]}),
        ("/rank", {"board_id": ids["board_id"], "pairs": 1}),
        (f"/boards/{mine['board_id']}/evaluate", {"idea_ids": both}),
        (f"/boards/{mine['board_id']}/comparisons", votes),
        (f"/boards/{mine['board_id']}/clusters", {"groups": [{"title": "x", "idea_ids": both}]}),
        (f"/runs/{mine['run_id']}/keep", {"suggestion_ids": [ids["suggestion_id"]]}),
    ]


def everything_of(pool: Pool, board_id: str) -> Any:
    exported = pool.ask("owner", "GET", f"/api/v1/export?board={board_id}").json()
    del exported["exported_at"]
    return exported


def test_ids_of_another_board_in_a_body_are_unknown_ids(pool: Pool) -> None:
    before = everything_of(pool, pool.secret["board_id"])
    for path, body in bodies(pool.secret, pool.ids):
        answer = pool.ask("editor", "POST", f"/api/v1{path}", json=body)

        assert answer.status_code in (404, 422), f"{path} {body}: {answer.status_code}"
        assert SECRET not in answer.text, f"{path} {body}"
    moved = pool.ask(
        "editor",
        "PATCH",
        f"/api/v1/ideas/{pool.ids['idea_id']}",
        json={"board_id": pool.secret["board_id"]},
    )

    assert moved.status_code == 404
    assert everything_of(pool, pool.secret["board_id"]) == before


def test_who_may_only_read_a_board_cannot_change_it_by_ids_in_a_body(pool: Pool) -> None:
    """An editor of one board and reader of another may call the routes, but not for the other."""
    person = join(pool, "mixed", "editor", pool.ids["board_id"])
    pool.ask(
        "owner",
        "PATCH",
        f"/api/v1/people/{person}",
        json={"boards": {pool.secret["board_id"]: "reader"}},
    )
    before = everything_of(pool, pool.secret["board_id"])
    for path, body in bodies(pool.secret, pool.ids):
        answer = pool.ask("mixed", "POST", f"/api/v1{path}", json=body)
        if "parent_id" in body or "idea_ids" in body or "suggestion_id" in body:
            # To read the other board's idea for one's own board is allowed.
            continue

        assert answer.status_code in (403, 404, 422), f"{path} {body}: {answer.status_code}"

    assert everything_of(pool, pool.secret["board_id"]) == before


@pytest.mark.parametrize(
    ("view", "controls"),
    [
        ("lanes", ("data-movable", "/place", 'class="pick"')),
        ("list", ("/edit", "/status", "/star", 'class="pick"')),
        ("map", ("data-movable", "/place", 'id="map-bar"')),
    ],
)
def test_only_editors_see_what_moves_and_changes_cards(
    pool: Pool, view: str, controls: tuple[str, ...]
) -> None:
    page = f"/boards/{pool.ids['board_id']}" + ("/map" if view == "map" else f"?view={view}")

    shown = {
        role: pool.ask(role, "GET", page, html=True).text
        for role in ("reader", "commenter", "editor")
    }

    for control in controls:
        is_shown = {role: control in html for role, html in shown.items()}
        assert is_shown == {"reader": False, "commenter": False, "editor": True}, control
    assert all(OPEN_WORD in html for html in shown.values())


def test_a_reader_changes_nothing_and_a_commenter_only_comments(pool: Pool) -> None:
    idea = pool.ids["idea_id"]
    for who, status in (("reader", 403), ("commenter", 201)):
        said = pool.ask(who, "POST", f"/api/v1/ideas/{idea}/comments", json={"body": "Nice."})
        written = pool.ask(who, "PATCH", f"/api/v1/ideas/{idea}", json={"title": "Mine"})

        assert said.status_code == status
        assert written.status_code == 403
        assert "role “editor”" in written.json()["detail"]


def test_imports_stay_on_the_boards_of_whoever_imports(pool: Pool) -> None:
    secret, text = pool.secret["board_id"], {"content-type": "text/plain"}
    client = TestClient(pool.app, base_url="http://localhost", raise_server_exceptions=False)
    key = {"authorization": f"Bearer {pool.tokens['editor']}"}

    there = client.post(f"/api/v1/import?board={secret}", content="x", headers=key | text)
    archive = pool.ask("owner", "GET", f"/api/v1/export?board={pool.ids['board_id']}").json()
    whole = client.post("/api/v1/import", json=archive, headers=key)
    new_board = client.post(
        "/api/v1/import",
        content="# Brand new\n\n- idea\n",
        headers=key | {"content-type": "text/markdown"},
    )
    mine = client.post(
        f"/api/v1/import?board={pool.ids['board_id']}",
        content=f"id,title\r\n{pool.secret['idea_id']},Taken\r\n",
        headers=key | {"content-type": "text/csv"},
    )

    assert whole.status_code == 403, whole.text
    assert (there.status_code, whole.status_code, new_board.status_code) == (404, 403, 403)
    assert mine.status_code == 200, mine.text
    secret_idea = pool.ask("owner", "GET", f"/api/v1/ideas/{pool.secret['idea_id']}").json()
    assert secret_idea["title"] != "Taken"


def test_an_export_of_everything_is_for_owners(pool: Pool) -> None:
    export = "/api/v1/export"

    assert pool.ask("editor of everything", "GET", export).status_code == 403
    assert pool.ask("reader", "GET", f"{export}?board={pool.ids['board_id']}").status_code == 200
    assert pool.ask("reader", "GET", f"{export}?board={pool.secret['board_id']}").status_code == 404


KEYS = ["read key of an owner", "write key of an owner"]


@pytest.mark.parametrize("who", [*MEMBERS, "reader of everything", "editor of everything", *KEYS])
def test_pages_offer_nothing_that_would_be_refused(pool: Pool, who: str) -> None:
    actor = pool.store.people.by_token(pool.tokens[who])
    assert actor is not None
    refused = set()
    for method, path in routes(pool.app):
        if method != "GET" or path.startswith(("/api/", "/v1/")) or path.endswith(STREAMS):
            continue
        page = pool.ask(who, "GET", filled(path, pool.ids), html=True)
        for kind, target in offers(page.text if page.status_code == 200 else ""):
            if checked(pool, actor, kind, target) != 200:
                refused.add(f"{path} offers {kind} {target}")

    assert refused == set()


def offers(html: str) -> Iterator[tuple[str, str]]:
    """The addresses that a page's forms and links lead to."""
    forms = r"<form\b[^>]*method=\"post\"[^>]*action=\"([^\"?]+)|formaction=\"([^\"?]+)"
    for found in re.findall(forms, html):
        yield "POST", "".join(found)
    for link in re.findall(r"href=\"(/[^\"?#]*)", html):
        need = NEEDS.get(f"GET {link}")
        if not link.startswith(OPEN_PREFIXES) and not (need and need.parameter == "?"):
            yield "GET", link


def test_a_form_that_is_refused_does_not_show_a_page_that_its_sender_may_not_see(
    pool: Pool,
) -> None:
    """The page of a refused form is the browser's choice."""
    client = TestClient(pool.app, base_url="http://localhost", follow_redirects=False)
    key = {"authorization": f"Bearer {pool.tokens['reader']}"}
    for page in ("/people", f"/boards/{pool.secret['board_id']}"):
        referer = {"referer": f"http://localhost{page}", "origin": "http://localhost"}
        answer = client.post("/me", data={"name": " "}, headers=PAGE | key | referer)

        assert "commenter of everything" not in answer.text
        assert SECRET not in answer.text


def test_ideas_of_another_board_are_offered_only_where_all_its_readers_may_read_them(
    tmp_path: Path,
) -> None:
    app = create_app(Settings(data_dir=tmp_path, model="small"), FakeBackend())
    with TestClient(app, base_url="http://localhost"):
        found = cast(Store, app.state.store)
        party, picnic = (
            found.boards.create(BoardCreate(name=name, goal=f"a {name}")).id
            for name in ("party", "picnic")
        )
        found.ideas.create(IdeaCreate(board_id=party, title="Soup", body="From one pot."))
        keys = {topic_key("a party")}

        def offered() -> list[str]:
            return [one.title for one in found.topics.ideas(keys, outside=picnic)]

        assert offered() == ["Soup"]
        invitation, token = found.invitations.create(
            InvitationCreate(board_id=picnic, role="reader")
        )
        assert offered() == []
        acting = ACTOR.set(STRANGER)
        ada, _ = found.invitations.join(token, "Ada")
        ACTOR.reset(acting)
        found.invitations.withdraw(invitation.id)
        assert offered() == []
        found.people.update(ada, PersonUpdate(boards={party: "reader"}))
        assert offered() == ["Soup"]
        acting = ACTOR.set(Actor("bob", "Bob", None, {picnic: Role.EDITOR}))
        assert offered() == []
        ACTOR.reset(acting)
