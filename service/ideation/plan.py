"""From a task to the work it means: reads the store, checks the limits, draws the seed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from service.analysis.bradley_terry import Pair, Result
from service.analysis.rubrics import board_candidates, chosen_rubric, criterion_of
from service.analysis.standings import board_standings
from service.engine.backend import Backend
from service.engine.types import Role
from service.errors import Conflict, InvalidInput
from service.ideation.brainstorm_plan import BrainstormWork, plan_brainstorm
from service.messages import Text
from service.prompts.languages import AS_WRITTEN
from service.prompts.tasks import DEFAULT_CRITERIA, Criterion
from service.schemas.brainstorm import BrainstormTask
from service.schemas.evaluation import EvaluateAllTask, EvaluateTask
from service.schemas.fields import RunKind
from service.schemas.ideas import IdeaPublic
from service.schemas.ranking import RankTask
from service.schemas.refinement import RefineTask
from service.schemas.runs import Task
from service.store import Store
from service.store.comparisons import ContenderText
from service.store.runs import NewRun
from service.text.passages import Passage, find_passage


@dataclass(frozen=True, slots=True)
class RefineWork:
    title: str
    body: str
    instruction: str
    passage: Passage | None = None
    language: str = AS_WRITTEN


@dataclass(frozen=True, slots=True)
class EvaluateWork:
    title: str
    body: str
    criteria: tuple[Criterion, ...]
    rubric_id: str | None = None
    language: str = AS_WRITTEN


@dataclass(frozen=True, slots=True)
class EvaluateAllWork:
    """`read` gives an idea as it is when its turn comes."""

    ideas: tuple[tuple[str, str], ...]
    criteria: tuple[Criterion, ...]
    rubric_id: str | None
    read: Callable[[str], IdeaPublic]
    language: str = AS_WRITTEN


@dataclass(frozen=True, slots=True)
class RankWork:
    """`known` is what the model said before; the pairs in `settled` are not asked again."""

    board_id: str
    goal: str
    texts: dict[str, ContenderText]
    known: tuple[Result, ...]
    settled: frozenset[Pair]
    pairs: int


Work = BrainstormWork | RefineWork | EvaluateWork | EvaluateAllWork | RankWork
ROLES: dict[type[Work], Role] = {
    BrainstormWork: "brainstorm",
    RefineWork: "refine",
    EvaluateWork: "general",
    EvaluateAllWork: "general",
    RankWork: "general",
}


def plan(
    task: Task, store: Store, backend: Backend, redraws: str | None = None
) -> tuple[NewRun, Work]:
    """Check a task against the store and decide what will be asked. `redraws` as in `NewRun`.

    Raises:
        InvalidInput: the task contradicts itself or goes beyond a limit.
        Conflict: there is no pair left to compare, or no idea to evaluate.
        NotFound: it names a board or an idea that is not there.
        ModelUnavailable: no model of the catalog has the role it needs.
    """
    work: Work
    if isinstance(task, BrainstormTask):
        work, idea, board_id = plan_brainstorm(task, store, redraws)
        new = replace(_new("brainstorm", task, idea, board_id=board_id), redraws=redraws)
    elif isinstance(task, RefineTask):
        new, work = _plan_refine(task, store)
    elif isinstance(task, RankTask):
        new, work = _plan_rank(task, store)
    elif isinstance(task, EvaluateAllTask):
        new, work = _plan_evaluate_all(task, store)
    else:
        new, work = _plan_evaluate(task, store)
    backend.model_for(ROLES[type(work)])
    if isinstance(task, RankTask) or isinstance(work, RankWork):
        return new, work
    language = _language(task, new, store)
    if language != AS_WRITTEN:
        # Kept with the run, whatever becomes of the board's.
        new = replace(new, request=new.request | {"language": language})
    return new, replace(work, language=language)


def _language(
    task: BrainstormTask | RefineTask | EvaluateTask | EvaluateAllTask, new: NewRun, store: Store
) -> str:
    if task.language is not None:
        return task.language
    return store.boards.get(new.board_id).language if new.board_id else AS_WRITTEN


def _plan_refine(task: RefineTask, store: Store) -> tuple[NewRun, Work]:
    idea, title, body = _text(task, store)
    store.limits.check(body=task.instruction)
    if task.start is not None and task.selection is None:
        raise InvalidInput(Text("start needs a selection that begins there."), pointer="/selection")
    passage = None if task.selection is None else find_passage(body, task.selection, task.start)
    return _new("refine", task, idea), RefineWork(title, body, task.instruction, passage)


def _plan_evaluate(task: EvaluateTask, store: Store) -> tuple[NewRun, Work]:
    idea, title, body = _text(task, store)
    if task.criteria is not None and task.rubric_id is not None:
        raise InvalidInput(Text("Give either criteria or a rubric_id."), pointer="/rubric_id")
    shapes = task.criteria
    if task.rubric_id is not None:
        rubric = store.rubrics.get(task.rubric_id)
        if idea is not None and rubric.board_id != idea.board_id:
            raise InvalidInput(
                Text("This rubric is another board's. Choose one of the idea's board."),
                pointer="/rubric_id",
            )
        shapes = list(rubric.criteria)
    criteria = DEFAULT_CRITERIA if shapes is None else tuple(map(criterion_of, shapes))
    if len({criterion.name.casefold() for criterion in criteria}) < len(criteria):
        raise InvalidInput(Text("Two criteria have the same name."), pointer="/criteria")
    return _new("evaluate", task, idea), EvaluateWork(title, body, criteria, task.rubric_id)


def _plan_evaluate_all(task: EvaluateAllTask, store: Store) -> tuple[NewRun, Work]:
    store.boards.get(task.board_id)
    rubric = chosen_rubric(store, task.board_id, task.rubric_id)
    ideas = board_candidates(store, task, rubric)
    # What was found, so that progress has an end and trying again means the same ideas.
    fields = {"idea_ids": [one.id for one in ideas], "q": "", "tags": [], "star": None}
    task = task.model_copy(update=fields | {"status": None})
    return _new("evaluate-all", task, None, board_id=task.board_id), EvaluateAllWork(
        ideas=tuple((one.id, one.title) for one in ideas),
        criteria=tuple(map(criterion_of, rubric.criteria)),
        rubric_id=rubric.id,
        read=store.ideas.get,
    )


def _plan_rank(task: RankTask, store: Store) -> tuple[NewRun, Work]:
    board = store.boards.default() if task.board_id is None else store.boards.get(task.board_id)
    standings = board_standings(store, board.id, "model")
    texts = {one.id: one for one in store.comparisons.texts(board.id)}
    if len(texts) < 2:
        raise Conflict(Text("There are no two ideas to compare. Add some to the board first."))
    settled = frozenset(pair for pair in standings.settled if pair <= texts.keys())
    open_pairs = len(texts) * (len(texts) - 1) // 2 - len(settled)
    if not open_pairs:
        raise Conflict(
            Text("The model has compared every pair of these ideas, and would say the same.")
        )
    # As many as there will be, so that progress has an end.
    task = task.model_copy(update={"pairs": min(task.pairs, open_pairs), "board_id": board.id})
    return _new("rank", task, None, board_id=board.id), RankWork(
        board.id, board.goal, texts, tuple(standings.results), settled, task.pairs
    )


def _text(task: RefineTask | EvaluateTask, store: Store) -> tuple[IdeaPublic | None, str, str]:
    if task.idea_id is not None:
        if task.title is not None or task.body is not None:
            raise InvalidInput(
                Text("Give either an idea_id or title and body."), pointer="/idea_id"
            )
        idea = store.ideas.get(task.idea_id)
        return idea, idea.title, idea.body
    if task.title is None:
        raise InvalidInput(Text("Give either an idea_id or title and body."), pointer="/title")
    store.limits.check(title=task.title, body=task.body)
    return None, task.title, task.body or ""


def _new(kind: RunKind, task: Task, idea: IdeaPublic | None, board_id: str | None = None) -> NewRun:
    return NewRun(
        kind=kind,
        request=task.model_dump(mode="json", exclude_none=True),
        # Drawn, but kept with the run, so that it can be repeated.
        seed=secrets.randbelow(2**31) if task.seed is None else task.seed,
        board_id=board_id or (idea.board_id if idea else None),
        idea_id=idea.id if idea else None,
        idea_version=idea.version if idea else None,
    )
