"""JSON Schema in words: the type of a value with a link to its shape, and the page of all shapes."""

from collections.abc import Iterator, Mapping
from typing import Any

from docs.generate.markdown import anchor, code, page, sentence, table

Json = Mapping[str, Any]
INTRODUCTION = """\
What calls take and answer. A field that is not required may be left out of a body."""


def shape_page(schemas: Json) -> str:
    parts: list[str] = []
    for name in sorted(schemas):
        schema = schemas[name]
        parts += [f"## {name}", sentence(str(schema.get("description", "")))]
        rows = list(_rows(schema, ""))
        headings = ("field", "type", "required", "meaning")
        parts.append(table(headings, rows) if rows else sentence(type_of(schema, "")))
    return page("Shapes", INTRODUCTION, *parts)


def fields(schema: Json, page_name: str) -> Iterator[str]:
    """A table of an object's fields where it is described in place and not by a link."""
    rows = list(_rows(schema, page_name))
    if rows:
        yield table(("field", "type", "required", "meaning"), rows)


def type_of(schema: Json, page_name: str) -> str:
    """`page_name`: where shapes are described; empty on that page itself."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = f"{page_name}.md" if page_name else ""
        return f"[{code(name)}]({target}#{anchor(name)})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(type_of(one, page_name) for one in schema[several]))
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return ", ".join(code(str(one)) for one in schema["enum"])
    return _plain(schema, page_name)


def _plain(schema: Json, page_name: str) -> str:
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        item = type_of(schema.get("items", {}), page_name)
        return f"list{_limits(schema)} of {item}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        values = schema["additionalProperties"]
        return f"object of {type_of(values, page_name)}" if values else "object"
    return f"{schema.get('format', kind)}{_limits(schema)}"


def _limits(schema: Json) -> str:
    """` (1 to 20)`, in the unit that the type has: its size, its length, its number of items."""
    least = _first(schema, "minimum", "minLength", "minItems")
    most = _first(schema, "maximum", "maxLength", "maxItems")
    if least is not None and most is not None:
        return f" ({_number(least)} to {_number(most)})"
    if most is not None:
        return f" (at most {_number(most)})"
    return f" (at least {_number(least)})" if least else ""


def _first(schema: Json, *keys: str) -> float | None:
    return next((schema[key] for key in keys if key in schema), None)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _rows(schema: Json, page_name: str) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        meaning = str(field.get("description", ""))
        default = field.get("default")
        if default not in (None, "", [], {}):
            shown = str(default).lower() if isinstance(default, bool) else default
            meaning = f"{sentence(meaning)} Default: {code(str(shown))}.".strip()
        yield (
            code(name),
            type_of(field, page_name),
            "yes" if name in required else "",
            meaning,
        )
