"""Writes the rules of a grammar, one for each kind of object, array, text and number."""

import json
import re
from collections import deque
from typing import Any

from service.engine.json_schema import scalars
from service.engine.json_schema.constraints import Constraints, Node
from service.engine.json_schema.gbnf_limits import LONGEST_GRAMMAR
from service.engine.json_schema.keywords import refusal, short
from service.engine.json_schema.literals import json_literal, other_keys
from service.engine.json_schema.patterns import repetition
from service.engine.json_schema.reading import ROOT, Reader
from service.engine.json_schema.shapes import (
    ArrayShape,
    ObjectShape,
    Shape,
    array_shape,
    object_shape,
)

LONGEST_SCHEMA = 200_000
# `char` leaves out escapes of surrogates, since half of a pair is not a character.
_COMMON = {
    "gap": '" "?',
    "char": (
        r'[^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" ([0-9a-cefA-CEF] [0-9a-fA-F]{3}'
        r" | [dD] [0-7] [0-9a-fA-F]{2}))"
    ),
    "bare": r'[^"\\\x00-\x1f]',
    "string": r'"\"" char* "\""',
    "integer": '"0" | "-"? [1-9] [0-9]{0,15}',
    "number": '"-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "value": "object | array | string | number | boolean | null",
    "pair": 'string ":" gap value',
    "object": '"{" (pair ("," gap pair)*)? "}"',
    "array": '"[" (value ("," gap value)*)? "]"',
}
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|([a-z][a-z0-9-]*)')


def grammar_of_schema(schema: str) -> str:
    """Converts the text of a JSON schema to GBNF with a `root` rule.

    The same text always gives the same grammar.

    Raises: InvalidInput, which names the keyword that cannot be enforced and its JSON Pointer.
    """
    try:
        grammar = _Writer(Reader(_parsed(schema))).write()
        grammar.encode()
    except RecursionError:
        raise refusal("It is nested too deep.") from None
    except UnicodeEncodeError:
        raise refusal("It contains half of a surrogate pair.") from None
    return grammar


