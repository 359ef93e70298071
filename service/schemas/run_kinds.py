"""The kinds of runs: the task, the stored result and the answer of each.

This is the first layer of the registry of run kinds; a new kind begins here. `ideation.kinds` says how
a kind is planned, performed and repeated, and `web.pages.run_kinds` how pages show it. A test checks
that the three agree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from service.schemas.answers import Answer
from service.schemas.archive_fields import (
    BrainstormResult,
    EvaluatedAllResult,
    EvaluatedResult,
    NoResult,
    Refined,
)
from service.schemas.brainstorm import BrainstormAnswer, BrainstormTask
from service.schemas.evaluation import (
    EvaluateAllAnswer,
    EvaluateAllTask,
    EvaluateAnswer,
    EvaluateTask,
    FailurePublic,
)
from service.schemas.fields import RunKind, Shape
from service.schemas.ranking import RankAnswer, RankTask
from service.schemas.refinement import RefineAnswer, RefineTask
from service.schemas.runs import RunPublic, Task


@dataclass(frozen=True, slots=True)
class Items:
    """Results that a run makes one by one: each is sent as an `event`, all are in a field of the answer."""

    event: str
    field: str
    of: Callable[[RunPublic], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class RecordedKind:
    """A kind of run. `result` is the form of the result in the run's own row; `items` have other rows.

    With `takes_ideas_one_by_one`, a run does the same with each of many ideas: the deadline applies to
    each idea, and an export leaves out ideas that are not in the file. With `is_evaluation`, the
    result is also stored as an evaluation of the run's idea.
    """

    name: RunKind
    task: type[Task]
    answer: type[Answer]
    result: type[Shape]
    items: tuple[Items, ...] = ()
    takes_ideas_one_by_one: bool = False
    is_evaluation: bool = False

    def has(self, field: str) -> bool:
        return any(one.field == field for one in self.items)


def failures(run: RunPublic) -> list[FailurePublic]:
    """Returns the ideas that a run over a board could not evaluate."""
    return [FailurePublic.model_validate(one) for one in (run.result or {}).get("failed", [])]


def answer(run: RunPublic) -> dict[str, Any]:
    """Returns the run in the form of the answer to the call that started it."""
    begun = {"run_id": run.run_id, "status": run.status, "model": run.model}
    made = {one.field: one.of(run) for one in RECORDED_KINDS[run.kind].items}
    kept = {name: value for name, value in (run.result or {}).items() if name not in made}
    return begun | made | kept | {"usage": run.usage, "timing": run.timing}


def item_fields(item: BaseModel, *, exclude_none: bool = False) -> dict[str, Any]:
    return item.model_dump(mode="json", exclude_none=exclude_none)


SUGGESTIONS = Items(
    "suggestion",
    "suggestions",
    lambda run: [item_fields(one, exclude_none=True) for one in run.suggestions],
)
COMPARISONS = Items(
    "comparison", "comparisons", lambda run: [item_fields(one) for one in run.comparisons]
)
EVALUATIONS = Items(
    "evaluation", "evaluations", lambda run: [item_fields(one) for one in run.evaluations]
)
FAILURES = Items("failure", "failed", lambda run: [item_fields(one) for one in failures(run)])

RECORDED_KINDS: Mapping[str, RecordedKind] = {
    kind.name: kind
    for kind in (
        RecordedKind(
            "brainstorm", BrainstormTask, BrainstormAnswer, BrainstormResult, (SUGGESTIONS,)
        ),
        RecordedKind("refine", RefineTask, RefineAnswer, Refined),
        RecordedKind("evaluate", EvaluateTask, EvaluateAnswer, EvaluatedResult, is_evaluation=True),
        RecordedKind(
            "evaluate-all",
            EvaluateAllTask,
            EvaluateAllAnswer,
            EvaluatedAllResult,
            (EVALUATIONS, FAILURES),
            takes_ideas_one_by_one=True,
        ),
        RecordedKind("rank", RankTask, RankAnswer, NoResult, (COMPARISONS,)),
    )
}

KINDS_OF_SEVERAL_IDEAS = tuple(
    kind.name for kind in RECORDED_KINDS.values() if "idea_ids" in kind.task.model_fields
)
"""The kinds whose tasks may name several ideas."""


def kind_of(task: Task) -> RunKind:
    return _BY_TASK[type(task)].name


_BY_TASK: Mapping[type[Task], RecordedKind] = {kind.task: kind for kind in RECORDED_KINDS.values()}
