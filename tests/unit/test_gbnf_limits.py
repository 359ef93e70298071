"""Grammars that would make llama.cpp follow too many ways are refused before it sees them."""

import time

import pytest

from service.engine.json_schema import check_gbnf, grammar_of_schema
from service.errors import InvalidInput
from service.prompts.grammars import assessment_grammar, list_grammar, suggestion_grammar


def doubling(last: str) -> str:
    rules = [f"a{level} ::= a{level + 1} a{level + 1} | a{level + 1}" for level in range(20)]
    return "\n".join(["root ::= a0", *rules, f"a20 ::= {last}"])


@pytest.mark.parametrize(
    ("grammar", "problem"),
    [
        (doubling('"x" | ""'), "too many|more than 1000 ways"),
        (doubling('"x"'), "more than 1000 ways"),
        ("root ::= " + '"a"? ' * 2_000, "more than 1000 ways"),
        (f'root ::= {"(" * 30_000}"a"{")" * 30_000}', "groups inside each other"),
        ('root ::= ("a"?)*', "can be empty"),
        ('root ::= ("a"?){0,400}', "can be empty"),
        ('root ::= ("" | "a")+', "can be empty"),
        ('root ::= a*\na ::= b?\nb ::= "x"', "can be empty"),
        ("root ::= " + " ".join(["[a-z]{0,1000}"] * 60), "repetitions altogether"),
        ("root ::= " + '("a") ' * 6_000, "rules and groups"),
        ("root ::= " + "|".join(["."] * 20_000), "alternatives"),
        ("root ::= " + "." * 70_000, "longer than"),
    ],
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