def _parsed(schema: str) -> Any:
    if len(schema) > LONGEST_SCHEMA:
        raise refusal(f"It is longer than {LONGEST_SCHEMA} characters.")
    try:
        return json.loads(schema, parse_constant=_no_constant)
    except ValueError as error:
        raise refusal(f"It is not JSON: {error}.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


class _Writer:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rules = dict(_COMMON)
        # By the text of a rule, or by the shape that it describes.
        self._names: dict[str | Shape, str] = {text: name for name, text in _COMMON.items()}
        self._shapes: dict[str, Shape] = {}
        self._unwritten: deque[tuple[str, Shape]] = deque()
        self._options: dict[Node, tuple[str, ...]] = {}
        self._size = 0

    def write(self) -> str:
        root = self._value((ROOT,))
        if root is None:
            raise refusal("No value is valid under it.")
        while self._unwritten:
            name, shape = self._unwritten.popleft()
            self._add(name, self._text(shape))
        self._check_ends()
        return self._in_order(root)

    def _in_order(self, root: str) -> str:
        """The rules that are used, each after the first that uses it."""
        lines = [f"root ::= {root}"]
        found = dict.fromkeys(_names(root))
        waiting = deque(found)
        while waiting:
            name = waiting.popleft()
            lines.append(f"{name} ::= {self._rules[name]}")
            new = [used for used in _names(self._rules[name]) if used not in found]
            found.update(dict.fromkeys(new))
            waiting.extend(dict.fromkeys(new))
        return "\n".join(lines) + "\n"

    def _add(self, name: str, text: str) -> None:
        self._size += len(name) + len(text)
        if self._size > LONGEST_GRAMMAR:
            raise refusal(f"Its grammar is longer than {LONGEST_GRAMMAR} characters. Simplify it.")
        self._rules[name] = text

    def _new_name(self, kind: str) -> str:
        return f"{kind}-{len(self._names) - len(_COMMON) + 1}"

    def _rule(self, kind: str, text: str) -> str:
        """The name of the rule with this text; `kind` begins the name of a new one."""
        if text not in self._names:
            self._names[text] = self._new_name(kind)
            self._add(self._names[text], text)
        return self._names[text]

    def _value(self, node: Node) -> str | None:
        """The name of the rule for a value; None if no value is valid."""
        options = self._options_of(node)
        if not options:
            return None
        return options[0] if len(options) == 1 else self._rule("any", " | ".join(options))

    def _options_of(self, node: Node) -> tuple[str, ...]:
        """The names of rules that begin with a character, not with another rule: llama.cpp looks
        for left recursion in all ways from rule to rule.
        """
        if node not in self._options:
            found = [
                name
                for constraints in self._reader.alternatives(node)
                for name in self._kinds(constraints)
            ]
            self._options[node] = tuple(dict.fromkeys(found))
        return self._options[node]

    def _kinds(self, constraints: Constraints) -> list[str]:
        """A rule for each type that a value may have."""
        self._reader.check_exclusive(constraints)
        if constraints.values is not None:
            text = scalars.choice(constraints)
            return [] if text is None else [self._rule("choice", text)]
        types = constraints.generated_types
        names = [
            self._container(constraints, kind) for kind in ("object", "array") if kind in types
        ]
        if "string" in types:
            names.append(self._scalar("string", scalars.string(constraints)))
        if "integer" in types:
            kind = "number" if "number" in types else "integer"
            is_bounded = constraints.low is not None or constraints.high is not None
            names.append(self._scalar(kind, scalars.number(constraints)) if is_bounded else kind)
        names += [kind for kind in ("boolean", "null") if kind in types]
        return [name for name in names if name is not None]

    def _scalar(self, kind: str, text: str | None) -> str | None:
        return None if text is None else self._rule(kind, text)

    def _container(self, constraints: Constraints, kind: str) -> str | None:
        if kind not in constraints.kinds:
            return kind
        build = object_shape if kind == "object" else array_shape
        shape = build(constraints, self._reader.alternatives)
        if shape is None:
            return None
        if shape not in self._names:
            name = self._names[shape] = self._new_name(kind)
            self._shapes[name] = shape
            self._unwritten.append((name, shape))
        return self._names[shape]

    def _text(self, shape: Shape) -> str:
        return self._object(shape) if isinstance(shape, ObjectShape) else self._array(shape)

    def _object(self, shape: ObjectShape) -> str:
        pairs = [
            (self._pair(json_literal(name), node, shape.pointer), is_required)
            for name, node, is_required in shape.properties
        ]
        further = None
        if shape.further is not None and shape.count.most != 0:
            key = self._rule("key", other_keys(shape.names)) if shape.names else "string"
            further = self._pair(key, shape.further, shape.pointer)
        first = next((i for i, (_, is_required) in enumerate(pairs) if is_required), None)
        if first is None:
            return self._optional_pairs([pair for pair, _ in pairs], further, shape)
        text = "".join(f'({pair} "," gap)? ' for pair, _ in pairs[:first]) + pairs[first][0]
        for pair, is_required in pairs[first + 1 :]:
            text += f' "," gap {pair}' if is_required else f' ("," gap {pair})?'
        return f'"{{" {text}{_more(further, 0, None)} "}}"'

    def _optional_pairs(self, pairs: list[str], further: str | None, shape: ObjectShape) -> str:
        """Each may be the first one, and is followed by some of those after it."""
        options = []
        following = ""
        if further is not None:
            most = None if shape.count.most is None else shape.count.most - 1
            following = _more(further, 0, most)
            options.append(further + following)
        for pair in reversed(pairs):
            options.append(pair + following)
            tail = self._rule("tail", f'("," gap {pair})?{following}')
            following = f" {tail}"
        text = " | ".join(reversed(options))
        if not text:
            return '"{}"'
        return f'"{{" ({text}) "}}"' if shape.count.least else f'"{{" ({text})? "}}"'

    def _pair(self, key: str, node: Node, pointer: str) -> str:
        value = self._value(node)
        if value is None:
            raise refusal(f"No value is valid for a property of {short(pointer)}.")
        return self._rule("pair", f'{key} ":" gap {value}')

    def _array(self, shape: ArrayShape) -> str:
        least, most = shape.count.least, shape.count.most
        if most == 0:
            return '"[]"'
        length = len(shape.prefix)
        text = ""
        if shape.rest is not None and length == 0:
            item = self._item(shape.rest, shape.pointer)
            text = item + _more(item, max(least - 1, 0), None if most is None else most - 1)
            return f'"[" {text} "]"' if least else f'"[" ({text})? "]"'
        if shape.rest is not None:
            item = self._item(shape.rest, shape.pointer)
            rest_most = None if most is None else most - length
            text = _more(item, max(least - length, 0), rest_most)
        for index in reversed(range(length)):
            item = self._item(shape.prefix[index], shape.pointer)
            text = f'"," gap {item}{text}' if index else f"{item}{text}"
            text = text if index < least else f" ({text})?"
            text = text if text.startswith(" ") or not index else f" {text}"
        return f'"[" {text.strip()} "]"'

    def _item(self, node: Node, pointer: str) -> str:
        value = self._value(node)
        if value is None:
            raise refusal(f"No value is valid for an item of {short(pointer)}.")
        return value

    def _check_ends(self) -> None:
        """Raises InvalidInput for a schema that requires itself, so that its values never end."""
        waiting = dict(self._shapes)
        while ended := [name for name, shape in waiting.items() if self._can_end(shape, waiting)]:
            for name in ended:
                del waiting[name]
        for shape in waiting.values():
            raise refusal(f"{short(shape.pointer)} requires itself, without end.")

    def _can_end(self, shape: Shape, waiting: dict[str, Shape]) -> bool:
        return all(
            any(name not in waiting for name in self._options_of(node)) for node in shape.needs
        )


def _names(text: str) -> list[str]:
    """The rules that a text uses."""
    return [found[1] for found in _TOKEN.finditer(text) if found[1]]


def _more(item: str | None, least: int, most: int | None) -> str:
    """Further items, each after a comma."""
    if item is None or most == 0:
        return ""
    return f' ("," gap {item}){repetition(least, most)}'
