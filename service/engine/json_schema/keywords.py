"""Reads the keywords of one schema into constraints, and refuses those that are not supported."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from service.engine.json_schema import formats
from service.engine.json_schema.constraints import ANYTHING, TYPES, Constraints, Located, Node, Span
from service.engine.json_schema.numbers import Bound
from service.engine.json_schema.patterns import MOST_REPEATS
from service.errors import InvalidInput

# The pointer of a schema under which no value is valid.
NEVER: Node = ("never",)
# Digits of a bound, before or after the point.
MOST_PLACES = 40
# They do not constrain the value.
ANNOTATIONS = frozenset({
    "$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description", "default",
    "example", "examples", "deprecated", "readOnly", "writeOnly", "discriminator",
})  # fmt: skip
# They depend on other keywords or on other schemas.
COMBINED = frozenset({
    "properties", "additionalProperties", "required", "propertyNames", "unevaluatedProperties",
    "items", "prefixItems", "additionalItems", "allOf", "anyOf", "oneOf", "$ref", "not",
})  # fmt: skip
Schema = Mapping[str, Any]


def refusal(why: str) -> InvalidInput:
    return InvalidInput(f"The JSON schema cannot be followed: {why}")


def refused(keyword: str, pointer: str, why: str) -> InvalidInput:
    return refusal(f"`{keyword}` at {short(pointer)} {why}")


def short(pointer: str) -> str:
    return pointer if len(pointer) <= 200 else f"{pointer[:200]}…"


def below(pointer: str, *steps: str | int) -> str:
    """The pointer to a part of the schema at `pointer`."""
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return "/".join((pointer, *escaped))


def identity(value: object) -> str:
    """Equal for values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    return json.dumps(whole(value), sort_keys=True)


