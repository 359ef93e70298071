"""`ideapool links`: the links that show a board to whoever has them, only to read."""

import argparse
from typing import Any

from service.api_client.lookups import chosen_board
from service.api_client.rest import Rest, given
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = actions.add_parser("list", help="list the links of a board, newest first")
    listing.add_argument("--json", action="store_true", help="print JSON")
    add_talk(listing, _list)
    making = actions.add_parser("add", help="make a link and print its address once")
    making.add_argument("--days", type=int, help="how long it works (default: until withdrawn)")
    making.add_argument("--json", action="store_true", help="print JSON")
    add_talk(making, _add)
    withdrawing = actions.add_parser("withdraw", help="close a link for ever")
    withdrawing.add_argument("link_id", metavar="ID")
    add_talk(withdrawing, _withdraw)
    for action in (listing, making, withdrawing):
        add_option(action, "whose links (default: the oldest board)")


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    links = await rest.all(await _path(rest, options))
    if options.json:
        as_json(links)
        return 0
    for one in links:
        line(f"{one['id']}  {facts([_state(one), 'made ' + one['created_at'][:10], _end(one)])}")
    return 0


async def _add(rest: Rest, options: argparse.Namespace) -> int:
    made = await rest.post(await _path(rest, options), given(days=options.days))
    if options.json:
        as_json(made)
        return 0
    line(made["path"])
    note("Put the address of the server before it. It is not shown again.")
    return 0


async def _withdraw(rest: Rest, options: argparse.Namespace) -> int:
    await rest.call("DELETE", f"{await _path(rest, options)}/{options.link_id}")
    note("The link is withdrawn.")
    return 0


async def _path(rest: Rest, options: argparse.Namespace) -> str:
    return f"/boards/{await chosen_board(rest, options.board)}/links"


def _state(link: dict[str, Any]) -> str:
    if link["withdrawn_at"]:
        return "withdrawn"
    return "open" if link["is_open"] else "expired"


def _end(link: dict[str, Any]) -> str:
    return f"until {link['expires_at'][:10]}" if link["expires_at"] else ""
