"""What people can ask their assistant to do with Ideapool, by name: brainstorm, improve, weigh."""

from typing import Annotated

from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, EmbeddedResource, TextResourceContents
from pydantic import Field

from service.api_client.lookups import chosen_board, named_idea
from service.errors import ServiceError
from service.mcp.connection import Connection, errors_told
from service.mcp.resources import (
    MARKDOWN,
    board_address,
    board_text,
    idea_address,
    idea_text,
)

Topic = Annotated[str, Field(description="What the ideas should be about.")]
Board = Annotated[str, Field(description="A board's name or id. Default: the oldest board.")]
Idea = Annotated[str, Field(description="An idea's title or id, or words that only it has.")]
Wish = Annotated[str, Field(description="What should be better, for example “shorter”.")]


class Prompts:
    """Each method is a prompt; assistants show its docstring."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def brainstorm(self, topic: Topic, board: Board = "") -> list[UserMessage]:
        """Find ideas for a topic and put the good ones on a board."""
        async with errors_told(self._connection, _refusal):
            rest = await self._connection.rest()
            chosen = await chosen_board(rest, board or None)
            text = await board_text(rest, chosen)
        task = (
            f"Find ideas for this topic: {topic}\n\n"
            "1. Read the board below, so that you know its goal and what is on it already.\n"
            f"2. Call `brainstorm` with the topic and board {chosen!r}. Where the topic has several "
            "sides, or the ideas are much alike, call it again with another `method`.\n"
            "3. Show me the best suggestions, each with a sentence on why, and add your own ideas "
            "where you see a gap. Say which ones are yours.\n"
            "4. Ask me which ones to keep, and put only those on the board with `add_idea`."
        )
        return [UserMessage(task), _embedded(board_address(chosen), text)]

    async def improve_idea(self, idea: Idea, wish: Wish = "") -> list[UserMessage]:
        """Improve the text of an idea, and agree on it before anything changes."""
        async with errors_told(self._connection, _refusal):
            rest = await self._connection.rest()
            idea_id = (await named_idea(rest, idea))["id"]
            text = await idea_text(rest, idea_id)
        task = (
            f"Improve the idea below.{f' What should be better: {wish}' if wish else ''}\n\n"
            "1. If it has no evaluation of its present text, call `evaluate` with its id. Say what "
            "is weak.\n"
            f"2. Call `refine` with idea_id {idea_id!r} and an `instruction` that says what to "
            "change. Do not set `accept`.\n"
            "3. Check the proposal against the old text: it must keep every fact. Correct it "
            "yourself where it does not.\n"
            "4. Show me the old and the new text. If I agree, store it with `update_idea`, with the "
            "`revision` that you read."
        )
        return [UserMessage(task), _embedded(idea_address(idea_id), text)]

    async def weigh_ideas(self, board: Board = "") -> list[UserMessage]:
        """Weigh the ideas of a board against each other and say which to do first."""
        async with errors_told(self._connection, _refusal):
            rest = await self._connection.rest()
            chosen = await chosen_board(rest, board or None)
            text = await board_text(rest, chosen)
        task = (
            "Weigh the ideas of the board below against its goal, and say which to do first.\n\n"
            f"1. Call `rank_ideas` with board {chosen!r}: it shows what people chose so far.\n"
            "2. Call `evaluate` for the ideas that could win and have no score yet. Scores that are "
            "called rough estimates say little.\n"
            "3. Name the three strongest ideas, with the reasons for and against each, and the ideas "
            "that could be dropped or combined.\n"
            "4. Where two are close, ask me which one comes first, and pass on my answer as `vote` "
            "of `rank_ideas`. Never vote yourself."
        )
        return [UserMessage(task), _embedded(board_address(chosen), text)]


def _embedded(address: str, text: str) -> UserMessage:
    contents = TextResourceContents(uri=address, mime_type=MARKDOWN, text=text)
    return UserMessage(EmbeddedResource(type="resource", resource=contents))


def _refusal(error: ServiceError) -> MCPError:
    return MCPError(code=INVALID_PARAMS, message=error.detail)
