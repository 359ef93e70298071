"""What an imported file was found to hold, and what came of it; knows neither file formats nor SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from service.schemas.fields import Status

TextFormat = Literal["markdown", "csv", "lines"]
Groups = Literal["boards", "tags"]
Nested = Literal["body", "ideas"]
Action = Literal["add", "change", "restore", "skip"]
Reason = Literal["", "there", "deleted", "same-text", "twice"]
SHOWN_IDEAS = 200


@dataclass(slots=True)
class Draft:
    """An idea of a file. What the file does not say is None; `parent` is a place in `Reading.ideas`."""

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
class Reading:
    """`boards` by their id in the file, or else their name; an idea's `board` is such a key.

    `left_out` is what has no place on a board.
    """

    boards: dict[str, BoardDraft] = field(default_factory=dict)
    ideas: list[Draft] = field(default_factory=list)
    left_out: list["LeftOut"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taking:
    """`board_id` is for ideas that name no board. `update` changes ideas that are there to what the
    file says, `restore` brings back what is in the trash.
    """

    board_id: str | None = None
    update: bool = False
    restore: bool = False


class LeftOut(BaseModel):
    line: int = Field(examples=[7])
    text: str = Field(examples=["Notes of the meeting"])


class Counts(BaseModel):
    boards: int = 0
    ideas: int = 0
    versions: int = 0
    runs: int = 0
    suggestions: int = 0
    evaluations: int = 0
    comparisons: int = 0
    rubrics: int = 0


class ImportedIdea(BaseModel):
    """What an import does to one idea; `reason` says why it leaves one as it is."""

    action: Action
    reason: Reason = ""
    id: str
    title: str
    board: str = Field(description="Its name.")
    line: int | None = Field(default=None, description="Where it is in a text file.")
    changes: list[str] = Field(default_factory=list, description="The fields that change.")


class Imported(BaseModel):
    """How many rows came in, how many ideas changed, how many came back from the trash, how many rows
    were left as they are; in a dry run, how many would. `ideas` shows the first 200 one by one.
    """

    dry_run: bool = False
    added: Counts = Field(default_factory=Counts)
    changed: Counts = Field(default_factory=Counts)
    restored: Counts = Field(default_factory=Counts)
    already_there: Counts = Field(default_factory=Counts)
    in_trash: int = Field(
        default=0,
        examples=[3],
        description="Ideas of the file that are in the trash and stay there without `restore`.",
    )
    ideas: list[ImportedIdea] = Field(default_factory=list)
    left_out: list[LeftOut] = Field(default_factory=list, description="Text that is no idea.")
