"""The types of values in the JSON file of export and import, and the result of each kind of run."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from service.messages import unpack
from service.schemas.brainstorm import IncompletePublic
from service.schemas.evaluation import Criteria, FailurePublic, ScoringPublic
from service.schemas.fields import Body, Filled, Line, Shape, Title, whole
from service.text.edits import Part

ROWS_CEILING = 1_000_000
PLAIN_CEILING = 1_000_000
POINTS_CEILING = 100
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _check_length(text: str) -> str:
    if len(text) > PLAIN_CEILING:
        raise ValueError(f"must have at most {PLAIN_CEILING} characters")
    return text


def _check_words(packed: Any) -> Any:
    if packed is not None:
        _check_length(unpack(packed))
    return packed


def _in_range(moment: datetime) -> datetime:
    # Outside this range a change of time zone can overflow `datetime`.
    if not FIRST <= moment < LAST:
        raise ValueError("must be between the years 1970 and 9000")
    return moment.astimezone(UTC)


# Ids are part of URLs, so only characters that need no escaping are allowed.
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", min_length=1, max_length=64)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
Number = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(whole)]
Amount = Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(whole)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Score = Annotated[float, Field(ge=1, le=10)]
Name = Annotated[Line, StringConstraints(max_length=200)]
Point = Annotated[Body, StringConstraints(max_length=8000)]
# Kept exactly as recorded: neither cleaned nor limited like the texts of people.
Plain = Annotated[str, AfterValidator(_check_length)]
# A text as `messages.pack` gives it, so that pages can translate it.
Words = Annotated[Any, AfterValidator(_check_words)]
Criterion = Annotated[Filled, StringConstraints(max_length=40)]
Scores = Annotated[dict[Criterion, Score], Field(min_length=1, max_length=8)]
Spreads = Annotated[
    dict[Criterion, Annotated[float, Field(ge=0, le=9)] | None], Field(min_length=1, max_length=8)
]
Points = Annotated[list[Point], Field(max_length=POINTS_CEILING)]


Item = TypeVar("Item")
# A file of another kind can have a million errors: stop at the first one in each list.
Rows = Annotated[list[Item], Field(max_length=ROWS_CEILING, fail_fast=True)]


class EditRow(Shape):
    number: Number
    part: Part
    start: Amount
    removed: Plain
    added: Plain


class Refined(Shape):
    """The result of a refinement. Older servers stored neither edits nor dropped facts."""

    title: Title
    body: Body
    changes: Points
    edits: Rows[EditRow] | None = None
    left_out: Points = Field(default_factory=list)
    unmet: Points = Field(default_factory=list)


class NoResult(Shape):
    """The comparisons of a ranking are rows of their own."""


class _Incomplete(IncompletePublic):
    model_config = Shape.model_config

    repeats: Amount
    unusable: Amount


class BrainstormResult(Shape):
    """The suggestions of a brainstorm are rows of their own."""

    incomplete: _Incomplete | None = None


class _Scoring(ScoringPublic):
    model_config = Shape.model_config

    uncalibrated: list[Criterion] = Field(max_length=8)


class EvaluatedResult(Shape):
    """The result of an evaluation. Results from before rubrics lack the first three fields."""

    rubric_id: Key | None = None
    criteria: Criteria | None = None
    spread: Spreads | None = None
    scores: Scores
    overall: Score
    scoring: _Scoring
    strengths: Points
    concerns: Points
    next_step: Point


class _Failed(FailurePublic):
    model_config = Shape.model_config

    idea_id: Key
    title: Title
    type: Name
    detail: Plain
    words: Words = None


class EvaluatedAllResult(Shape):
    """The result of a run over a board. Its evaluations have rows of their own."""

    failed: Rows[_Failed] = Field(default_factory=list)
