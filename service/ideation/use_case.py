"""The types that all use cases share: their input, their plan and their context."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from service.analysis.board_taste import BoardTaste
from service.analysis.scoring import Scorer
from service.analysis.word_vectors import WordVectors
from service.errors import InvalidInput
from service.ideation.inspirations import Inspirations
from service.ideation.model_client import ModelClient
from service.messages import Text
from service.schemas.evaluation import EvaluateTask
from service.schemas.ideas import IdeaPublic
from service.schemas.refinement import RefineTask
from service.schemas.runs import Task
from service.store import Store

TaskT = TypeVar("TaskT", bound=Task)
WorkT = TypeVar("WorkT")


@dataclass(frozen=True, slots=True)
class PlanContext(Generic[TaskT]):
    """A task to plan, and the store to plan it with. `redraws` as in `NewRun`."""

    task: TaskT
    store: Store
    redraws: str | None = None


@dataclass(frozen=True, slots=True)
class Plan(Generic[TaskT, WorkT]):
    """`task` is stored as the run's request; `work` is what will be done.

    The run belongs to `idea` and to the board `board_id`, by default the board of the idea.
    """

    task: TaskT
    work: WorkT
    idea: IdeaPublic | None = None
    board_id: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What all runs share. With `vectors`, suggestions are also compared semantically; with
    `inspirations`, a brainstorm also offers ideas of the bank; with `tastes`, those that the board's
    people are most likely to keep come first.

    Each idea of a run over a board may take `each_s` seconds.
    """

    scorer: Scorer
    each_s: float
    vectors: WordVectors | None = None
    inspirations: Inspirations | None = None
    tastes: BoardTaste | None = None


@dataclass(frozen=True, slots=True)
class RunContext:
    """The means to perform a run, as in `Means`."""

    client: ModelClient
    seed: int
    scorer: Scorer
    vectors: WordVectors | None
    each_s: float
    inspirations: Inspirations | None = None
    tastes: BoardTaste | None = None


def idea_or_text(
    task: RefineTask | EvaluateTask, store: Store
) -> tuple[IdeaPublic | None, str, str]:
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
