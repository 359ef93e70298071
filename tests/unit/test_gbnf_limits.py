"""Grammars that would make llama.cpp follow too many ways are refused before it sees them."""

import time

import pytest

from service.engine.json_schema import check_gbnf, grammar_of_schema
from service.errors import InvalidInput
from service.prompts.grammars import assessment_grammar, list_grammar, suggestion_grammar
from tests.support.hostile_grammars import UNBOUNDED


@pytest.mark.parametrize(
    ("grammar", "problem"),
    UNBOUNDED,
)
def test_a_grammar_without_bounds_is_refused_at_once(grammar: str, problem: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput, match=problem):
        check_gbnf(grammar)

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "grammar",
    [
        suggestion_grammar("A garden"),
        list_grammar("A garden", 3),
        assessment_grammar("A garden"),
        grammar_of_schema("{}"),
        "root ::= " + " | ".join(f'"{number}"' for number in range(2_000)),
        "root ::= [a-z]{0,1000}",
        'root ::= "(x?)*" [()|*{}"] # (("\n',
        'root ::= item ("," ws item)* ws\nws ::= [ \\n]*\nitem ::= "a" | root2\nroot2 ::= "[" item "]"',
    ],
)
def test_grammars_of_honest_clients_are_taken(grammar: str) -> None:
    check_gbnf(grammar)
