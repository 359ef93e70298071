"""Finds boards, rubrics and ideas by what people call them, over the REST API."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from service.api_client.rest import Rest, next_cursor, segment
from service.errors import InvalidInput, ServerRefused

PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """`corrected` has the words that were searched for because no idea contains the given ones."""

    ideas: list[dict[str, Any]]
    has_more: bool
    corrected: str


async def board_id(rest: Rest, name: str | None) -> str | None:
    """Raises: InvalidInput if no board or several boards have this name."""
    if name is None:
        return None
    boards = await rest.all("/boards")
    called = _ids_of(name, boards)
    if len(called) > 1:
        raise InvalidInput(
            f"{len(called)} boards are called {name!r}. Use an id: {', '.join(called)}."
        )
    if not called:
        raise InvalidInput(f"There is no board {name!r}. The boards are: {_names(boards)}.")
    return called[0]


async def chosen_board(rest: Rest, name: str | None) -> str:
    """The id of the named board, or else of the oldest one. Raises: as `board_id`."""
    return await board_id(rest, name) or str((await rest.get("/boards", limit=1))[0]["id"])


async def rubric_id(rest: Rest, idea_id: str, name: str | None) -> str | None:
    """The id of a rubric of the idea's board. Raises: InvalidInput if it has none of this name."""
    if name is None:
        return None
    idea = await rest.get(f"/ideas/{segment(idea_id)}")
    rubrics = await rest.all(f"/boards/{idea['board_id']}/rubrics")
    called = _ids_of(name, rubrics)
    if not called:
        known = _names(rubrics) or "none"
        raise InvalidInput(f"The idea's board has no rubric {name!r}. Its rubrics are: {known}.")
    return called[0]


async def named_idea(rest: Rest, name: str) -> dict[str, Any]:
    """The idea with this id or, failing that, the only one with this title or these words.

    Raises: InvalidInput if no idea or several ideas fit.
    """
    if not name.strip():
        raise InvalidInput("Say which idea: give its title or its id.")
    try:
        return dict(await rest.get(f"/ideas/{segment(name)}"))
    except ServerRefused as refused:
        # A long title cannot be an id.
        if refused.status not in (404, 422):
            raise
    # A guess at what a misspelt name means could be another idea.
    found = (await find_ideas(rest, {"q": name, "exact": True}, PAGE)).ideas
    entitled = [one for one in found if one["title"].casefold() == name.casefold()]
    fitting = entitled or found
    if not fitting:
        raise InvalidInput(f"No idea has the id, the title or the words {name!r}.")
    if len(fitting) > 1:
        shown = ", ".join(f"{one['title']!r} ({one['id']})" for one in fitting[:10])
        raise InvalidInput(f"Several ideas fit {name!r}. Use an id: {shown}.")
    return fitting[0]


async def find_ideas(rest: Rest, query: dict[str, Any], limit: int) -> Found:
    """Fetches up to `limit` ideas page by page."""
    ideas: list[dict[str, Any]] = []
    while True:
        page = await rest.call(
            "GET", "/ideas", query=query | {"limit": min(PAGE, limit - len(ideas))}
        )
        ideas += page.json()
        cursor = next_cursor(page)
        if cursor is None or len(ideas) >= limit:
            corrected = unquote(page.headers.get("Corrected-Search", ""))
            return Found(ideas, cursor is not None, corrected)
        query = query | {"cursor": cursor}


def _ids_of(name: str, things: list[dict[str, Any]]) -> list[str]:
    """The ids of what has this id or, failing that, this name."""
    if any(one["id"] == name for one in things):
        return [name]
    return [str(one["id"]) for one in things if one["name"].casefold() == name.casefold()]


def _names(things: list[dict[str, Any]]) -> str:
    return ", ".join(repr(one["name"]) for one in things)
