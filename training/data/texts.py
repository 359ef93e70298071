"""Texts as words and shingles, for finding texts that differ only in a few words."""

import re
import unicodedata

from training.data.rows import OWN_TASKS, Row

SHINGLE_WORDS = 3
Shingles = frozenset[tuple[str, ...]]

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
# The text of the user inside our prompt, whose other sentences are the same in every row.
_MATERIAL = re.compile(r"<(topic|idea)>(.*?)</\1>", re.DOTALL)


def words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))


def normal(text: str) -> str:
    """The text without punctuation, in lower case and with single spaces."""
    return " ".join(words(text))


def shingles(text: str) -> Shingles:
    """The runs of three words in the text. A shorter text is one shingle by itself."""
    found = words(text)
    if len(found) < SHINGLE_WORDS:
        return frozenset({found} if found else ())
    return frozenset(found[i : i + SHINGLE_WORDS] for i in range(len(found) - SHINGLE_WORDS + 1))


def jaccard(a: Shingles, b: Shingles) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def user_text(row: Row) -> str:
    """The text of the user, without the words of our prompts around it."""
    turns = [message.content for message in row.messages if message.role == "user"]
    if row.task in OWN_TASKS:
        material = _MATERIAL.search(turns[-1])
        return material.group(2) if material is not None else turns[-1]
    return "\n".join(turns)
