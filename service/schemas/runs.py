"""Runs, and the tasks that start them, in the API."""

from datetime import datetime
from typing import Any

from pydantic import (
    BaseModel,
    Field,
)

from service.schemas.brainstorm import BrainstormTask, SuggestionPublic
from service.schemas.evaluation import (
    EvaluateAllTask,
    EvaluateTask,
    EvaluationPublic,
)
from service.schemas.failures import Failure
from service.schemas.fields import (
    Decision,
    RunKind,
    RunStatus,
)
from service.schemas.people import PersonPublic
from service.schemas.ranking import ComparisonPublic, RankTask
from service.schemas.refinement import RefineTask

Task = BrainstormTask | RefineTask | EvaluateTask | EvaluateAllTask | RankTask


class RunError(Failure):
    pass


class RunPublic(BaseModel):
    """The current state of a run; the fields of its answer are filled in as they arrive.

    Only a run over a board has `evaluations`, and lists of runs leave them out.
    """

    run_id: str
    kind: RunKind
    status: RunStatus
    board_id: str | None = None
    idea_id: str | None = None
    idea_version: int | None = None
    model: str = ""
    weights_sha256: str = ""
    adapter_sha256: str | None = None
    seed: int = 0
    request: dict[str, Any]
    prompts: list[Any] | None = None
    usage: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    error: RunError | None = None
    decision: Decision = "open"
    author: PersonPublic | None = Field(
        default=None, description="The person who started it. Null for whoever needs no name."
    )
    result: dict[str, Any] | None = None
    suggestions: list[SuggestionPublic] = Field(default_factory=list)
    comparisons: list[ComparisonPublic] = Field(default_factory=list)
    evaluations: list[EvaluationPublic] = Field(default_factory=list)
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def written(self) -> int:
        """How many suggestions the model wrote; the others are from the idea bank."""
        return sum(one.origin == "model" for one in self.suggestions)
