"""Rubrics, evaluations and a board's table of scores in the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from service.messages import Text
from service.prompts.languages import IdeaLanguage
from service.schemas.answers import Answer
from service.schemas.failures import Failure
from service.schemas.fields import (
    IDEA_OR_TEXT,
    TAGS_CEILING,
    Body,
    Filled,
    Line,
    Seed,
    Shape,
    Status,
    Tag,
    Title,
    clean_line,
)

CRITERIA_CEILING = 8
EVALUATIONS_CEILING = 1000
WEIGHT_CEILING = 100
# What they mean is in `prompts`; a test keeps the two the same.
DEFAULT_NAMES = ("novelty", "feasibility", "impact", "clarity")
NAME_CEILING = 40
DESCRIPTION_CEILING = 200
_IDEA = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"

CriterionName = Annotated[Filled, StringConstraints(max_length=NAME_CEILING)]
Weight = Annotated[float, Field(gt=0, le=WEIGHT_CEILING)]


def weighted_mean(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Returns the overall score, the weighted mean, rounded to one decimal."""
    total = sum(weights[name] for name in scores)
    return round(sum(weights[name] * score for name, score in scores.items()) / total, 1)


class CriterionShape(Shape):
    name: CriterionName = Field(examples=["cost"])
    # As long as the API's description says, before the text is cleaned.
    description: Annotated[
        str, StringConstraints(max_length=DESCRIPTION_CEILING), AfterValidator(clean_line)
    ] = Field(
        default="", description="What a high score means.", examples=["how little money it takes"]
    )
    weight: Weight = Field(default=1, description="Its weight in the overall score.", examples=[2])


def _named_once(criteria: list[CriterionShape]) -> list[CriterionShape]:
    names = [one.name.casefold() for one in criteria]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(Text("must not contain “%(name)s” twice", name=name))
    return criteria


Criteria = Annotated[
    list[CriterionShape],
    Field(
        min_length=1,
        max_length=CRITERIA_CEILING,
        json_schema_extra={"uniqueItems": True},
        examples=[[{"name": "cost", "description": "how little money it takes", "weight": 2}]],
    ),
    AfterValidator(_named_once),
]


class RubricCreate(Shape):
    name: Title = Field(examples=["For the street"])
    criteria: Criteria


class RubricUpdate(Shape):
    name: Title | None = None
    criteria: Criteria | None = None
    is_shown: bool | None = Field(
        default=None,
        description="Whether cards show the scores by this rubric. Of a board's rubrics one is "
        "shown at most; where none is, the default one.",
    )


class RubricPublic(BaseModel):
    id: str
    board_id: str
    name: str
    criteria: list[CriterionShape]
    is_shown: bool = Field(
        description="Whether the ideas' `score`, on cards and to sort by, is by this rubric."
    )
    revision: int
    created_at: datetime
    updated_at: datetime


class RubricChoice(BaseModel):
    """A board's own rubric, or the default one, which has no id."""

    id: str | None
    name: str
    criteria: list[CriterionShape]


class ScoringPublic(BaseModel):
    """How the scores were made. `head` means by a score head, fitted to labelled ideas; `digits` means
    from the probabilities of the digits in the model's answer; `mixed` means some of both.
    `uncalibrated` names the criteria that no score head scores.
    """

    method: Literal["head", "digits", "mixed"]
    calibrated: bool
    uncalibrated: list[str]


SPREAD = (
    "How far off each score may be, in points of the score; null if unknown. For a calibrated criterion "
    "this is the score head's mean error on ideas that it was not fitted to. For any other criterion "
    "it is the standard deviation over the digits that the model considers, which says how undecided "
    "the model is, not how right it is."
)
Spread = Annotated[dict[str, float | None], Field(description=SPREAD)]


class EvaluationPublic(BaseModel):
    """An evaluation of one version of an idea. `criteria` have the wording and the weights of that
    time. `is_stale` says that the idea's text has changed since.
    """

    run_id: str
    idea_id: str
    idea_version: int
    rubric_id: str | None = None
    criteria: list[CriterionShape]
    scores: dict[str, float]
    spread: Spread
    overall: float
    method: str
    calibrated: bool
    uncalibrated: list[str]
    strengths: list[str]
    concerns: list[str]
    next_step: str
    is_stale: bool
    created_at: datetime


