"""What AI assistants can read: the boards and their ideas, each with an address."""

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import Resource

from service.api_client.rest import Rest, segment
from service.errors import ServerRefused, ServiceError
from service.mcp.connection import Connection, errors_told, failed, read
from service.mcp.readable import readable
from service.mcp.untrusted import fenced, with_notice
from service.schemas.evaluation import EvaluationPublic
from service.schemas.ideas import IdeaPublic

BOARDS = "ideapool://boards"
BOARD = f"{BOARDS}/{{board_id}}"
RANKING = f"{BOARD}/ranking"
IDEAS = "ideapool://ideas"
IDEA = f"{IDEAS}/{{idea_id}}"
JSON, MARKDOWN = "application/json", "text/markdown"


class Resources:
    """Each method reads a resource; assistants see its docstring."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def boards(self) -> str:
        """All boards, with their goals and numbers of ideas."""
        async with errors_told(self._connection, _refusal):
            return (await (await self._connection.rest()).call("GET", "/boards")).text

    async def board(self, board_id: str) -> str:
        """A board: its goal and all of its ideas, with their ids."""
        async with errors_told(self._connection, _refusal):
            return await board_text(await self._connection.rest(), board_id)

    async def ranking(self, board_id: str) -> str:
        """The ideas of a board, ranked by what people chose."""
        async with errors_told(self._connection, _refusal):
            rest = await self._connection.rest()
            path = f"/boards/{segment(board_id)}/ranking"
            ranking = await rest.call("GET", path, query={"format": "markdown"})
            return with_notice(fenced(ranking.text))

    async def idea(self, idea_id: str) -> str:
        """An idea: its text, its state and its newest evaluation."""
        async with errors_told(self._connection, _refusal):
            return await idea_text(await self._connection.rest(), idea_id)

    async def each_board(self) -> list[Resource]:
        async with errors_told(self._connection, failed):
            boards = await (await self._connection.rest()).all("/boards")
        return [
            Resource(
                uri=board_address(one["id"]),
                name=one["id"],
                title=one["name"],
                description=one["goal"] or None,
                mime_type=MARKDOWN,
            )
            for one in boards
        ]


def board_address(board_id: str) -> str:
    return f"{BOARDS}/{board_id}"


def idea_address(idea_id: str) -> str:
    return f"{IDEAS}/{idea_id}"


async def board_text(rest: Rest, board_id: str) -> str:
    """The board as Markdown, as untrusted data. Raises: ServiceError as the calls of `rest`."""
    query = {"board": board_id, "format": "markdown"}
    return with_notice(fenced((await rest.call("GET", "/export", query=query)).text))


async def idea_text(rest: Rest, idea_id: str) -> str:
    """The idea as Markdown, its texts as untrusted data. Raises: ServiceError as the calls of `rest`."""
    path = f"/ideas/{segment(idea_id)}"
    idea = read(IdeaPublic, await rest.get(path))
    evaluations = await rest.get(f"{path}/evaluations", limit=1)
    newest = [read(EvaluationPublic, one) for one in evaluations[:1]]
    return with_notice("\n\n".join(map(readable, [idea, *newest])) + "\n")


def _refusal(error: ServiceError) -> ResourceError:
    is_missing = isinstance(error, ServerRefused) and error.status == 404
    return ResourceNotFoundError(error.detail) if is_missing else ResourceError(error.detail)
