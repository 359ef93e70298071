"""`ideapool rounds list | start | end | extend | names`: writing rounds of a board."""

import argparse
from datetime import datetime
from typing import Any

from service.api_client.lookups import chosen_board
from service.api_client.rest import Rest, given
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")

    every = actions.add_parser("list", help="list the rounds, newest first")
    _add_common(every, _list)

    start = actions.add_parser("start", help="start a round; ideas are hidden until it ends")
    start.add_argument("topic", help="the question to write ideas for")
    start.add_argument("--minutes", type=int, help="1 to 60 (default: 5)")
    start.add_argument(
        "--without-names",
        action=argparse.BooleanOptionalAction,
        help="whether nobody sees who wrote what until you show the names (default: yes)",
    )
    _add_common(start, _start)

    for name, text, command in (
        ("end", "end a round early", _end),
        ("extend", "give a round more time", _extend),
        ("names", "show who wrote what", _names),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("round_id", metavar="ID")
        if name == "extend":
            one.add_argument("--minutes", type=int, help="by how much (default: 5)")
        _add_common(one, command)


def _add_common(parser: argparse.ArgumentParser, command: Any) -> None:
    add_option(parser, "whose rounds (default: the oldest board)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_talk(parser, command)


async def _path(rest: Rest, options: argparse.Namespace) -> str:
    return f"/boards/{await chosen_board(rest, options.board)}/rounds"


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    rounds = await rest.all(await _path(rest, options))
    if options.json:
        as_json(rounds)
        return 0
    for one in rounds:
        line(_described(one))
    return 0


async def _start(rest: Rest, options: argparse.Namespace) -> int:
    wanted = given(
        topic=options.topic, minutes=options.minutes, without_names=options.without_names
    )
    started = await rest.post(await _path(rest, options), wanted)
    code = _print(started, options)
    note(f'Write ideas with: ideapool ideas add "…" --round {started["id"]}')
    return code


async def _end(rest: Rest, options: argparse.Namespace) -> int:
    path = await _path(rest, options)
    return _print(await rest.post(f"{path}/{options.round_id}/end"), options)


async def _extend(rest: Rest, options: argparse.Namespace) -> int:
    path = await _path(rest, options)
    more = given(minutes=options.minutes)
    return _print(await rest.post(f"{path}/{options.round_id}/extend", more), options)


async def _names(rest: Rest, options: argparse.Namespace) -> int:
    path = await _path(rest, options)
    return _print(await rest.post(f"{path}/{options.round_id}/names"), options)


def _print(one: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        as_json(one)
    else:
        line(_described(one))
    return 0


def _described(one: dict[str, Any]) -> str:
    ends = datetime.fromisoformat(one["ends_at"]).astimezone()
    state = f"open until {ends:%H:%M:%S}" if one["is_open"] else "over"
    ideas = "" if one["is_open"] else "1 idea" if one["ideas"] == 1 else f"{one['ideas']} ideas"
    writers = "1 person wrote" if one["writers"] == 1 else f"{one['writers']} people wrote"
    return facts([f"{one['id']}  {one['topic']}", state, writers, ideas])
