"""`ideapool boards`, and finding a board or rubric by name or id."""

import argparse
from typing import Any

from service.cli.connection.connect import add_talk
from service.cli.connection.rest import Rest
from service.cli.printing import as_json, facts, line
from service.errors import InvalidInput


def add_to(commands: Any) -> None:
    boards = commands.add_parser("boards", help="list the boards")
    boards.add_argument("--deleted", action="store_true", help="those that were deleted instead")
    boards.add_argument("--json", action="store_true", help="print JSON")
    add_talk(boards, _list)


def add_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--board", metavar="NAME", help=f"{text}, by name or id")


async def board_id(rest: Rest, name: str | None) -> str | None:
    """Raises: InvalidInput if no board or several boards have this name."""
    if name is None:
        return None
    boards = await rest.get("/boards")
    called = _ids_of(name, boards)
    if len(called) > 1:
        raise InvalidInput(
            f"{len(called)} boards are called {name!r}. Use the id: see `ideapool boards`."
        )
    if not called:
        raise InvalidInput(f"There is no board {name!r}. The boards are: {_names(boards)}.")
    return called[0]


async def rubric_id(rest: Rest, idea_id: str, name: str | None) -> str | None:
    """The id of a rubric of the idea's board. Raises: InvalidInput if it has none of this name."""
    if name is None:
        return None
    idea = await rest.get(f"/ideas/{idea_id}")
    rubrics = await rest.get(f"/boards/{idea['board_id']}/rubrics")
    called = _ids_of(name, rubrics)
    if not called:
        known = _names(rubrics) or "none"
        raise InvalidInput(f"The idea's board has no rubric {name!r}. Its rubrics are: {known}.")
    return called[0]


def _ids_of(name: str, things: list[dict[str, Any]]) -> list[str]:
    """The ids of what has this id or, failing that, this name."""
    if any(one["id"] == name for one in things):
        return [name]
    return [str(one["id"]) for one in things if one["name"].casefold() == name.casefold()]


def _names(things: list[dict[str, Any]]) -> str:
    return ", ".join(repr(one["name"]) for one in things)


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    boards = await rest.get("/boards", deleted=options.deleted)
    if options.json:
        as_json(boards)
        return 0
    for board in boards:
        line(facts([f"{board['id']}  {board['name']}", board["goal"]]))
    return 0
