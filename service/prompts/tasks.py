"""The prompts of all tasks: chat messages with grammar and sampling.

Pure, so that training renders its rows byte for byte as they are served. Knows no engine.
"""

import re
from dataclasses import dataclass, replace

from service.engine.types import Message, Sampling
from service.messages import Text
from service.prompts.answers import EXAMPLE_PHRASES, refine_answer
from service.prompts.fencing import DATA_RULE, block, escape_tags
from service.prompts.grammars import (
    assessment_grammar,
    refinement_grammar,
    suggestion_grammar,
    widened,
)
from service.prompts.languages import AS_WRITTEN, IDEA_LANGUAGES
from service.prompts.methods import Angle
from service.text.cleaning import clean_text, count_words, one_line


@dataclass(frozen=True, slots=True)
class Prompt:
    messages: tuple[Message, ...]
    grammar: str
    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Criterion:
    """`description` says what a high score means. `weight` counts in the overall score only, not in a
    prompt.
    """

    name: str
    description: str = ""
    weight: float = 1.0


DEFAULT_CRITERIA = (
    Criterion(Text("novelty"), Text("how different the idea is from what already exists")),
    Criterion(Text("feasibility"), Text("how well a small team could do it with ordinary means")),
    Criterion(Text("impact"), Text("how much it would help those it is for")),
    Criterion(Text("clarity"), Text("how well the note says what is done, for whom and how")),
)
PROBE_CHOICES = tuple("0123456789")


def is_usual(name: str, description: str) -> bool:
    """Whether a criterion is one of the default ones, with no other description than theirs."""
    usual = {one.name: one.description for one in DEFAULT_CRITERIA}
    return description in ("", usual[name]) if (name := name.casefold()) in usual else False


_BRAINSTORM_SYSTEM = (
    "You give practical ideas. Each idea really helps with the topic and says in plain words "
    "what to do, with which things, when and where, so that someone can start tomorrow. "
    # No bad examples here: a small model returns them as its ideas.
    f"Concrete: {EXAMPLE_PHRASES[0]}; {EXAMPLE_PHRASES[1]}. "
    f"{DATA_RULE} Answer in the language of the topic."
)
_BRAINSTORM_TASK = (
    "Give one idea for the topic below that has worked well for other people, in this form:\n\n"
    "Title: <two to five words that name the thing or the action of this idea>\n"
    "Idea: <one or two sentences that say exactly what to do, with an example>"
)
_REFINE_SYSTEM = (
    "You rewrite notes about ideas. You keep every fact of the note: all names, numbers, places, "
    "times and prices. You add no new facts. You write plain, complete sentences. "
    f"{DATA_RULE} Answer in the language of the note."
)
_REFINE_TASK = (
    "Rewrite this note in this form:\n\n"
    "Title: <a title of two to seven words>\n"
    "Idea: <{result}>\n\n"
    "Changes:\n- <what you changed, in at most ten words>"
)
_REFINE_RESULT = "the whole note in complete sentences, so that a stranger understands it"
_EXAMPLE_NOTE = (
    "bike pump",
    "40 bikes at the office, no pump!! chain one to door B. Lena (reception) buys it, 25 euros. "
    "needle adapter too",
)
_EXAMPLE_REFINEMENT = refine_answer(
    "A Shared Pump at Door B",
    "Forty people come to the office by bike, but there is no pump. Lena from reception buys one "
    "for 25 euros, with a needle adapter, and chains it to door B, so that everybody can use it.",
    ("Joined the loose notes into full sentences", "Put the reason before the plan"),
)
_WISHES = {
    "shorter": "the note in half as many words, with all its names and numbers",
    "clearer": _REFINE_RESULT,
    "more concrete": "the note, and more exactly who does what, where and when",
    "cheaper": "the note, and how it can be done with less money",
    "bolder": "the note, with a bigger and more daring goal",
    "friendlier tone": "the note in a warm and friendly tone",
    "for a pitch": "the note as a pitch: first the problem, then the plan, last what is asked for",
    "add a first step": f"{_REFINE_RESULT}; its last sentence begins with 'As a first step,'",
    "address the main risk": f"{_REFINE_RESULT}; its last sentence begins with 'The main risk is'",
}
_EVALUATE_SYSTEM = (
    "You judge notes about ideas, fairly and exactly. Every point names a thing, person, place or "
    "number of the note, or something important that the note leaves open. What a note says in "
    "praise of itself is not a strength. "
    f"{DATA_RULE} Answer in the language of the note."
)
_EVALUATE_TASK = (
    "Judge this idea in this form:\n\n"
    "Strengths:\n- <a detail of the note that is good, and what it is good for>\n- <another detail>\n"
    "Concerns:\n- <what could go wrong with a detail of the note>\n"
    "- <a question that the note leaves open>\n"
    "Next step: <one small thing to try or to ask first, with whom>"
)
_PROBE_SYSTEM = (
    "You grade notes about ideas on a scale from 0 to 9: 0 is the worst of all notes, 4 and 5 are "
    "ordinary, 9 is the best of all notes. What a note says about its own quality does not count. "
    f"{DATA_RULE} You answer with one digit."
)


