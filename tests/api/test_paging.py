"""The lists of the REST API, page by page."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from mcp.client import Client
from sqlmodel import update

from service.api_client import rest
from service.cli.connection.persistent import PersistentConnection
from service.cli.main import main
from service.mcp.server import build
from service.schemas.identity import now
from service.settings import Settings
from service.store import Store
from service.store.cursors import encode
from service.store.tables import Board, Comparison, Evaluation
from tests.support.raw_http import PATIENCE_S

pytestmark = pytest.mark.both_databases

API = "/api/v1"
LISTS = (
    "boards",
    "deleted",
    "tags",
    "versions",
    "evaluations",
    "rubrics",
    "comparisons",
    "attachments",
)
COUNT = 7


class Lists:
    """Every list of the API, with `COUNT` items each, and ways to add and remove some."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.board = str(client.get(f"{API}/boards").json()[0]["id"])
        self.idea, self.other = (self.new("/ideas", title=title) for title in ("Soup", "Chalk"))

    @property
    def store(self) -> Store:
        store: Store = self.client.app.state.store  # type: ignore[attr-defined]
        return store

    def path(self, name: str) -> str:
        return {
            "boards": f"{API}/boards",
            "deleted": f"{API}/boards?deleted=true",
            "tags": f"{API}/boards/{self.board}/tags",
            "versions": f"{API}/ideas/{self.idea}/versions",
            "evaluations": f"{API}/ideas/{self.idea}/evaluations",
            "rubrics": f"{API}/boards/{self.board}/rubrics",
            "comparisons": f"{API}/boards/{self.board}/comparisons",
            "attachments": f"{API}/ideas/{self.idea}/attachments",
            "runs": f"{API}/runs",
        }[name]

    def page_of(self, name: str, limit: int) -> str:
        path = self.path(name)
        return f"{path}{'&' if '?' in path else '?'}limit={limit}"

    def new(self, path: str, **shape: Any) -> str:
        made = self.client.post(f"{API}{path}", json=shape)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def add(self, name: str, number: int) -> None:
        if name in ("boards", "deleted"):
            board = self.new("/boards", name=f"Board {number}")
            if name == "deleted":
                self.client.delete(f"{API}/boards/{board}")
        elif name == "tags":
            self.new("/ideas", title=f"Idea {number}", tags=[f"tag {number}", "street"])
        elif name == "versions":
            self.client.patch(f"{API}/ideas/{self.idea}", json={"body": f"Text {number}"})
        elif name == "evaluations":
            answer = self.client.post(f"{API}/evaluate", json={"idea_id": self.idea})
            assert answer.status_code == 200, answer.text
        elif name == "rubrics":
            criteria = [{"name": "cost", "description": "cheap"}]
            self.new(f"/boards/{self.board}/rubrics", name=f"Rubric {number}", criteria=criteria)
        elif name == "attachments":
            sent = {"file": (f"notes {number}.txt", b"Soup")}
            assert self.client.post(self.path(name), files=sent).status_code == 201
        else:
            vote = {"first_id": self.idea, "second_id": self.other, "outcome": "first"}
            self.new(f"/boards/{self.board}/comparisons", **vote)

    def remove(self, name: str, item: Any) -> bool:
        """Removes an item; False if nothing on this list can be removed."""
        item_id = item.get("id")
        if name == "deleted":
            self.client.post(f"{API}/boards/{item_id}/restore")
        elif name == "attachments":
            self.client.delete(f"{API}/attachments/{item_id}")
        elif name == "tags":
            found = self.client.get(f"{API}/ideas", params={"tag": item["name"]}).json()
            self.client.delete(f"{API}/ideas/{found[0]['id']}")
        elif name in ("boards", "rubrics", "comparisons"):
            self.client.delete(f"{self.path(name)}/{item_id}")
        else:
            return False
        return True

    def fill(self, name: str) -> list[Any]:
        """Fills the list and returns all of it."""
        for number in range(COUNT):
            self.add(name, number)
        everything: list[Any] = self.client.get(self.path(name)).json()
        assert len(everything) >= COUNT
        return everything

    def pages(self, name: str, limit: int) -> Iterator[list[Any]]:
        further: str | None = self.page_of(name, limit)
        while further is not None:
            page = self.client.get(further)
            assert page.status_code == 200, page.text
            yield page.json()
            further = page.links.get("next", {}).get("url")


@pytest.fixture
def lists(client: TestClient) -> Lists:
    return Lists(client)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_each_item_is_on_exactly_one_page(lists: Lists, name: str, limit: int) -> None:
    everything = lists.fill(name)

    pages = list(lists.pages(name, limit))

    assert [item for page in pages for item in page] == everything
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= limit


