"""`ideapool boards list | create | templates`, and the option that names a board."""

import argparse
from typing import Any

from service.api_client.rest import Rest, given
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line


def add_actions(parser: argparse.ArgumentParser) -> None:
    # Without an action, the boards are listed.
    _add_list(parser)
    actions = parser.add_subparsers(metavar="COMMAND")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        # What stands before the action counts, unless it is repeated after it.
        return actions.add_parser(name, help=text, argument_default=argparse.SUPPRESS)

    _add_list(action("list", "list the boards"))

    create = action("create", "create a board, empty or from a template")
    create.add_argument(
        "name", nargs="?", default=None, help="its name (default: that of the template)"
    )
    create.add_argument("--goal", default=None, help="what every brainstorm on it is for")
    create.add_argument(
        "--template", metavar="ID", default=None, help="begin with a goal, criteria and tags"
    )
    create.add_argument(
        "--language",
        metavar="CODE",
        default=None,
        help="of its ideas and of the template, such as sv",
    )
    create.add_argument("--json", action="store_true", help="print JSON")
    add_talk(create, _create)

    templates = action("templates", "list the templates for new boards")
    templates.add_argument(
        "--language", metavar="CODE", default=None, help="of their texts, such as sv"
    )
    templates.add_argument("--json", action="store_true", help="print JSON")
    add_talk(templates, _templates)


def add_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--board", metavar="NAME", help=f"{text}, by name or id")


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deleted", action="store_true", help="those that were deleted instead")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_talk(parser, _list)


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    boards = await rest.all("/boards", deleted=options.deleted)
    if options.json:
        as_json(boards)
        return 0
    for board in boards:
        line(_described(board))
    return 0


async def _create(rest: Rest, options: argparse.Namespace) -> int:
    wanted = given(
        name=options.name,
        goal=options.goal,
        template=options.template,
        language=options.language,
    )
    board = await rest.post("/boards", wanted)
    if options.json:
        as_json(board)
    else:
        line(_described(board))
    return 0


async def _templates(rest: Rest, options: argparse.Namespace) -> int:
    query = given(language=options.language)
    found = (await rest.call("GET", "/board-templates", query=query)).json()
    if options.json:
        as_json(found)
        return 0
    for one in found:
        line(facts([f"{one['id']}  {one['name']}", one["purpose"]]))
    return 0


def _described(board: dict[str, Any]) -> str:
    return facts([f"{board['id']}  {board['name']}", board["goal"]])
