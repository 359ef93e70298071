"""Templates for boards, the sample board, and the request for a new board."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonValue

from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.evaluation import RubricCreate
from service.schemas.fields import (
    FACT_CEILING,
    TAGS_CEILING,
    Body,
    Filled,
    Line,
    MethodId,
    Shape,
    Status,
    Tag,
    Title,
    Topic,
    given,
)

# A key that stays the same in every language.
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
Fact = Annotated[Line, StringConstraints(max_length=FACT_CEILING)]
_NAME_OR_TEMPLATE: list[JsonValue] = [given("name"), given("template")]


class Prompt(Shape):
    topic: Topic = Field(examples=["a village festival that costs almost nothing"])
    method: MethodId = "free"


class Situation(Shape):
    """Examples of what people may say about their situation before a brainstorm."""

    for_whom: Fact = Field(default="", examples=["600 people in the village"])
    tried: Fact = ""
    must_stay: Fact = ""


class BoardTemplate(Shape):
    """What a board made from this template starts with."""

    id: Key = Field(examples=["festival"])
    name: Title = Field(examples=["Village festival"])
    purpose: Line = Field(description="When to take it.")
    goal: Body = Field(examples=["A festival that old and young enjoy."])
    tags: list[Tag] = Field(
        min_length=2, max_length=TAGS_CEILING, description="Tags to sort the ideas by, in order."
    )
    rubric: RubricCreate
    prompts: list[Prompt] = Field(min_length=3, max_length=3, description="Topics to begin with.")
    situation: Situation = Situation()


class NewBoard(Shape):
    """A board without a template needs a `name`. What is left out comes from the template."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _NAME_OR_TEMPLATE})

    name: Title | None = Field(default=None, examples=["Street party"])
    goal: Body | None = Field(default=None, examples=["A party the whole street enjoys."])
    language: IdeaLanguage = Field(
        default=AS_WRITTEN,
        description="The language of the ideas, and of the template's texts. Default: ideas in the "
        "language of the topic, and texts in the first language of `Accept-Language` that there is.",
    )
    template: str | None = Field(
        default=None, max_length=40, description="The `id` of one of `/board-templates`."
    )


class EarlierText(Shape):
    title: Title
    body: Body


class SampleIdea(Shape):
    """`grown_from` is the key of another idea; `earlier` is the first version of the text."""

    key: Key
    title: Filled
    body: Body
    tags: list[Tag]
    status: Status
    star: bool
    grown_from: Key | None = Field(default=None, alias="from")
    earlier: EarlierText | None = None


class SampleBoard(Shape):
    """`examples` are topics for boards that no template was taken for."""

    name: Title
    goal: Body
    examples: list[Prompt]
    rubric: RubricCreate
    ideas: list[SampleIdea]


class SampleRequest(Shape):
    language: str | None = Field(
        default=None,
        max_length=8,
        examples=["en"],
        description="The language of its texts. Default: the first of `Accept-Language` that there is.",
    )
