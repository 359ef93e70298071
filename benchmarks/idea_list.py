"""Eight ideas as one numbered list: how it is asked for, and how its items are read. Pure.

The other way to get ideas, which the brainstorm is measured against; it gets a fair prompt and a
lenient reader of its own.
"""

import re
from collections.abc import Sequence

from service.engine.types import Message
from service.prompts.answers import brainstorm_answer

SYSTEM = (
    "You give practical, concrete ideas: what to do, with which things, when and where, "
    "so that someone can start tomorrow."
)
TOKENS_PER_IDEA = 110


def messages(topic: str, count: int, taken: Sequence[str] = ()) -> tuple[Message, ...]:
    """`taken` are the titles that are there already, when missing ones are asked for again."""
    wish = (
        f"Topic: {topic}\n\n"
        f"Write a numbered list of {count} different ideas for this topic. Each item is one line: "
        "a title of two to five words, a colon, and then two sentences that say exactly what to do."
    )
    if taken:
        wish += f" These are taken, so find others: {'; '.join(taken)}."
    return (Message("system", SYSTEM), Message("user", wish))


_NUMBER = re.compile(r"^[ \t#*_]*\d{1,2}[.):][ \t*_]*", re.MULTILINE)
_LABEL = re.compile(r"^[ \t#*_]*(?:title|idea|description)[ \t*_]*:[ \t*_]*", re.IGNORECASE)
# A title ends with its line, its bold type, a colon, a dash, or as a sentence.
_TITLE_END = re.compile(r"\n+|\*\*[:.]?|:|\s[-\u2013\u2014]\s|(?<=[a-z])[.!?]\s")


def items(text: str, *, is_whole: bool) -> list[str]:
    """Those that are complete: the last one only once the text is whole."""
    starts = list(_NUMBER.finditer(text))
    ends = [match.start() for match in starts[1:]] + ([len(text)] if is_whole else [])
    return [text[match.end() : end].strip() for match, end in zip(starts, ends, strict=False)]


def as_answer(item: str) -> str:
    """An item in the form of the brainstorm's answers, so that the same rules judge it."""
    item = _LABEL.sub("", item).lstrip("*_ ")
    end = _TITLE_END.search(item)
    if end is None:
        return brainstorm_answer("", item)
    text = " ".join(_LABEL.sub("", line.strip(" -*•\t")) for line in item[end.end() :].split("\n"))
    return brainstorm_answer(item[: end.start()], text.strip(" -*:"))
