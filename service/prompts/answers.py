"""Writes and parses the model's answers.

Parsing is strict and total: every string gives a valid value or `AnswerUnusable`. Knows no prompts.
"""

import re
from dataclasses import dataclass

from service.errors import AnswerUnusable
from service.messages import Text
from service.text.cleaning import (
    clean_text,
    count_words,
    one_line,
    repeats_itself,
    tidy_title,
    whole_sentences,
    without_repeated_sentences,
    without_sentences_like,
)

TITLE_LIMIT = 200
BODY_LIMIT_BYTES = 8192
MIN_WORDS = 8
MIN_POINT_WORDS = 3
LONGEST_WORD = 80
EXAMPLE_PHRASES = ("one hook for each key beside the door", "one page read aloud at breakfast")
"""What the prompt shows as examples; a small model sometimes hands one back."""
EXAMPLE_ECHOES = ("hook for each key", "aloud at breakfast")
"""By what one of them is known among other words; of 360 first drafts of two models, eight were such."""
INSTRUCTIONS = (
    "rewrite this note",
    "in this form:",
    "<the whole note",
    "in complete sentences, so",
)
"""Pieces of the request to refine, which the smallest model likes to copy into its answer."""


@dataclass(frozen=True, slots=True)
class ParsedSuggestion:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class PartialSuggestion:
    """`title` is None until its line is complete."""

    title: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Refinement:
    title: str
    body: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartialRefinement:
    title: str | None
    body: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    strengths: tuple[str, ...]
    concerns: tuple[str, ...]
    next_step: str


@dataclass(frozen=True, slots=True)
class PartialAssessment:
    strengths: tuple[str, ...]
    concerns: tuple[str, ...]
    next_step: str


def brainstorm_answer(title: str, text: str) -> str:
    return f"Title: {title}\nIdea: {text}"


def refine_answer(title: str, body: str, changes: tuple[str, ...]) -> str:
    lines = "".join(f"\n- {change.rstrip('.')}." for change in changes)
    return f"Title: {title}\nIdea: {body}\n\nChanges:{lines}"


def evaluate_answer(strengths: tuple[str, ...], concerns: tuple[str, ...], next_step: str) -> str:
    return (
        "Strengths:\n"
        + "".join(f"- {item}\n" for item in strengths)
        + "Concerns:\n"
        + "".join(f"- {item}\n" for item in concerns)
        + f"Next step: {next_step}"
    )


def parse_suggestion(answer: str, *, topic: str) -> ParsedSuggestion:
    """Raises: AnswerUnusable if it is empty, cut off, repeats itself or only repeats the topic."""
    parts = _sections(clean_text(answer), ("Title", "Idea"))
    title = _title(parts)
    written = one_line(parts.get("Idea", "")).strip("*_ ")
    if written and _is_placeholder(written):
        raise AnswerUnusable(Text("The model left a placeholder instead of an idea."))
    text = _complete(written, Text("The idea"))
    if repeats_itself(text):
        raise AnswerUnusable(Text("The idea repeats itself."))
    if _has_example(f"{title} {text}", topic):
        raise AnswerUnusable(Text("The idea is an example from the prompt."))
    if _says_only(text, topic) or _says_only(text, title):
        raise AnswerUnusable(Text("The idea only repeats the topic or its own title."))
    return ParsedSuggestion(title, text)


def partial_suggestion(answer_so_far: str) -> PartialSuggestion:
    parts = _sections(clean_text(answer_so_far), ("Title", "Idea"))
    return PartialSuggestion(_partial_title(parts, answer_so_far), one_line(parts.get("Idea", "")))


def parse_refinement(answer: str) -> Refinement:
    """Raises: AnswerUnusable if a part is missing, cut off or too long."""
    parts = _sections(clean_text(answer), ("Title", "Idea", "Changes"))
    title = _title(parts)
    body = without_sentences_like(INSTRUCTIONS, parts.get("Idea", ""))
    body = without_repeated_sentences(body)
    changes = _changes(parts.get("Changes", ""))
    if not body or _is_placeholder(body):
        raise AnswerUnusable(Text("The answer has no text for the idea."))
    if not changes:
        raise AnswerUnusable(Text("The answer was cut before the list of changes."))
    if len(body.encode()) > BODY_LIMIT_BYTES:
        raise AnswerUnusable(Text("The refined text is longer than an idea may be."))
    if repeats_itself(body):
        raise AnswerUnusable(Text("The refined text repeats itself."))
    return Refinement(title, body, changes)


def partial_refinement(answer_so_far: str) -> PartialRefinement:
    parts = _sections(clean_text(answer_so_far), ("Title", "Idea", "Changes"))
    body = parts.get("Idea", "")
    if "Changes" not in parts:
        body = _without_begun_heading(body, "Changes:")
    title = _partial_title(parts, answer_so_far)
    return PartialRefinement(title, body, _items(parts.get("Changes", "")))


def parse_assessment(answer: str) -> Assessment:
    """Raises: AnswerUnusable if strengths, concerns or the next step are missing or cut off."""
    parts = _sections(clean_text(answer), ("Strengths", "Concerns", "Next step"))
    strengths = _items(parts.get("Strengths", ""))[:3]
    concerns = _items(parts.get("Concerns", ""))[:3]
    if any(map(_is_placeholder, (*strengths, *concerns))):
        raise AnswerUnusable(Text("The model left a placeholder instead of an assessment."))
    strengths, concerns = _points(strengths), _points(concerns)
    if not strengths or not concerns:
        raise AnswerUnusable(Text("The answer names no strengths or no concerns."))
    # Points of a list may begin with the same words; only a longer repetition is a loop.
    if repeats_itself(" ".join((*strengths, *concerns)), run=7):
        raise AnswerUnusable(Text("The assessment repeats itself."))
    next_step = _complete(one_line(parts.get("Next step", "")), Text("The next step"), min_words=3)
    if max(map(len, next_step.split())) > LONGEST_WORD:
        raise AnswerUnusable(Text("The next step is not made of words."))
    return Assessment(strengths, concerns, next_step)


