"""What the forms of the pages send, checked by the same types as the API's bodies."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from service.analysis.similar_ideas import DEFAULT_GRANULARITY
from service.errors import InvalidInput
from service.messages import Text
from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.bulk import AddTags, ChangeTask, Delete, Move, RemoveTags, SetStatus
from service.schemas.fields import (
    IDEAS_CEILING,
    Body,
    Judge,
    Line,
    Outcome,
    Status,
    Tag,
    Title,
    Version,
)
from service.schemas.overview import COARSEST, FINEST, GROUPS_CEILING
from service.schemas.refinement import EDITS_CEILING, EditNumber
from service.store.listing import Sort
from service.text.passages import parts

MOST_TAGS = 20


def _split(value: Any) -> Any:
    """Tags come as one field, parted by commas."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    names = [name.strip().lstrip("#") for part in parts for name in str(part).split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _without_blanks(value: Any) -> Any:
    return [each for each in value if each.strip()] if isinstance(value, list) else value


def absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Tags = Annotated[list[Tag], BeforeValidator(_split), Field(max_length=MOST_TAGS)]
OptionalId = Annotated[str | None, BeforeValidator(absent_if_blank)]
OptionalStatus = Annotated[Status | Literal["any"] | None, BeforeValidator(absent_if_blank)]
PairOfIds = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$")]
OptionalPlace = Annotated[
    Annotated[int, Field(ge=0, lt=2**31)] | None, BeforeValidator(absent_if_blank)
]
BoardAddress = Annotated[str, Field(pattern=r"^(/boards/[0-9a-f-]{36}(\?[^\s#]*)?)?$")]
OptionalSort = Annotated[Sort | None, BeforeValidator(absent_if_blank)]


class BoardForm(BaseModel):
    name: Title
    goal: Body = ""
    language: IdeaLanguage = AS_WRITTEN


class IdeaForm(BaseModel):
    title: Title
    body: Body = ""
    tags: Tags = Field(default_factory=list)


class IdeaEdit(IdeaForm):
    """`to` is the board's address from which one came to edit."""

    revision: int
    to: BoardAddress = ""


class PickedIdeas(BaseModel):
    """The ideas whose checkboxes on a board are ticked."""

    idea: list[str] = Field(default_factory=list, max_length=IDEAS_CEILING)

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if there are none."""
        if not self.idea:
            raise InvalidInput(
                Text("Select ideas first: tick the box on their cards."), pointer="/idea"
            )
        return self.idea


class BulkForm(PickedIdeas):
    """One button was pressed: it is named `operation`, `status` or `board_id`, or `confirmed` where
    more than one is to be deleted. `to` is the board's address from which one came.
    """

    operation: Literal["add_tags", "remove_tags", "delete"] | None = None
    confirmed: bool = False
    to: BoardAddress = ""
    status: Status | None = None
    board_id: str | None = None
    tags: Tags = Field(default_factory=list)

    @property
    def is_deletion(self) -> bool:
        return self.confirmed or self.operation == "delete"

    @property
    def must_confirm(self) -> bool:
        """Whether to ask first, because more than one would be deleted."""
        return self.is_deletion and not self.confirmed and len(set(self.ids)) > 1

    @property
    def task(self) -> ChangeTask:
        """Raises: InvalidInput if something is missing."""
        if self.status is not None:
            return SetStatus(operation="set_status", ids=self.ids, status=self.status)
        if self.board_id is not None:
            return Move(operation="move", ids=self.ids, board_id=self.board_id)
        if self.is_deletion:
            return Delete(operation="delete", ids=self.ids)
        if not self.tags:
            raise InvalidInput(Text("Write a tag first."), pointer="/tags")
        if self.operation == "remove_tags":
            return RemoveTags(operation="remove_tags", ids=self.ids, tags=self.tags)
        return AddTags(operation="add_tags", ids=self.ids, tags=self.tags)


class RefineForm(BaseModel):
    """`preset` is the button that was pressed; the person's own words come on top of it. Of the
    text, all is meant, the passage that is written out, or the part that begins at `part`.
    """

    preset: str = ""
    instruction: Body = ""
    selection: Body = ""
    start: OptionalPlace = None
    part: OptionalPlace = None

    @property
    def whole(self) -> str:
        return ". ".join(part for part in (self.preset, self.instruction) if part)

    def passage(self, body: str) -> dict[str, Any]:
        """The fields of the task that name the passage of `body`; none for all of it."""
        if self.selection:
            return {"selection": self.selection, "start": self.start}
        if self.part is None:
            return {}
        chosen = next((one for one in parts(body) if one.start == self.part), None)
        if chosen is None:
            raise InvalidInput(
                Text("The text has changed. Select the passage again."), pointer="/part"
            )
        return {"selection": chosen.of(body), "start": chosen.start}


class TextForm(BaseModel):
    """A text changed before it is taken over; None takes it as it is."""

    title: Title | None = None
    body: Body | None = None


class EditQuery(BaseModel):
    """Which edits of a proposal to take, numbered for which version of the idea. `take` is the
    button that was pressed; `edit` goes on to change what was chosen before it is saved.
    """

    take: Literal["chosen", "all", "edit"] = "all"
    edits: list[EditNumber] = Field(default_factory=list, max_length=EDITS_CEILING)
    idea_version: Version | None = None


class AcceptForm(EditQuery, TextForm):
    revision: int | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The address at which what was chosen can be changed."""
        fields = self.model_dump(include={"edits", "idea_version"}, exclude_none=True)
        return fields | {"take": "chosen"}


