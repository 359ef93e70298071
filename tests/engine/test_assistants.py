"""An assistant at `/mcp` of a real server with the real small model."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import TextResourceContents

from tests.support.app_server import Server, processes_of, serving
from tests.support.mcp_client import PATIENCE_S, over_http, text_of
from tests.support.timing import quickest

# One that the small model finds a usable idea with at once.
TOPIC, SEED = "a street party", 7


def test_an_assistant_brainstorms_evaluates_and_reads_what_it_added(shared_server: Server) -> None:
    async def story() -> Any:
        async with over_http(shared_server.url) as client:
            made = await client.call_tool("brainstorm", {"topic": TOPIC, "n": 1, "seed": SEED})
            assert made.structured_content is not None, text_of(made)
            suggestion = made.structured_content["suggestions"][0]
            added = await client.call_tool("add_idea", {"suggestion_id": suggestion["id"]})
            assert added.structured_content is not None, text_of(added)
            idea = added.structured_content["id"]
            # The small model sometimes writes nothing that can be used.
            for _ in range(5):
                judged = await client.call_tool("evaluate", {"idea_id": idea})
                if not judged.is_error:
                    break
            text = (await client.read_resource(f"ideapool://ideas/{idea}")).contents[0]
            return suggestion, judged.structured_content, text

    suggestion, judged, text = asyncio.run(asyncio.wait_for(story(), PATIENCE_S))

    assert isinstance(text, TextResourceContents)
    assert suggestion["title"] in text.text
    assert f"Overall: {judged['overall']:.1f}" in text.text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_terminated_server_ends_calls_of_assistants_and_itself(tmp_path: Path, mode: str) -> None:
    async def call(server: Server) -> tuple[float, Any]:
        async with over_http(server.url, mode=mode) as client:
            begun = asyncio.Event()
            ending = asyncio.create_task(brainstorm(client, begun))
            await begun.wait()
            took_s = await asyncio.to_thread(server.stop)
            return took_s, await ending

    async def brainstorm(client: Client, begun: asyncio.Event) -> Any:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            begun.set()

        return await client.call_tool(
            "brainstorm", {"topic": TOPIC, "n": 20, "seed": SEED}, progress_callback=on_progress
        )

    def attempt() -> float:
        with serving(tmp_path, IDEAPOOL_DRAIN_S="0") as server:
            server.await_models()
            took_s, result = asyncio.run(asyncio.wait_for(call(server), PATIENCE_S))
            assert result.is_error
            assert "interrupted" in text_of(result)
            assert not processes_of(tmp_path)
            return took_s

    assert quickest(attempt, 5) < 5
