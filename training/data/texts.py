"""Texts as bags of words and shingles, for finding those that are the same but for a few words."""

import re
import unicodedata

from training.data.rows import OWN_TASKS, Row

SHINGLE_WORDS = 3
Shingles = frozenset[tuple[str, ...]]

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
# What the user wrote, between the sentences of our prompt that are the same in every row.
_MATERIAL = re.compile(r"<(topic|idea)>(.*?)</\1>", re.DOTALL)


def words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))


def normal(text: str) -> str:
    """Equal for texts that differ in case, spaces and punctuation alone."""
    return " ".join(words(text))


def shingles(text: str) -> Shingles:
    """A text shorter than a shingle is one."""
    found = words(text)
    if len(found) < SHINGLE_WORDS:
        return frozenset({found} if found else ())
    return frozenset(found[i : i + SHINGLE_WORDS] for i in range(len(found) - SHINGLE_WORDS + 1))


def jaccard(a: Shingles, b: Shingles) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def user_text(row: Row) -> str:
    """What the user wrote, without the words of our prompts around it."""
    turns = [message.content for message in row.messages if message.role == "user"]
    if row.task in OWN_TASKS:
        material = _MATERIAL.search(turns[-1])
        return material.group(2) if material is not None else turns[-1]
    return "\n".join(turns)
