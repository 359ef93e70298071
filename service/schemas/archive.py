"""The JSON file of export and import. It has a version, so that older files can be recognised.

Every field is required, because a file without one is damaged. Texts by models are checked like
texts by people, because anyone can write such a file.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.config import JsonDict, JsonValue

from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.archive_fields import (
    Amount,
    Criterion,
    Key,
    Moment,
    Name,
    Number,
    Point,
    Points,
    Rows,
    Score,
    Scores,
    Spreads,
)
from service.schemas.archive_runs import RunRow
from service.schemas.attachments import AltText
from service.schemas.evaluation import Criteria
from service.schemas.fields import (
    SUGGESTIONS_CEILING,
    TAGS_CEILING,
    Body,
    CommentText,
    Judge,
    Origin,
    Outcome,
    Shape,
    Status,
    SuggestionOrigin,
    SuggestionState,
    Tag,
    Title,
    whole,
)

# Section -> the first version of the file that has it.
SINCE = {"comparisons": 2, "rubrics": 3, "people": 4, "likes": 4, "comments": 4}


class PersonRow(Shape):
    """A name. What a person may do belongs to a server and is in no file."""

    id: Key
    name: Title
    created_at: Moment


class BoardRow(Shape):
    id: Key
    name: Title
    goal: Body
    language: IdeaLanguage = AS_WRITTEN
    learns: bool = True
    people_first: bool = False
    taste_since: Moment | None = None
    created_at: Moment
    updated_at: Moment


class IdeaRow(Shape):
    id: Key
    board_id: Key
    title: Title
    body: Body
    status: Status
    star: bool
    tags: list[Tag] = Field(max_length=TAGS_CEILING)
    parent_id: Key | None
    origin: Origin
    # From the last of the board, which has 1, to the first. Older files of the same version have none.
    place: Number | None = None
    version: Number
    revision: Number
    # Here and below, older files have no people.
    person_id: Key | None = None
    score: Score | None
    created_at: Moment
    updated_at: Moment


class VersionRow(Shape):
    idea_id: Key
    number: Number
    title: Title
    body: Body
    origin: Origin
    person_id: Key | None = None
    run_id: Key | None
    created_at: Moment


class SuggestionRow(Shape):
    id: Key
    run_id: Key
    position: Annotated[int, Field(ge=0, lt=SUGGESTIONS_CEILING), BeforeValidator(whole)]
    angle: Name
    title: Title
    text: Body
    similar_to: Key | None
    state: SuggestionState
    idea_id: Key | None
    # Older files of the same version lack this field.
    redrawn_in: Key | None = None
    origin: SuggestionOrigin = "model"
    written_for: Title | None = None
    copied_from: Key | None = None
    likeness: Annotated[float, Field(ge=-1, le=1)] | None = None
    fit: Annotated[float, Field(ge=0, le=1)] | None = None
    decided_at: Moment | None = None


class RubricRow(Shape):
    id: Key
    board_id: Key
    name: Title
    criteria: Criteria
    # Older files of the same version do not tell.
    is_shown: bool = False
    revision: Number
    created_at: Moment
    updated_at: Moment


class EvaluationRow(Shape):
    """An evaluation. Before version 3 it had no rubric, criteria, spread or uncalibrated criteria."""

    id: Key
    run_id: Key
    idea_id: Key
    idea_version: Number
    rubric_id: Key | None = None
    criteria: Criteria | None = None
    scores: Scores
    spread: Spreads | None = None
    overall: Score
    method: Literal["head", "digits", "mixed"]
    calibrated: bool
    uncalibrated: Annotated[list[Criterion], Field(max_length=8)] | None = None
    strengths: Points
    concerns: Points
    next_step: Point
    created_at: Moment


class ComparisonRow(Shape):
    id: Key
    board_id: Key
    first_id: Key
    first_version: Number
    second_id: Key
    second_version: Number
    outcome: Outcome
    by: Judge
    person_id: Key | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None
    run_id: Key | None
    created_at: Moment

    @field_validator("second_id")
    @classmethod
    def differ(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("first_id"):
            raise ValueError("must differ from first_id")
        return value


class LikeRow(Shape):
    idea_id: Key
    person_id: Key | None
    created_at: Moment


class CommentRow(Shape):
    id: Key
    idea_id: Key
    person_id: Key | None
    body: CommentText
    revision: Number
    created_at: Moment
    edited_at: Moment | None


class AttachmentRow(Shape):
    """A file in Base64, or only what is known of it where the export had no room for its content."""

    id: Key
    idea_id: Key
    name: Name
    alt: AltText
    media_type: Name
    size: Amount
    width: Number | None
    height: Number | None
    sha256: Name
    created_at: Moment
    content: str | None


_BOARD_ID = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_IDEA_ID = "b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"
_PERSON_ID = "0c9d2f5e-4b1a-4e9f-8f0e-2d7c5a6b3e18"
_COMMENT_ID = "e5a1c3b7-9d2f-4c6a-8e0b-1f4d7a9c2b60"
_MOMENT = "2026-01-31T12:00:00Z"
_TEXT: dict[str, JsonValue] = {
    "title": "Soup from one pot",
    "body": "Each household adds one vegetable to a huge kettle at noon.",
    "origin": "human",
    "created_at": _MOMENT,
}
EXAMPLE: JsonDict = {
    "format": "ideapool",
    "version": 4,
    "exported_at": _MOMENT,
    "people": [{"id": _PERSON_ID, "name": "Ada", "created_at": _MOMENT}],
    "boards": [
        {
            "id": _BOARD_ID,
            "name": "Street party",
            "goal": "A party the whole street enjoys.",
            "created_at": _MOMENT,
            "updated_at": _MOMENT,
        }
    ],
    "ideas": [
        _TEXT
        | {
            "id": _IDEA_ID,
            "board_id": _BOARD_ID,
            "status": "draft",
            "star": False,
            "tags": ["food"],
            "parent_id": None,
            "place": 1,
            "version": 1,
            "revision": 1,
            "person_id": _PERSON_ID,
            "score": None,
            "updated_at": _MOMENT,
        }
    ],
    "versions": [_TEXT | {"idea_id": _IDEA_ID, "number": 1, "run_id": None}],
    "runs": [],
    "suggestions": [],
    "evaluations": [],
    "comparisons": [],
    "rubrics": [],
    "likes": [{"idea_id": _IDEA_ID, "person_id": _PERSON_ID, "created_at": _MOMENT}],
    "comments": [
        {
            "id": _COMMENT_ID,
            "idea_id": _IDEA_ID,
            "person_id": _PERSON_ID,
            "body": "The school lends its kettle.",
            "revision": 1,
            "created_at": _MOMENT,
            "edited_at": None,
        }
    ],
}


class Archive(Shape):
    """One board or all boards. Ideas are in the order in which they were added.

    Version 1 had no comparisons, version 2 had no rubrics, and version 3 had no people, likes and
    comments. A person who is known by id keeps the name they have here; nobody gets rights by a file.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    format: Literal["ideapool"]
    version: Annotated[Literal[1, 2, 3, 4], BeforeValidator(whole)]
    exported_at: Moment
    boards: Rows[BoardRow]
    ideas: Rows[IdeaRow]
    versions: Rows[VersionRow]
    runs: Rows[RunRow]
    suggestions: Rows[SuggestionRow]
    evaluations: Rows[EvaluationRow]
    comparisons: Rows[ComparisonRow] | None = Field(default=None, validate_default=True)
    rubrics: Rows[RubricRow] | None = Field(default=None, validate_default=True)
    people: Rows[PersonRow] | None = Field(default=None, validate_default=True)
    likes: Rows[LikeRow] | None = Field(default=None, validate_default=True)
    comments: Rows[CommentRow] | None = Field(default=None, validate_default=True)
    # Older files of the same version have none.
    attachments: Rows[AttachmentRow] = Field(default_factory=list)

    # A validator that runs before pydantic's own would turn off its JSON mode for the rows.
    @field_validator(*SINCE)
    @classmethod
    def need_since(cls, value: list[Any] | None, info: ValidationInfo) -> list[Any]:
        since = SINCE[str(info.field_name)]
        if value is None and info.data.get("version", since) >= since:
            raise ValueError(f"is required since version {since}")
        return value or []
