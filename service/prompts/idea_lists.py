"""The prompt for a short list of ideas that follows lists for related topics.

Those stand as earlier turns of the chat: a small model takes tone, length and depth from them far
better than from a description. Knows no engine.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.engine.types import Message, Sampling
from service.prompts.answers import brainstorm_answer
from service.prompts.fencing import DATA_RULE, block, escape_tags
from service.prompts.grammars import list_grammar
from service.prompts.tasks import Prompt
from service.text.cleaning import clean_text, one_line

TOKENS_AN_IDEA = 100
_BETWEEN = "\n\n"
_END_OF_IDEA = re.compile(r"\n\n(?=Title:|$)")
_SYSTEM = (
    "You give practical ideas to people who ask. Each idea solves one real problem of the topic and "
    "says in plain words exactly what to do, with which things, when and where, so that someone can "
    "start tomorrow. Form of each idea:\n\n"
    "Title: <two to five words that name the thing or the action of this idea>\n"
    "Idea: <one or two sentences>\n\n"
    f"{DATA_RULE} Answer in the language of the topic."
)


@dataclass(frozen=True, slots=True)
class RelatedIdeas:
    """A topic and ideas that were written for it, each with title and text."""

    topic: str
    ideas: tuple[tuple[str, str], ...]


def list_prompt(
    topic: str,
    related: Sequence[RelatedIdeas],
    n: int,
    *,
    context: str = "",
    barred_initials: str = "",
    sampling: Sampling,
) -> Prompt:
    """The prompt for `n` ideas; the title of the first begins with none of the barred initials.

    All prompts of a run for as many ideas are the same: the initials are barred by the grammar.
    """
    messages = [Message("system", _SYSTEM)]
    for one in related:
        answer = _BETWEEN.join(
            brainstorm_answer(*(one_line(escape_tags(part)) for part in idea)) for idea in one.ideas
        )
        messages.append(Message("user", _request(one.topic, len(one.ideas))))
        messages.append(Message("assistant", answer))
    messages.append(Message("user", _request(topic, n, context)))
    return Prompt(
        messages=tuple(messages),
        grammar=list_grammar(topic + context, n, barred_initials=barred_initials),
        max_tokens=TOKENS_AN_IDEA * n,
        sampling=sampling,
    )


def split_list(answer: str) -> tuple[list[str], str]:
    """The ideas of a list so far that are complete, and the one that is still being written."""
    *complete, last = _END_OF_IDEA.split(answer)
    if complete and "Idea:" not in complete[-1]:
        return complete[:-1], complete[-1]
    return complete, last


def _request(topic: str, n: int, context: str = "") -> str:
    background = block("background", context) if context.strip() else ""
    wanted = "One idea" if n == 1 else f"{n} different ideas"
    return f"{background}{wanted} for {block('topic', one_line(clean_text(topic)))}".rstrip("\n")
