"""Asking again: a whole run, or one suggestion of it."""

from service.errors import Conflict
from service.messages import Text
from service.prompts.methods import METHODS
from service.schemas.brainstorm import BrainstormTask
from service.schemas.evaluation import EvaluateAllTask, EvaluateTask
from service.schemas.fields import AVOIDED_CEILING, UNFINISHED, RunKind
from service.schemas.ranking import RankTask
from service.schemas.refinement import RefineTask
from service.schemas.runs import RunPublic, Task
from service.store import Store

_TASKS: dict[RunKind, type[Task]] = {
    "brainstorm": BrainstormTask,
    "refine": RefineTask,
    "evaluate": EvaluateTask,
    "evaluate-all": EvaluateAllTask,
    "rank": RankTask,
}


def repeated(run: RunPublic) -> Task:
    """The run's question with its seed.

    Raises:
        Conflict: it is not over.
    """
    if run.status in UNFINISHED:
        raise Conflict(Text("This run is not over yet. Stop it first, or wait."))
    return _TASKS[run.kind].model_validate(run.request | {"seed": run.seed})


def asked_anew(run: RunPublic, store: Store) -> Task:
    """The run's question with a seed to be drawn; a brainstorm keeps away from what was avoided.

    A run over a board goes on with what is missing, and judges it as it did the others.

    Raises:
        Conflict: it is not over.
    """
    task = repeated(run)
    if isinstance(task, EvaluateAllTask):
        return task.model_copy(update={"only_outdated": True})
    task = task.model_copy(update={"seed": None})
    if isinstance(task, BrainstormTask):
        return task.model_copy(update={"avoid": _avoided(task, store, run.run_id)})
    return task


def redrawn(suggestion_id: str, store: Store, seed: int | None = None) -> BrainstormTask:
    """One idea more for the question of its run, under the suggestion's angle and unlike it.

    The run may still be going on.
    """
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    task = BrainstormTask.model_validate(run.request)
    names = {angle.name for angle in METHODS[task.method].angles}
    avoid = [*_avoided(task, store, run.run_id), f"{suggestion.title}. {suggestion.text}"]
    return task.model_copy(
        update={
            "n": 1,
            "seed": seed,
            "angle": suggestion.angle if suggestion.angle in names else task.angle,
            "avoid": avoid[-AVOIDED_CEILING:],
        }
    )


def _avoided(task: BrainstormTask, store: Store, run_id: str) -> list[str]:
    avoided = [
        f"{one.title}. {one.text}"
        for one in store.suggestions.of_run(run_id)
        if one.state == "avoided"
    ]
    return list(dict.fromkeys([*task.avoid, *avoided]))[-AVOIDED_CEILING:]
