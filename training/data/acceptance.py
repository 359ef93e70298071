"""Decides whether a grammar of `service.prompts.grammars` accepts an answer.

These grammars have no recursion, so each can be translated into one regular expression.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache

_RULE = re.compile(r"^([a-z-]+) ::= (.*)$", re.MULTILINE)
_TOKEN = re.compile(
    r'\s*(?:(?P<literal>"(?:\\.|[^"\\])*")|\[(?P<set>(?:\\.|[^\]\\])*)\]'
    r"|(?P<operator>\{\d+(?:,\d*)?\}|[*+?|()])|(?P<name>[a-z-]+))"
)


def allows(grammar: str, answer: str) -> bool:
    return _expression(grammar).fullmatch(answer) is not None


@lru_cache(maxsize=64)
def _expression(grammar: str) -> re.Pattern[str]:
    return re.compile(_Rules(grammar).expression_of("root"))


class _Rules:
    def __init__(self, grammar: str) -> None:
        self._bodies: dict[str, str] = dict(_RULE.findall(grammar))
        self._known: dict[str, str] = {}

    def expression_of(self, rule: str) -> str:
        if rule not in self._known:
            body = self._bodies[rule].rstrip()
            self._known[rule] = "".join(map(self._translated, _tokens(body)))
        return f"(?:{self._known[rule]})"

    def _translated(self, token: re.Match[str]) -> str:
        text = token[token.lastgroup or 0]
        match token.lastgroup:
            case "literal":
                return f"(?:{re.escape(json.loads(text))})"
            case "set":
                return "[" + text.replace("[", r"\[") + "]"
            case "name":
                return self.expression_of(text)
        return "(?:" if text == "(" else text


def _tokens(body: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            raise ValueError(f"cannot read the grammar at {body[position:]!r}")
        yield token
        position = token.end()
