"""`ideapool webhooks`: which addresses are told what happens, and what was sent to them."""

import argparse
from typing import Any

from service.api_client.lookups import board_id
from service.api_client.rest import Rest, given
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note
from service.errors import InvalidInput

FORMATS = ("standard", "slack")


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = actions.add_parser("list", help="list the webhooks")
    add_talk(listing, _list)
    adding = actions.add_parser("add", help="tell an address what happens, and print the secret")
    adding.add_argument("address", metavar="URL")
    add_option(adding, "only what happens on this board")
    add_talk(adding, _add)
    changing = actions.add_parser("change", help="change a webhook, or switch it on or off")
    _add_id(changing)
    changing.add_argument("--address", metavar="URL", help="another address")
    changing.add_argument("--on", action=argparse.BooleanOptionalAction, help="switch it on or off")
    add_talk(changing, _change)
    for action in (adding, changing):
        action.add_argument(
            "--kind", action="append", help="a kind of event; repeat it for several; '' means all"
        )
        action.add_argument("--format", choices=FORMATS, help="default: standard")
    deleting = actions.add_parser("delete", help="delete a webhook and its deliveries")
    _add_id(deleting)
    add_talk(deleting, _delete)
    testing = actions.add_parser("test", help="send a test")
    _add_id(testing)
    add_talk(testing, _test)
    showing = actions.add_parser("deliveries", help="list what was sent, newest first")
    _add_id(showing)
    showing.add_argument("--limit", type=int, default=30, help="largest number (default: 30)")
    add_talk(showing, _deliveries)
    retrying = actions.add_parser("retry", help="send a delivery now, whatever became of it")
    _add_id(retrying)
    retrying.add_argument("delivery_id", metavar="DELIVERY")
    add_talk(retrying, _retry)
    for action in (listing, adding, changing, testing, showing, retrying):
        action.add_argument("--json", action="store_true", help="print JSON")


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("webhook_id", metavar="ID", help="id of a webhook, from `webhooks list`")


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    webhooks = await rest.all("/webhooks")
    if options.json:
        as_json(webhooks)
        return 0
    for one in webhooks:
        line(_row(one))
    return 0


async def _add(rest: Rest, options: argparse.Namespace) -> int:
    board = await board_id(rest, options.board)
    made = await rest.post(
        "/webhooks", given(url=options.address, board_id=board) | _choices(options)
    )
    if options.json:
        as_json(made)
        return 0
    line(_row(made))
    line(made["secret"])
    note("The receiver checks the signatures with this secret.")
    return 0


async def _change(rest: Rest, options: argparse.Namespace) -> int:
    fields = given(url=options.address, is_active=options.on) | _choices(options)
    if not fields:
        raise InvalidInput("Say what to change, for example --no-on or --kind.")
    changed = await rest.call("PATCH", f"/webhooks/{options.webhook_id}", body=fields)
    return _print(changed.json(), options, _row)


async def _delete(rest: Rest, options: argparse.Namespace) -> int:
    await rest.call("DELETE", f"/webhooks/{options.webhook_id}")
    note("The webhook is deleted.")
    return 0


async def _test(rest: Rest, options: argparse.Namespace) -> int:
    sent = await rest.post(f"/webhooks/{options.webhook_id}/test")
    _print(sent, options, _delivery_row)
    note(f"See the answer with: ideapool webhooks deliveries {options.webhook_id}")
    return 0


async def _deliveries(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/webhooks/{options.webhook_id}/deliveries"
    found = await rest.get(path, limit=options.limit)
    if options.json:
        as_json(found)
        return 0
    for one in found:
        line(_delivery_row(one))
    return 0


async def _retry(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/webhooks/{options.webhook_id}/deliveries/{options.delivery_id}/retry"
    return _print(await rest.post(path), options, _delivery_row)


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    kinds = options.kind and [kind for kind in options.kind if kind]
    return given(kinds=kinds, format=options.format)


def _print(thing: dict[str, Any], options: argparse.Namespace, row: Any) -> int:
    if options.json:
        as_json(thing)
    else:
        line(row(thing))
    return 0


def _row(webhook: dict[str, Any]) -> str:
    state = "on" if webhook["is_active"] else f"off {webhook['off_reason']}".strip()
    waiting = f"{webhook['waiting']} waiting" if webhook["waiting"] else ""
    return f"{webhook['id']}  {facts([webhook['url'], state, ' '.join(webhook['kinds']), waiting])}"


def _delivery_row(one: dict[str, Any]) -> str:
    status = "" if one["response_status"] is None else str(one["response_status"])
    told = [one["kind"], one["status"], status, one["problem"] or "", one["created_at"][:16]]
    return f"{one['id']}  {facts(told)}"
