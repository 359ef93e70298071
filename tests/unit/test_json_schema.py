"""Which texts the grammar of a schema allows, keyword by keyword."""

import json
from typing import Any

import pytest

from service.engine.json_schema import grammar_of_schema
from tests.support.gbnf import matcher

TAGGED = [
    {"type": "object", "properties": {"k": {"const": name}}, "required": ["k"]} for name in "ab"
]


def allows(schema: Any, text: str) -> bool:
    return matcher(grammar_of_schema(json.dumps(schema))).fullmatch(text) is not None


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


ANY = {"type": "boolean"}
ALLOWED: list[tuple[Any, list[str], list[str]]] = [
    ({"type": "boolean"}, ["true", "false"], ["True", "1", '"true"', " true", "true "]),
    ({"type": "null"}, ["null"], ["", "None"]),
    ({"type": ["string", "null"]}, ['"a"', "null"], ["1", "true"]),
    ({"type": "integer"}, ["0", "-7", "1234567890123456"], ["01", "-0", "1.0", "1e3", "+1"]),
    ({"type": "number"}, ["0", "-0.5", "1e-7", "12.25E+3"], ["01", ".5", "1.", "1e999", "NaN"]),
    ({"type": "integer", "minimum": 2, "maximum": 11}, ["2", "9", "11"], ["1", "12", "2.0"]),
    ({"type": "integer", "exclusiveMinimum": 2, "maximum": 4}, ["3", "4"], ["2", "5"]),
    ({"type": "integer", "minimum": -5}, ["-5", "0", "123"], ["-6", "-50"]),
    ({"type": "integer", "format": "uint8"}, ["0", "255"], ["-1", "256"]),
    ({"type": "integer", "minimum": 1.5, "maximum": 3.5}, ["2", "3"], ["1", "4"]),
    ({"type": "number", "minimum": 0, "maximum": 1}, ["0", "0.25", "1", "1.0"], ["1.1", "-0.1"]),
    ({"type": "number", "exclusiveMinimum": 0}, ["0.1", "5"], ["0", "0.0", "-1"]),
    ({"minimum": 3}, ["3", "4.5"], ["2", "true", '"a"']),
    ({"enum": ["a", 1, None]}, ['"a"', "1", "null"], ["a", "2", '"1"']),
    ({"type": "string", "enum": ["a", 1]}, ['"a"'], ["1"]),
    ({"enum": ["a", "abc"], "maxLength": 2}, ['"a"'], ['"abc"']),
    ({"enum": [1, 5, 9], "minimum": 5, "exclusiveMaximum": 9}, ["5"], ["1", "9"]),
    ({"const": {"a": [1, "ä"]}}, ['{"a":[1,"ä"]}'], ['{"a":[1,"a"]}']),
    ({"const": 'q" \\ \n'}, [r'"q\" \\ \n"'], ['"q"']),
    ({"type": "string"}, ['""', '"ä🌱"', r'"\"\\\/\n\u00e9"'], ['"', '"\n"', r'"\x"', r'"\ud83d"']),
    ({"minLength": 2, "maxLength": 3}, ['"ab"', r'"\n🌱c"'], ['"a"', '"abcd"']),
    ({"type": "string", "maxLength": 0}, ['""'], ['"a"']),
    ({"format": "date"}, ['"2024-02-29"', '"1999-12-31"'], ['"2023-02-29"', '"2024-04-31"']),
    ({"format": "time"}, ['"23:59:00Z"', '"01:02:03.5+02:00"'], ['"24:00:00Z"', '"01:02:03"']),
    ({"format": "date-time"}, ['"2024-06-01T10:00:00Z"'], ['"2024-06-01"']),
    ({"format": "duration"}, ['"P3D"', '"PT1H30M"'], ['"P"', '"PT"', '"PT1H5S"']),
    ({"format": "uuid"}, ['"123e4567-e89b-12d3-a456-426614174000"'], ['"123e4567"']),
    ({"format": "email"}, ['"a.b+c@mail.example.org"'], ['"a@b"', '"a..b@c.de"', '"@c.de"']),
    ({"format": "ipv4"}, ['"192.168.0.1"'], ['"256.1.1.1"', '"01.1.1.1"']),
    ({"format": "ipv6"}, ['"2001:db8:0:0:0:0:0:1"'], ['"1:2:3"']),
    ({"format": "hostname"}, ['"www.example.org"'], ['"-a.org"']),
    ({"format": "uri"}, ['"https://example.org/a?b=1"'], ['"example.org"', '"http://a b.de"']),
    ({"format": "uuid", "minLength": 9}, ['"123e4567-e89b-12d3-a456-426614174000"'], ['""']),
    ({}, ["null", "true", "-1.5", '"a"'], ["", "nul"]),
    ({"type": "array", "items": ANY}, ["[]", "[true]", "[true, false,true]"], ["[true,]", "[ ]"]),
    ({"items": ANY, "minItems": 1, "maxItems": 2}, ["[true]", "[true,true]"], ["[]", "[1]"]),
    ({"items": ANY, "minItems": 2}, ["[true,true]", "[true,true,true]"], ["[true]"]),
    ({"items": ANY, "minItems": 2, "maxItems": 2}, ["[true,true]"], ["[true]"]),
    ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
    ({"items": False}, ["[]"], ["[1]"]),
    ({"prefixItems": [ANY, {"const": 1}]}, ["[true,1]"], ["[true]", "[true,1,1]", "[1,1]"]),
    ({"items": [ANY, {"const": 1}]}, ["[true,1]"], ["[true,1,1]"]),
    ({"prefixItems": [ANY, ANY], "minItems": 1}, ["[true]", "[true,true]"], ["[]"]),
    ({"prefixItems": [ANY], "items": {"const": 1}}, ["[true]", "[true,1,1]"], ["[]", "[true,2]"]),
    ({"prefixItems": [ANY, ANY], "maxItems": 1}, ["[true]"], ["[]", "[true,true]"]),
    (closed(), ["{}"], ['{"a":1}']),
    ({"type": "object", "properties": {}}, ["{}"], ['{"a":1}']),
    (
        closed(a=ANY),
        ["{}", '{"a":true}', '{"a": false}'],
        ['{"a" :true}', '{ "a":true}', '{"b":1}'],
    ),
    (
        {**closed(a=ANY, b=ANY, c=ANY), "required": ["b"]},
        [
            '{"b":true}',
            '{"a":true,"b":true}',
            '{"b":true,"c":true}',
            '{"a":true, "b":true,"c":true}',
        ],
        ["{}", '{"a":true}', '{"c":true,"b":true}', '{"b":true,}', '{,"b":true}'],
    ),
    (
        closed(a=ANY, b=ANY, c=ANY),
        ["{}", '{"a":true,"c":true}', '{"b":true}', '{"c":true}', '{"b":true,"c":true}'],
        ['{"b":true,"a":true}', '{"a":true,"a":true}', '{"a":true,,"c":true}'],
    ),
    (
        {**closed(a=ANY), "additionalProperties": {"const": 1}},
        ["{}", '{"x":1}', '{"a":true,"x":1,"ab":1}', '{"":1}'],
        ['{"a":1}', '{"x":true}', '{"x":1,"a":true}', r'{"\u0061":1}'],
    ),
    ({"additionalProperties": ANY}, ["{}", '{"a":true,"b":true}'], ['{"a":1}']),
    ({"additionalProperties": ANY, "minProperties": 1}, ['{"a":true}'], ["{}"]),
    (
        {"additionalProperties": ANY, "maxProperties": 1},
        ["{}", '{"a":true}'],
        ['{"a":true,"b":true}'],
    ),
    ({**closed(a=ANY, b=ANY), "minProperties": 1}, ['{"b":true}'], ["{}"]),
    ({**closed(a=ANY, b=ANY), "minProperties": 2}, ['{"a":true,"b":true}'], ['{"a":true}']),
    (
        {"required": ["a"], "additionalProperties": ANY},
        ['{"a":true}', '{"a":true,"b":true}'],
        ["{}"],
    ),
    (closed(a=False, b=ANY), ['{"b":true}', "{}"], ['{"a":true}']),
    (
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": ANY},
        ["{}", '{"a":true,"b":true}'],
        ['{"c":true}', '{"a":1}'],
    ),
    (closed(**{'q"\\é': ANY}), [r'{"q\"\\é":true}'], ['{"q":true}']),
    ({"anyOf": [ANY, {"type": "null"}, ANY]}, ["true", "null"], ["1"]),
    ({"type": "null", "anyOf": [ANY, {}]}, ["null"], ["true"]),
    ({"oneOf": [ANY, {"type": "integer"}]}, ["true", "3"], ["null"]),
    ({"oneOf": [{"const": 1}, {"const": 2}]}, ["1", "2"], ["3"]),
    ({"oneOf": TAGGED}, ['{"k":"a"}', '{"k":"b"}'], ['{"k":"c"}']),
    (
        {"oneOf": [{**closed(a=ANY), "required": ["a"]}, {**closed(b=ANY), "required": ["b"]}]},
        ['{"a":true}', '{"b":true}'],
        ["{}"],
    ),
    (
        {"allOf": [{"properties": {"a": ANY}, "required": ["a"]}, {"properties": {"b": ANY}}]},
        ['{"a":true}', '{"a":true,"b":true}'],
        ["{}", '{"b":true}'],
    ),
    (
        {
            "properties": {"a": {"type": "integer"}},
            "allOf": [{"properties": {"a": {"minimum": 3}}}],
        },
        ['{"a":3}'],
        ['{"a":2}', '{"a":3.5}'],
    ),
    ({"allOf": [closed(a=ANY), {"properties": {"b": ANY}}]}, ['{"a":true}'], ['{"b":true}']),
    (
        {
            "allOf": [{"properties": {"a": ANY}}, {"properties": {"b": ANY}}],
            "unevaluatedProperties": False,
        },
        ['{"a":true,"b":true}'],
        ['{"c":true}'],
    ),
    ({"allOf": [{"anyOf": TAGGED}, TAGGED[1]]}, ['{"k":"b"}'], ['{"k":"a"}']),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": ANY}}, ["true"], ["1"]),
    ({"$ref": "#/definitions/a%20b", "definitions": {"a b": ANY}}, ["true"], ["1"]),
    (closed(a=ANY, b={"$ref": "#/properties/a"}), ['{"a":true,"b":true}'], ['{"b":1}']),
    ({"$ref": "#/$defs/n", "maximum": 3, "$defs": {"n": {"type": "integer"}}}, ["3"], ["4"]),
    (True, ["1", '"a"'], [""]),
]
ANNOTATED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/s",
    "$comment": "c",
    "title": "t",
    "description": "d",
    "default": 1,
    "examples": [1],
    "deprecated": True,
    "readOnly": False,
    "x-order": 3,
    "type": "null",
}


