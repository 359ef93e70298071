"""The tools of `ideapool mcp`, asked by the SDK's own client over stdio."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from service.app import create_app
from service.cli.connection.persistent import PersistentConnection
from service.mcp.server import build
from service.settings import Settings
from tests.support.app_server import free_port, listening, served, url_of
from tests.support.fake_backend import FakeBackend
from tests.support.mcp_client import brainstormed, over_stdio, text_of, use

# A process of its own starts in it.
PATIENCE_S = 240
Story = Callable[[Client], Awaitable[Any]]
Play = Callable[[Story], Any]


class Assistant:
    """One `ideapool mcp` process and its client, for all tests of the module.

    Its address stays the same; at it is the server of the test that runs.
    """

    def __init__(self, runner: asyncio.Runner, server: StdioServerParameters) -> None:
        self._runner = runner
        self._server = server
        self._leaving = asyncio.Event()

    def start(self) -> None:
        self._client = self._run(self._start())

    def play(self, story: Story) -> Any:
        return self._run(story(self._client))

    def stop(self) -> None:
        self._leaving.set()
        self._run(self._holder)

    async def _start(self) -> Client:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(ready))
        either: set[asyncio.Future[Any]] = {self._holder, ready}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._holder.done():
            self._holder.result()
        return ready.result()

    async def _hold(self, ready: asyncio.Future[Client]) -> None:
        # Entered and left in one task, as its cancel scopes ask.
        async with Client(self._server) as client:
            ready.set_result(client)
            await self._leaving.wait()

    def _run(self, awaitable: Awaitable[Any]) -> Any:
        return self._runner.run(asyncio.wait_for(awaitable, PATIENCE_S))


def play_here(settings: Settings, story: Story) -> Any:
    """The same without a process of its own, for what does not depend on that."""

    async def whole() -> Any:
        connection = PersistentConnection(settings)
        try:
            async with Client(build(connection)) as client:
                return await story(client)
        finally:
            await connection.close()

    return asyncio.run(asyncio.wait_for(whole(), PATIENCE_S))


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with listening() as listener:
        yield listener


@pytest.fixture
def url(migrated: Settings, backend: FakeBackend, listener: socket.socket) -> Iterator[str]:
    """Of a server of the test's own, at an address that all of them share."""
    with served(create_app(migrated, backend), listener) as url:
        yield url


@pytest.fixture(scope="module")
def assistant(listener: socket.socket) -> Iterator[Assistant]:
    with asyncio.Runner() as runner:
        assistant = Assistant(runner, over_stdio({"IDEAPOOL_URL": url_of(listener)}))
        assistant.start()
        yield assistant
        assistant.stop()


@pytest.fixture
def play(url: str, assistant: Assistant) -> Play:  # noqa: ARG001
    return assistant.play


