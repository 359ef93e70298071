"""Resolves references and combinations of schemas into alternative sets of constraints."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from service.engine.json_schema.constraints import Conflict, Constraints, Node, intersection
from service.engine.json_schema.keywords import (
    NEVER,
    Schema,
    array_constraints,
    below,
    keyword_constraints,
    object_constraints,
    refusal,
    refused,
    short,
)
from service.engine.json_schema.overlap import Comparison

ROOT = "#"
MOST_ALTERNATIVES = 250
# Properties in all intersections together.
MOST_EFFORT = 50_000
# Of schemas for the same value, such as an `anyOf` in an `anyOf`.
DEEPEST = 40
Alternatives = tuple[Constraints, ...]


class Reader:
    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._nodes: dict[Node, Alternatives] = {}
        self._read_already: dict[str, Alternatives] = {}
        # Being read, the outermost first.
        self._open: list[str] = []
        # The alternatives of each `oneOf` whose overlap is not excluded, by the schema's pointer.
        self._exclusive: dict[str, list[Alternatives]] = {}
        self._comparison = Comparison(self.alternatives)
        self._effort = 0

    def alternatives(self, node: Node) -> Alternatives:
        """A value is valid if it satisfies one of them. None: no value is valid.

        Raises: InvalidInput.
        """
        if node not in self._nodes:
            found: Alternatives = (Constraints(node[0] if node else ROOT),)
            for pointer in node:
                found = self._both(found, self._read(pointer), pointer)
            self._nodes[node] = found
        return self._nodes[node]

    def check_exclusive(self, one: Constraints) -> None:
        """Raises InvalidInput if a generated value may match two alternatives of a `oneOf`."""
        for pointer, branch in sorted(one.branches):
            parts = self._exclusive[pointer]
            others = [other for part in (*parts[:branch], *parts[branch + 1 :]) for other in part]
            if any(self._comparison.may_overlap(one, other) for other in others):
                why = "has alternatives that may both match a value"
                if self._comparison.is_exhausted:
                    why = "has too many alternatives to compare"
                raise refused(
                    "oneOf",
                    pointer,
                    f"{why}. Use `anyOf`, or give each a type or a required property with a "
                    "`const` of its own.",
                )

    def _read(self, pointer: str) -> Alternatives:
        if pointer not in self._read_already:
            if pointer in self._open:
                raise refused("$ref", self._open[-1], "leads back to itself. Remove it.")
            if len(self._open) >= DEEPEST:
                raise refusal(f"{short(pointer)} is nested more than {DEEPEST} deep. Simplify it.")
            self._open.append(pointer)
            self._read_already[pointer] = self._parts(self._schema(pointer), pointer)
            self._open.pop()
        return self._read_already[pointer]

    def _parts(self, schema: Any, pointer: str) -> Alternatives:
        if isinstance(schema, bool):
            return (Constraints(pointer),) if schema else ()
        if not isinstance(schema, Mapping):
            raise refusal(f"{short(pointer)} must be an object, true or false.")
        found: Alternatives = (Constraints(pointer),)
        for constraints in (
            *keyword_constraints(schema, pointer),
            *object_constraints(schema, pointer),
            *array_constraints(schema, pointer),
        ):
            found = self._both(found, (constraints,), pointer)
        for part in self._applied(schema, pointer):
            found = self._both(found, part, pointer)
        return self._closed(schema, pointer, found)

    def _applied(self, schema: Schema, pointer: str) -> Iterable[Alternatives]:
        """The alternatives of each other schema that applies to the same value."""
        if "$ref" in schema:
            yield self._read(self._target(schema["$ref"], pointer))
        for part in self._branches(schema, "allOf", pointer):
            yield self._read(part)
        if "anyOf" in schema:
            parts = [self._read(part) for part in self._branches(schema, "anyOf", pointer)]
            yield tuple(constraints for part in parts for constraints in part)
        if "oneOf" in schema:
            parts = [self._read(part) for part in self._branches(schema, "oneOf", pointer)]
            yield self._one_of(parts, pointer)
        if "not" in schema:
            if schema["not"] is not True and schema["not"] != {}:
                raise refused("not", pointer, "is not supported. Describe what is allowed instead.")
            yield ()

    def _branches(self, schema: Schema, keyword: str, pointer: str) -> list[str]:
        branches = schema.get(keyword, [])
        if not isinstance(branches, list) or (keyword in schema and not branches):
            raise refused(keyword, pointer, "must be a list of schemas.")
        return [below(pointer, keyword, index) for index in range(len(branches))]

    def _one_of(self, parts: list[Alternatives], pointer: str) -> Alternatives:
        if _list_different_values(parts):
            return tuple(constraints for part in parts for constraints in part)
        self._exclusive[pointer] = parts
        return tuple(
            replace(constraints, branches=constraints.branches | {(pointer, index)})
            for index, part in enumerate(parts)
            for constraints in part
        )

    def _closed(self, schema: Schema, pointer: str, found: Alternatives) -> Alternatives:
        """Applies `unevaluatedProperties` where no schema has `additionalProperties`."""
        if "unevaluatedProperties" not in schema:
            return found
        rest = (below(pointer, "unevaluatedProperties"),)
        kinds = frozenset({"object"})
        return tuple(
            replace(one, additional=rest, kinds=one.kinds | kinds)
            if one.additional is None
            else one
            for one in found
        )

    def _both(self, ours: Alternatives, others: Alternatives, pointer: str) -> Alternatives:
        if len(ours) * len(others) > MOST_ALTERNATIVES:
            raise refusal(
                f"{short(pointer)} has over {MOST_ALTERNATIVES} alternatives. Simplify it."
            )
        width = 1 + max((len(one.properties) for one in (*ours, *others)), default=0)
        self._effort += len(ours) * len(others) * width
        if self._effort > MOST_EFFORT:
            raise refusal(
                f"{short(pointer)} combines too many alternatives or properties. Simplify it."
            )
        try:
            both = [intersection(one, other) for one in ours for other in others]
        except Conflict as conflict:
            why = f"differs from the one at {short(conflict.first.pointer)}. Keep one of them."
            raise refused(conflict.keyword, conflict.second.pointer, why) from None
        return tuple(constraints for constraints in both if constraints.is_possible)

    def _target(self, reference: Any, pointer: str) -> str:
        if not isinstance(reference, str) or not re.match(r"#(/|$)", reference):
            raise refused(
                "$ref", pointer, "must point into the schema itself, as `#/$defs/name` does."
            )
        target = unquote(reference)
        try:
            self._schema(target)
        except (LookupError, TypeError):
            raise refused(
                "$ref", pointer, f"leads to {short(target)}, which is not there."
            ) from None
        return target

    def _schema(self, pointer: str) -> Any:
        """Raises: LookupError or TypeError if there is nothing at a pointer."""
        if (pointer,) == NEVER:
            return False
        schema = self._root
        for step in pointer.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            schema = schema[_index(key)] if isinstance(schema, list) else schema[key]
        return schema


def _index(step: str) -> int:
    if not step.isdecimal() or len(step) > 6:
        raise LookupError(step)
    return int(step)


def _list_different_values(parts: list[Alternatives]) -> bool:
    """Whether all parts are lists of values, and no value is in two of them."""
    if any(constraints.values is None for part in parts for constraints in part):
        return False
    listed = [{name for constraints in part for name in constraints.values or ()} for part in parts]
    return sum(map(len, listed)) == len(set().union(*listed))
