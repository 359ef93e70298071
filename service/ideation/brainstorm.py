"""Plans a brainstorm from its task, and makes the task for one that is asked again."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import Conflict, InvalidInput, NotFound
from service.ideation.distinct_ideas import BrainstormWork
from service.ideation.inspirations import MOST_INSPIRATIONS
from service.ideation.use_case import Plan, PlanContext
from service.messages import Text
from service.prompts.idea_lists import RelatedIdeas
from service.prompts.methods import METHODS, draw_angles
from service.schemas.brainstorm import SOURCES, BrainstormTask, SuggestionPublic
from service.schemas.fields import AVOIDED_CEILING, UNFINISHED
from service.schemas.ideas import IdeaPublic
from service.schemas.runs import RunPublic
from service.store import Store

# People ask for more like one suggestion while they look at it, so all of it should take at most 15 s.
MORE_LIKE_S = 13.0


@dataclass(frozen=True, slots=True)
class Source:
    """The subject of a brainstorm. `idea` becomes the parent of the suggestions that are kept.

    `liked` is a suggestion to find more like, and `siblings` are those beside it.
    """

    topic: str
    context: str = ""
    idea: IdeaPublic | None = None
    board_id: str | None = None
    combined: tuple[IdeaPublic, ...] = ()
    liked: tuple[RelatedIdeas, ...] = ()
    siblings: tuple[SuggestionPublic, ...] = ()


def plan_brainstorm(context: PlanContext[BrainstormTask]) -> Plan[BrainstormTask, BrainstormWork]:
    task, store = context.task, context.store
    store.limits.check_suggestions(task.n)
    store.limits.check(topic=task.topic, context=task.context)
    draw_angles(task.method, 1, 0, task.angle)
    source = _source(task, store)
    board_id = task.board_id or source.board_id
    board = store.boards.default() if board_id is None else store.boards.get(board_id)
    store.rounds.check_people_first(board.id)
    background = [task.context, source.context, board.goal]
    combined = {idea.id for idea in source.combined}
    bank_n = _bank_n(context)
    # A run that is repeated with its seed gives the same ideas again, in the same order.
    leaves_out_seen = bank_n > 0 and task.seed is None
    work = BrainstormWork(
        topic=source.topic,
        board_id=board.id,
        context="\n".join(part for part in background if part),
        method=task.method,
        n=task.n if "model" in task.sources else 0,
        creativity=task.creativity,
        known=tuple(
            (idea_id, f"{title}. {body}")
            for idea_id, title, body in store.ideas.texts(board.id)
            if idea_id not in combined
        ),
        avoids_known=task.avoid_board,
        combined=tuple((idea.title, idea.body) for idea in source.combined),
        avoided=tuple(text for text in task.avoid if text.strip()),
        siblings=source.siblings or _siblings(store, context.redraws),
        angle=task.angle,
        writes_lists=_writes_lists(task),
        liked=source.liked,
        most_s=MORE_LIKE_S if source.liked else None,
        learns=task.seed is None,
        bank_n=bank_n,
        bank_seen=store.suggestions.inspired_titles(board.id) if leaves_out_seen else frozenset(),
    )
    return Plan(task, work, source.idea, board.id)


def _bank_n(context: PlanContext[BrainstormTask]) -> int:
    """The bank has topics only: nothing for an idea to branch from, or to replace a suggestion."""
    task = context.task
    has_topic = task.topic is not None or (task.suggestion_id is not None and _writes_lists(task))
    if "bank" not in task.sources or not has_topic or context.redraws is not None:
        return 0
    return min(task.n, MOST_INSPIRATIONS)


def _writes_lists(task: BrainstormTask) -> bool:
    return task.method == "free" and task.angle is None and task.idea_ids is None


def _source(task: BrainstormTask, store: Store) -> Source:
    if sum(getattr(task, name) is not None for name in SOURCES) != 1:
        raise InvalidInput(
            Text("Give either a topic, an idea_id, two to five idea_ids or a suggestion_id."),
            pointer="/topic",
        )
    if task.idea_id is not None:
        idea = store.ideas.get(task.idea_id)
        return Source(idea.title, idea.body, idea, idea.board_id)
    if task.idea_ids is not None:
        return _combination(task.idea_ids, store)
    if task.suggestion_id is not None:
        return _suggestion(task, task.suggestion_id, store)
    return Source(task.topic or "")


def _combination(idea_ids: Sequence[str], store: Store) -> Source:
    if len(set(idea_ids)) < len(idea_ids):
        raise InvalidInput(
            Text("An idea is named twice. Name each idea once."), pointer="/idea_ids"
        )
    ideas = tuple(store.ideas.get(idea_id) for idea_id in idea_ids)
    topic = " + ".join(idea.title for idea in ideas)
    return Source(topic, "", ideas[0], ideas[0].board_id, ideas)


def _suggestion(task: BrainstormTask, suggestion_id: str, store: Store) -> Source:
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    idea = _idea_if_there(suggestion.idea_id or run.idea_id, store)
    if not _writes_lists(task):
        return Source(suggestion.title, suggestion.text, idea, run.board_id)
    topic = str(run.request.get("topic") or suggestion.title)
    liked = RelatedIdeas(topic, ((suggestion.title, suggestion.text),))
    siblings = tuple(store.suggestions.of_run(run_id))
    return Source(topic, "", idea, run.board_id, liked=(liked,), siblings=siblings)


def _idea_if_there(idea_id: str | None, store: Store) -> IdeaPublic | None:
    try:
        return None if idea_id is None else store.ideas.get(idea_id)
    except NotFound:
        return None


def _siblings(store: Store, redraws: str | None) -> tuple[SuggestionPublic, ...]:
    """The other suggestions of the run whose suggestion is redrawn."""
    if redraws is None:
        return ()
    run_id, _ = store.suggestions.get(redraws)
    return tuple(one for one in store.suggestions.of_run(run_id) if one.id != redraws)


def renew_brainstorm(task: BrainstormTask, run: RunPublic, store: Store) -> BrainstormTask:
    """The run's task with a new seed, avoiding the suggestions that people asked to avoid."""
    avoid = _avoided(task, store, run.run_id)
    return task.model_copy(update={"seed": None, "avoid": avoid})


