"""`ideapool copy-database`: moves everything to another kind of database, or to another place."""

import argparse
from contextlib import ExitStack, closing

from service.cli.printing import note
from service.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="TO",
        help="URL of the new, empty database, such as postgresql://ideapool@localhost/ideapool",
    )
    parser.add_argument(
        "--from", dest="source", metavar="URL", help="default: the database of the settings"
    )
    parser.set_defaults(command=_copy)


def _copy(settings: Settings, options: argparse.Namespace) -> int:
    # Importing the database takes long; `--help` should not wait for it.
    from service.store.copying import copy_database
    from service.store.database import Database
    from service.store.database_lock import database_lock

    urls = (options.source or settings.sqlalchemy_url, options.target)
    with ExitStack() as stack:
        source, target = (stack.enter_context(closing(Database(url))) for url in urls)
        for database in (source, target):
            stack.enter_context(database_lock(database.path))
        counts = copy_database(
            source, target, lambda table, rows: note(f"{table}: {rows:,} rows") if rows else None
        )
    note(
        f"Copied {sum(counts.values()):,} rows to {target.dialect.place}; every table was counted."
    )
    note(
        f"{source.dialect.place} is unchanged. Set IDEAPOOL_DATABASE_URL to the new one, then start "
        "the server."
    )
    return 0
