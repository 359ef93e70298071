"""Grammars of JSON schemas in llama.cpp itself, and answers of the real small model under them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from service.engine.json_schema import grammar_of_schema
from service.engine.llama import Grammar, Library, LlamaModel
from service.engine.types import Event, Finished, Sampling
from service.errors import InvalidInput
from tests.engine.conftest import Ask, Collect
from tests.support.gbnf import matcher
from tests.support.schemas import SCHEMAS, values

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 12},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
# As pydantic and zod write them.
SCHEMAS_OF_CLIENTS: dict[str, dict[str, Any]] = {
    "optional and nullable": {
        "properties": {
            "plant": {"maxLength": 16, "title": "Plant", "type": "string"},
            "weeks": {
                "anyOf": [{"maximum": 52, "minimum": 1, "type": "integer"}, {"type": "null"}]
            },
            "share": {"default": 0.5, "exclusiveMinimum": 0, "maximum": 1, "type": "number"},
            "kinds": {"items": {"enum": ["herb", "tree"]}, "maxItems": 3, "type": "array"},
        },
        "required": ["plant", "weeks"],
        "title": "Crop",
        "type": "object",
    },
    "a tagged union": {
        "$defs": {
            "Pot": {
                "properties": {"kind": {"const": "pot"}, "litres": {"type": "integer"}},
                "required": ["kind", "litres"],
                "type": "object",
            },
            "Bed": {
                "properties": {"kind": {"const": "bed"}, "sunny": {"type": "boolean"}},
                "required": ["kind", "sunny"],
                "type": "object",
            },
        },
        "discriminator": {"propertyName": "kind"},
        "oneOf": [{"$ref": "#/$defs/Pot"}, {"$ref": "#/$defs/Bed"}],
    },
    "formats": {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        },
        "required": ["day", "code"],
        "additionalProperties": False,
    },
    "a tuple": {
        "type": "array",
        "prefixItems": [{"type": "string", "maxLength": 9}, {"type": "integer", "maximum": 99}],
        "minItems": 2,
        "maxItems": 2,
    },
    "a record": {
        "type": "object",
        "propertyNames": {"enum": ["leek", "kale"]},
        "additionalProperties": {"type": "integer", "format": "int32"},
    },
}


@pytest.fixture(scope="module")
def weights(small_path: Path) -> Iterator[LlamaModel]:
    library = Library()
    weights = LlamaModel(library, small_path)
    yield weights
    weights.close()
    library.close()


def end_of(weights: LlamaModel) -> int:
    return next(token for token in range(weights.vocabulary_size) if weights.is_end(token))


def allows(weights: LlamaModel, grammar: str, text: str) -> bool:
    """Whether llama.cpp's grammar lets the tokens of a text through, and then the end."""
    state = Grammar(weights, grammar)
    try:
        for token in weights.tokenise(text):
            if not state.allows(token):
                return False
            state.accept(token)
        return state.allows(end_of(weights))
    finally:
        state.close()


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('{"name":"a"}', True),
        ('{"name": "a", "kids": [{"name":"b","kids":[]}, {"name":"c"}]}', True),
        ('{"name":"a","kids":[{"name":"b","kids":[{"name":"c"}]}]}', True),
        ('{"name":"a","kids":[{"name":"b"},{"name":"c"},{"name":"d"}]}', False),
        ('{"name":"a","kids":[{}]}', False),
        ('{"name":"a","kids":[{"name":"b"}]', False),
        ('{"name":"a more than long name"}', False),
    ],
)
def test_a_recursive_schema_is_followed(weights: LlamaModel, text: str, is_valid: bool) -> None:
    assert allows(weights, grammar_of_schema(json.dumps(TREE)), text) == is_valid


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('{"a": [1, {"b": null}], "ä": "\\u00e9 \\" 🌱"}', True),
        ("{}", True),
        ("[[], [[]], 1e5]", True),
        ('"a" ', False),
        ("{\n}", False),
        ('{"a":1,}', False),
        ('"a\tb"', False),
        ('"\\ud83c"', False),
    ],
)
def test_an_empty_schema_allows_any_json(weights: LlamaModel, text: str, is_valid: bool) -> None:
    assert allows(weights, grammar_of_schema("{}"), text) == is_valid


@settings(max_examples=80)
@given(st.data())
def test_llama_cpp_allows_the_same_texts_as_the_regular_expression(
    weights: LlamaModel, data: st.DataObject
) -> None:
    schema = data.draw(SCHEMAS)
    grammar = grammar_of_schema(json.dumps(schema))
    text = json.dumps(data.draw(values(schema)), ensure_ascii=False)
    place = data.draw(st.integers(0, len(text)))
    mutated = text[:place] + data.draw(st.sampled_from('09a,:"]} ')) + text[place + 1 :]

    assert allows(weights, grammar, text)
    assert allows(weights, grammar, mutated) == bool(matcher(grammar).fullmatch(mutated))


@pytest.mark.parametrize("name", SCHEMAS_OF_CLIENTS)
def test_an_answer_is_valid_under_the_schema(
    collect: Collect, ask: Ask, text_of: Callable[[list[Event]], str], name: str
) -> None:
    schema = SCHEMAS_OF_CLIENTS[name]
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    ended = 0
    for seed in range(2):
        sampling = Sampling(temperature=0.8, seed=seed)
        request = ask("A plant as JSON.", 100, json_schema=json.dumps(schema), sampling=sampling)
        events = collect(request)
        assert isinstance(events[-1], Finished)
        if events[-1].reason == "stop":
            ended += 1
            validator.validate(json.loads(text_of(events)))

    assert ended >= 1


def test_a_listed_value_may_look_like_a_grammar(weights: LlamaModel) -> None:
    grammar = grammar_of_schema(json.dumps({"enum": ["(x?)*", "a{60000}", '"|']}))

    assert allows(weights, grammar, '"(x?)*"')
    assert allows(weights, grammar, '"a{60000}"')
    assert allows(weights, grammar, json.dumps('"|'))


def test_too_many_repetitions_are_refused(weights: LlamaModel) -> None:
    with pytest.raises(InvalidInput, match="repetitions altogether"):
        Grammar(weights, "root ::= " + " ".join(["[a-z]{0,1000}"] * 60))


def test_a_grammar_that_repeats_an_empty_text_after_a_comment_is_refused(
    weights: LlamaModel,
) -> None:
    with pytest.raises(InvalidInput, match="can be empty"):
        Grammar(weights, '# "\nroot ::= ("a"?)*\n# "')
