"""Regular expressions as GBNF expressions for texts inside a JSON string.

The syntax is that of ECMA-262, as far as it is regular: no references back and no looking around.
"""

import re
from dataclasses import dataclass, replace

from service.engine.json_schema.constraints import Span
from service.engine.json_schema.literals import HIGHEST, Range, character_of, difference

MOST_REPEATS = 1000
DEEPEST_GROUP = 40
ANY: tuple[Range, ...] = ((0, HIGHEST),)
_DIGITS: tuple[Range, ...] = ((0x30, 0x39),)
_WORD: tuple[Range, ...] = (*_DIGITS, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: tuple[Range, ...] = (
    (9, 13), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
    (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_LINE_ENDS: tuple[Range, ...] = ((10, 10), (13, 13), (0x2028, 0x2029))
_SETS = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,6})(,(\d{0,6}))?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?<[A-Za-z_]\w*>)?")


class UnsupportedPattern(ValueError):
    """The message completes the sentence `The pattern has …`."""


@dataclass(frozen=True)
class Stretch:
    """The only part of a text that varies in length: a character that is repeated."""

    before: str
    character: str
    after: str = ""

    def between(self, before: str, after: str) -> "Stretch":
        return Stretch(f"{before}{self.before}", self.character, f"{self.after}{after}")


@dataclass(frozen=True)
class StringRule:
    """A GBNF expression for texts of `least` to `most` characters; `most` is None without end.

    `rules` is about how many rules llama.cpp makes of it. `stretch_least` is the least number of
    characters of the stretch.
    """

    gbnf: str
    least: int
    most: int | None
    rules: int = 1
    stretch: Stretch | None = None
    stretch_least: int = 0

    def within(self, span: Span) -> "StringRule | None":
        """The texts whose length is in a span; None if there is no expression for just them."""
        if span.covers(Span(self.least, self.most)):
            return self
        least = max(self.least, span.least)
        mosts = [most for most in (self.most, span.most) if most is not None]
        most = min(mosts, default=None)
        if self.stretch is None or (most is not None and most < least):
            return None
        fixed = self.least - self.stretch_least
        stretched = Span(least - fixed, None if most is None else most - fixed)
        if max(stretched.least, stretched.most or 0) > MOST_REPEATS:
            return None
        repeated = ""
        if stretched.most != 0:
            repeated = self.stretch.character + repetition(stretched.least, stretched.most)
        return StringRule(f"{self.stretch.before}{repeated}{self.stretch.after}", least, most)


def of_pattern(pattern: str) -> StringRule:
    """The texts in which a regular expression finds a match. Needs the rule `char`.

    Raises: UnsupportedPattern.
    """
    return _Pattern(pattern).read()


