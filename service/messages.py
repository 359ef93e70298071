"""Texts for people that a page can show in another language: English that remembers its parts.

To everyone but `translation` a Text is the English string that it is, for programs and logs too.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

Value = str | int | float
_PLACEHOLDER = re.compile(r"%(\(\w+\)s|%)")


class Text(str):
    """`message` is what a catalogue of translations lists; `%(name)s` in it stands for a value, which
    may itself be a Text. It is always formatted, so that a percent sign is written twice.
    """

    message: str
    values: Mapping[str, Value]

    def __new__(cls, message: str, **values: object) -> Self:
        known = _known(values)
        made = super().__new__(cls, message % known)
        made.message, made.values = message, known
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Value]]:
        return (self.message,), dict(self.values)

    def __getstate__(self) -> None:
        return None


class Counted(Text):
    """`count` decides between the two messages, and both may name it as `%(count)s`."""

    many: str
    number: int

    def __new__(cls, message: str, many: str, count: int, **values: object) -> Self:
        known = _known({**values, "count": count})
        made = str.__new__(cls, (message if count == 1 else many) % known)
        made.message, made.many, made.number, made.values = message, many, count, known
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Value]]:
        values = {name: value for name, value in self.values.items() if name != "count"}
        return (self.message, self.many, self.number), values


def _known(values: dict[str, object]) -> Mapping[str, Value]:
    """Paths, errors and the like are given as they are written."""
    return MappingProxyType(
        {
            name: value if isinstance(value, str | int | float) else str(value)
            for name, value in values.items()
        }
    )


def pack(text: str) -> Any:
    """The text as JSON that `unpack` can read."""
    if not isinstance(text, Text):
        return text
    values = {
        name: pack(value) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    packed: dict[str, Any] = {"message": text.message, "values": values}
    return packed | {"many": text.many} if isinstance(text, Counted) else packed


def _counted(message: str, many: str, values: dict[str, Value]) -> Counted:
    count = values.pop("count")
    if not isinstance(count, int):
        raise ValueError("This is no count.")
    return Counted(message, many, count, **values)


def unpack(packed: Any) -> str:
    """Raises ValueError if this is nothing that `pack` made."""
    if isinstance(packed, str):
        return packed
    try:
        message, many = packed["message"], packed.get("many")
        values = {
            name: value if isinstance(value, int | float) else unpack(value)
            for name, value in packed["values"].items()
        }
        # It may come from outside: a width in a format would be a way to fill the memory.
        if "%" in _PLACEHOLDER.sub("", f"{message} {many}"):
            raise ValueError("This is no message.")
        return Text(message, **values) if many is None else _counted(message, many, values)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("This is no text.") from error
