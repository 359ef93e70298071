"""Properties of the grammars of random schemas."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from service.engine.json_schema import grammar_of_schema
from tests.support.gbnf import matcher
from tests.support.schemas import SCHEMAS, values

SPACING = ((",", ":"), (", ", ": "), (", ", ":"))


@settings(max_examples=60)
@given(st.data())
def test_what_is_valid_can_be_written(data: st.DataObject) -> None:
    schema = data.draw(SCHEMAS)
    value = data.draw(values(schema))
    separators = data.draw(st.sampled_from(SPACING))
    Draft202012Validator(schema).validate(value)

    text = json.dumps(value, ensure_ascii=False, separators=separators)

    assert matcher(grammar_of_schema(json.dumps(schema))).fullmatch(text)


@settings(max_examples=100)
@given(st.data())
def test_what_can_be_written_is_valid(data: st.DataObject) -> None:
    schema = data.draw(SCHEMAS)
    text = json.dumps(data.draw(values(schema)), ensure_ascii=False)
    place = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    added = data.draw(st.text(alphabet='0123456789abx-.,:"\\{}[] eu\n\x07', max_size=2))
    mutated = text[:place] + added + text[place + cut :]

    if matcher(grammar_of_schema(json.dumps(schema))).fullmatch(mutated):
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
            json.loads(mutated)
        )


@settings(max_examples=20)
@given(SCHEMAS)
def test_the_same_schema_gives_the_same_grammar(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)

    assert grammar_of_schema(text) == grammar_of_schema(text)
