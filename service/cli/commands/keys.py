"""`ideapool keys`: creates, lists and revokes API keys in the database."""

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

from service.cli.own_database import own_store
from service.errors import InvalidInput
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
    create.add_argument(
        "--expires-in",
        metavar="TIME",
        help="days, such as 90d, or the last day, such as 2027-03-01; default: never",
    )
    create.set_defaults(command=create_key)
    keys.add_parser("list", help="list the keys").set_defaults(command=list_keys)
    revoke = keys.add_parser("revoke", help="revoke a key")
    revoke.add_argument("id", help="the key's id, from `keys list`")
    revoke.set_defaults(command=revoke_key)


def create_key(settings: Settings, options: argparse.Namespace) -> int:
    expires_at = _expiry(options.expires_in)
    with own_store(settings) as store:
        print(store.keys.create(options.name, scope=options.scope, expires_at=expires_at))
    return 0


def _expiry(text: str | None) -> datetime | None:
    """Raises: InvalidInput."""
    from service.schemas.people import key_expiry

    try:
        return None if text is None else key_expiry(text)
    except ValueError as error:
        raise InvalidInput(f"--expires-in {error}.") from error


def list_keys(settings: Settings, _options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        for key in store.keys.all():
            made = f"{key.created_at:%Y-%m-%d}"
            print(f"{key.id}  {made}  {key.scope:5}  {_life(key):18}  {_use(key):15}  {key.name}")
    return 0


def _use(key: "ApiKey") -> str:
    return "never used" if key.used_at is None else f"used {key.used_at:%Y-%m-%d}"


def _life(key: "ApiKey") -> str:
    from service.schemas.identity import now

    if key.expires_at is None:
        return "never expires"
    return f"{'expired' if key.expires_at <= now() else 'expires'} {key.expires_at:%Y-%m-%d}"


def revoke_key(settings: Settings, options: argparse.Namespace) -> int:
    with own_store(settings) as store:
        store.keys.revoke(options.id)
    return 0
