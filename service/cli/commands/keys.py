"""`ideapool keys`: creates, lists and revokes API keys in the database."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.store.keys import KeyStore


def add_actions(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_subparsers(required=True, metavar="COMMAND")
    create = keys.add_parser("create", help="create a key and print it once")
    create.add_argument("name", help="what the key is for")
    create.set_defaults(command=create_key)
    keys.add_parser("list", help="list the keys").set_defaults(command=list_keys)
    revoke = keys.add_parser("revoke", help="revoke a key")
    revoke.add_argument("id", help="the key's id, from `keys list`")
    revoke.set_defaults(command=revoke_key)


@contextmanager
def key_store(settings: Settings) -> "Iterator[KeyStore]":
    # Importing the database takes long; `keys --help` should not wait for it.
    from service.store.database import Database
    from service.store.keys import KeyStore

    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        yield KeyStore(database)
    finally:
        database.close()


def create_key(settings: Settings, options: argparse.Namespace) -> int:
    with key_store(settings) as keys:
        print(keys.create(options.name))
    return 0


def list_keys(settings: Settings, _options: argparse.Namespace) -> int:
    with key_store(settings) as keys:
        for key in keys.all():
            print(f"{key.id}  {key.created_at:%Y-%m-%d}  {key.name}")
    return 0


def revoke_key(settings: Settings, options: argparse.Namespace) -> int:
    with key_store(settings) as keys:
        keys.revoke(options.id)
    return 0
