"""Copies everything from one database into another, empty one, of whichever kind."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import JSON, Table, Text, bindparam, cast, func, insert, select, update
from sqlmodel import Session, SQLModel, col

from service.errors import ConfigurationError
from service.store.database import Database, check_known, newest_revision
from service.store.dialects import continue_numbers, describe_contents
from service.store.search import index, words_of
from service.store.tables import Idea, IdeaTag

BATCH = 500
Progress = Callable[[str, int], None]


def copy_database(source: Database, target: Database, progress: Progress) -> dict[str, int]:
    """Returns how many rows each table has; nothing is stored if anything goes wrong.

    The source is only read. `progress` gets the name of each table that is done, and its rows.

    Raises:
        ConfigurationError: there is no source, its tables are those of another version, one of the two
            is in use, the target is not empty, or a row did not arrive.
        StorageUnavailable: one of the two cannot be used.
    """
    check_unused(source)
    check_unused(target)
    _check_source(source)
    target.migrate()
    with source.read() as old, target.write() as new:
        counts = {}
        for table in SQLModel.metadata.sorted_tables:
            if _count(new, table):
                raise ConfigurationError(
                    f"The database {target.dialect.place} is not empty: it has rows in {table.name}. "
                    "Name a new one."
                )
            counts[table.name] = _copy(old, new, table)
            progress(table.name, counts[table.name])
        _write_index(new)
        _check_counts(old, new, counts)
        describe_contents(new)
        return counts


def check_unused(database: Database) -> None:
    """Raises: ConfigurationError if a server or command is connected to the database."""
    facts = database.dialect.facts()
    if facts is not None and facts.connections:
        raise ConfigurationError(
            f"The database {database.dialect.place} is in use: Ideapool has {facts.connections} "
            "connections to it. Stop the servers first."
        )


def _check_source(source: Database) -> None:
    facts = source.dialect.facts()
    if facts is None or facts.revision is None:
        raise ConfigurationError(f"There is no database of Ideapool at {source.dialect.place}.")
    check_known(facts.revision, source.dialect.place)
    if facts.revision != newest_revision():
        raise ConfigurationError(
            f"The tables of {source.dialect.place} are those of another version. Start this version "
            "of Ideapool with it once, then stop it and copy."
        )


def _copy(old: Session, new: Session, table: Table) -> int:
    """Rows may refer to later ones of their own table, so such references follow at the end."""
    links = [key.parent.name for key in table.foreign_keys if key.column.table is table]
    keys = [column.name for column in table.primary_key]
    statement = insert(table).values(
        {column.name: bindparam(column.name, type_=_bound(column)) for column in table.columns}
    )
    count, linked = 0, []
    for rows in _batches(old, table):
        linked += [
            {f"key_{name}": row[name] for name in keys} | {name: row[name] for name in links}
            for row in rows
            if any(row[name] is not None for name in links)
        ]
        new.connection().execute(statement, [row | dict.fromkeys(links) for row in rows])
        count += len(rows)
    if linked:
        mine = [table.columns[name] == bindparam(f"key_{name}") for name in keys]
        values: dict[str, Any] = {name: bindparam(name) for name in links}
        new.connection().execute(update(table).where(*mine).values(values), linked)
    continue_numbers(new, table)
    return count


def _batches(old: Session, table: Table) -> Iterator[list[dict[str, Any]]]:
    """JSON is read as text, because `null` in it is not a column without a value."""
    documents = [column.name for column in table.columns if isinstance(column.type, JSON)]
    columns = [
        cast(column, Text).label(column.name) if column.name in documents else column
        for column in table.columns
    ]
    statement = select(*columns).order_by(*table.primary_key)
    found = old.connection().execute(statement.execution_options(yield_per=BATCH))
    for part in found.mappings().partitions():
        yield [dict(row) | {name: _document(row[name]) for name in documents} for row in part]


def _document(text: str | None) -> Any:
    if text is None:
        return None
    value = json.loads(text)
    return JSON.NULL if value is None else value


def _bound(column: Any) -> Any:
    return JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type


def _write_index(new: Session) -> None:
    tags: dict[int, list[str]] = {}
    for number, name in new.connection().execute(
        select(col(IdeaTag.idea_number), col(IdeaTag.name)).order_by(col(IdeaTag.name))
    ):
        tags.setdefault(number, []).append(name)
    ideas = new.scalars(select(Idea).execution_options(yield_per=BATCH))
    for part in ideas.partitions():
        index(new, [words_of(idea, tags.get(idea.number or 0, [])) for idea in part])


def _check_counts(old: Session, new: Session, counts: dict[str, int]) -> None:
    for table in SQLModel.metadata.sorted_tables:
        there, here = _count(old, table), _count(new, table)
        if not there == here == counts[table.name]:
            raise ConfigurationError(
                f"Of {there} rows of {table.name} {here} arrived. Nothing was copied."
            )


def _count(session: Session, table: Table) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0
