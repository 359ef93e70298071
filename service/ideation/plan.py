"""From a task to the work it means: reads the store, checks the limits, draws the seed."""

import secrets
from dataclasses import dataclass, replace

from service.brainstorm_shapes import BrainstormTask
from service.comparison_shapes import RankTask
from service.engine.backend import Backend
from service.engine.types import Role
from service.errors import Conflict, InvalidInput
from service.fields import RunKind
from service.ideation.brainstorm_plan import BrainstormWork, plan_brainstorm
from service.passages import Passage, find_passage
from service.prompts import DEFAULT_CRITERIA, Criterion
from service.ranking import Pair, Result
from service.shapes import EvaluateTask, IdeaPublic, RefineTask, Task
from service.standings import board_standings
from service.store import Store
from service.store.comparisons import ContenderText
from service.store.runs import NewRun
from service.wording import Text


@dataclass(frozen=True, slots=True)
class RefineWork:
    title: str
    body: str
    instruction: str
    passage: Passage | None = None


@dataclass(frozen=True, slots=True)
class EvaluateWork:
    title: str
    body: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class RankWork:
    """`known` is what the model said before; the pairs in `settled` are not asked again."""

    board_id: str
    goal: str
    texts: dict[str, ContenderText]
    known: tuple[Result, ...]
    settled: frozenset[Pair]
    pairs: int


Work = BrainstormWork | RefineWork | EvaluateWork | RankWork
ROLES: dict[type[Work], Role] = {
    BrainstormWork: "brainstorm",
    RefineWork: "general",
    EvaluateWork: "general",
    RankWork: "general",
}


def plan(
    task: Task, store: Store, backend: Backend, redraws: str | None = None
) -> tuple[NewRun, Work]:
    """Check a task against the store and decide what will be asked. `redraws` as in `NewRun`.

    Raises:
        InvalidInput: the task contradicts itself or goes beyond a limit.
        Conflict: there is no pair left that the model could compare.
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
    else:
        new, work = _plan_evaluate(task, store)
    backend.model_for(ROLES[type(work)])
    return new, work


def _plan_refine(task: RefineTask, store: Store) -> tuple[NewRun, Work]:
    idea, title, body = _text(task, store)
    store.limits.check(body=task.instruction)
    if task.start is not None and task.selection is None:
        raise InvalidInput(Text("start needs a selection that begins there."), pointer="/selection")
    passage = None if task.selection is None else find_passage(body, task.selection, task.start)
    return _new("refine", task, idea), RefineWork(title, body, task.instruction, passage)


def _plan_evaluate(task: EvaluateTask, store: Store) -> tuple[NewRun, Work]:
    idea, title, body = _text(task, store)
    criteria = tuple(
        Criterion(shape, _description(shape))
        if isinstance(shape, str)
        else Criterion(shape.name, shape.description or _description(shape.name))
        for shape in task.criteria or [criterion.name for criterion in DEFAULT_CRITERIA]
    )
    if len({criterion.name for criterion in criteria}) < len(criteria):
        raise InvalidInput(Text("Two criteria have the same name."), pointer="/criteria")
    return _new("evaluate", task, idea), EvaluateWork(title, body, criteria)


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


def _description(name: str) -> str:
    return next((known.description for known in DEFAULT_CRITERIA if known.name == name), "")


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
