"""Rewriting one passage of a note: what the model is asked, and how its answer is read.

Its answer has the form of a whole refinement without the title, which tuned models know. Pure.
"""

import re

from service.answers import (
    PartialRefinement,
    Refinement,
    parse_refinement,
    partial_refinement,
    refine_answer,
)
from service.engine.types import Message, Sampling
from service.grammars import passage_grammar
from service.material import DATA_RULE, block
from service.passages import Passage
from service.prompts import Prompt
from service.text import SENTENCE_END, clean_text, count_words, one_line

# Of the note on either side: enough to fit in, little to read for a small model.
CONTEXT_CHARACTERS = 300
# What the parser of refinements looks for; a passage has no title.
_TITLE = "Title: Passage\n"
_SYSTEM = (
    "You rewrite one passage of a note. You keep all its names, numbers, places, times and prices. "
    "You add no new facts and nothing that stands around it. "
    f"{DATA_RULE} Answer in the language of the note."
)
_TASK = (
    "Rewrite only the text inside <idea>, in this form:\n\n"
    "Idea: <{result}>\n\n"
    "Changes:\n- <what you changed, in at most ten words>"
)
_SENTENCES = "the passage in plain, complete sentences"
_PHRASE = "the passage in {words} words, no sentence"
_WISHED = "the passage, rewritten as the wish asks"
_EXAMPLE_TITLE = "bike pump"
_EXAMPLE_NOTE = (
    "40 bikes at the office, no pump!! chain one to door B. Lena (reception) buys it, 25 euros. "
    "needle adapter too"
)
_EXAMPLE_PASSAGE = Passage(34, 91)
_EXAMPLE_ANSWER = refine_answer(
    "",
    "Lena from reception buys a pump for 25 euros and chains it to door B.",
    ("Joined two loose notes into one sentence",),
)


def passage_prompt(
    note: tuple[str, str], passage: Passage, *, instruction: str = "", seed: int = 0
) -> Prompt:
    """`note` is title and body; the model sees a little of what stands around the passage."""
    title, body = note
    wish = one_line(clean_text(instruction))
    written = passage.of(body)
    is_phrase = not _is_sentences(written)
    most = max(4, 2 * count_words(written))
    plain = _PHRASE.format(words=f"at most {most}") if is_phrase else _SENTENCES
    asked = _request(title, body, passage, _WISHED if wish else plain)
    sentences = len(SENTENCE_END.findall(written)) + written.count("\n")
    return Prompt(
        messages=(
            Message("system", _SYSTEM),
            Message("user", _request(_EXAMPLE_TITLE, _EXAMPLE_NOTE, _EXAMPLE_PASSAGE, _SENTENCES)),
            Message("assistant", _answer(_EXAMPLE_ANSWER)),
            Message("user", (block("wish", wish) if wish else "") + asked),
        ),
        grammar=passage_grammar(
            f"{title}\n{body}\n{instruction}",
            units=min(60, 1 + sentences + (not is_phrase)),
            is_phrase=is_phrase,
        ),
        max_tokens=min(3000, 300 + len(written.encode()) // 2),
        sampling=Sampling(temperature=0.3, top_p=0.9, top_k=40, min_p=0.05, seed=seed),
    )


def parse_passage(answer: str, note: str, passage: Passage) -> Refinement:
    """The passage made to fit where it stood: a phrase stays one, and within its sentence.

    Raises `AnswerUnusable` like `parse_refinement`.
    """
    refined = parse_refinement(_TITLE + answer)
    written, new = passage.of(note), refined.body
    if not _is_sentences(written):
        new = new.rstrip(".") or new
    first = re.match(r"\w+", new)
    begins_within = written[:1].islower() and first is not None and first[0][1:].islower()
    if begins_within and first is not None and not re.search(rf"\b{first[0]}\b", note):
        new = new[0].lower() + new[1:]
    return Refinement("", new, refined.changes)


def partial_passage(answer_so_far: str) -> PartialRefinement:
    return partial_refinement(_TITLE + answer_so_far)


def _request(title: str, body: str, passage: Passage, result: str) -> str:
    before = body[: passage.start].strip()[-CONTEXT_CHARACTERS:]
    after = body[passage.end :].strip()[:CONTEXT_CHARACTERS]
    around = f"Title: {one_line(clean_text(title))}"
    around += f"\nBefore it: {before}" if before else ""
    around += f"\nAfter it: {after}" if after else ""
    return (
        block("background", around)
        + block("idea", passage.of(body))
        + "\n"
        + _TASK.format(result=result)
    )


def _is_sentences(written: str) -> bool:
    """Whether it ends as a sentence does."""
    return SENTENCE_END.search(written.rstrip()[-3:] + " ") is not None


def _answer(whole: str) -> str:
    return whole.partition("\n")[2]
