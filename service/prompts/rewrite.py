"""The prompt that rewrites one passage of a note, and the parser of its answer. Pure.

The answer has the form of a whole refinement without the title, which tuned models know.
"""

import re

from service.engine.types import Message, Sampling
from service.prompts.answers import (
    PartialRefinement,
    Refinement,
    parse_refinement,
    partial_refinement,
    refine_answer,
)
from service.prompts.fencing import DATA_RULE, block, escape_tags
from service.prompts.grammars import passage_grammar
from service.prompts.tasks import Prompt
from service.text.cleaning import SENTENCE_END, clean_text, count_words, one_line
from service.text.passages import Passage

# A title for the parser of refinements; a passage has none.
_TITLE = "Title: Passage\n"
_SYSTEM = (
    "You rewrite a passage of a note. You keep all its names, numbers, places, times and prices. "
    "You add no new facts, and a question stays a question. "
    f"{DATA_RULE} Answer in the language of the passage."
)
# The model sees the title but not the text around the passage: a small model would repeat that
# text, or fill the gap with something else.
_TASK = (
    "{wish} Rewrite only the {kind} inside <idea>, in this form:\n\n"
    "Idea: <the same {kind} in the same language, rewritten{length}>\n\n"
    "Changes:\n- <what you changed, in at most ten words>"
)
_PLAIN = "Say it clearly."
_SENTENCE_EXAMPLE = (
    "chain one to door B. Lena (reception) buys it, 25 euros.",
    "Lena from reception buys a pump for 25 euros. She chains it to door B.",
    "Wrote whole sentences",
)
_PHRASE_EXAMPLE = (
    "that sth to pump up tyres is by door B",
    "that a bike pump hangs beside door B",
    "Named the pump",
)


def passage_prompt(
    note: tuple[str, str], passage: Passage, *, instruction: str = "", seed: int = 0
) -> Prompt:
    """`note` is (title, body)."""
    wish = one_line(clean_text(instruction))
    written = passage.of(note[1])
    is_phrase = not _is_sentences(written)
    sentences = len(SENTENCE_END.findall(written)) + written.count("\n")
    return Prompt(
        messages=(
            Message("system", _SYSTEM),
            *_example(is_phrase, is_english=f"{note[0]}{note[1]}".isascii()),
            Message("user", _request(note[0], written, wish)),
        ),
        grammar=passage_grammar(
            f"{note[0]}\n{note[1]}\n{instruction}",
            # As many sentences as there were: a small model never ends a text by itself.
            units=min(60, max(1, sentences)),
            words=_most_words(written) if is_phrase else None,
        ),
        max_tokens=min(3000, 200 + len(written.encode()) // 2),
        sampling=Sampling(temperature=0.3, top_p=0.9, top_k=40, min_p=0.05, seed=seed),
    )


def parse_passage(answer: str, note: str, passage: Passage) -> Refinement:
    """The new passage, made to fit in its place: a phrase stays a phrase within its sentence.

    Raises: AnswerUnusable, as `parse_refinement` does.
    """
    refined = parse_refinement(_TITLE + answer)
    written, new = passage.of(note), refined.body
    if not _is_sentences(written):
        new = new.rstrip(".") or new
    first = re.match(r"\w+", new)
    if written[:1].islower() and first is not None and first[0][1:].islower():
        is_name = re.search(rf"\b{first[0]}\b", note) is not None
        new = new if is_name else new[0].lower() + new[1:]
    return Refinement("", new, refined.changes)


def partial_passage(answer_so_far: str) -> PartialRefinement:
    return partial_refinement(_TITLE + answer_so_far)


def _example(is_phrase: bool, *, is_english: bool) -> tuple[Message, ...]:
    """The example; None if the note is not English: a small model would go on in English."""
    if not is_english:
        return ()
    shown, answer, change = _PHRASE_EXAMPLE if is_phrase else _SENTENCE_EXAMPLE
    return (
        Message("user", _request("bike pump", shown, "")),
        Message("assistant", refine_answer("", answer, (change,)).partition("\n")[2]),
    )


def _request(title: str, written: str, wish: str) -> str:
    kind, length = "text", ""
    if not _is_sentences(written):
        kind, length = "words", f", at most {_most_words(written)} words"
    around = f"Title: {one_line(clean_text(title))}"
    task = _TASK.format(wish=escape_tags(wish) or _PLAIN, kind=kind, length=length)
    return f"{block('background', around)}{block('idea', written)}\n{task}"


def _most_words(phrase: str) -> int:
    return 2 * count_words(phrase) + 2


def _is_sentences(written: str) -> bool:
    """Whether the text ends like a sentence."""
    return SENTENCE_END.search(written.rstrip()[-3:] + " ") is not None
