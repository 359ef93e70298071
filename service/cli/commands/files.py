"""`ideapool export | import | backup | restore`: boards as files, and copies of the database."""

import argparse
import sys
from pathlib import Path
from shlex import quote
from typing import Any, get_args

from service.api_client.lookups import board_id
from service.api_client.rest import Rest
from service.cli.commands.boards import add_option
from service.cli.commands.import_progress import carried_out
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note
from service.errors import ConfigurationError, InvalidInput, NotFound, StorageUnavailable
from service.schemas.imports import Column, Groups, ImportFormat, Nested
from service.settings import Settings

# Importing the database takes long, so only the functions that need it do: `export` should not wait.

BACKUP = "pg_dump --format=custom --file=ideapool.dump {place}"
RESTORE = (
    "pg_restore --clean --if-exists --no-owner --single-transaction --dbname={place} ideapool.dump"
)
FORMATS = ("json", "markdown", "csv")


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=FORMATS, default="json", help="json (the default) contains everything"
    )
    add_option(parser, "export only this board")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: print it")
    add_talk(parser, _export)


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="- reads standard input")
    parser.add_argument(
        "--format", choices=get_args(ImportFormat), help="default: detected from the file name"
    )
    add_option(parser, "the board for ideas that name none")
    parser.add_argument(
        "--groups",
        choices=get_args(Groups),
        help="turn headings and the board column into boards or tags",
    )
    parser.add_argument(
        "--nested", choices=get_args(Nested), help="turn nested list items into text or ideas"
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help="for CSV: the column of a field, for example title=Headline; - for none",
    )
    parser.add_argument(
        "--update", action="store_true", help="update existing ideas from this file"
    )
    parser.add_argument(
        "--restore", action="store_true", help="restore ideas of the file that are in the trash"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be imported, change nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_talk(parser, _import, check=_read)


def add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.set_defaults(command=_backup)


def add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.set_defaults(command=_restore)


async def _export(rest: Rest, options: argparse.Namespace) -> int:
    query = {"format": options.format, "board": await board_id(rest, options.board)}
    content = (await rest.call("GET", "/export", query=query)).content
    if options.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    try:
        options.output.write_bytes(content)
    except OSError as error:
        raise StorageUnavailable(
            f"{options.output} cannot be written: {error.strerror}."
        ) from error
    note(f"{options.output}: {len(content):,} bytes")
    return 0


def _read(options: argparse.Namespace) -> None:
    """Reads the file before a server is started, since a missing file needs none."""
    try:
        is_input = options.file == "-"
        options.content = sys.stdin.buffer.read() if is_input else Path(options.file).read_bytes()
    except OSError as error:
        raise NotFound(f"{options.file} cannot be read: {error.strerror}.") from error


async def _import(rest: Rest, options: argparse.Namespace) -> int:
    from service.transfer.importer import format_of

    query = {
        "format": options.format or format_of("", options.file),
        "board": await board_id(rest, options.board),
        "groups": options.groups,
        "nested": options.nested,
        "update": options.update,
        "restore": options.restore,
        "dry_run": options.dry_run,
        **dict(map(_column, options.column)),
    }
    file = (options.content, "application/octet-stream")
    told = await carried_out(rest, query, file, name=Path(options.file).name)
    if options.json:
        as_json(told)
        return 0
    if options.dry_run:
        _show_plan(told["ideas"])
        note("Nothing was imported. Run it again without --dry-run to import.")
    for name, text in (
        ("added", "Added"),
        ("changed", "Changed"),
        ("restored", "Restored"),
        ("already_there", "Unchanged"),
    ):
        found = [f"{number} {what}" for what, number in told[name].items() if number]
        if found or name == "added":
            line(f"{text}: {', '.join(found) or 'nothing'}")
    if told["in_trash"]:
        note(f"In the trash: {told['in_trash']} ideas; --restore brings them back.")
    for one in told["left_out"]:
        note(f"Left out, line {one['line']}: {one['text']}")
    return 0


def _column(chosen: str) -> tuple[str, str]:
    field, _, name = chosen.partition("=")
    if field not in get_args(Column) or not name:
        fields = ", ".join(get_args(Column))
        raise InvalidInput(f"--column takes FIELD=NAME; FIELD is one of {fields}.")
    return f"{field}_column", name


def _show_plan(ideas: list[dict[str, Any]]) -> None:
    for idea in ideas:
        why = ", ".join(idea["changes"]) or idea["reason"].replace("-", " ")
        line(f"{idea['action']:6}  {facts([idea['title'], idea['board'], why])}")


def _backup(settings: Settings, options: argparse.Namespace) -> int:
    from service.store import backup

    backup.back_up(_database(settings, BACKUP), options.file, replace=options.force)
    note(f"{options.file}: {options.file.stat().st_size:,} bytes, without the model files.")
    return 0


def _restore(settings: Settings, options: argparse.Namespace) -> int:
    from service.store import backup

    database = _database(settings, RESTORE)
    kept = backup.restore(options.file, database)
    note(f"Restored {options.file} to {database}.")
    if kept is not None:
        note(f"The previous database is kept as {kept}.")
    return 0


def _database(settings: Settings, instead: str) -> Path:
    from service.store.dialects import dialect_of

    dialect = dialect_of(settings.sqlalchemy_url)
    if dialect.path is None:
        raise ConfigurationError(
            f"The database is on a server of {dialect.kind}, which has tools of its own for this:\n\n  "
            f"{instead.format(place=quote(dialect.place))}\n\nThey ask for the password, or read it from "
            "PGPASSWORD or ~/.pgpass."
        )
    return dialect.path
