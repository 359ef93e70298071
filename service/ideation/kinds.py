"""The registry of run kinds, and `Ideation`, which plans and performs a run of any kind.

`schemas.run_kinds` has what each kind is asked and what is recorded, `web.pages.run_kinds` how pages
show it. Every answer of a model must pass its parser. The number of attempts is limited: after the
last one the run fails with the reason. A brainstorm that has some ideas by then is done, and says how
many are missing.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.engine.backend import Backend
from service.engine.types import Role
from service.errors import Conflict
from service.ideation.brainstorm import plan_brainstorm, renew_brainstorm
from service.ideation.drafting import brainstorm, incomplete
from service.ideation.evaluate import evaluate, evaluate_all, plan_evaluation, plan_evaluations
from service.ideation.events import Emit
from service.ideation.model_client import Ledger, ModelClient
from service.ideation.rank import plan_ranking, rank
from service.ideation.refine import plan_refinement, refine
from service.ideation.use_case import Means, Plan, PlanContext, RunContext
from service.messages import Text
from service.prompts.languages import AS_WRITTEN
from service.schemas.fields import UNFINISHED
from service.schemas.run_kinds import RECORDED_KINDS, kind_of
from service.schemas.runs import RunPublic, Task
from service.store import Store
from service.store.hidden_ideas import shared_view
from service.store.runs import NewRun


def _with_new_seed(task: Any, _run: RunPublic, _store: Store) -> Any:
    return task.model_copy(update={"seed": None})


def _only_outdated(task: Any, _run: RunPublic, _store: Store) -> Any:
    """Evaluate the other ideas with the same seed."""
    return task.model_copy(update={"only_outdated": True})


@dataclass(frozen=True, slots=True)
class Kind:
    """`role` is the role of the model that performs it; `renew` makes the task for asking it again.

    `has_language` is False if the model writes nothing and only chooses between answers. With
    `at_deadline`, a run that has made something by its deadline is done, with this result.
    """

    role: Role
    plan: Callable[[PlanContext[Any]], Plan[Any, Any]]
    perform: Callable[[RunContext, Any], Awaitable[dict[str, Any]]]
    renew: Callable[[Any, RunPublic, Store], Any] = _with_new_seed
    has_language: bool = True
    at_deadline: Callable[[Ledger], dict[str, Any]] | None = None


KINDS: Mapping[str, Kind] = {
    "brainstorm": Kind(
        "brainstorm",
        plan_brainstorm,
        brainstorm,
        renew_brainstorm,
        at_deadline=partial(incomplete, "deadline"),
    ),
    "refine": Kind("refine", plan_refinement, refine),
    "evaluate": Kind("general", plan_evaluation, evaluate),
    "evaluate-all": Kind("general", plan_evaluations, evaluate_all, _only_outdated),
    "rank": Kind("general", plan_ranking, rank, has_language=False),
}


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """`new` is stored before the run begins. `model` is the name of the model that it needs."""

    new: NewRun
    work: Any
    model: str
    language: str


class Ideation:
    """Plans and performs runs of every kind."""

    def __init__(self, store: Store, backend: Backend, means: Means) -> None:
        self._store = store
        self._backend = backend
        self._means = means

    def plan(self, task: Task, redraws: str | None = None) -> PlannedRun:
        """Check a task against the store and decide what will be asked. `redraws` as in `NewRun`.

        Raises:
            InvalidInput: the task contradicts itself or goes beyond a limit.
            Conflict: there is no pair left to compare, or no idea to evaluate.
            NotFound: the task names a board or an idea that does not exist.
            ModelUnavailable: no model of the catalog has the role that the task needs.
        """
        name = kind_of(task)
        kind = KINDS[name]
        # Others see the run, so it must not contain what only the person who asks can see.
        with shared_view():
            plan = kind.plan(PlanContext(task, self._store, redraws))
        model = self._backend.model_for(kind.role).name
        board_id = plan.board_id or (plan.idea.board_id if plan.idea else None)
        language = self._language(task, board_id) if kind.has_language else AS_WRITTEN
        request = plan.task.model_dump(mode="json", exclude_none=True)
        new = NewRun(
            kind=name,
            # Stored with the run, because the board's language may change.
            request=request if language == AS_WRITTEN else request | {"language": language},
            # A drawn seed is stored too, so that the run can be repeated.
            seed=secrets.randbelow(2**31) if task.seed is None else task.seed,
            board_id=board_id,
            idea_id=plan.idea.id if plan.idea else None,
            idea_version=plan.idea.version if plan.idea else None,
            redraws=redraws,
        )
        return PlannedRun(new, plan.work, model, language)

    def is_ready(self, model: str) -> bool:
        return any(one.name == model and one.state == "ready" for one in self._backend.models())

    async def perform(
        self, planned: PlannedRun, *, client: str, ledger: Ledger, emit: Emit
    ) -> dict[str, Any]:
        """Returns the fields of the answer that its kind adds, as the API gives them.

        Raises: EngineError of any kind; AnswerUnusable if no answer could be used.
        """
        kind = KINDS[planned.new.kind]
        model = self._backend.model_for(kind.role)
        model_client = ModelClient(self._backend, model, client, ledger, emit, planned.language)
        means = self._means
        context = RunContext(
            model_client,
            planned.new.seed,
            means.scorer,
            means.vectors,
            means.each_s,
            means.inspirations,
            means.tastes,
        )
        with shared_view():
            return await kind.perform(context, planned.work)

    def result_at_deadline(self, planned: PlannedRun, ledger: Ledger) -> dict[str, Any] | None:
        """The result of a run that has made something by its deadline; None if its kind fails then."""
        at_deadline = KINDS[planned.new.kind].at_deadline
        return None if at_deadline is None else at_deadline(ledger)

    def _language(self, task: Any, board_id: str | None) -> str:
        if task.language is not None:
            return str(task.language)
        return self._store.boards.get(board_id).language if board_id else AS_WRITTEN


def repeat_task(run: RunPublic) -> Task:
    """The run's task with the same seed.

    Raises:
        Conflict: the run is not over.
    """
    if run.status in UNFINISHED:
        raise Conflict(Text("This run is not over yet. Stop it first, or wait."))
    return RECORDED_KINDS[run.kind].task.model_validate(run.request | {"seed": run.seed})


def renew_task(run: RunPublic, store: Store) -> Task:
    """The run's task with a new seed; of a run over a board, the task for the ideas still missing.

    Raises:
        Conflict: the run is not over.
    """
    task: Task = KINDS[run.kind].renew(repeat_task(run), run, store)
    return task
