"""Random JSON schemas, and for each some values that are valid under it."""

import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
NAMES = ("a", "ab", "b", "name", "größe", 'a"b', "c\\d")
TEXTS = st.text(alphabet=string.ascii_lowercase + ' "\\/\n\té🌱', max_size=6)
PATTERNS = {
    r"^[a-c]{2}-\d+$": st.from_regex(r"[a-c]{2}-[0-9]{1,3}", fullmatch=True),
    r"^(yes|no)\.?$": st.sampled_from(["yes", "no", "yes.", "no."]),
    r"x": st.builds("{}x{}".format, TEXTS, TEXTS),
}
FORMATS = {
    "date": st.dates().filter(lambda day: day.year >= 1000).map(lambda day: day.isoformat()),
    "uuid": st.uuids().map(str),
    "ipv4": st.ip_addresses(v=4).map(str),
}


@st.composite
def integers(draw: st.DrawFn) -> Schema:
    low, high = sorted((draw(st.integers(-2000, 2000)), draw(st.integers(-2000, 2000))))
    schema: Schema = {"type": "integer"}
    if draw(st.booleans()):
        schema["minimum"] = low
    if draw(st.booleans()):
        schema["exclusiveMaximum"] = high + 1
    return schema


@st.composite
def numbers(draw: st.DrawFn) -> Schema:
    bounds = st.integers(-5000, 5000).map(_hundredths)
    low, high = sorted((draw(bounds), draw(bounds)))
    schema: Schema = {"type": "number"}
    if draw(st.booleans()):
        schema["minimum"] = low
    if draw(st.booleans()):
        schema["maximum"] = high
    return schema


@st.composite
def texts(draw: st.DrawFn) -> Schema:
    kind = draw(st.sampled_from(["length", "pattern", "format"]))
    if kind != "length":
        known = PATTERNS if kind == "pattern" else FORMATS
        return {"type": "string", kind: draw(st.sampled_from(sorted(known)))}
    schema: Schema = {"type": "string"}
    if draw(st.booleans()):
        schema["minLength"] = draw(st.integers(0, 2))
    if draw(st.booleans()):
        schema["maxLength"] = draw(st.integers(2, 6))
    return schema


LISTED = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), TEXTS, st.sampled_from([[1], [], {}])
)
LEAVES = st.one_of(
    integers(),
    numbers(),
    texts(),
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "boolean"]}),
    st.builds(lambda one: {"const": one}, LISTED),
    st.builds(lambda some: {"enum": some}, st.lists(LISTED, min_size=1, max_size=4)),
)


@st.composite
def objects(draw: st.DrawFn, parts: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), parts, max_size=4))
    schema: Schema = {"type": "object", "properties": properties}
    if properties:
        schema["required"] = sorted(draw(st.sets(st.sampled_from(sorted(properties)))))
    schema["additionalProperties"] = draw(st.one_of(st.just(False), parts))
    return schema


@st.composite
def arrays(draw: st.DrawFn, parts: st.SearchStrategy[Schema]) -> Schema:
    schema: Schema = {"type": "array", "items": draw(parts)}
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(parts, min_size=1, max_size=2))
        schema["minItems"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        schema["maxItems"] = draw(st.integers(3, 5))
    return schema


SCHEMAS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        objects(parts),
        arrays(parts),
        st.builds(lambda some: {"anyOf": some}, st.lists(parts, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values as the grammar writes them: properties in the order of the schema."""
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values(one) for one in schema["anyOf"]])
    by_type: dict[str, Callable[[Schema], st.SearchStrategy[Any]]] = {
        "integer": _integer,
        "number": _number,
        "string": _text,
        "object": _object,
        "array": _array,
        "boolean": lambda _: st.booleans(),
    }
    kind = schema["type"]
    return st.sampled_from([None, True]) if isinstance(kind, list) else by_type[kind](schema)


def _integer(schema: Schema) -> st.SearchStrategy[int]:
    high = schema.get("exclusiveMaximum", 10**16)
    low = schema.get("minimum", min(-(10**16) + 1, high - 1))
    return st.integers(low, max(low, high - 1))


def _number(schema: Schema) -> st.SearchStrategy[float]:
    low = schema.get("minimum", -100)
    high = schema.get("maximum", max(low, 100))
    return st.integers(round(min(low, high) * 100), round(high * 100)).map(_hundredths)


def _hundredths(count: int) -> float:
    return count / 100


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return PATTERNS[schema["pattern"]]
    if "format" in schema:
        return FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 9)
    return st.text(alphabet='abc "\\/\n\té🌱', min_size=least, max_size=most)


@st.composite
def _object(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    made = {}
    for name, part in schema["properties"].items():
        if name in schema.get("required", []) or draw(st.booleans()):
            made[name] = draw(values(part))
    if schema["additionalProperties"] is not False and draw(st.booleans()):
        made[draw(st.sampled_from(["abc", "x y", "grün", "nam"]))] = draw(
            values(schema["additionalProperties"])
        )
    return made


@st.composite
def _array(draw: st.DrawFn, schema: Schema) -> list[Any]:
    prefix = schema.get("prefixItems", [])
    least, most = schema.get("minItems", 0), schema.get("maxItems", 5)
    length = draw(st.integers(least, most))
    return [
        draw(values(prefix[index] if index < len(prefix) else schema["items"]))
        for index in range(length)
    ]