def test_there_are_at_most_eight_tools_each_described_with_its_parameters(play: Play) -> None:
    async def story(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = play(story)

    assert {tool.name for tool in tools} == {
        *("brainstorm", "refine", "evaluate", "find_ideas"),
        *("add_idea", "update_idea", "rank_ideas", "export_ideas"),
    }
    assert len(tools) <= 8
    assert all(tool.description and tool.annotations for tool in tools)
    methods = next(tool for tool in tools if tool.name == "brainstorm").input_schema
    assert "scamper" in methods["properties"]["method"]["enum"]
    assert not {"context", "self", "tools"} & methods["properties"].keys()


def test_resources_and_prompts_are_there_too(play: Play, url: str) -> None:
    async def story(client: Client) -> Any:
        listed = [one.uri for one in (await client.list_resources()).resources]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        task = (await client.get_prompt("weigh_ideas")).messages[0]
        return listed, prompts, task, await client.read_resource(listed[1])

    listed, prompts, task, board = play(story)

    (here,) = httpx2.get(f"{url}/api/v1/boards").json()
    assert listed == ["ideapool://boards", f"ideapool://boards/{here['id']}"]
    assert prompts == ["brainstorm", "improve_idea", "weigh_ideas"]
    assert here["id"] in task.content.text
    assert f"# {here['name']}" in board.contents[0].text


def test_from_a_topic_to_a_kept_refined_evaluated_exported_idea(play: Play) -> None:
    async def story(client: Client) -> Any:
        suggestions, told = await brainstormed(client, 3)
        idea = await use(client, "add_idea", suggestion_id=suggestions[0]["id"])
        again = await use(client, "add_idea", suggestion_id=suggestions[0]["id"])
        refined = await use(client, "refine", idea_id=idea["id"], accept=True)
        evaluated = await use(client, "evaluate", idea_id=idea["id"])
        found = await use(client, "find_ideas", idea_id=idea["id"])
        exported = await use(client, "export_ideas")
        assert idea["id"] == again["id"]
        return suggestions, told, refined, evaluated, found["ideas"][0], exported["content"]

    suggestions, told, refined, evaluated, idea, exported = play(story)

    assert told == [(place, 3, one["title"]) for place, one in enumerate(suggestions, start=1)]
    assert (idea["title"], idea["version"]) == (refined["title"], 2)
    assert idea["score"] == evaluated["overall"]
    assert f"## {refined['title']}" in exported


def test_ideas_are_added_changed_and_found_by_words_and_board(play: Play, url: str) -> None:
    httpx2.post(f"{url}/api/v1/boards", json={"name": "Street"})

    async def story(client: Client) -> Any:
        made = await use(client, "add_idea", title="Tool shelf", board="street", tags=["home"])
        for number in range(3):
            await use(client, "add_idea", title=f"other {number}")
        changed = await use(client, "update_idea", idea_id=made["id"], starred=True)
        stale = await client.call_tool(
            "update_idea", {"idea_id": made["id"], "title": "x", "revision": made["revision"]}
        )
        found = await use(client, "find_ideas", board="Street", words="shel", starred=True)
        some = await use(client, "find_ideas", limit=2)
        return changed, stale, found, some

    changed, stale, found, some = play(story)

    assert [idea["id"] for idea in found["ideas"]] == [changed["id"]]
    assert stale.is_error
    assert (len(some["ideas"]), some["has_more"]) == (2, True)
    assert "Street" in {board["name"] for board in some["boards"]}


def test_an_idea_is_judged_by_a_rubric_of_its_board_called_by_name(play: Play, url: str) -> None:
    async def story(client: Client) -> Any:
        idea = await use(client, "add_idea", title="Soup")
        rubrics = f"{url}/api/v1/boards/{idea['board_id']}/rubrics"
        rubric = {"name": "For the street", "criteria": [{"name": "cost"}]}
        httpx2.post(rubrics, json=rubric).raise_for_status()
        named = {"idea_id": idea["id"], "rubric": "for the street", "language": "sv"}
        return await use(client, "evaluate", **named)

    judged = play(story)

    assert list(judged["scores"]) == ["cost"]
    prompts = httpx2.get(f"{url}/api/v1/runs/{judged['run_id']}").text
    assert "Write all of it in Swedish." in prompts


def test_ideas_are_ranked_by_votes_and_by_the_model(play: Play) -> None:
    async def story(client: Client) -> Any:
        one = await use(client, "add_idea", title="Tool shelf")
        two = await use(client, "add_idea", title="Soup", body="A much longer text.")
        vote = {"first_id": one["id"], "second_id": two["id"], "outcome": "first"}
        people = await use(client, "rank_ideas", vote=vote)
        model = await use(client, "rank_ideas", by="model", compare=1)
        return people, model

    people, model = play(story)

    assert [idea["title"] for idea in people["ideas"]] == ["Tool shelf", "Soup"]
    assert (people["comparisons"], model["comparisons"]) == (1, 1)
    assert model["by"] == "model"


def test_a_suggestion_is_kept_with_another_text_status_and_tags(play: Play) -> None:
    async def story(client: Client) -> Any:
        made = await use(client, "brainstorm", topic="a street party", n=1)
        suggestion = made["suggestions"][0]["id"]
        more = {"title": "Better", "tags": ["food"], "status": "kept"}
        return await use(client, "add_idea", suggestion_id=suggestion, **more)

    idea = play(story)

    assert (idea["title"], idea["tags"], idea["status"]) == ("Better", ["food"], "kept")


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("find_ideas", {"idea_id": "nobody"}, "The idea nobody does not exist or was deleted."),
        ("find_ideas", {"idea_id": "no body?"}, "The idea no body? does not exist"),
        ("brainstorm", {}, "Give either a topic"),
        ("brainstorm", {"topic": "x", "board": "nowhere"}, "boards are: "),
        ("refine", {"title": "x", "accept": True}, "accept needs an idea_id"),
        (
            "refine",
            {"title": "x", "body": "y", "selection": "z"},
            "This passage is not in the text",
        ),
        ("evaluate", {"title": "x", "rubric": "y"}, "rubric needs an idea_id"),
        ("add_idea", {"suggestion_id": "none"}, "none"),
        ("add_idea", {"body": "x"}, "either a title or a suggestion_id"),
    ],
)
def test_what_fails_tells_the_assistant_why(
    url: str, tool: str, arguments: dict[str, Any], says: str
) -> None:
    async def story(client: Client) -> CallToolResult:
        return await client.call_tool(tool, arguments)

    result = play_here(Settings(url=url), story)

    assert result.is_error
    assert says in text_of(result)


def test_an_empty_text_means_that_nothing_was_chosen(url: str) -> None:
    async def story(client: Client) -> Any:
        idea = await use(client, "add_idea", title="Soup", board="", suggestion_id="")
        found = await use(client, "find_ideas", idea_id="", board="")
        return idea, found["ideas"]

    idea, found = play_here(Settings(url=url), story)

    assert [one["id"] for one in found] == [idea["id"]]


def test_a_call_that_is_cancelled_stops_its_run(play: Play, url: str, backend: FakeBackend) -> None:
    backend.delay_s = 0.02

    async def story(client: Client) -> Any:
        begun = asyncio.Event()

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            begun.set()

        arguments = {"topic": "a street party", "n": 12}
        call = asyncio.create_task(
            client.call_tool("brainstorm", arguments, progress_callback=on_progress)
        )
        await begun.wait()
        call.cancel()
        async with httpx2.AsyncClient(base_url=url) as http:
            while True:
                run = (await http.get("/api/v1/runs")).json()[0]
                if run["status"] != "running":
                    return run
                await asyncio.sleep(0.02)

    assert play(story)["status"] == "cancelled"


def test_a_server_that_comes_back_is_found_again(settings: Settings) -> None:
    port = free_port()
    asking = Settings(url=f"http://127.0.0.1:{port}")
    app = create_app(settings, FakeBackend())

    async def story(client: Client) -> list[bool]:
        failed = []
        for is_up in (False, True, False, True):
            with ExitStack() as stack:
                if is_up:
                    listener = stack.enter_context(listening(port))
                    stack.enter_context(served(app, listener))
                failed.append((await client.call_tool("find_ideas", {})).is_error)
        return failed

    assert play_here(asking, story) == [True, False, True, False]
