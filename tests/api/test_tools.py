"""The tools of `ideapool mcp`, asked by the SDK's own client over stdio."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from service.app import create_app
from service.cli.connection.persistent import PersistentConnection
from service.cli.mcp.server import build
from service.settings import Settings
from tests.support.app_server import free_port, served
from tests.support.fake_backend import FakeBackend
from tests.support.mcp_client import over_stdio

# A process of its own starts in it.
PATIENCE_S = 240
Story = Callable[[Client], Awaitable[Any]]
Play = Callable[[Story], Any]


def play_with(environment: dict[str, str]) -> Play:
    server = over_stdio(environment)

    def run(story: Story) -> Any:
        async def whole() -> Any:
            async with Client(server) as client:
                return await story(client)

        return asyncio.run(asyncio.wait_for(whole(), PATIENCE_S))

    return run


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


@pytest.fixture
def play(url: str) -> Play:
    return play_with({"IDEAPOOL_URL": url})


async def use(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


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


def test_from_a_topic_to_a_kept_refined_evaluated_exported_idea(play: Play) -> None:
    async def story(client: Client) -> Any:
        told: list[tuple[float, float | None, str | None]] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))

        result = await client.call_tool(
            "brainstorm", {"topic": "a street party", "n": 3}, progress_callback=on_progress
        )
        assert result.structured_content is not None
        suggestions = result.structured_content["suggestions"]
        idea = await use(client, "add_idea", suggestion_id=suggestions[0]["id"])
        again = await use(client, "add_idea", suggestion_id=suggestions[0]["id"])
        refined = await use(client, "refine", idea_id=idea["id"], accept=True)
        evaluated = await use(client, "evaluate", idea_id=idea["id"])
        found = await use(client, "find_ideas", idea_id=idea["id"])
        exported = await use(client, "export_ideas")
        assert idea["id"] == again["id"]
        return suggestions, told, refined, evaluated, found["ideas"][0], exported["result"]

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
        ("find_ideas", {"idea_id": "nobody"}, "There is no idea nobody."),
        ("brainstorm", {}, "Give either a topic"),
        ("brainstorm", {"topic": "x", "board": "nowhere"}, "boards are: "),
        ("refine", {"title": "x", "accept": True}, "accept needs an idea_id"),
        ("refine", {"title": "x", "body": "y", "selection": "z"}, "does not hold this passage"),
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
            with served(app, port) if is_up else nullcontext():
                failed.append((await client.call_tool("find_ideas", {})).is_error)
        return failed

    assert play_here(asking, story) == [True, False, True, False]
