"""The constraints of a schema on a value, and the intersection of two sets of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.engine.json_schema.numbers import Bound

# Pointers to schemas that all apply to the same value. Without pointers, any value is valid.
Node = tuple[str, ...]
ANYTHING: Node = ()
# A number may be an integer, so `type: number` allows both.
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
EVERY_TYPE = frozenset(TYPES)


@dataclass(frozen=True)
class Span:
    """A range of counts; without an upper limit, `most` is None."""

    least: int = 0
    most: int | None = None

    @property
    def is_empty(self) -> bool:
        return self.most is not None and self.most < self.least

    def has(self, count: int) -> bool:
        return self.covers(Span(count, count))

    def covers(self, other: "Span") -> bool:
        if self.most is not None and (other.most is None or other.most > self.most):
            return False
        return self.least <= other.least


@dataclass(frozen=True)
class Located:
    """The value of a keyword and the pointer to its schema, for errors."""

    value: str
    pointer: str


@dataclass(frozen=True)
class Constraints:
    """A default means that there is no such constraint.

    `kinds` are the types that other keywords than `type` are about. `values` has the values of
    `enum` or `const` by their identity.
    """

    pointer: str
    types: frozenset[str] | None = None
    kinds: frozenset[str] = frozenset()
    values: Mapping[str, Any] | None = None
    length: Span = Span()
    pattern: Located | None = None
    format: Located | None = None
    low: Bound | None = None
    high: Bound | None = None
    prefix: tuple[Node, ...] = ()
    rest: Node | None = None
    items: Span = Span()
    properties: Mapping[str, Node] = field(default_factory=dict)
    lists_properties: bool = False
    additional: Node | None = None
    required: tuple[str, ...] = ()
    count: Span = Span()
    # The alternatives of `oneOf` that it satisfies: the pointer to the schema, and which one.
    branches: frozenset[tuple[str, int]] = frozenset()

    @property
    def generated_types(self) -> frozenset[str]:
        """Without `type`, the types that other keywords are about; without any, all types."""
        if self.types is not None:
            return self.types
        numbers = {"integer"} if "number" in self.kinds else set()
        return self.kinds | numbers or EVERY_TYPE

    @property
    def further(self) -> Node | None:
        """The schema of additional properties; None if the grammar allows none."""
        if self.additional is not None:
            return self.additional
        return None if self.lists_properties else ANYTHING

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.properties, *self.required]))

    @property
    def is_possible(self) -> bool:
        return self.types != frozenset() and self.values != {}

    def property_node(self, name: str) -> Node:
        return self.properties.get(name, self.additional or ANYTHING)

    def item_node(self, index: int) -> Node:
        return self.prefix[index] if index < len(self.prefix) else self.rest or ANYTHING


class Conflict(Exception):
    """Two patterns or two formats apply to one value. A grammar cannot intersect them."""

    def __init__(self, keyword: str, first: Located, second: Located) -> None:
        self.keyword = keyword
        self.first = first
        self.second = second


def intersection(one: Constraints, other: Constraints) -> Constraints:
    """Raises: Conflict."""
    names = dict.fromkeys([*one.properties, *other.properties])
    width = range(max(len(one.prefix), len(other.prefix)))
    return Constraints(
        pointer=one.pointer,
        types=_both(one.types, other.types),
        kinds=one.kinds | other.kinds,
        values=_common(one.values, other.values),
        length=_narrower(one.length, other.length),
        pattern=_same("pattern", one.pattern, other.pattern),
        format=_same("format", one.format, other.format),
        low=_stricter(one.low, other.low, 1),
        high=_stricter(one.high, other.high, -1),
        prefix=tuple(_all(one.item_node(i), other.item_node(i)) for i in width),
        rest=_all_given(one.rest, other.rest),
        items=_narrower(one.items, other.items),
        properties={n: _all(one.property_node(n), other.property_node(n)) for n in names},
        lists_properties=one.lists_properties or other.lists_properties,
        additional=_all_given(one.additional, other.additional),
        required=tuple(dict.fromkeys(one.required + other.required)),
        count=_narrower(one.count, other.count),
        branches=one.branches | other.branches,
    )


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _common(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if one is None or other is None:
        return other if one is None else one
    return {identity: value for identity, value in one.items() if identity in other}


def _narrower(one: Span, other: Span) -> Span:
    mosts = [most for most in (one.most, other.most) if most is not None]
    return Span(max(one.least, other.least), min(mosts, default=None))


def _same(keyword: str, one: Located | None, other: Located | None) -> Located | None:
    if one is not None and other is not None and one.value != other.value:
        raise Conflict(keyword, one, other)
    return one or other


def _stricter(one: Bound | None, other: Bound | None, sign: int) -> Bound | None:
    bounds = [bound for bound in (one, other) if bound is not None]
    return max(bounds, key=lambda bound: (sign * bound.value, bound.is_exclusive), default=None)


def _all(one: Node, other: Node) -> Node:
    return tuple(dict.fromkeys(one + other))


def _all_given(one: Node | None, other: Node | None) -> Node | None:
    if one is None or other is None:
        return other if one is None else one
    return _all(one, other)


def type_of(value: object) -> str:
    """The type of a JSON value; a number without a fraction is an integer."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "integer" if int(value) == value else "number"
    return "array" if isinstance(value, list) else "object"
