"""The content of an imported file, and the result of an import. It knows neither formats nor SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, SkipValidation

from service.schemas.failures import Failure
from service.schemas.fields import Status

TextFormat = Literal["markdown", "csv", "lines"]
ImportFormat = Literal["json", "markdown", "csv", "lines"]
Groups = Literal["boards", "tags"]
Nested = Literal["body", "ideas"]
# The columns of a table that can be chosen; `-` chooses none.
Column = Literal["title", "body", "tags", "status", "star", "board"]
NO_COLUMN = "-"
Action = Literal["add", "change", "restore", "skip"]
Reason = Literal["", "there", "deleted", "same-text", "twice"]
SHOWN_IDEAS = 200


@dataclass(slots=True)
class Draft:
    """An idea in a file. Fields that the file lacks are None; `parent` is an index in `ParsedFile.ideas`."""

    line: int
    title: str
    body: str = ""
    id: str | None = None
    board: str | None = None
    status: Status | None = None
    star: bool | None = None
    tags: list[str] | None = None
    parent: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(slots=True)
class BoardDraft:
    line: int
    name: str
    goal: str = ""
    id: str | None = None


@dataclass(slots=True)
class ParsedFile:
    """The content of a file. The keys of `boards` are ids, or names if the file has no ids; the `board`
    of an idea is such a key. `left_out` has the text that is not part of an idea.
    """

    boards: dict[str, BoardDraft] = field(default_factory=dict)
    ideas: list[Draft] = field(default_factory=list)
    left_out: list["LeftOut"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """How an import treats ideas. `board_id` is the default board, `update` updates existing ideas from
    the file, and `restore` restores ideas and boards of the file from the trash.
    """

    board_id: str | None = None
    update: bool = False
    restore: bool = False


class LeftOut(BaseModel):
    line: int = Field(examples=[7])
    # Not validated, so that a `Text` stays one and pages can translate it.
    text: SkipValidation[str] = Field(examples=["Notes of the meeting"])


class Counts(BaseModel):
    people: int = 0
    boards: int = 0
    ideas: int = 0
    versions: int = 0
    runs: int = 0
    suggestions: int = 0
    evaluations: int = 0
    comparisons: int = 0
    rubrics: int = 0
    likes: int = 0
    comments: int = 0
    attachments: int = 0


class ImportedIdea(BaseModel):
    """What an import does with one idea. `reason` says why an idea is left unchanged."""

    action: Action
    reason: Reason = ""
    id: str
    title: str
    board: str = Field(description="The name of its board.")
    line: int | None = Field(default=None, description="Its line in a text file.")
    changes: list[str] = Field(default_factory=list, description="The fields that change.")


class Imported(BaseModel):
    """How many rows were added, changed, restored from the trash or left unchanged; in a dry run, how
    many would be. `ideas` lists the first 200 ideas.
    """

    dry_run: bool = False
    added: Counts = Field(default_factory=Counts)
    changed: Counts = Field(default_factory=Counts)
    restored: Counts = Field(default_factory=Counts)
    already_there: Counts = Field(default_factory=Counts)
    in_trash: int = Field(
        default=0,
        examples=[3],
        description="How many ideas of the file are left in the trash; `restore` restores them.",
    )
    files_without_content: int = Field(
        default=0,
        examples=[0],
        description="How many files of ideas are not added, because the export had no room for them.",
    )
    ideas: list[ImportedIdea] = Field(default_factory=list)
    left_out: list[LeftOut] = Field(
        default_factory=list, description="Text and columns that were ignored."
    )


ImportStatus = Literal["reading", "writing", "done", "stopped", "failed", "interrupted"]
UNDER_WAY = frozenset[ImportStatus]({"reading", "writing"})


class ImportFailure(Failure):
    pass


class ImportPublic(BaseModel):
    """An import that is carried out while nobody waits for its answer.

    `stopped` was asked for, and `interrupted` means that the server ended. In both cases what is written
    stays, and importing the file again adds the rest.
    """

    id: str
    status: ImportStatus = Field(examples=["writing"])
    total: int | None = Field(
        examples=[10000],
        description="How many ideas are written, or null until the file is read.",
    )
    written: int = Field(examples=[3200], description="How many of them are.")
    result: Imported | None = Field(
        default=None, description="What was done in the end. It lists no ideas."
    )
    first_idea_id: str | None = Field(
        default=None, description="The first idea of the file that was added or changed."
    )
    error: ImportFailure | None = Field(default=None, description="Why it failed.")

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY
