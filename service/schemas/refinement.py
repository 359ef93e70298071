"""What the API takes and gives about single edits: of a refinement, and between two versions."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from service.prompts.languages import IdeaLanguage
from service.schemas.answers import Answer
from service.schemas.fields import IDEA_OR_TEXT, Body, Seed, Shape, Title, Version, filled, whole
from service.schemas.ideas import VersionPublic
from service.text.edits import Part

EDITS_CEILING = 10_000
EditNumber = Annotated[int, Field(ge=1, le=EDITS_CEILING), BeforeValidator(whole)]


class EditPublic(BaseModel):
    """Put `added` in the place of `removed`, which stands at character `start` of the title or of
    the body as it was. `number` counts from 1 through both. The title changes as a whole.
    """

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(examples=[1])
    part: Part = Field(examples=["body"])
    start: int = Field(examples=[15])
    removed: str = Field(examples=["hall"])
    added: str = Field(examples=["cellar"])


class RefineAnswer(Answer):
    """`changes` is what the model says it changed, which nobody checks, `edits` what it did change; `accept` takes all of
    them or those whose numbers you give. `left_out` has numbers and names of the text, as it has
    them, that the new one seems to lack.
    """

    title: str
    body: str
    changes: list[str]
    edits: list[EditPublic]
    left_out: list[str] = Field(default_factory=list, examples=[["25", "Lena"]])


class EditsPublic(BaseModel):
    """A refinement's edits of the text that the idea has now; it has no version if it is on no board.

    `is_stale` says that the text has changed since the model read it.
    """

    run_id: str
    idea_version: int | None
    is_stale: bool
    title: str
    body: str
    edits: list[EditPublic]


class Acceptance(Shape):
    """What to take of a refinement; nothing given takes all of it."""

    edits: list[EditNumber] | None = Field(
        default=None,
        min_length=1,
        max_length=EDITS_CEILING,
        description="The numbers of the edits to take. Default: all.",
        examples=[[1, 3]],
        json_schema_extra={"uniqueItems": True},
    )
    idea_version: Version | None = Field(
        default=None,
        description="The version of the idea that the edits were numbered for. Default: the one "
        "that the model read.",
    )
    title: Title | None = Field(
        default=None,
        description="The title as you changed it. What you change becomes a version of its own, "
        "after the model's.",
    )
    body: Body | None = Field(default=None, description="The text as you changed it.")


class ComparisonOfVersions(BaseModel):
    """The edits that lead from one version of an idea to another."""

    idea_id: str
    before: VersionPublic
    after: VersionPublic
    edits: list[EditPublic]


class RefineTask(Shape):
    """A better text for the idea `idea_id`, or for `title` and `body`; of all of it or of one passage."""

    model_config = ConfigDict(json_schema_extra={"oneOf": IDEA_OR_TEXT})

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["tool shelf"])
    body: Body | None = Field(default=None, examples=["shelf in the hall, people lend drills"])
    instruction: Body = Field(default="", examples=["shorter"])
    selection: Annotated[Body, AfterValidator(filled)] | None = Field(
        default=None,
        description="Only this passage, as it stands in the body; the rest stays byte for byte.",
        examples=["people lend drills"],
    )
    start: Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)] | None = Field(
        default=None, description="The character of the body where it begins, if it is there twice."
    )
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = None