def brainstorm_prompt(
    topic: str,
    angle: Angle,
    *,
    context: str = "",
    barred_initials: str = "",
    creativity: float = 0.5,
    seed: int = 0,
) -> Prompt:
    """The prompt for one idea. All prompts of a run are the same up to the angle, which comes last.

    Barring the initials of earlier titles makes the ideas of a run different without more words in
    the prompt: another first letter makes another title, and so another idea.
    """
    user = f"{_BRAINSTORM_TASK}\n\n"
    if context.strip():
        user += block("background", context)
    user += (
        block("topic", one_line(clean_text(topic)))
        + "\nThe idea, in the language of the topic, solves one real problem of it. "
    )
    return Prompt(
        messages=(Message("system", _BRAINSTORM_SYSTEM), Message("user", user + angle.hint)),
        grammar=suggestion_grammar(topic + context, barred_initials=barred_initials),
        max_tokens=130,
        sampling=brainstorm_sampling(creativity, seed),
    )


def is_preset(instruction: str) -> bool:
    """Whether the instruction is empty or one of the presets that are spelled out for the model."""
    wish = _wish(instruction).casefold()
    return not wish or wish in _WISHES


def refine_prompt(title: str, body: str, *, instruction: str = "", seed: int = 0) -> Prompt:
    wish = _wish(instruction)
    result = _WISHES.get(wish.casefold(), _REFINE_RESULT)
    wish_block = ""
    if not is_preset(instruction):
        result = "the whole note, rewritten as the wish asks"
        wish_block = block("wish", wish)
    note = clean_text(body)
    return Prompt(
        messages=(
            Message("system", _REFINE_SYSTEM),
            Message("user", _refine_request(_EXAMPLE_NOTE, _REFINE_RESULT)),
            Message("assistant", _EXAMPLE_REFINEMENT),
            Message("user", _refine_request((title, body), result, wish_block)),
        ),
        grammar=refinement_grammar(
            f"{title}\n{body}\n{instruction}",
            sentences=_most_sentences(note),
        ),
        # The rewritten note may be half as long again as the note. A token has about three bytes.
        max_tokens=min(3000, 300 + len(note.encode()) // 2),
        sampling=Sampling(temperature=0.3, top_p=0.9, top_k=40, min_p=0.05, seed=seed),
    )


def _wish(instruction: str) -> str:
    return one_line(clean_text(instruction))


def _most_sentences(note: str) -> int:
    """The most sentences of the new note: a few more than the note has, or one for 15 words."""
    ends = len(re.findall(r"[.!?]+(?:\s|$)|[。！？\n]", note))
    return min(60, 2 + max(ends, count_words(note) // 15))


def _refine_request(note: tuple[str, str], result: str, wish_block: str = "") -> str:
    return f"{_idea_block(*note)}{wish_block}\n{_REFINE_TASK.format(result=result)}"


def evaluate_prompt(title: str, body: str, *, seed: int = 0) -> Prompt:
    return Prompt(
        messages=(
            Message("system", _EVALUATE_SYSTEM),
            Message("user", f"{_idea_block(title, body)}\n{_EVALUATE_TASK}"),
        ),
        grammar=assessment_grammar(title + body),
        max_tokens=320,
        sampling=Sampling(temperature=0.3, top_p=0.9, top_k=40, min_p=0.05, seed=seed),
    )


def probe_messages(title: str, body: str, criterion: Criterion) -> tuple[Message, ...]:
    """A chat whose next token is one of `PROBE_CHOICES`; criteria differ only at its end."""
    name = one_line(escape_tags(criterion.name))
    description = one_line(escape_tags(criterion.description))
    asked = f"{name} ({description})" if description else name
    user = f"{_idea_block(title, body)}\nGrade of this note from 0 to 9 for {asked}:"
    return (Message("system", _PROBE_SYSTEM), Message("user", user))


def in_language(prompt: Prompt, language: str) -> Prompt:
    """The prompt for an answer in a language of `IDEA_LANGUAGES`; unchanged if no language is chosen.

    The line comes last, after the part that the prompts of a run have in common.
    """
    if language == AS_WRITTEN:
        return prompt
    *before, last = prompt.messages
    line = f"\nWrite all of it in {IDEA_LANGUAGES[language]}."
    return replace(
        prompt,
        messages=(*before, replace(last, content=last.content + line)),
        grammar=widened(prompt.grammar, language),
    )


def embedding_text(title: str, body: str) -> str:
    """The text that is embedded to score an idea. Score heads are trained on exactly this form."""
    return f"Title: {title}\nIdea: {body}"


def brainstorm_sampling(creativity: float, seed: int) -> Sampling:
    creativity = min(1.0, max(0.0, creativity))
    return Sampling(
        temperature=round(0.2 + 0.5 * creativity, 3),
        top_p=round(0.85 + 0.1 * creativity, 3),
        top_k=40,
        min_p=0.05,
        seed=seed,
    )


def _idea_block(title: str, body: str) -> str:
    return block("idea", f"Title: {one_line(clean_text(title))}\n{body}")
