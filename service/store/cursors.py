"""Keyset paging: a cursor is the last row's place in the order of a list, encoded for a URL.

Rows that are added or removed meanwhile cause no repeated or skipped rows, and page 300 is as fast
as page 1.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, and_, false, or_
from sqlmodel import Session, SQLModel

from service.errors import InvalidInput
from service.messages import Text

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of a list, and the cursor of the next page if there is one."""

    items: list[Item]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PageOf:
    """Which page of a list is wanted; `limit` None means all of its rows."""

    limit: int | None = None
    cursor: str | None = None


EVERYTHING = PageOf()


@dataclass(frozen=True, slots=True)
class Key:
    """A part of an order; `kind` is the type of its values."""

    column: Any
    kind: type[datetime] | type[int] | type[str]
    descending: bool = False


class Order:
    """The order of a list. Its keys tell any two rows apart. Only cursors with its name fit it."""

    def __init__(self, name: str, *keys: Key) -> None:
        self._name = name
        self._keys = keys

    def page(self, session: Session, statement: Any, wanted: PageOf) -> Page[Any]:
        """Returns rows of the statement.

        The keys are columns of a row or, if it has several parts, of the first.

        Raises:
            InvalidInput: the cursor belongs to another list.
        """
        if wanted.cursor is not None:
            statement = statement.where(self._after(self._place(wanted.cursor)))
        statement = statement.order_by(
            *(key.column.desc() if key.descending else key.column for key in self._keys)
        )
        if wanted.limit is None:
            return Page(list(session.exec(statement)), None)
        rows = list(session.exec(statement.limit(wanted.limit + 1)))
        if len(rows) <= wanted.limit:
            return Page(rows, None)
        rows.pop()
        return Page(rows, self.cursor(rows[-1]))

    def cursor(self, row: Any) -> str:
        """Returns the cursor of the page that begins after the row."""
        source = row[0] if isinstance(row, Row) and isinstance(row[0], SQLModel) else row
        values = [getattr(source, key.column.key) for key in self._keys]
        place = [one.isoformat() if isinstance(one, datetime) else one for one in values]
        return encode([self._name, *place])

    def _place(self, cursor: str) -> list[Any]:
        name, *values = decode(cursor)
        if name != self._name or len(values) != len(self._keys):
            raise invalid_cursor()
        return [_value(key, value) for key, value in zip(self._keys, values, strict=True)]

    def _after(self, place: Sequence[Any]) -> ColumnElement[bool]:
        beyond: ColumnElement[bool] = false()
        for key, value in reversed(list(zip(self._keys, place, strict=True))):
            is_later = key.column < value if key.descending else key.column > value
            beyond = or_(is_later, and_(key.column == value, beyond))
        return beyond


def listed(
    name: str, items: Sequence[Item], key: Callable[[Item], str], wanted: PageOf
) -> Page[Item]:
    """A page of items that are in memory, sorted by a key that tells any two of them apart.

    Raises:
        InvalidInput: the cursor belongs to another list.
    """
    after = None if wanted.cursor is None else decode(wanted.cursor)
    if after is not None and (len(after) != 2 or after[0] != name or type(after[1]) is not str):
        raise invalid_cursor()
    rest = [item for item in items if after is None or key(item) > after[1]]
    shown = rest[: wanted.limit]
    is_last = len(shown) == len(rest)
    return Page(shown, None if is_last else encode([name, key(shown[-1])]))


def encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode(cursor: str) -> list[Any]:
    """Decodes a cursor, a list of at least one value.

    Raises:
        InvalidInput: it is not a cursor.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        # JSON can hold half characters, which no database takes.
        json.dumps(place, ensure_ascii=False).encode()
    except (ValueError, binascii.Error, RecursionError) as error:
        raise invalid_cursor() from error
    if not isinstance(place, list) or not place:
        raise invalid_cursor()
    return place


def invalid_cursor() -> InvalidInput:
    return InvalidInput(
        Text("The cursor does not belong to this list. Start again without it."), pointer="/cursor"
    )


def _value(key: Key, value: Any) -> Any:
    try:
        if key.kind is datetime:
            return datetime.fromisoformat(value).astimezone(UTC)
        if type(value) is not key.kind:
            raise ValueError(value)
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise invalid_cursor() from error
    return value
