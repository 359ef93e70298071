"""Completes the arguments of prompts and of addresses while a person types them."""

from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from service.api_client.lookups import find_ideas
from service.mcp.connection import Connection, errors_told, failed

SHOWN = 20


class Completions:
    """Prompts take names and titles, addresses take ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def complete(
        self,
        reference: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        _context: CompletionContext | None,
    ) -> Completion | None:
        async with errors_told(self._connection, failed):
            is_address = isinstance(reference, ResourceTemplateReference)
            if argument.name in ("board", "board_id"):
                return await self._boards(argument.value, "id" if is_address else "name")
            if argument.name in ("idea", "idea_id"):
                return await self._ideas(argument.value, "id" if is_address else "title")
        return None

    async def _boards(self, typed: str, field: str) -> Completion:
        boards = await (await self._connection.rest()).all("/boards")
        wanted = typed.casefold()
        fitting = [
            str(one[field])
            for one in boards
            if wanted in one["name"].casefold() or one["id"].startswith(typed)
        ]
        return Completion(values=fitting[:SHOWN], total=len(fitting), has_more=len(fitting) > SHOWN)

    async def _ideas(self, typed: str, field: str) -> Completion:
        rest = await self._connection.rest()
        found = await find_ideas(rest, {"q": typed, "sort": "updated"}, SHOWN)
        values = [str(one[field]) for one in found.ideas]
        return Completion(values=values, has_more=found.has_more)
