"""Bounds on GBNF grammars that clients send. Knows no models: it reads the text of a grammar only.

llama.cpp follows all ways in which a grammar can go on at once. What repeats or skips empty texts in
many ways makes it follow millions, and deep nesting overflows its stack. The time of a bounded grammar
can still explode in an answer, which only a limit on time can catch.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.errors import InvalidInput

LONGEST_GRAMMAR = 65536
MOST_REPETITIONS = 50_000
DEEPEST_NESTING = 100
MOST_RULES = 5_000
MOST_ALTERNATIVES = 10_000
# Ways to leave out parts of one place, and ways to come from it to the next character.
MOST_EMPTY, MOST_WAYS = 1_000, 20_000
_TOKEN = re.compile(
    r"(?P<comment>\#[^\r\n]*)|(?P<start>[\w-]+)\s*::=|(?P<name>[\w-]+)"
    r'|(?P<terminal>"(?:\\.|[^"\\])*"?|\[(?:\\.|[^\]\\])*\]?|!?<[^>\n]*>|\.)'
    r"|(?P<open>\()|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>[*+?]|\{\s*(?P<least>\d{1,9})\s*(?P<comma>,)?\s*(?P<most>\d{0,9})\s*\})",
    re.DOTALL,
)
# In how many ways something can begin with a character, and in how many it can be empty.
Ways = dict[str, tuple[int, int]]
_CHARACTER, _UNKNOWN = (1, 0), (0, 0)
_EMPTY_TEXT = ""


@dataclass(slots=True)
class _Element:
    """A character, or the name of a rule, so many times; `most` is None without end."""

    rule: str | None
    least: int = 1
    most: int | None = 1


@dataclass(slots=True)
class _Rule:
    alternatives: list[list[_Element]] = field(default_factory=lambda: [[]])


def check_gbnf(text: str) -> None:
    """Raises: InvalidInput for a grammar that is too large or that can be empty in too many ways."""
    if len(text) > LONGEST_GRAMMAR:
        raise InvalidInput(f"The grammar is longer than {LONGEST_GRAMMAR} characters.")
    rules = _Reader().read(text)
    elements = [
        one for rule in rules.values() for alternative in rule.alternatives for one in alternative
    ]
    if sum(one.most or one.least for one in elements if one.most != 1) > MOST_REPETITIONS:
        raise InvalidInput(
            f"The grammar has more than {MOST_REPETITIONS} repetitions altogether. "
            "Lower its bounds."
        )
    _check_ways(rules)


class _Reader:
    """Reads rules; each group becomes a rule of its own, as it does in llama.cpp."""

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}
        self._open: list[_Rule] = []
        self._alternatives = 0

    def read(self, text: str) -> dict[str, _Rule]:
        for found in _TOKEN.finditer(text):
            if found["start"]:
                self._open = [self._add(found["start"])]
            elif self._open:
                self._take(found)
        return self._rules

    def _add(self, name: str) -> _Rule:
        rule = self._rules[name] = _Rule()
        if len(self._rules) > MOST_RULES:
            raise InvalidInput(f"The grammar has more than {MOST_RULES} rules and groups.")
        return rule

    def _take(self, found: re.Match[str]) -> None:
        sequence = self._open[-1].alternatives[-1]
        if found["name"] or found["terminal"]:
            sequence.append(_Element(_EMPTY_TEXT if found["terminal"] == '""' else found["name"]))
        elif found["open"]:
            self._open_group(sequence)
        elif found["close"]:
            if len(self._open) > 1:
                self._open.pop()
        elif found["bar"]:
            self._add_alternative()
        elif found["repeat"] and sequence:
            sequence[-1].least, sequence[-1].most = _times(found)

    def _open_group(self, sequence: list[_Element]) -> None:
        if len(self._open) > DEEPEST_NESTING:
            raise InvalidInput(
                f"The grammar has more than {DEEPEST_NESTING} groups inside each other."
            )
        # No rule of a grammar has such a name.
        name = f"({len(self._rules)}"
        self._open.append(self._add(name))
        sequence.append(_Element(name))

    def _add_alternative(self) -> None:
        self._alternatives += 1
        if self._alternatives > MOST_ALTERNATIVES:
            raise InvalidInput(f"The grammar has more than {MOST_ALTERNATIVES} alternatives.")
        self._open[-1].alternatives.append([])


def _times(found: re.Match[str]) -> tuple[int, int | None]:
    sign = found["repeat"]
    if sign in "*+?":
        return int(sign == "+"), 1 if sign == "?" else None
    least = int(found["least"])
    if not found["comma"]:
        return least, least
    return least, int(found["most"]) if found["most"] else None


def _check_ways(rules: dict[str, _Rule]) -> None:
    """Raises: InvalidInput."""
    ways: Ways = {_EMPTY_TEXT: (0, 1)}
    for name in _inner_first(rules):
        found = [_of_sequence(one, ways) for one in rules[name].alternatives]
        ways[name] = sum(first for first, _ in found), sum(empty for _, empty in found)
        if ways[name][0] > MOST_WAYS or ways[name][1] > MOST_EMPTY:
            raise _too_many_ways()


def _of_sequence(elements: list[_Element], ways: Ways) -> tuple[int, int]:
    """The ways into and through a sequence. Raises: InvalidInput."""
    first, passing, left_out = 0, 1, 0
    for one in elements:
        its_first, its_empty = _repeated(one, ways)
        first += passing * its_first
        passing *= its_empty
        left_out += passing
        if left_out > MOST_EMPTY:
            raise _too_many_ways()
        if not passing:
            break
    return first, passing


def _repeated(one: _Element, ways: Ways) -> tuple[int, int]:
    first, empty = _CHARACTER if one.rule is None else ways.get(one.rule, _UNKNOWN)
    if empty and one.most != 1:
        raise InvalidInput(
            "The grammar repeats something that can be empty, such as (x?)*. Remove the inner "
            "`?` or `*`."
        )
    return first, empty + (one.least == 0)


def _inner_first(rules: dict[str, _Rule]) -> Iterator[str]:
    """The names of the rules, each after those that it uses unless they use it, too."""
    seen: set[str] = set()
    for name in rules:
        stack = [(name, iter((name,)))]
        while stack:
            current, uses = stack[-1]
            following = next((one for one in uses if one in rules and one not in seen), None)
            if following is None:
                stack.pop()
                if stack:
                    yield current
            else:
                seen.add(following)
                stack.append((following, iter(_used(rules[following]))))


def _used(rule: _Rule) -> list[str]:
    return [
        one.rule for alternative in rule.alternatives for one in alternative if one.rule is not None
    ]


def _too_many_ways() -> InvalidInput:
    return InvalidInput(
        f"The grammar can go on in more than {MOST_EMPTY} ways at one place, because many of its "
        "parts can be empty or begin alike. Make fewer parts optional."
    )
