"""`ideapool keys`: creates, lists and revokes API keys in the database."""

import argparse
from typing import TYPE_CHECKING

from service.cli.own_database import own_store
from service.settings import Settings

if TYPE_CHECKING:
    from service.store.tables import ApiKey


def add_actions(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_subparsers(required=True, metavar="COMMAND")
    create = keys.add_parser("create", help="create a key and print it once")
    create.add_argument("name", help="what the key is for")
    create.add_argument(
        "--scope",
        choices=("read", "write", "admin"),
        default="admin",
        help="read: changes nothing and starts no model; write: not what is only for owners; default: "
        "admin, everything",
    )
    create.set_defaults(command=create_key)
    keys.add_parser("list", help="list the keys").set_defaults(command=list_keys)
    revoke = keys.add_parser("revoke", help="revoke a key")
    revoke.add_argument("id", help="the key's id, from `keys list`")
    revoke.set_defaults(command=revoke_key)


def create_key(settings: Settings, options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        print(store.keys.create(options.name, scope=options.scope))
    return 0


def list_keys(settings: Settings, _options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        for key in store.keys.all():
            print(f"{key.id}  {key.created_at:%Y-%m-%d}  {key.scope:5}  {_used(key)}  {key.name}")
    return 0


def _used(key: "ApiKey") -> str:
    return "never used     " if key.used_at is None else f"used {key.used_at:%Y-%m-%d}"


def revoke_key(settings: Settings, options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        store.keys.revoke(options.id)
    return 0
