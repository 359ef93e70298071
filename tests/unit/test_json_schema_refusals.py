"""Schemas that cannot be enforced: each is refused with its keyword and JSON Pointer."""

import json
import time
from typing import Any

import pytest

from service.engine.json_schema import grammar_of_schema
from service.errors import InvalidInput
from tests.support.hostile_grammars import PATTERNS, SCHEMA_BOMBS

REFUSED: list[tuple[Any, str]] = [
    ({"properties": {"a/b": {"uniqueItems": True}}}, "`uniqueItems` at #/properties/a~1b is not"),
    ({"multipleOf": 3}, "`multipleOf` at # is not supported"),
    ({"patternProperties": {"^a": {}}}, "`patternProperties`"),
    ({"if": {}, "then": {}}, "`if`"),
    ({"contains": {}}, "`contains`"),
    ({"dependentRequired": {}}, "`dependentRequired`"),
    ({"nullable": True}, "`nullable`"),
    ({"typ": "string"}, "`typ` at # is not supported"),
    ({"not": {"type": "null"}}, "`not` at #"),
    ({"type": "text"}, "`type` at # must be one or several of object"),
    ({"type": []}, "`type`"),
    ({"type": ["string", {}]}, "`type`"),
    ({"minLength": -1}, "`minLength` at # must be a whole number"),
    ({"minLength": "3"}, "`minLength`"),
    ({"maxLength": True}, "`maxLength`"),
    ({"maxLength": 1001}, "`maxLength` at # is over 1000"),
    ({"items": {"minItems": 10**9}}, "`minItems` at #/items is over 1000"),
    ({"minimum": "1"}, "`minimum` at # must be a number"),
    ({"minimum": 1e99}, "`minimum` at # has more than 40 digits"),
    ({"format": "postcode"}, "`format` at # is none of date, time"),
    ({"enum": []}, "`enum` at # must be a list"),
    ({"enum": ["a"], "pattern": "a"}, "`pattern` at # is beside `enum` or `const`"),
    ({"enum": [{"a": 1}], "properties": {}}, "`enum` at # has an object"),
    ({"properties": []}, "`properties` at # must be an object"),
    ({"properties": {"a": 3}}, "#/properties/a must be an object, true or false"),
    ({"required": "a"}, "`required` at # must be a list"),
    ({"required": [1]}, "`required`"),
    ({"additionalItems": {}}, "`additionalItems`"),
    ({"items": [], "prefixItems": []}, "`prefixItems`"),
    ({"propertyNames": {"pattern": "a"}}, "`propertyNames` at # may only list"),
    ({"minProperties": 2}, "`minProperties` at # may be 1 at most"),
    ({"properties": {"a": {}, "b": {}}, "maxProperties": 1}, "`maxProperties` at # is beside"),
    ({"anyOf": []}, "`anyOf` at # must be a list"),
    ({"allOf": {}}, "`allOf`"),
    (
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        "`oneOf` at # has alternatives that may both",
    ),
    ({"oneOf": [{"properties": {"a": {}}}, {"type": "object"}]}, "`oneOf`"),
    ({"oneOf": [{"properties": {"a": {}}}, {"type": "null"}]}, "`oneOf`"),
    ({"pattern": "a", "oneOf": [{"const": None}, {"maximum": 3}]}, "`oneOf`"),
    (
        {"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "`oneOf`",
    ),
    ({"oneOf": [{"minLength": 1, "type": "string"}, {"type": "string"}]}, "`oneOf`"),
    ({"$ref": "https://example.org/s.json"}, "`$ref` at # must point into the schema"),
    ({"$ref": 3}, "`$ref`"),
    ({"$ref": "#/$defs/a"}, "`$ref` at # leads to #/$defs/a, which is not there"),
    ({"$ref": "#/examples/-1", "examples": [{}]}, "`$ref`"),
    ({"$ref": "#"}, "`$ref` at # leads back to itself"),
    ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "`$ref` at #/anyOf/0 leads back to itself"),
    ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "# requires itself, without end"),
    ({"items": {"$ref": "#"}, "minItems": 1}, "requires itself"),
    (
        {"allOf": [{"pattern": "a"}, {"pattern": "b"}]},
        "`pattern` at #/allOf/1 differs from the one at #/allOf/0",
    ),
    ({"format": "date", "pattern": "^2024"}, "`pattern` at # is beside `format`"),
    ({"pattern": "^a+b+$", "maxLength": 3}, "`pattern` at # allows lengths that `minLength`"),
    ({"type": "string", "enum": [1]}, "No value is valid"),
    ({"allOf": [{"type": "null"}, {"type": "string"}]}, "No value is valid"),
    ({"minLength": 3, "maxLength": 2}, "No value is valid"),
    ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "No value is valid"),
    ({"properties": {"a": False}, "required": ["a"]}, "No value is valid"),
    ({"items": False, "minItems": 1}, "No value is valid"),
    (False, "No value is valid"),
    ([], "# must be an object, true or false"),
    ({"const": "\ud800"}, "half of a surrogate pair"),
]


@pytest.mark.parametrize(("schema", "complaint"), REFUSED)
def test_what_cannot_be_enforced_is_refused_by_name(schema: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        grammar_of_schema(json.dumps(schema))

    assert refused.value.detail.startswith("The JSON schema cannot be followed: ")
    assert complaint in refused.value.detail


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_that_is_not_regular_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="`pattern` at # has"):
        grammar_of_schema(json.dumps({"pattern": pattern}))


@pytest.mark.parametrize("text", ["", "nonsense", '{"type": ', '{"minimum": NaN}', "9" * 5000])
def test_a_schema_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="JSON schema cannot be followed"):
        grammar_of_schema(text)


@pytest.mark.parametrize("bomb", SCHEMA_BOMBS)
def test_a_schema_that_would_grow_without_measure_is_refused_fast(bomb: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput, match="JSON schema cannot be followed"):
        grammar_of_schema(SCHEMA_BOMBS[bomb])

    assert time.process_time() - began < 5


def test_a_long_place_is_cut() -> None:
    with pytest.raises(InvalidInput) as refused:
        grammar_of_schema(json.dumps({"properties": {"a" * 5000: {"typ": 1}}}))

    assert len(refused.value.detail) < 400
