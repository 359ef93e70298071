"""Checks what a request to rewrite a note asks for, as far as that can be checked. It is pure.

English requests only: others ask for the same in words that these rules do not know.
"""

import re
from collections.abc import Iterator

from service.messages import Text
from service.text.cleaning import count_words, has_words_of
from service.text.preserved_facts import left_out

# A text that lost fewer words than this does not read as shorter.
SHORTER = 0.85
_ASKS_SHORTER = re.compile(r"\b(shorter|shorten|briefer|more concise|condense|half as long)\b")
_ASKS_LONGER = re.compile(r"\b(longer|lengthen|expand|more details?)\b")
_NUMBER = r"(?P<number>\d+|one|two|three|four|five|six)"
_MOST = re.compile(
    rf"(?:\b(?:at most|no more than|under|within|max(?:imum)?|in) )?\b{_NUMBER} (?P<unit>words?|sentences?)"
    r"(?: at most|,? no more| or (?:less|fewer))?\b"
)
_IN_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_TAKES_AWAY = re.compile(
    r"\b(remove|delete|drop|cut|omit|without|avoid|replace|instead of|leave out|take|not|don't|no)\b"
)
_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")
# What asks for it, what shows that it is there, and its name.
_FORMS = (
    (r"\bfirst step\b", r"\bfirst step\b", Text("a first step")),
    (r"\b(risks?|go(es)? wrong)\b", r"\b(risks?|wrong|fails?|danger\w*)\b", Text("the main risk")),
    (
        r"\b(as|into) a list\b|\bbullet",
        r"(?m)^\s*([-*•]|\d+[.)]) .*\n\s*([-*•]|\d+[.)]) ",
        Text("a list"),
    ),
    (
        r"\b(an? |into an? |as an? )(e-?mail|letter)\b",
        r"(?m)^(dear|hello|hi|good \w+)\b",
        Text("a greeting, as in a letter"),
    ),
    (r"\bas (an? )?questions?\b", r"\?", Text("a question")),
    (r"\b(an|for) example\b", r"\b(example|instance|e\.g\.|such as|like)", Text("an example")),
)
_TAKE_OUT = re.compile(
    r"\b(?:take|leave|cut) (?:out )?(?:the )?(?:(?:bit|part|sentence) (?:on|about) )?(?:the )?([\w' -]+?) out\b"
    r"|\b(?:remove|delete|drop|omit|leave out|take out) (?:the )?(?:(?:bit|part|sentence) (?:on|about) )?(?:the )?([\w' -]+)"
)
_MENTION = re.compile(
    r"(?<!not )(?<!n.t )\b(?:mention|stress that|say more about) (?:the )?([\w' -]+)"
)


def unmet(wish: str, note: str, written: str) -> tuple[str, ...]:
    """Returns what the wish asks for and `written` lacks, in a few words each."""
    return tuple(dict.fromkeys(_unmet(wish, note, written)))


def new_parts(note: str, written: str) -> tuple[str, ...]:
    """Returns the parts, such as a first step, that `written` has and `note` lacks. English only."""

    def has(shows: str, text: str) -> bool:
        return re.search(shows, text, re.IGNORECASE) is not None

    return tuple(name for _, shows, name in _FORMS if has(shows, written) and not has(shows, note))


def _unmet(wish: str, note: str, written: str) -> Iterator[str]:
    asked = wish.casefold()
    words, before = count_words(written), count_words(note)
    limit = _MOST.search(asked)
    if limit is not None:
        is_words = limit["unit"].startswith("word")
        counted = words if is_words else len(_SENTENCE_END.findall(written))
        if counted > (_IN_WORDS.get(limit["number"]) or int(limit["number"])):
            yield Text("a shorter text")
    elif _ASKS_SHORTER.search(asked) and words > SHORTER * before:
        yield Text("a shorter text")
    if _ASKS_LONGER.search(asked) and words <= before:
        yield Text("a longer text")
    for asks, shows, name in _FORMS:
        if re.search(asks, asked) and not re.search(shows, written, re.IGNORECASE):
            yield name
    yield from _kept_or_missing(wish, note, written)
    if not _TAKES_AWAY.search(asked):
        yield from _named(wish, limit, written)


def _kept_or_missing(wish: str, note: str, written: str) -> Iterator[str]:
    take_out = _TAKE_OUT.search(wish)
    if take_out is not None:
        subject = take_out[1] or take_out[2]
        if has_words_of(note, subject) and has_words_of(written, subject):
            yield Text("a text without “%(subject)s”", subject=subject)
    mention = _MENTION.search(wish)
    if mention is not None and not has_words_of(written, mention[1]):
        yield mention[1]


def _named(wish: str, limit: re.Match[str] | None, written: str) -> Iterator[str]:
    """The numbers and names of the wish that the text lacks."""
    if limit is not None:
        wish = wish[: limit.start()] + wish[limit.end() :]
    yield from left_out(wish, written)