def partial_assessment(answer_so_far: str) -> PartialAssessment:
    parts = _sections(clean_text(answer_so_far), ("Strengths", "Concerns", "Next step"))
    return PartialAssessment(
        _items(_without_begun_heading(parts.get("Strengths", ""), "Concerns:")),
        _items(_without_begun_heading(parts.get("Concerns", ""), "Next step:")),
        one_line(parts.get("Next step", "")),
    )


def _sections(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """The text after each heading, up to the next one. Headings must come in the given order.

    The last heading is searched from the end, because the text of a user before it may contain the
    same line.
    """
    found: list[tuple[str, int, int]] = []
    position = 0
    for name in names:
        matches = list(_heading(name).finditer(text, position))
        if not matches:
            break
        match = matches[-1] if len(names) == 3 and name == names[-1] else matches[0]
        found.append((name, match.start(), match.end()))
        position = match.end()
    ends = [start for _, start, _ in (*found[1:], ("", len(text), 0))]
    return {
        name: text[start:end].strip() for (name, _, start), end in zip(found, ends, strict=False)
    }


def _heading(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t#*_]*{name}[*_ ]*:[*_]*", re.IGNORECASE | re.MULTILINE)


def _title(parts: dict[str, str]) -> str:
    title = tidy_title(parts.get("Title", ""))
    if not title or "Idea" not in parts:
        raise AnswerUnusable(Text("The answer has no title or was cut after it."))
    if len(title) > TITLE_LIMIT:
        raise AnswerUnusable(
            Text("The title is longer than %(limit)s characters.", limit=TITLE_LIMIT)
        )
    if _is_placeholder(title):
        raise AnswerUnusable(Text("The model left a placeholder instead of a title."))
    if _STUTTER.search(title):
        raise AnswerUnusable(Text("The title repeats itself."))
    return title


def _partial_title(parts: dict[str, str], answer_so_far: str) -> str | None:
    title = parts.get("Title", "")
    is_complete = "Idea" in parts or "\n" in answer_so_far.lstrip()
    return (tidy_title(title.split("\n")[0]) or None) if title and is_complete else None


# The same word three times in a row, as when a small model loops.
_STUTTER = re.compile(r"\b(\w+)(?:\W+\1\b){2}", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"[\[<(]?\s*(\W*|your (title|idea)\b.*|(short )?title|idea|(two|one|2|1) (to|or) \w+ "
    r"(words|sentences)\b.*|(the )?name of the idea\b.*|insert\b.*|lorem ipsum\b.*)\s*[\])>]?\W*",
    re.IGNORECASE | re.DOTALL,
)


def _is_placeholder(text: str) -> bool:
    return _PLACEHOLDER.fullmatch(text) is not None or text.startswith(("<", "["))


def _complete(text: str, what: str, *, min_words: int = MIN_WORDS) -> str:
    """`text` up to its last complete sentence, if that is long enough."""
    if not text:
        raise AnswerUnusable(Text("%(what)s is empty.", what=what))
    whole = whole_sentences(text)
    if not whole:
        raise AnswerUnusable(
            Text("%(what)s was cut in the middle of its first sentence.", what=what)
        )
    if count_words(whole) < min_words:
        raise AnswerUnusable(
            Text(
                "%(what)s has fewer than %(min_words)s words in complete sentences.",
                what=what,
                min_words=min_words,
            )
        )
    return whole


def _has_example(written: str, topic: str) -> bool:
    """Whether it contains a phrase of the prompt's examples that the topic does not."""
    text, subject = written.casefold(), topic.casefold()
    return any(echo in text and echo not in subject for echo in EXAMPLE_ECHOES)


def _says_only(text: str, topic: str) -> bool:
    words = re.findall(r"\w+", text.casefold())
    plain = " ".join(words)
    subject = " ".join(re.findall(r"\w+", topic.casefold()))
    return bool(subject) and (plain == subject or (len(words) >= MIN_WORDS and plain in subject))


def _items(block: str) -> tuple[str, ...]:
    """The distinct points of a list. A last point that is cut off is dropped if others remain."""
    lines = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s*", "", line) for line in block.split("\n"))
    items = tuple(dict.fromkeys(one_line(line) for line in lines if line.strip(" -*•")))
    return tuple(item for item in items if item)


def _points(items: tuple[str, ...]) -> tuple[str, ...]:
    """The points of a list, without those of one or two words."""
    return tuple(item for item in items if count_words(item) >= MIN_POINT_WORDS)


def _changes(block: str) -> tuple[str, ...]:
    """The changes without the full stops of the answer: a change is a phrase."""
    items = _items(block)
    ended = [item.endswith((".", "!", "?", "。")) for item in items]
    if any(ended) and not ended[-1]:
        items = items[:-1]
    return tuple(item.rstrip(".") for item in items[:4] if item.rstrip("."))


def _without_begun_heading(block: str, heading: str) -> str:
    """The text so far without the beginning of the next heading, while an answer streams in."""
    before, newline, last = block.rpartition("\n")
    return before.rstrip() if newline and last and heading.startswith(last) else block
