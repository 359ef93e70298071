"""Rewrites an idea, or one passage of it while the rest stays unchanged."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from service.errors import AnswerUnusable, InvalidInput
from service.ideation.model_client import ModelClient, attempt_seed
from service.ideation.use_case import Plan, PlanContext, RunContext, idea_or_text
from service.messages import Text
from service.prompts.answers import (
    BODY_LIMIT_BYTES,
    Refinement,
    parse_refinement,
    partial_refinement,
)
from service.prompts.languages import AS_WRITTEN
from service.prompts.rewrite import parse_passage, partial_passage, passage_prompt
from service.prompts.tasks import Prompt, is_preset, refine_prompt
from service.schemas.refinement import RefineTask
from service.text.claims import backed
from service.text.cleaning import count_words, has_words_of
from service.text.edits import Note, proposed_edits
from service.text.passages import Passage, find_passage
from service.text.preserved_facts import left_out
from service.text.wishes import unmet


@dataclass(frozen=True, slots=True)
class RefineWork:
    title: str
    body: str
    instruction: str
    passage: Passage | None = None


def plan_refinement(context: PlanContext[RefineTask]) -> Plan[RefineTask, RefineWork]:
    task, store = context.task, context.store
    idea, title, body = idea_or_text(task, store)
    store.limits.check(instruction=task.instruction)
    if task.start is not None and task.selection is None:
        raise InvalidInput(
            Text("start needs a selection that begins at that character."), pointer="/selection"
        )
    passage = None if task.selection is None else find_passage(body, task.selection, task.start)
    return Plan(task, RefineWork(title, body, task.instruction, passage), idea)


async def refine(context: RunContext, work: RefineWork) -> dict[str, Any]:
    """Returns the fields of the answer as the API gives them."""
    model_client, seed = context.client, context.seed
    if work.passage is None:
        refined = await _whole(model_client, work, seed)
    else:
        refined = await _passage(model_client, work, work.passage, seed)
    before, after = Note(work.title, work.body), Note(refined.title, refined.body)
    edits = proposed_edits(before, after)
    return {
        "title": refined.title,
        "body": refined.body,
        "changes": backed(refined.changes, before, after),
        "edits": [asdict(edit) for edit in edits],
        "left_out": list(_left_out(model_client, work, refined)),
        "unmet": list(_unmet(work, refined)),
    }


async def _whole(model_client: ModelClient, work: RefineWork, seed: int) -> Refinement:
    def prompt(attempt: int) -> Prompt:
        return refine_prompt(
            work.title, work.body, instruction=work.instruction, seed=attempt_seed(seed, attempt)
        )

    def parse(text: str) -> Refinement:
        refined = parse_refinement(text)
        if (refined.title, refined.body) == (work.title, work.body):
            raise AnswerUnusable(Text("The model returned the text unchanged."))
        if _says_nothing_of(f"{work.title} {work.body}", refined.body):
            raise AnswerUnusable(Text("The refined text says nothing about the idea."))
        return refined

    def view(text: str) -> tuple[str | None, str]:
        partial = partial_refinement(text)
        return partial.title, partial.body

    return await model_client.ask_until_usable(prompt, parse, view, _lacks(model_client, work))


def _lacks(model_client: ModelClient, work: RefineWork) -> Callable[[Refinement], tuple[str, ...]]:
    """Facts may only be dropped on request: a person's own instruction may ask for that."""
    if not is_preset(work.instruction):
        return lambda refined: _unmet(work, refined)
    return lambda refined: (*_unmet(work, refined), *_left_out(model_client, work, refined))


def _unmet(work: RefineWork, refined: Refinement) -> tuple[str, ...]:
    if work.passage is None:
        return unmet(work.instruction, work.body, refined.body)
    after = len(work.body) - work.passage.end
    written = refined.body[work.passage.start : len(refined.body) - after]
    return unmet(work.instruction, work.passage.of(work.body), written)


def _left_out(model_client: ModelClient, work: RefineWork, refined: Refinement) -> tuple[str, ...]:
    written = f"{refined.title}\n{refined.body}"
    return left_out(work.body, written, is_translated=model_client.language != AS_WRITTEN)


def _says_nothing_of(note: str, refined: str) -> bool:
    """Whether it is only a remark such as “the note is clearer now”. A translation is not short."""
    return 2 * count_words(refined) < count_words(note) and not has_words_of(refined, note)


async def _passage(
    model_client: ModelClient, work: RefineWork, passage: Passage, seed: int
) -> Refinement:
    def prompt(attempt: int) -> Prompt:
        return passage_prompt(
            (work.title, work.body),
            passage,
            instruction=work.instruction,
            seed=attempt_seed(seed, attempt),
        )

    def parse(text: str) -> Refinement:
        refined = parse_passage(text, work.body, passage)
        if refined.body == passage.of(work.body):
            raise AnswerUnusable(Text("The model returned the passage unchanged."))
        body = passage.replaced(work.body, refined.body)
        if len(body.encode()) > BODY_LIMIT_BYTES:
            raise AnswerUnusable(Text("The refined text is longer than an idea may be."))
        return Refinement(work.title, body, refined.changes)

    def view(text: str) -> tuple[str | None, str]:
        return None, partial_passage(text).body

    return await model_client.ask_until_usable(prompt, parse, view, _lacks(model_client, work))