def _without_recursion(schema: Any) -> Any:
    """The rule for any value is recursive, which a regular expression cannot be."""
    plain = {"anyOf": [{"type": ["string", "number", "boolean", "null"]}]}
    return plain if schema in ({}, True) else schema


@pytest.mark.parametrize(("schema", "right", "wrong"), ALLOWED)
def test_a_grammar_allows_what_its_schema_does(
    schema: Any, right: list[str], wrong: list[str]
) -> None:
    match = matcher(grammar_of_schema(json.dumps(_without_recursion(schema)))).fullmatch

    assert [text for text in right if not match(text)] == []
    assert [text for text in wrong if match(text)] == []


def test_annotations_change_nothing() -> None:
    assert grammar_of_schema(json.dumps(ANNOTATED)) == grammar_of_schema('{"type": "null"}')


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("^abc$", ["abc"], ["ab", "xabc", "abcd"]),
        ("^a", ["a", "abc"], ["ba"]),
        ("a$", ["a", "cba"], ["ab"]),
        ("b", ["abc"], ["ac"]),
        ("^a|b$", ["ax", "xb"], ["xax"]),
        ("^(a|bc)+$", ["a", "abcbc"], ["", "b"]),
        (r"^\d{2,4}-\w?$", ["12-", "1234-_"], ["1-", "12345-"]),
        (r"^[^a-c\s]*$", ["xyz", ""], ["a", "x y"]),
        (r"^[\w.-]{1,3}$", ["a.-"], ["", "a b"]),
        (r"^\u00e9\x41\.\/$", ["éA./"], ["éAx/"]),
        ("^(?:x(?<year>[0-9]{4}))?$", ["", "x2024"], ["x"]),
        (r"^a{2}b{0}c{1,}?$", ["aac", "aaccc"], ["aabc"]),
        ("^.$", ["x", "é"], ["", "xx"]),
        ("^$", [""], ["a"]),
        (r"^\+?[1-9]\d{1,14}$", ["+4912345"], ["+0"]),
    ],
)
def test_a_pattern_is_enforced(pattern: str, right: list[str], wrong: list[str]) -> None:
    schema = {"type": "string", "pattern": pattern}

    assert all(allows(schema, json.dumps(text, ensure_ascii=False)) for text in right)
    assert not any(allows(schema, json.dumps(text, ensure_ascii=False)) for text in wrong)


