"""`ideapool trash restore | empty`: all deleted ideas of a board; `ideas` has the commands for some."""

import argparse

from service.api_client.lookups import chosen_board
from service.api_client.rest import Rest
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import line, note
from service.errors import InvalidInput


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")

    restore = actions.add_parser("restore", help="restore everything in a board's trash")
    add_option(restore, "whose trash (default: the oldest board)")
    add_talk(restore, _restore)

    empty = actions.add_parser("empty", help="delete everything in a board's trash for good")
    add_option(empty, "whose trash (default: the oldest board)")
    empty.add_argument("--yes", action="store_true", help="needed, because it cannot be undone")
    add_talk(empty, _empty, check=_check_consent)


def _check_consent(options: argparse.Namespace) -> None:
    if not options.yes:
        raise InvalidInput("Ideas that are deleted for good cannot be restored. Add --yes.")


async def _restore(rest: Rest, options: argparse.Namespace) -> int:
    change = await rest.post(f"/boards/{await chosen_board(rest, options.board)}/trash/restore")
    for idea_id in change["changed"]:
        line(idea_id)
    note(f"Restored ideas: {len(change['changed'])}")
    return 0


async def _empty(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/boards/{await chosen_board(rest, options.board)}/trash"
    emptied = (await rest.call("DELETE", path)).json()
    note(f"Ideas deleted for good: {emptied['ideas']}")
    if emptied["in_use"]:
        note(f"Ideas that stay, because the model is working on them: {emptied['in_use']}")
    return 0
