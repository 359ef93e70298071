"""Boards, ideas and their versions in the API."""

from datetime import datetime

from pydantic import (
    BaseModel,
    Field,
)

from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.fields import (
    TAGS_CEILING,
    Body,
    Shape,
    Status,
    Tag,
    Title,
)
from service.schemas.people import PersonPublic

AUTHOR = (
    "The person who wrote it or, if `origin` says that nobody here wrote it, kept it. Null for whoever "
    "needs no name."
)


class BoardCreate(Shape):
    name: Title = Field(examples=["Street party"])
    goal: Body = Field(default="", examples=["A party the whole street enjoys."])
    language: IdeaLanguage = AS_WRITTEN


class BoardUpdate(Shape):
    name: Title | None = None
    goal: Body | None = None
    language: IdeaLanguage | None = None
    learns: bool | None = Field(
        default=None,
        description="Whether suggestions are ordered by what people on the board kept and discarded.",
    )
    people_first: bool | None = Field(
        default=None,
        description="Whether brainstorms are refused until the board's first writing round has ended, "
        "and while one goes on.",
    )


class BoardPublic(BaseModel):
    id: str
    name: str
    goal: str
    language: str = AS_WRITTEN
    learns: bool = True
    people_first: bool = False
    created_at: datetime
    updated_at: datetime


class IdeaCreate(Shape):
    board_id: str | None = Field(default=None, description="Default: the oldest board.")
    title: Title = Field(examples=["A shelf for borrowed tools"])
    body: Body = Field(default="", examples=["Neighbours lend drills and ladders."])
    status: Status = "draft"
    star: bool = False
    tags: list[Tag] = Field(default_factory=list, max_length=TAGS_CEILING)
    parent_id: str | None = None
    round_id: str | None = Field(
        default=None,
        max_length=64,
        description="The writing round to write it in. If that is over, the idea is added to the "
        "board as usual, and `round_id` is null in the answer.",
    )


class IdeaUpdate(Shape):
    board_id: str | None = None
    title: Title | None = None
    body: Body | None = None
    status: Status | None = None
    star: bool | None = None
    tags: list[Tag] | None = Field(default=None, max_length=TAGS_CEILING)


class IdeaPublic(BaseModel):
    id: str
    board_id: str
    title: str
    body: str
    status: str
    star: bool
    tags: list[str]
    parent_id: str | None
    lost_parent_id: str | None = Field(
        default=None, description="The id of its parent, if the parent was deleted for good."
    )
    round_id: str | None = Field(
        default=None, description="The writing round that it was written in, if any."
    )
    is_hidden: bool = Field(
        default=False, description="Whether only you see it, because its round is going on."
    )
    origin: str
    author: PersonPublic | None = Field(default=None, description=AUTHOR)
    version: int
    revision: int
    likes: int = Field(default=0, description="How many people like it.")
    liked: bool = Field(default=False, description="Whether you do.")
    comments: int = Field(default=0, description="How many comments it has.")
    score: float | None = Field(
        description="The newest evaluation's overall score by the rubric that the board shows: the "
        "default one, unless a rubric has `is_shown`."
    )
    is_stale: bool = Field(description="Whether `score` belongs to an earlier text.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(
        default=None, description="When it was deleted, if it is in the trash."
    )


class VersionPublic(BaseModel):
    number: int
    title: str
    body: str
    origin: str
    author: PersonPublic | None = Field(default=None, description=AUTHOR)
    run_id: str | None
    created_at: datetime