class _Pattern:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def read(self) -> StringRule:
        text = self._alternatives()
        if self._at < len(self._pattern):
            raise UnsupportedPattern("a `)` without a `(`")
        return text

    def _next(self, length: int = 1) -> str:
        return self._pattern[self._at : self._at + length]

    def _alternatives(self) -> StringRule:
        options = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            options.append(self._sequence())
        if len(options) == 1:
            return options[0]
        mosts = [one.most for one in options]
        return StringRule(
            f"({' | '.join(one.gbnf for one in options)})",
            min(one.least for one in options),
            None if None in mosts else max(most for most in mosts if most is not None),
            sum(one.rules for one in options),
        )

    def _sequence(self) -> StringRule:
        """Outside of groups, whatever is not anchored may have any text beside it."""
        anything = StringRule("char*", 0, None)
        parts = []
        if not self._depth:
            if self._next() == "^":
                self._at += 1
            else:
                parts.append(anything)
        while self._next() not in ("", "|", ")"):
            if self._next() == "$" and not self._depth:
                self._at += 1
                if self._next() not in ("", "|"):
                    raise UnsupportedPattern("a `$` before the end")
                break
            parts.append(self._repeated(self._atom()))
        else:
            parts += [] if self._depth else [anything]
        return _joined(parts)

    def _repeated(self, text: StringRule) -> StringRule:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None:
            return text
        self._at = found.end()
        sign, low, comma, high = found.groups()
        least = int(low) if low else int(sign == "+")
        most = int(high) if high else None if comma or sign in ("*", "+") else least
        most = 1 if sign == "?" else most
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise UnsupportedPattern(
                f"`{found[0]}`; at most {MOST_REPEATS} repetitions are allowed"
            )
        if text.least == 0 and most != 1:
            raise UnsupportedPattern("a repetition of something that can be empty")
        return _times(text, least, most)

    def _atom(self) -> StringRule:
        character = self._next()
        if character == "(":
            return self._group()
        if character in "*+?{}^$":
            raise UnsupportedPattern(f"`{character}` at a pointer where it has no clear meaning")
        self._at += 1
        if character == "[":
            return _one_of(self._class())
        if character == ".":
            return _one_of(difference(ANY, _LINE_ENDS))
        if character == "\\":
            return _one_of(self._escape())
        return _one_of([(ord(character), ord(character))])

    def _group(self) -> StringRule:
        opening = _GROUP.match(self._pattern, self._at)
        if opening is None or self._pattern.startswith("?", opening.end()):
            raise UnsupportedPattern(f"`{self._next(3)}`, which is not supported")
        self._depth += 1
        if self._depth > DEEPEST_GROUP:
            raise UnsupportedPattern(f"more than {DEEPEST_GROUP} groups inside each other")
        self._at = opening.end()
        inner = self._alternatives()
        if self._next() != ")":
            raise UnsupportedPattern("a `(` without a `)`")
        self._at += 1
        self._depth -= 1
        return replace(
            inner,
            gbnf=f"({inner.gbnf})",
            rules=inner.rules + 1,
            stretch=inner.stretch and inner.stretch.between("(", ")"),
        )

    def _class(self) -> list[Range]:
        is_negated = self._next() == "^"
        self._at += is_negated
        ranges: list[Range] = []
        while self._next() != "]":
            first = self._class_member()
            if self._next() == "-" and self._next(2) != "-]":
                self._at += 1
                last = self._class_member()
                if not (_is_character(first) and _is_character(last) and first[0] <= last[0]):
                    raise UnsupportedPattern("a range without a clear beginning and end")
                first = [(first[0][0], last[0][1])]
            ranges += first
        self._at += 1
        return difference(ANY, ranges) if is_negated else ranges

    def _class_member(self) -> list[Range]:
        character = self._next()
        if not character:
            raise UnsupportedPattern("a `[` without a `]`")
        self._at += 1
        if character == "\\":
            return self._escape()
        return [(ord(character), ord(character))]

    def _escape(self) -> list[Range]:
        """After the backslash."""
        if found := _HEX.match(self._pattern, self._at):
            self._at = found.end()
            code = int(next(filter(None, found.groups())), 16)
            return [(code, code)]
        letter = self._next()
        self._at += 1
        if letter.lower() in _SETS:
            ranges = _SETS[letter.lower()]
            return list(ranges) if letter.islower() else difference(ANY, ranges)
        if letter in _CONTROLS:
            return [(_CONTROLS[letter], _CONTROLS[letter])]
        if not letter or letter.isalnum() or not letter.isascii():
            raise UnsupportedPattern(f"`\\{letter}`, which is not supported")
        return [(ord(letter), ord(letter))]


def _is_character(ranges: list[Range]) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _one_of(ranges: list[Range]) -> StringRule:
    gbnf = character_of(ranges)
    if gbnf is None:
        raise UnsupportedPattern("a character that an answer cannot have")
    return StringRule(gbnf, 1, 1)


def _joined(parts: list[StringRule]) -> StringRule:
    mosts = [one.most for one in parts]
    text = StringRule(
        " ".join(one.gbnf for one in parts) or '""',
        sum(one.least for one in parts),
        None if None in mosts else sum(most for most in mosts if most is not None),
        sum(one.rules for one in parts),
    )
    varying = [index for index, one in enumerate(parts) if one.least != one.most]
    if len(varying) != 1 or parts[varying[0]].stretch is None:
        return text
    index = varying[0]
    before = "".join(f"{one.gbnf} " for one in parts[:index])
    after = "".join(f" {one.gbnf}" for one in parts[index + 1 :])
    stretch, stretch_least = parts[index].stretch, parts[index].stretch_least
    return replace(
        text, stretch=stretch and stretch.between(before, after), stretch_least=stretch_least
    )


def _times(text: StringRule, least: int, most: int | None) -> StringRule:
    rules = text.rules * max(least, most or 0, 1)
    if rules > MOST_REPEATS:
        raise UnsupportedPattern(f"more than {MOST_REPEATS} repetitions altogether")
    if most == 0:
        return StringRule('""', 0, 0)
    return StringRule(
        f"{text.gbnf}{repetition(least, most)}",
        text.least * least,
        None if most is None or text.most is None else text.most * most,
        rules,
        Stretch("", text.gbnf) if text.least == text.most == 1 else None,
        least,
    )


def repetition(least: int, most: int | None) -> str:
    """The sign after an expression that repeats it; `most` is at least 1."""
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    if least == most:
        return "" if most == 1 else f"{{{least}}}"
    return "?" if (least, most) == (0, 1) else f"{{{least},{most}}}"