class VoteForm(BaseModel):
    """`skip` is handed on, so that a skipped pair does not come back with the next vote, and `run`,
    so that its end is seen.
    """

    ballot: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    first_id: str
    second_id: str
    first_version: int
    second_version: int
    outcome: Outcome
    skip: list[PairOfIds] = Field(default_factory=list, max_length=50)
    run: str | None = None


class RankForm(BaseModel):
    pairs: int = 20


class RankQuery(BaseModel):
    """The ranking's address: whose order, which pairs not to show, or which one to show again."""

    by: Judge = "people"
    skip: list[PairOfIds] = Field(default_factory=list, max_length=50)
    pair: str | None = None
    voted: str | None = None
    run: str | None = None


class GroupsForm(BaseModel):
    """Which groups, and what they are called. For each group there is an `anchor`, which is an idea of
    it, and at the same place in the lists its `title` and the one that was `suggested`.
    """

    groups: int = Field(default=DEFAULT_GRANULARITY, ge=COARSEST, le=FINEST)
    fingerprint: str = ""
    anchor: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)
    title: list[Line] = Field(default_factory=list, max_length=GROUPS_CEILING)
    suggested: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)
    chosen: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)

    @property
    def given(self) -> dict[str, str]:
        """The titles that somebody changed, by the idea they were given to."""
        rows = zip(self.anchor, self.title, self.suggested, strict=False)
        return {anchor: title for anchor, title, suggested in rows if title != suggested}

    @property
    def unchosen(self) -> set[str]:
        return set(self.anchor) - set(self.chosen)


def pair_of(both: str | None) -> list[str]:
    return [] if both is None else both.split(".")


class BoardQuery(BaseModel):
    """The board's address: what is searched, filtered and shown. Blank fields count as absent.

    Archived ideas are out of the way unless that status, or any, is asked for. `loaded` cards had been
    loaded when somebody left the board, and are there again when they come back.
    """

    q: str = ""
    tag: Annotated[list[str], BeforeValidator(_without_blanks)] = Field(default_factory=list)
    status: OptionalStatus = None
    star: bool | None = None
    sort: OptionalSort = None
    cursor: str | None = None
    loaded: int = Field(default=0, ge=0, lt=2**31)
    run: str | None = None
    select: Literal["shown"] | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q.strip() or self.tag or self.status or self.star)

    @property
    def hides_archived(self) -> bool:
        return self.status is None
