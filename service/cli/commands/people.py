"""`ideapool invite` and `ideapool people`: invitation links and people, in the database."""

import argparse
from typing import get_args

from service.cli.own_database import own_store
from service.settings import Settings

ROLES = ("reader", "commenter", "editor")
DAYS = ("1", "7", "30", "365", "never")


def add_invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--board", metavar="ID", help="one board; default: every board")
    parser.add_argument("--role", choices=ROLES, default="editor", help="default: editor")
    parser.add_argument("--days", choices=DAYS, default="7", help="how long it works; default: 7")
    parser.set_defaults(command=invite)


def add_people(parser: argparse.ArgumentParser) -> None:
    people = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = people.add_parser("list", help="list the people and what they may do")
    listing.set_defaults(command=list_people)
    role = people.add_parser("role", help="change what a person may do on every board")
    role.add_argument("id", help="the person's id, from `people list`")
    role.add_argument("role", choices=(*ROLES, "owner", "none"))
    role.set_defaults(command=set_role)
    for name, text in (
        ("remove", "remove a person; their keys and sessions end at once"),
        ("restore", "let a removed person come back"),
    ):
        action = people.add_parser(name, help=text)
        action.add_argument("id", help="the person's id, from `people list`")
        action.set_defaults(command=remove if name == "remove" else restore)


def invite(settings: Settings, options: argparse.Namespace) -> int:
    from service.schemas.people import Days, InvitationCreate

    days = next((one for one in get_args(Days) if str(one) == options.days), None)
    shape = InvitationCreate(board_id=options.board, role=options.role, days=days)
    with own_store(settings) as store:
        _, token = store.invitations.create(shape)
    print(f"{_address(settings)}{settings.root_path}/join/{token}")
    return 0


def _address(settings: Settings) -> str:
    if settings.url is not None:
        return settings.url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    shown = "localhost" if host in ("0.0.0.0", "[::]") else host
    return f"http://{shown}:{settings.port}"


def list_people(settings: Settings, _options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        for person in store.people.page().items:
            boards = [f"{one.role} on {one.board_id}" for one in person.boards]
            rights = ", ".join(([person.role] if person.role else []) + boards) or "no role"
            removed = "  removed" if person.removed_at else ""
            print(f"{person.id}  {person.name}  {rights}{removed}")
    return 0


def set_role(settings: Settings, options: argparse.Namespace) -> int:
    from service.schemas.people import PersonUpdate

    role = None if options.role == "none" else options.role
    with own_store(settings) as store:
        store.people.update(options.id, PersonUpdate(role=role))
    return 0


def remove(settings: Settings, options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        store.people.remove(options.id)
    return 0


def restore(settings: Settings, options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        store.people.restore(options.id)
    return 0
