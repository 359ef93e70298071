"""Refinements, their single edits, and the edits between two versions in the API."""

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
    """One edit: `added` replaces `removed`, which begins at character `start` of the old title or body.
    `number` counts from 1 through title and body. The title changes as a whole.
    """

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(examples=[1])
    part: Part = Field(examples=["body"])
    start: int = Field(examples=[15])
    removed: str = Field(examples=["hall"])
    added: str = Field(examples=["cellar"])


class RefineAnswer(Answer):
    """A proposed text. `changes` is what the model says it changed, without claims that share no word
    with the edits. `edits` is what it did change: accept all of them, or those whose numbers you give. `left_out` lists numbers
    and names of the old text that the new one seems to lack, `unmet` what the instruction asks for and
    the text lacks, as far as that can be checked.
    """

    title: str
    body: str
    changes: list[str]
    edits: list[EditPublic]
    left_out: list[str] = Field(default_factory=list, examples=[["25", "Lena"]])
    unmet: list[str] = Field(default_factory=list, examples=[["a first step"]])


class EditsPublic(BaseModel):
    """The edits that lead from the idea's current text to the proposal.

    `idea_version` is null if the text belongs to no idea. `is_stale` says that the text has changed
    since the model read it.
    """

    run_id: str
    idea_version: int | None
    is_stale: bool
    title: str
    body: str
    edits: list[EditPublic]


class Acceptance(Shape):
    """Says which edits of a refinement to accept. Default: all of them."""

    edits: list[EditNumber] | None = Field(
        default=None,
        min_length=1,
        max_length=EDITS_CEILING,
        description="The numbers of the edits to accept. Default: all.",
        examples=[[1, 3]],
        json_schema_extra={"uniqueItems": True},
    )
    idea_version: Version | None = Field(
        default=None,
        description="The version of the idea that the edits are numbered for. Default: the one "
        "that the model read.",
    )
    title: Title | None = Field(
        default=None,
        description="Your own title. Your changes become a version of their own, after the "
        "model's.",
    )
    body: Body | None = Field(default=None, description="Your own text.")


class ComparisonOfVersions(BaseModel):
    """The edits that lead from one version of an idea to another."""

    idea_id: str
    before: VersionPublic
    after: VersionPublic
    edits: list[EditPublic]


class RefineTask(Shape):
    """Asks for a better text for the idea `idea_id`, or for `title` and `body`, or for one passage of it."""

    model_config = ConfigDict(json_schema_extra={"oneOf": IDEA_OR_TEXT})

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["tool shelf"])
    body: Body | None = Field(default=None, examples=["shelf in the hall, people lend drills"])
    instruction: Body = Field(default="", examples=["shorter"])
    selection: Annotated[Body, AfterValidator(filled)] | None = Field(
        default=None,
        description="Refine only this passage, copied exactly from the body; the rest does not change.",
        examples=["people lend drills"],
    )
    start: Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)] | None = Field(
        default=None,
        description="The character of the body where the passage begins, if it occurs more than once.",
    )
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = None