class FailurePublic(Failure):
    """An idea that could not be evaluated, and why. The run continued with the others."""

    idea_id: str
    title: str


class EvaluateBoard(Shape):
    """Says which ideas of the board to evaluate, and by which rubric. Default: all that are not archived."""

    idea_ids: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=64)]],
            Field(min_length=1, max_length=EVALUATIONS_CEILING),
        ]
        | None
    ) = Field(default=None, description="Evaluate only these ideas.", examples=[[_IDEA]])
    q: Annotated[Line, StringConstraints(max_length=200)] = Field(
        default="", description="Evaluate only ideas with all of these words.", examples=[""]
    )
    tags: list[Tag] = Field(
        default_factory=list,
        max_length=TAGS_CEILING,
        description="Evaluate only ideas with all of these tags.",
    )
    status: Status | None = None
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    archived: bool = Field(
        default=False,
        description="Include archived ideas. Otherwise only `status` or `idea_ids` can select them.",
    )
    star: bool | None = None
    rubric_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Default: novelty, feasibility, impact and clarity."
    )
    only_outdated: bool = Field(
        default=False,
        description="Skip ideas whose current text was already evaluated by this rubric.",
        examples=[True],
    )
    seed: Seed | None = Field(default=None, description="Default: random.")


class EvaluateAllTask(EvaluateBoard):
    board_id: Annotated[str, StringConstraints(max_length=64)]


class TableRow(BaseModel):
    """An idea and its newest evaluation by the rubric; the values are null if there is none.

    `overall` uses the rubric's current weights. `rank` is by `overall`: 1 is the best, and equal ideas
    share a rank. `is_stale` says that the text or the wording of a criterion has changed since.
    """

    rank: int | None = Field(examples=[1])
    idea_id: str = Field(examples=[_IDEA])
    title: str = Field(examples=["A shelf for borrowed tools"])
    scores: dict[str, float | None] = Field(examples=[{"cost": 7.3}])
    spread: Spread = Field(examples=[{"cost": 1.5}])
    overall: float | None = Field(examples=[7.3])
    uncalibrated: list[str] = Field(examples=[["cost"]])
    is_stale: bool
    evaluated_at: datetime | None


class TablePublic(BaseModel):
    board_id: str
    rubric_id: str | None
    rubric: str = Field(examples=["For the street"])
    criteria: list[CriterionShape]
    ideas: list[TableRow]


_BOTH_CRITERIA_AND_RUBRIC: JsonDict = {
    "required": ["criteria", "rubric_id"],
    "properties": {"criteria": {"type": "array"}, "rubric_id": {"type": "string"}},
}


class EvaluateTask(Shape):
    """Asks for scores and advice for the idea `idea_id`, or for `title` and `body`, by a rubric of the
    idea's board or by the given `criteria`.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": IDEA_OR_TEXT, "not": _BOTH_CRITERIA_AND_RUBRIC}
    )

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["Tool shelf"])
    body: Body | None = Field(default=None, examples=["A shelf in the hall for borrowed tools."])
    criteria: list[CriterionShape | CriterionName] | None = Field(
        default=None,
        min_length=1,
        max_length=CRITERIA_CEILING,
        description="Default: novelty, feasibility, impact and clarity.",
        json_schema_extra={"uniqueItems": True},
    )
    rubric_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="A rubric of the idea's board, instead of `criteria`."
    )
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = None


class EvaluateAnswer(Answer):
    """Scores from 1 to 10, their weighted mean `overall`, and advice."""

    rubric_id: str | None
    criteria: list[CriterionShape]
    scores: dict[str, float]
    spread: Spread
    overall: float
    scoring: ScoringPublic
    strengths: list[str]
    concerns: list[str]
    next_step: str


class EvaluateAllAnswer(Answer):
    """The evaluations in the order in which they were made, and the ideas that failed."""

    evaluations: list[EvaluationPublic]
    failed: list[FailurePublic]