def test_characters_of_a_pattern_are_escaped_as_json_wants_it() -> None:
    schema = {"pattern": r'^["\\\n]+$'}

    assert allows(schema, r'"\"\\\n"')
    assert not allows(schema, '"""')


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("^[a-z]{2,3}$", ["ab", "abc"], ["a", "abcd"]),
        (r"^\w+$", ["a", "abcd"], ["", "abcde"]),
        ("^[a-z][a-z0-9_]*$", ["a", "ab_1"], ["", "1", "abcde"]),
        ("^(x[0-9]*)y$", ["xy", "x12y"], ["x123y"]),
        ("^(?:a|b)*$", ["a", "abab"], ["", "ababa"]),
        ("^a?$", ["a"], [""]),
    ],
)
def test_the_lengths_of_a_pattern_are_enforced(
    pattern: str, right: list[str], wrong: list[str]
) -> None:
    schema = {"pattern": pattern, "minLength": 1, "maxLength": 4}

    assert all(allows(schema, json.dumps(text)) for text in right)
    assert not any(allows(schema, json.dumps(text)) for text in wrong)


def test_a_pattern_overrides_a_format() -> None:
    schema = {"format": "date-time", "pattern": r"^20\d\d-01-01T00:00Z$"}

    assert allows(schema, '"2024-01-01T00:00Z"')
    assert not allows(schema, '"2024-02-02T00:00:00Z"')


