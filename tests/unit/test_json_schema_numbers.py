"""Ranges of numbers, compared with every number near their bounds."""

import itertools
import json
from decimal import Decimal

import pytest

from service.engine.json_schema import grammar_of_schema
from service.errors import InvalidInput
from tests.support.gbnf import matcher

LOWER = {"minimum": Decimal.__ge__, "exclusiveMinimum": Decimal.__gt__}
UPPER = {"maximum": Decimal.__le__, "exclusiveMaximum": Decimal.__lt__}
INTEGERS = [str(number) for number in range(-1105, 1106)]
FRACTIONS = ("", ".0", ".00", ".1", ".24", ".25", ".250", ".251", ".5", ".49999", ".9", ".99")
DECIMALS = [
    number
    for sign, whole, fraction in itertools.product(("", "-"), (0, 1, 9, 10, 11, 99), FRACTIONS)
    if Decimal(number := f"{sign}{whole}{fraction}") or not sign
]


def wrong(kind: str, bounds: dict[str, float], texts: list[str]) -> list[str]:
    """The texts that the grammar allows although they are outside the range, or the reverse."""
    try:
        match = matcher(grammar_of_schema(json.dumps({"type": kind, **bounds}))).fullmatch
    except InvalidInput:
        return [text for text in texts if in_range(text, bounds)]
    return [text for text in texts if bool(match(text)) != in_range(text, bounds)]


def in_range(text: str, bounds: dict[str, float]) -> bool:
    compare = LOWER | UPPER
    return all(compare[name](Decimal(text), Decimal(repr(bound))) for name, bound in bounds.items())


@pytest.mark.parametrize("lower", LOWER)
@pytest.mark.parametrize("upper", UPPER)
def test_a_range_of_integers_has_all_of_them_and_no_others(lower: str, upper: str) -> None:
    edges = (-1000, -99, -12, -1, 0, 7, 19, 100, 999)
    for low, high in itertools.combinations_with_replacement(edges, 2):
        bounds: dict[str, float] = {lower: low, upper: high}
        assert wrong("integer", bounds, INTEGERS) == [], bounds


@pytest.mark.parametrize("lower", LOWER)
@pytest.mark.parametrize("upper", UPPER)
def test_a_range_of_decimals_has_all_of_them_and_no_others(lower: str, upper: str) -> None:
    edges = (-10.25, -9.9, -1, -0.25, 0, 0.1, 0.25, 0.5, 1, 1.5, 9.9, 10, 10.25, 99)
    for low, high in itertools.combinations_with_replacement(edges, 2):
        bounds = {lower: low, upper: high}
        assert wrong("number", bounds, DECIMALS) == [], bounds


@pytest.mark.parametrize("bound", [*LOWER, *UPPER])
@pytest.mark.parametrize("value", [-10.25, -1, 0, 0.25, 1, 10])
def test_one_bound_is_enough(bound: str, value: float) -> None:
    assert wrong("number", {bound: value}, DECIMALS) == []
    assert wrong("integer", {bound: value}, INTEGERS) == []


def test_large_bounds_are_exact() -> None:
    bounds: dict[str, float] = {"minimum": -(2**63), "maximum": 2**63 - 1}
    near = [str(edge + step) for edge in bounds.values() for step in (-2, -1, 0, 1, 2)]

    assert wrong("integer", bounds, near) == []
    assert wrong("integer", {"minimum": 10**30}, [str(10**30 - 1), str(10**30)]) == []


def test_a_decimal_below_an_exclusive_bound_does_not_round_up_to_it() -> None:
    match = matcher(grammar_of_schema('{"type": "number", "exclusiveMaximum": 100}')).fullmatch

    longest = max((f"99.{'9' * n}" for n in range(1, 30) if match(f"99.{'9' * n}")), key=len)
    assert float(longest) < 100
