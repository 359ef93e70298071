"""Strings, numbers and enumerated values as GBNF expressions; None if no value is valid."""

import re
from decimal import Decimal
from typing import Any

from service.engine.json_schema import formats, numbers
from service.engine.json_schema.constraints import Constraints, Located, type_of
from service.engine.json_schema.keywords import check_repeats, refused
from service.engine.json_schema.literals import json_literal
from service.engine.json_schema.numbers import Bound
from service.engine.json_schema.patterns import (
    StringRule,
    UnsupportedPattern,
    of_pattern,
    repetition,
)


def string(constraints: Constraints) -> str | None:
    """Needs the rule `char`. Raises: InvalidInput."""
    if constraints.pattern is not None or constraints.format is not None:
        return rf'"\"" {_named_text(constraints).gbnf} "\""'
    check_repeats(constraints.length, constraints.pointer, "minLength", "maxLength")
    if constraints.length.is_empty:
        return None
    if constraints.length.most == 0:
        return r'"\"\""'
    return rf'"\"" char{repetition(constraints.length.least, constraints.length.most)} "\""'


def number(constraints: Constraints) -> str | None:
    """A number with bounds, or an integer if only integers are allowed."""
    write = numbers.decimals if "number" in constraints.generated_types else numbers.integers
    return write(constraints.low, constraints.high)


def choice(constraints: Constraints) -> str | None:
    """One of the listed values. Raises: InvalidInput."""
    values = (constraints.values or {}).values()
    return " | ".join(json_literal(one) for one in values if _fits(one, constraints)) or None


def _named_text(constraints: Constraints) -> StringRule:
    """A string with `pattern` or `format`. With both, only the pattern is enforced: generators
    write it as the exact form of the format.
    """
    source = constraints.pattern or constraints.format
    assert source is not None
    if constraints.pattern is None:
        text, keyword = formats.TEXTS[source.value], "format"
    else:
        text, keyword = _pattern_text(source), "pattern"
        if constraints.format is not None and not re.fullmatch(r"\^.*\$", source.value, re.DOTALL):
            raise refused(
                "pattern",
                source.pointer,
                "is beside `format`. Begin it with ^ and end it with $, or keep one of them.",
            )
    fitting = text.within(constraints.length)
    if fitting is None:
        why = "allows lengths that `minLength` or `maxLength` do not. Remove one of them."
        raise refused(keyword, source.pointer, why)
    return fitting


def _pattern_text(source: Located) -> StringRule:
    try:
        return of_pattern(source.value)
    except UnsupportedPattern as error:
        why = f"has {error}. Simplify it, or use `enum` or `format`."
        raise refused("pattern", source.pointer, why) from None


def _fits(value: Any, constraints: Constraints) -> bool:
    """Whether a value satisfies the other constraints, too.

    Raises: InvalidInput for constraints that are not supported beside `enum` or `const`.
    """
    kind = type_of(value)
    if constraints.types is not None and kind not in constraints.types:
        return False
    if kind == "string":
        if constraints.pattern is not None or constraints.format is not None:
            keyword = "pattern" if constraints.pattern is not None else "format"
            raise refused(
                keyword, constraints.pointer, "is beside `enum` or `const`. Keep one of them."
            )
        return constraints.length.has(len(value))
    if kind in ("integer", "number"):
        return _is_above(value, constraints.low, 1) and _is_above(value, constraints.high, -1)
    if kind in constraints.kinds:
        why = f"has an {kind}, and other keywords constrain it, too. Keep one of them."
        raise refused("enum", constraints.pointer, why)
    return True


def _is_above(value: float, bound: Bound | None, sign: int) -> bool:
    """With the sign -1: is below."""
    if bound is None:
        return True
    distance = sign * (Decimal(repr(value)) - bound.value)
    return distance > 0 or (distance == 0 and not bound.is_exclusive)