def test_lengths_beyond_what_a_format_has_do_not_matter() -> None:
    schema = {"format": "uri", "minLength": 1, "maxLength": 2083}

    assert allows(schema, '"https://example.org"')


def test_all_rules_are_defined_and_used() -> None:
    grammar = grammar_of_schema(
        json.dumps({"anyOf": [one for one, _, _ in ALLOWED if "$ref" not in str(one)]})
    )

    lines = grammar.splitlines()
    defined = [line.partition(" ::= ")[0] for line in lines]
    bodies = " ".join(line.partition(" ::= ")[2] for line in lines)
    assert len(set(defined)) == len(defined)
    assert defined[0] == "root"
    assert all(f" {name}" in f" {bodies}".replace("(", "( ") for name in defined[1:])


def test_many_optional_properties_make_a_grammar_of_linear_size() -> None:
    def size(count: int) -> int:
        return len(grammar_of_schema(json.dumps(closed(**{f"p{n:03}": ANY for n in range(count)}))))

    assert size(400) < 4.5 * size(100)


def test_the_properties_keep_their_order() -> None:
    schema = {**closed(z=ANY, a=ANY), "required": ["a", "z"]}

    assert allows(schema, '{"z":true,"a":true}')
    assert not allows(schema, '{"a":true,"z":true}')


def test_a_recursive_schema_has_one_rule_for_each_shape() -> None:
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}

    grammar = grammar_of_schema(json.dumps(tree))

    assert len(rules_of(grammar, "object-")) == len(rules_of(grammar, "array-")) == 1


def rules_of(grammar: str, kind: str) -> list[str]:
    return [line for line in grammar.splitlines() if line.startswith(kind)]
