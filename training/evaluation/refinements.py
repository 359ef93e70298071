"""Measures whether a rewritten note keeps the facts and follows the wish.

It checks what a program can see: numbers, names, length and the last sentence. Knows no engine.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from service.errors import AnswerUnusable
from service.prompts.answers import Refinement, parse_refinement
from service.text.cleaning import count_words
from service.text.preserved_facts import digits, names, spoken

SHORTER = 0.75
"""A 'shorter' note may have at most this share of the words; half is asked for."""
LONGER = 2.0
"""Without a wish for more, a note with more than twice the words counts as padded."""


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    title: str
    body: str
    instruction: str


@dataclass(frozen=True, slots=True)
class RefinementMeasures:
    """The measures of one rewritten note; NaN if there is nothing to measure.

    `valid`: the answer could be read. `facts_kept`: the share of the note's numbers and names that
    it keeps. `numbers_added`: how many numbers it adds. `length`: its words relative to the note's.
    `obeyed`: whether it follows the wish, if a program can check that.
    """

    valid: float
    facts_kept: float
    numbers_added: float
    length: float
    obeyed: float


METRICS = tuple(field.name for field in fields(RefinementMeasures))
_NOTHING = float("nan")


def measure(note: Note, answer: str) -> RefinementMeasures:
    try:
        made = parse_refinement(answer)
    except AnswerUnusable:
        return RefinementMeasures(0.0, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
    length = count_words(made.body) / max(1, count_words(note.body))
    obeyed = _WISHES.get(note.instruction.casefold().strip())
    return RefinementMeasures(
        valid=1.0,
        facts_kept=facts_kept(note.body, f"{made.title}\n{made.body}"),
        numbers_added=len(added_numbers(note, made)),
        length=length,
        obeyed=_NOTHING if obeyed is None else float(obeyed(made, length)),
    )


def facts_kept(source: str, result: str) -> float:
    """NaN if the source has no numbers and no names."""
    numbers, found = digits(source), names(source)
    if not numbers and not found:
        return _NOTHING
    kept_numbers, text = digits(result) | spoken(result), result.casefold()
    kept = len(numbers & kept_numbers) + sum(name.casefold() in text for name in found)
    return kept / (len(numbers) + len(found))


def added_numbers(note: Note, made: Refinement) -> frozenset[str]:
    source, result = f"{note.title}\n{note.body}\n{note.instruction}", made.body
    # The word 'one' is hardly ever meant as a number.
    numbers = digits(result) | spoken(result) - {"1"}
    return numbers - digits(source) - spoken(source)


def _ends_with(beginning: str) -> Callable[[Refinement, float], bool]:
    def check(made: Refinement, _: float) -> bool:
        last = re.split(r"(?<=[.!?])\s+", made.body.strip())[-1]
        return last.casefold().startswith(beginning)

    return check


_WISHES: Mapping[str, Callable[[Refinement, float], bool]] = {
    "": lambda _, length: length <= LONGER,
    "clearer": lambda _, length: length <= LONGER,
    "shorter": lambda _, length: length <= SHORTER,
    "add a first step": _ends_with("as a first step,"),
    "address the main risk": _ends_with("the main risk is"),
}
