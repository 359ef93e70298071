"""The page of the settings, from the fields of `Settings`."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from docs.generate.markdown import code, page, table

INTRODUCTION = """\
Settings are read from the environment once, at the start. A setting's variable is its name in capital
letters after `IDEAPOOL_`. A setting that cannot work stops the start with a message."""
# A group begins at the setting that is named here and goes on to the next one.
GROUPS = {
    "host": "Address, data and access",
    "catalog": "Models",
    "threads": "Compute and memory",
    "engine_url": "Another engine",
    "url": "Commands",
    "queue_limit": "Runs",
    "body_limit_bytes": "Limits",
    "log_level": "Logs",
}
UNITS_BY_ENDING = {"_s": "seconds", "_bytes": "bytes", "_mb": "megabytes", "_days": "days"}
UNITS = {
    "port": "TCP port",
    "threads": "threads",
    "gpu_layers": "layers",
    "slots": "requests",
    "queue_limit": "runs",
    "connection_limit": "connections",
    "address_limit": "connections",
    "live_limit": "streams",
    "title_limit": "characters",
    "idea_limit": "characters",
    "suggestion_limit": "ideas",
}


def setting_page(settings: type[BaseSettings], root: Path) -> str:
    parts: list[str] = []
    for heading, names in _groups(list(settings.model_fields)):
        rows = [_row(name, settings.model_fields[name], root) for name in names]
        headings = ("setting", "variable", "default", "unit or values", "meaning")
        parts += [f"## {heading}", table(headings, rows)]
    return page("Settings", INTRODUCTION, *parts)


def unit(name: str) -> str:
    """Empty where a setting counts nothing."""
    for ending, word in UNITS_BY_ENDING.items():
        if name.endswith(ending):
            return word
    return UNITS.get(name, "")


def kind(field: FieldInfo) -> Any:
    """The type of a set value: of `int | None` it is `int`."""
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next(one for one in get_args(annotation) if one is not type(None))
    return annotation


def _groups(names: list[str]) -> Iterator[tuple[str, list[str]]]:
    unknown = GROUPS.keys() - set(names)
    if unknown:
        raise ValueError(f"there are no settings {sorted(unknown)} for groups to begin at")
    starts = [names.index(first) for first in GROUPS]
    for heading, start, end in zip(GROUPS.values(), starts, [*starts[1:], None], strict=True):
        yield heading, names[start:end]


def _row(name: str, field: FieldInfo, root: Path) -> tuple[str, ...]:
    return (
        code(name),
        code(f"IDEAPOOL_{name.upper()}"),
        _default(field.default, root),
        _values(name, field),
        field.description or "",
    )


def _default(value: object, root: Path) -> str:
    if value is None or value == () or value is PydanticUndefined:
        return "–"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, Path) and value.is_relative_to(root):
        value = value.relative_to(root).as_posix()
    return code(str(value))


def _values(name: str, field: FieldInfo) -> str:
    """The unit with its limits, or the values that can be chosen."""
    of = kind(field)
    if of is bool:
        return "`true`, `false`"
    if get_origin(of) is Literal:
        return ", ".join(code(one) for one in get_args(of))
    limits = _limits(field)
    return ", ".join(filter(None, (unit(name), limits)))


def _limits(field: FieldInfo) -> str:
    """In words: `1 to 65,535`, `above 0`, `at least 100`."""
    least = next((f"{one.ge:,}" for one in field.metadata if isinstance(one, Ge)), "")
    above = next((f"above {one.gt:,}" for one in field.metadata if isinstance(one, Gt)), "")
    most = next((f"{one.le:,}" for one in field.metadata if isinstance(one, Le)), "")
    below = next((f"below {one.lt:,}" for one in field.metadata if isinstance(one, Lt)), "")
    if least and most:
        return f"{least} to {most}"
    parts = (
        above,
        f"at least {least}" if least else "",
        f"at most {most}" if most else "",
        below,
    )
    return ", ".join(filter(None, parts))
