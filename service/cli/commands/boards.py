"""`ideapool boards`, and the option that names a board."""

import argparse

from service.api_client.rest import Rest
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deleted", action="store_true", help="those that were deleted instead")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_talk(parser, _list)


def add_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--board", metavar="NAME", help=f"{text}, by name or id")


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    boards = await rest.all("/boards", deleted=options.deleted)
    if options.json:
        as_json(boards)
        return 0
    for board in boards:
        line(facts([f"{board['id']}  {board['name']}", board["goal"]]))
    return 0
