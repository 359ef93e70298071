"""Which board a command means, by its name or id; and the list of them."""

import argparse
from typing import Any

from service.commands.connection import add_talk
from service.commands.printing import as_json, facts, line
from service.commands.rest import Rest
from service.errors import InvalidInput


def add_to(commands: Any) -> None:
    boards = commands.add_parser("boards", help="list the boards")
    boards.add_argument("--json", action="store_true", help="print JSON")
    add_talk(boards, _list)


def add_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--board", metavar="NAME", help=f"{text}, by name or id")


async def board_id(rest: Rest, name: str | None) -> str | None:
    """Raises: InvalidInput where no board is called so, or several are."""
    if name is None:
        return None
    boards = await rest.get("/boards")
    if any(board["id"] == name for board in boards):
        return name
    called = [board for board in boards if board["name"].casefold() == name.casefold()]
    if len(called) == 1:
        return str(called[0]["id"])
    if called:
        raise InvalidInput(f"{len(called)} boards are called {name!r}; `ideapool boards` has ids.")
    known = ", ".join(repr(board["name"]) for board in boards)
    raise InvalidInput(f"There is no board {name!r}; there are: {known}.")


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    boards = await rest.get("/boards")
    if options.json:
        as_json(boards)
        return 0
    for board in boards:
        line(facts([f"{board['id']}  {board['name']}", board["goal"]]))
    return 0