def missing_task(run: RunPublic, store: Store) -> BrainstormTask:
    """A task for the ideas that a brainstorm which is over did not make, unlike those that it made.

    Raises:
        Conflict: the run is not over, or nothing is missing.
    """
    if run.kind != "brainstorm" or run.status in UNFINISHED:
        raise Conflict(Text("This run is not over yet. Stop it first, or wait."))
    task = BrainstormTask.model_validate(run.request)
    missing = task.n - run.written
    if missing < 1 or "model" not in task.sources:
        raise Conflict(Text("This brainstorm has all its ideas. Ask for more ideas instead."))
    made = [one.whole for one in store.suggestions.of_run(run.run_id) if one.origin == "model"]
    avoid = list(dict.fromkeys([*made, *_avoided(task, store, run.run_id)]))
    return task.model_copy(
        update={
            "n": missing,
            "seed": None,
            "sources": ["model"],
            "avoid": avoid[-AVOIDED_CEILING:],
        }
    )


def redraw_task(suggestion_id: str, store: Store, seed: int | None = None) -> BrainstormTask:
    """A task for one more idea like those of the run, with the suggestion's angle but unlike it.

    The run need not be over.
    """
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    task = BrainstormTask.model_validate(run.request)
    names = {angle.name for angle in METHODS[task.method].angles}
    avoid = [*_avoided(task, store, run.run_id), suggestion.whole]
    return task.model_copy(
        update={
            "n": 1,
            "seed": seed,
            "angle": suggestion.angle if suggestion.angle in names else task.angle,
            "avoid": avoid[-AVOIDED_CEILING:],
        }
    )


def _avoided(task: BrainstormTask, store: Store, run_id: str) -> list[str]:
    avoided = [one.whole for one in store.suggestions.of_run(run_id) if one.state == "avoided"]
    return list(dict.fromkeys([*task.avoid, *avoided]))[-AVOIDED_CEILING:]