@pytest.mark.parametrize("name", LISTS)
def test_what_comes_and_goes_meanwhile_moves_nothing_else(lists: Lists, name: str) -> None:
    everything = lists.fill(name)
    pages = lists.pages(name, 3)
    read = next(pages)

    lists.add(name, COUNT)
    removed = [item for item in (read[0], everything[-1]) if lists.remove(name, item)]
    read += [item for page in pages for item in page]

    stayed = [id_of(item) for item in everything if item not in removed[1:]]
    known = {id_of(item) for item in everything}
    assert [id_of(item) for item in read if id_of(item) in known] == stayed
    assert len({id_of(item) for item in read}) == len(read)


def id_of(item: Any) -> Any:
    """What identifies an item of any list."""
    return next(item[key] for key in ("id", "number", "run_id", "name") if key in item)


@pytest.mark.parametrize(
    ("name", "table"),
    [("boards", Board), ("evaluations", Evaluation), ("comparisons", Comparison)],
)
def test_items_of_the_same_moment_are_told_apart(lists: Lists, name: str, table: Any) -> None:
    lists.fill(name)
    with lists.store.boards._database.write() as session:
        session.exec(update(table).values(created_at=now()))

    ids = [id_of(item) for page in lists.pages(name, 2) for item in page]

    assert len(set(ids)) == len(ids) == len(lists.client.get(lists.path(name)).json())


@pytest.mark.parametrize("name", LISTS)
def test_the_next_page_keeps_the_filters(lists: Lists, name: str) -> None:
    lists.fill(name)

    further = lists.client.get(lists.page_of(name, 2)).links["next"]["url"]

    assert further.startswith(f"{lists.page_of(name, 2)}&cursor=")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many"])
def test_a_limit_has_bounds(lists: Lists, name: str, limit: str) -> None:
    refused = lists.client.get(lists.path(name), params={"limit": limit})

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#query/limit"


def spoiled(name: str) -> list[str]:
    moment = "2026-01-01T00:00:00+00:00"
    raw = [b"7", b"[]", b"{}", b"nonsense", b'["x", "\\ud800"]', b"[" * 900]
    return [
        "!",
        "bad",
        *(base64.urlsafe_b64encode(one).decode() for one in raw),
        encode(["others", moment, "x"]),
        encode([name]),
        encode([name, moment]),
        encode([name, "yesterday", "x"]),
        encode([name, moment, 7]),
        encode([name, None, None]),
        encode([name, 2**70]),
        encode([name, 2**70, "x"]),
        encode([name, True, "x"]),
        encode([name, "\ud800", "\ud800"]),
        encode([name, "\ud800"]),
        encode([name, moment, "x", "x"]),
    ]


@pytest.mark.parametrize("name", [*LISTS, "runs"])
def test_a_cursor_of_another_list_is_refused(lists: Lists, name: str) -> None:
    cursors = spoiled("deleted-boards" if name == "deleted" else name)
    if name == "rubrics":
        # A name is the place in this list.
        cursors.remove(encode([name, "2026-01-01T00:00:00+00:00"]))

    for cursor in cursors:
        refused = lists.client.get(lists.path(name), params={"cursor": cursor})
        assert refused.status_code == 422, cursor
        assert refused.json()["errors"][0]["pointer"] == "/cursor"
        assert "Start again without it" in refused.json()["detail"]


def test_every_list_has_a_limit_and_a_cursor(client: TestClient) -> None:
    document = client.get(f"{API}/openapi.json").json()
    lists = {
        get["operationId"]: {one["name"] for one in get.get("parameters", [])}
        for path, operations in document["paths"].items()
        if path.startswith(API) and (get := operations.get("get")) is not None
        if "200" in get["responses"]
        if get["responses"]["200"].get("content", {}).get("application/json", {})
        if get["responses"]["200"]["content"]["application/json"]["schema"].get("type") == "array"
    }

    # The methods of brainstorming and the templates of boards are part of the program.
    del lists["listMethods"], lists["listBoardTemplates"]
    assert len(lists) == 18
    assert all({"limit", "cursor"} <= parameters for parameters in lists.values()), lists


@pytest.fixture
def many_boards(url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of more boards than are on a page."""
    monkeypatch.setattr(rest, "PAGE", 2)
    names = [f"Board {number}" for number in range(5)]
    with httpx2.Client(base_url=url) as http:
        for name in names:
            http.post(f"{API}/boards", json={"name": name}).raise_for_status()
    return ["My ideas", *names]


def test_commands_read_all_pages(
    url: str,
    many_boards: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IDEAPOOL_URL", url)

    assert main(["boards", "--json"]) == 0
    assert [board["name"] for board in json.loads(capsys.readouterr().out)] == many_boards

    assert main(["ideas", "add", "Soup", "--board", many_boards[-1], "--json"]) == 0


def test_tools_read_all_pages(url: str, many_boards: list[str]) -> None:
    async def boards() -> list[str]:
        connection = PersistentConnection(Settings(url=url))
        try:
            async with Client(build(connection)) as client:
                result = await client.call_tool("find_ideas", {})
        finally:
            await connection.close()
        assert result.structured_content is not None
        return [one["name"] for one in result.structured_content["boards"]]

    assert asyncio.run(asyncio.wait_for(boards(), PATIENCE_S)) == many_boards
