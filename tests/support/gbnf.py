"""A grammar as a regular expression, for tests that need no model. It must not be recursive."""

import re

_TOKEN = re.compile(
    r'(?P<literal>"(?:\\.|[^"\\])*")|(?P<set>\[(?:\\.|[^\]\\])*\])|(?P<name>[a-z][a-z0-9-]*)|(?P<space> )'
)


def matcher(grammar: str) -> re.Pattern[str]:
    """Matches all texts of the grammar by `fullmatch`."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())

    def regex(rule: str, outer: tuple[str, ...]) -> str:
        assert rule not in outer, f"{rule} is recursive"

        def part(found: re.Match[str]) -> str:
            if found["literal"]:
                return f"(?:{re.escape(_unescaped(found['literal'][1:-1]))})"
            if found["name"]:
                return regex(found["name"], (*outer, rule))
            return found["set"] or ""

        return f"(?:{_TOKEN.sub(part, rules[rule])})"

    return re.compile(regex("root", ()))


def _unescaped(literal: str) -> str:
    return re.sub(
        r'\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(["\\]))',
        lambda found: found[4] or chr(int(found[1] or found[2] or found[3], 16)),
        literal,
    )
