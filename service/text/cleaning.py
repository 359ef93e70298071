"""Cleans text by people and models: removes invisible characters, repetitions and cut sentences.

It does not know ideas, prompts, or where the text is used.
"""

import re
import unicodedata
from functools import lru_cache

ABBREVIATIONS = ("Mr.", "Mrs.", "Ms.", "Dr.", "St.")
"""Forms of address, whose full stop does not end a sentence."""
SENTENCE_END = re.compile(
    "".join(rf"(?<!\b{one[:-1]})" for one in ABBREVIATIONS)
    + r"[.!?…](?=[\"'\u201d\u2019\u00bb)\]*_]*(?:\s|$))|[。！？]"
)
_CLOSING = "\"'\u201d\u2019\u00bb)]*_」』）"
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_STEM_LENGTH = 4
_LONGER_WORD = re.compile(rf"\d+|\w{{{_STEM_LENGTH},}}")
# Emoji need the zero-width joiner and U+FE0F, and Persian needs the zero-width non-joiner. All other
# format characters can hide text from people but not from a model.
_KEPT_FORMAT = "\u200c\u200d"
_MARKS_IN_A_ROW = 30
_GRAPHEME_JOINER = "\u034f"
_VARIATION_SELECTOR = re.compile("[\ufe00-\ufe0d\U000e0100-\U000e01ef]")


def clean_text(text: str) -> str:
    """Returns the text in NFC, with plain newlines and without invisible characters.

    All input and everything that a model writes is cleaned in this way. It is idempotent.
    """
    text = re.sub(r"\r\n?|[\u2028\u2029\x85\x0b\x0c]", "\n", text)
    text = _VARIATION_SELECTOR.sub("", text)
    kept = "".join(c for c in text if not _is_invisible(c))
    return unicodedata.normalize("NFC", _with_joined_marks(kept)).strip()


def _with_joined_marks(text: str) -> str:
    """Divides long runs of combining marks, as the Stream-Safe Text Format of UAX #15 does.

    To normalise a run takes quadratic time, and a few kilobytes of it would stop the server.
    """
    if text.isascii():
        return text
    pieces, run = [], 0
    for character in text:
        count, is_mark = _final_marks(character)
        if is_mark and run + count > _MARKS_IN_A_ROW:
            pieces.append(_GRAPHEME_JOINER)
            run = 0
        run = run + count if is_mark else count
        pieces.append(character)
    return "".join(pieces)


@lru_cache(maxsize=4096)
def _final_marks(character: str) -> tuple[int, bool]:
    """Returns how many marks the character ends with, and whether it is nothing else."""
    # Decomposed, so that the count is the same before and after the normalisation.
    parts = unicodedata.normalize("NFD", character)
    count = 0
    while count < len(parts) and unicodedata.combining(parts[-1 - count]):
        count += 1
    return count, count == len(parts)


def _is_invisible(character: str) -> bool:
    if " " <= character <= "~" or character in "\n\t" or character in _KEPT_FORMAT:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")


def one_line(text: str) -> str:
    return " ".join(text.split())


def tidy_title(text: str) -> str:
    """Returns the title on one line, without Markdown, outer quotes and final punctuation."""
    title = re.sub(r"^[#>\-*•\s]+", "", one_line(text))
    title = re.sub(r"(\*\*|__|`)", "", title)
    title = title.rstrip(" .:;,-\u2013\u2014")
    while len(title) > 1 and (title[0], title[-1]) in _QUOTES:
        title = title[1:-1].strip(" .:;,-\u2013\u2014")
    return title.strip("*_ ")


_QUOTES = {
    ('"', '"'),
    ("'", "'"),
    ("\u201c", "\u201d"),
    ("\u2018", "\u2019"),
    ("\u00ab", "\u00bb"),
    ("\u201e", "\u201c"),
    ("「", "」"),
}


def whole_sentences(text: str) -> str:
    """Returns `text` up to the end of its last complete sentence; empty if there is none."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    if not ends:
        return ""
    end = ends[-1]
    while end < len(text) and text[end] in _CLOSING:
        end += 1
    return text[:end].rstrip()


def count_words(text: str) -> int:
    """Counts words. In scripts without spaces, two characters count as one word."""
    unspaced = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + (unspaced + 1) // 2


def has_words_of(text: str, source: str) -> bool:
    """Whether `text` has a number or a longer word of `source`, in any inflected form."""
    begins = {word[:_STEM_LENGTH] for word in _LONGER_WORD.findall(source.casefold())}
    return any(word[:_STEM_LENGTH] in begins for word in _LONGER_WORD.findall(text.casefold()))


def repeats_itself(text: str, *, run: int = 4) -> bool:
    """Whether `run` words in a row occur three times, as when a small model loops."""
    words = text.casefold().split()
    seen: dict[tuple[str, ...], int] = {}
    for i in range(len(words) - run + 1):
        key = tuple(words[i : i + run])
        seen[key] = seen.get(key, 0) + 1
    return max(seen.values(), default=0) >= 3


def without_repeated_sentences(text: str) -> str:
    """Removes repetitions of sentences of six words or more."""
    seen: set[str] = set()
    kept: list[str] = []
    for piece in re.split(r"(?<=[.!?])(\s+)", text):
        key = piece.strip().casefold()
        if key in seen:
            if kept and not kept[-1].strip():
                kept.pop()
            continue
        if count_words(key) >= 6:
            seen.add(key)
        kept.append(piece)
    return "".join(kept).rstrip()


def without_sentences_like(phrases: tuple[str, ...], text: str) -> str:
    """Removes sentences and lines that contain one of `phrases`, which are in lower case."""
    pieces = re.split(r"((?<=[.!?])\s+|\n+)", text)
    kept = [piece for piece in pieces if not any(one in piece.casefold() for one in phrases)]
    return "".join(kept).strip()
