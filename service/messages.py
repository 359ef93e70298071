"""Texts for people that pages can translate: English strings that remember how they were formatted.

A Text is an ordinary English string for programs and logs. Only `web.translation` reads its parts.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

Value = str | int | float
UNPACKED_CEILING = 100_000
UNPACKED_DEPTH = 20
_PLACEHOLDER = re.compile(r"%(\(\w+\)s|%)")


class Text(str):
    """A formatted message. `message` is the key in the catalogues of translations.

    `%(name)s` in it is replaced by a value, which may be a Text itself. The message is always
    formatted, so a percent sign is written twice.
    """

    message: str
    values: Mapping[str, Value]

    def __new__(cls, message: str, **values: object) -> Self:
        plain = _plain_values(values)
        made = super().__new__(cls, message % plain)
        made.message, made.values = message, plain
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Value]]:
        return (self.message,), dict(self.values)

    def __getstate__(self) -> None:
        return None


class Counted(Text):
    """A text in singular or plural. `count` chooses the message; both may use `%(count)s`."""

    many: str
    number: int

    def __new__(cls, message: str, many: str, count: int, **values: object) -> Self:
        plain = _plain_values({**values, "count": count})
        made = str.__new__(cls, (message if count == 1 else many) % plain)
        made.message, made.many, made.number, made.values = message, many, count, plain
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Value]]:
        values = {name: value for name, value in self.values.items() if name != "count"}
        return (self.message, self.many, self.number), values


def _plain_values(values: dict[str, object]) -> Mapping[str, Value]:
    """Converts paths, errors and other objects to strings."""
    return MappingProxyType(
        {
            name: value if isinstance(value, str | int | float) else str(value)
            for name, value in values.items()
        }
    )


def pack(text: str) -> Any:
    """Returns the text as JSON values for `unpack`."""
    if not isinstance(text, Text):
        return text
    values = {
        name: pack(value) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    packed: dict[str, Any] = {"message": text.message, "values": values}
    return packed | {"many": text.many} if isinstance(text, Counted) else packed


class _Room:
    """How many characters may still be written, in all parts of a packed text together.

    The text may come from a cookie or an imported file, where each part can name another one twice.
    """

    def __init__(self) -> None:
        self._left = UNPACKED_CEILING

    def take(self, messages: tuple[str, ...], values: Mapping[str, Value]) -> None:
        for message in messages:
            names = [found[1] for found in _PLACEHOLDER.finditer(message)]
            self._left -= len(message)
            self._left -= sum(len(str(values[name[1:-2]])) for name in names if name != "%")
        if self._left < 0:
            raise ValueError("The text is too long.")


def _counted(message: str, many: str, values: dict[str, Value]) -> Counted:
    count = values.pop("count")
    if not isinstance(count, int):
        raise ValueError("The count is not an integer.")
    return Counted(message, many, count, **values)


def unpack(packed: Any) -> str:
    """Restores the text that `pack` was given.

    Raises:
        ValueError: `pack` did not make this, or it is too long or too deep.
    """
    return _unpack(packed, _Room(), UNPACKED_DEPTH)


def _unpack(packed: Any, room: _Room, depth: int) -> str:
    if isinstance(packed, str):
        return packed
    if depth == 0:
        raise ValueError("The text has too many parts in one another.")
    try:
        message, many = packed["message"], packed.get("many")
        values = {
            name: value if isinstance(value, int | float) else _unpack(value, room, depth - 1)
            for name, value in packed["values"].items()
        }
        # The text may come from an imported file. A format with a huge width would fill the memory.
        if "%" in _PLACEHOLDER.sub("", f"{message} {many}"):
            raise ValueError("The message has an invalid placeholder.")
        room.take((message,) if many is None else (message, many), values)
        return Text(message, **values) if many is None else _counted(message, many, values)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("This is not a packed text.") from error
