"""Texts and sets of characters inside JSON strings, as GBNF expressions."""

import json
import re
from collections.abc import Iterable, Sequence

# First and last code point.
Range = tuple[int, int]
HIGHEST = 0x10FFFF
SURROGATES: Range = (0xD800, 0xDFFF)
# Control characters, the quotation mark and the backslash: JSON escapes them.
_NOT_BARE: tuple[Range, ...] = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C))
_SHORT_ESCAPES = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 0x22: '"', 0x5C: "\\"}
_IN_LITERAL = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\u2028\u2029]')


def literal(text: str) -> str:
    """Exactly this text."""
    return '"' + _IN_LITERAL.sub(lambda found: _escape(ord(found[0])), text) + '"'


def json_literal(value: object) -> str:
    """Exactly this value, written compactly and with characters as they are."""
    return literal(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def character_of(ranges: Iterable[Range]) -> str | None:
    """One of these characters inside a JSON string; None if JSON can write none of them shortly."""
    wanted = union(ranges)
    bare = difference(wanted, (*_NOT_BARE, SURROGATES))
    options = []
    if bare and bare[0][0] == bare[-1][1]:
        options.append(literal(chr(bare[0][0])))
    elif bare:
        options.append("[" + "".join(_in_class(*one) for one in bare) + "]")
    for code, letter in _SHORT_ESCAPES.items():
        if any(first <= code <= last for first, last in wanted):
            options.append(literal("\\" + letter))
    if len(options) == 1:
        return options[0]
    return f"({' | '.join(options)})" if options else None


def union(ranges: Iterable[Range]) -> list[Range]:
    """In order, without overlaps."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def difference(ranges: Iterable[Range], barred: Iterable[Range]) -> list[Range]:
    left = union(ranges)
    for low, high in barred:
        cut = []
        for first, last in left:
            cut += [(first, min(last, low - 1)), (max(first, high + 1), last)]
        left = [(first, last) for first, last in cut if first <= last]
    return union(left)


def other_keys(names: Sequence[str]) -> str:
    """The quoted name of a property that is none of these. Needs the rule `bare`.

    Names that JSON must escape cannot be written here at all.
    """
    barred = sorted(name for name in set(names) if not any(map(_needs_escape, name)))
    return f'"\\"" {_other_than(barred)} "\\""'


def _other_than(barred: list[str]) -> str:
    """`barred` is sorted, and has no name twice."""
    may_end = "" not in barred
    if may_end and not barred:
        return "bare*"
    following: dict[str, list[str]] = {}
    for name in filter(None, barred):
        following.setdefault(name[0], []).append(name[1:])
    letters = "".join(_in_class(ord(one), ord(one)) for one in following)
    options = [rf'[^"\\\x00-\x1f{letters}] bare*']
    options += [f"{literal(one)} {_other_than(rest)}" for one, rest in following.items()]
    return f"({' | '.join(options)}){'?' if may_end else ''}"


def _needs_escape(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _NOT_BARE)


def _in_class(first: int, last: int) -> str:
    return _class_character(first) + (f"-{_class_character(last)}" if last > first else "")


def _class_character(code: int) -> str:
    return chr(code) if chr(code).isascii() and chr(code).isalnum() else _escape(code)


def _escape(code: int) -> str:
    if chr(code) in '"\\':
        return "\\" + chr(code)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