def whole(value: Any) -> Any:
    """With integers where a number has no fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, list):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return value


def check_repeats(span: Span, pointer: str, least: str, most: str) -> None:
    """Raises InvalidInput for a count that would make the grammar slow."""
    for keyword, count in ((least, span.least), (most, span.most or 0)):
        if count > MOST_REPEATS:
            raise refused(keyword, pointer, f"is over {MOST_REPEATS}. Choose a smaller one.")


def keyword_constraints(schema: Schema, pointer: str) -> list[Constraints]:
    """The constraints of each independent keyword.

    Raises: InvalidInput for a keyword that is not supported.
    """
    found = []
    for keyword, value in schema.items():
        if keyword in READERS:
            found.append(READERS[keyword](value, pointer))
        elif keyword == "uniqueItems" and value is False:
            continue
        elif not (keyword in ANNOTATIONS or keyword in COMBINED or keyword.startswith("x-")):
            raise refused(keyword, pointer, "is not supported. Remove it or use another keyword.")
    return found


def object_constraints(schema: Schema, pointer: str) -> list[Constraints]:
    """`properties` and the keywords that depend on them."""
    constraints = []
    if not schema.keys().isdisjoint(("properties", "additionalProperties", "required")):
        properties = checked(schema, "properties", dict, pointer, "must be an object")
        required = names_of(schema, "required", pointer)
        constraints.append(
            Constraints(
                pointer,
                kinds=frozenset({"object"}),
                properties={name: (below(pointer, "properties", name),) for name in properties},
                lists_properties="properties" in schema,
                required=tuple(required),
                additional=_given(schema, "additionalProperties", pointer),
            )
        )
    if "propertyNames" in schema:
        constraints.append(_property_names(schema["propertyNames"], pointer))
    return constraints


def array_constraints(schema: Schema, pointer: str) -> list[Constraints]:
    """`items` and `prefixItems`. Before draft 2020-12, `items` could be a list, too."""
    if schema.keys().isdisjoint(("items", "prefixItems", "additionalItems")):
        return []
    is_old = isinstance(schema.get("items"), list)
    prefix, rest = ("items", "additionalItems") if is_old else ("prefixItems", "items")
    if "additionalItems" in schema and not is_old:
        raise refused("additionalItems", pointer, "needs a list in `items`. Remove it.")
    if is_old and "prefixItems" in schema:
        raise refused("prefixItems", pointer, "is beside a list in `items`. Keep one of them.")
    first = checked(schema, prefix, list, pointer, "must be a list")
    return [
        Constraints(
            pointer,
            kinds=frozenset({"array"}),
            prefix=tuple((below(pointer, prefix, index),) for index in range(len(first))),
            rest=_given(schema, rest, pointer),
        )
    ]


def checked(schema: Schema, keyword: str, kind: type, pointer: str, why: str) -> Any:
    """Its value, an empty one if the schema does not have it."""
    value = schema.get(keyword, kind())
    if not isinstance(value, kind):
        raise refused(keyword, pointer, f"{why}.")
    return value


def names_of(schema: Schema, keyword: str, pointer: str) -> list[str]:
    names: list[Any] = checked(schema, keyword, list, pointer, "must be a list of texts")
    if not all(isinstance(name, str) for name in names):
        raise refused(keyword, pointer, "must be a list of texts.")
    return names


def _given(schema: Schema, keyword: str, pointer: str) -> Node | None:
    if keyword not in schema:
        return None
    return NEVER if schema[keyword] is False else (below(pointer, keyword),)


def _property_names(schema: Any, pointer: str) -> Constraints:
    """A list of names becomes properties of any value, without additional ones."""
    if schema is True or (isinstance(schema, dict) and not schema.keys() - {"type", *ANNOTATIONS}):
        kind = "string" if schema is True else schema.get("type", "string")
        if kind == "string":
            return Constraints(pointer)
    keys = schema.keys() if isinstance(schema, dict) else set()
    if keys & {"enum", "const"} and not keys - {"type", "enum", "const", *ANNOTATIONS}:
        listed = {"const": [schema["const"]]} if "const" in schema else schema
        names = names_of(listed, "const" if "const" in schema else "enum", pointer)
        return Constraints(
            pointer,
            kinds=frozenset({"object"}),
            properties=dict.fromkeys(names, ANYTHING),
            additional=NEVER,
        )
    raise refused("propertyNames", pointer, "may only list names with `enum`. Remove it.")


def _types(value: Any, pointer: str) -> Constraints:
    names = value if isinstance(value, list) else [value]
    unknown = [name for name in names if name not in TYPES]
    if unknown or not names:
        raise refused("type", pointer, f"must be one or several of {', '.join(TYPES)}.")
    return Constraints(
        pointer, types=frozenset([*names, *(["integer"] if "number" in names else [])])
    )


def _enum(value: Any, pointer: str) -> Constraints:
    if not isinstance(value, list) or not value:
        raise refused("enum", pointer, "must be a list with at least one value.")
    return Constraints(pointer, values={identity(one): whole(one) for one in value})


def _const(value: Any, pointer: str) -> Constraints:
    return Constraints(pointer, values={identity(value): whole(value)})


def _span(
    keyword: str, field: str, kind: str, *, is_least: bool
) -> Callable[[Any, str], Constraints]:
    def read(value: Any, pointer: str) -> Constraints:
        count = whole(value)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise refused(keyword, pointer, "must be a whole number from 0 up.")
        span = Span(least=count) if is_least else Span(most=count)
        constraint: dict[str, Any] = {field: span}
        return Constraints(pointer, kinds=frozenset({kind}), **constraint)

    return read


def _bound(keyword: str, field: str, *, is_exclusive: bool) -> Callable[[Any, str], Constraints]:
    def read(value: Any, pointer: str) -> Constraints:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refused(keyword, pointer, "must be a number.")
        if value and not 10.0**-MOST_PLACES < abs(value) < 10.0**MOST_PLACES:
            raise refused(keyword, pointer, f"has more than {MOST_PLACES} digits. Round it.")
        constraint: dict[str, Any] = {field: Bound(Decimal(repr(value)), is_exclusive)}
        return Constraints(pointer, kinds=frozenset({"number"}), **constraint)

    return read


def _pattern(value: Any, pointer: str) -> Constraints:
    if not isinstance(value, str):
        raise refused("pattern", pointer, "must be a text.")
    return Constraints(pointer, kinds=frozenset({"string"}), pattern=Located(value, pointer))


def _format(value: Any, pointer: str) -> Constraints:
    if isinstance(value, str) and value in formats.TEXTS:
        return Constraints(pointer, kinds=frozenset({"string"}), format=Located(value, pointer))
    bounds = formats.number_format(value) if isinstance(value, str) else None
    if bounds is None:
        known = ", ".join(formats.TEXTS)
        raise refused("format", pointer, f"is none of {known}. Remove it, or choose one of them.")
    return Constraints(pointer, kinds=frozenset({"number"}), low=bounds[0], high=bounds[1])


READERS: dict[str, Callable[[Any, str], Constraints]] = {
    "type": _types,
    "enum": _enum,
    "const": _const,
    "minLength": _span("minLength", "length", "string", is_least=True),
    "maxLength": _span("maxLength", "length", "string", is_least=False),
    "pattern": _pattern,
    "format": _format,
    "minimum": _bound("minimum", "low", is_exclusive=False),
    "maximum": _bound("maximum", "high", is_exclusive=False),
    "exclusiveMinimum": _bound("exclusiveMinimum", "low", is_exclusive=True),
    "exclusiveMaximum": _bound("exclusiveMaximum", "high", is_exclusive=True),
    "minItems": _span("minItems", "items", "array", is_least=True),
    "maxItems": _span("maxItems", "items", "array", is_least=False),
    "minProperties": _span("minProperties", "count", "object", is_least=True),
    "maxProperties": _span("maxProperties", "count", "object", is_least=False),
}
