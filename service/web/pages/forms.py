"""The fields of forms and queries, validated by the same types as the API's bodies."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from service.analysis.similar_ideas import DEFAULT_GRANULARITY
from service.errors import InvalidInput
from service.messages import Text
from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.bulk import AddTags, ChangeTask, Delete, Move, RemoveTags, SetStatus
from service.schemas.fields import (
    IDEAS_CEILING,
    TAG_CEILING,
    Body,
    CommentText,
    Judge,
    Line,
    MethodId,
    Outcome,
    Sort,
    Status,
    Tag,
    Title,
    Version,
)
from service.schemas.overview import COARSEST, FINEST, GROUPS_CEILING
from service.schemas.refinement import EDITS_CEILING, EditNumber
from service.schemas.rounds import DEFAULT_MINUTES, Minutes
from service.text.passages import parts

MOST_TAGS = 20
MOST_MORE = 100


def _split_tags(value: Any) -> Any:
    """Splits tags that were typed into one field, separated by commas."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    names = [name.strip().lstrip("#") for part in parts for name in str(part).split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _without_blanks(value: Any) -> Any:
    return [each for each in value if each.strip()] if isinstance(value, list) else value


def none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Tags = Annotated[list[Tag], BeforeValidator(_split_tags), Field(max_length=MOST_TAGS)]
OptionalId = Annotated[str | None, BeforeValidator(none_if_blank)]
OptionalStatus = Annotated[Status | Literal["any"] | None, BeforeValidator(none_if_blank)]
PairOfIds = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$")]
OptionalPlace = Annotated[
    Annotated[int, Field(ge=0, lt=2**31)] | None, BeforeValidator(none_if_blank)
]
BoardAddress = Annotated[str, Field(pattern=r"^(/boards/[0-9a-f-]{36}(\?[^\s#]*)?)?$")]
View = Literal["cards", "list", "lanes"]
By = Literal["status", "tag"]
OptionalSort = Annotated[Sort | None, BeforeValidator(none_if_blank)]


class TasteForm(BaseModel):
    learns: bool


class PeopleFirstForm(BaseModel):
    people_first: bool


class RoundForm(BaseModel):
    topic: Title
    minutes: Minutes = DEFAULT_MINUTES
    without_names: bool = True


class ExtendForm(BaseModel):
    minutes: Minutes = DEFAULT_MINUTES


class BoardForm(BaseModel):
    name: Title
    goal: Body = ""
    language: IdeaLanguage = AS_WRITTEN


class TemplateForm(BaseModel):
    """`in_place_of` is the unused board that the form was on."""

    template: Annotated[str, Field(max_length=40)]
    in_place_of: OptionalId = None


class IdeaForm(BaseModel):
    title: Title
    body: Body = ""
    tags: Tags = Field(default_factory=list)


class NewIdeaForm(IdeaForm):
    """`status` is that of the lane that the form is in."""

    status: Status = "draft"


class IdeaEdit(IdeaForm):
    """`to` is the address of the board that the editor was opened from."""

    revision: int
    to: BoardAddress = ""


class CommentForm(BaseModel):
    body: CommentText


class CommentEdit(CommentForm):
    revision: int


class SelectedIdeas(BaseModel):
    idea: list[str] = Field(default_factory=list, max_length=IDEAS_CEILING)

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if no idea is selected."""
        if not self.idea:
            raise InvalidInput(
                Text("Select ideas first: tick the box on their cards."), pointer="/idea"
            )
        return self.idea


class BulkForm(SelectedIdeas):
    """Each button of the form sends one of `operation`, `status`, `board_id` and `confirmed`.

    `confirmed` comes from the page that asks before several ideas are deleted. `to` is the address
    of the board that the form was on.
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
        """Whether more than one idea would be deleted without confirmation."""
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
    """`preset` is the instruction of the pressed button; `instruction` adds to it.

    `selection` and `start` name a passage to refine, `part` the start of a paragraph or sentence.
    Without them, the whole text is refined.
    """

    preset: str = ""
    instruction: Body = ""
    selection: Body = ""
    start: OptionalPlace = None
    part: OptionalPlace = None

    @property
    def full_instruction(self) -> str:
        return ". ".join(part for part in (self.preset, self.instruction) if part)

    def passage(self, body: str) -> dict[str, Any]:
        """The fields of the task that name the passage in `body`; empty for the whole text."""
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
    """A text that a person changed before accepting it; None means unchanged."""

    title: Title | None = None
    body: Body | None = None


class KeepForm(TextForm):
    """`part` is what to go on with on the idea's page, by its id there."""

    part: Literal["instruction", "evaluate"] | None = None


class EditQuery(BaseModel):
    """The edits of a proposal to accept; `idea_version` is the version that they are numbered for.

    `take` is the button that was pressed; `edit` opens the chosen text for editing before it is
    saved.
    """

    take: Literal["chosen", "all", "edit"] = "all"
    edits: list[EditNumber] = Field(default_factory=list, max_length=EDITS_CEILING)
    idea_version: Version | None = None


class AcceptForm(EditQuery, TextForm):
    revision: int | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The query of the page that edits the chosen text."""
        fields = self.model_dump(include={"edits", "idea_version"}, exclude_none=True)
        return fields | {"take": "chosen"}


class VoteForm(BaseModel):
    """`skip` is passed on, so that a skipped pair does not return after this vote.

    `run` is passed on, so that the page shows the end of that run, and `round`, so that the next pair is
    of the same writing round.
    """

    ballot: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    first_id: str
    second_id: str
    first_version: int
    second_version: int
    outcome: Outcome
    skip: list[PairOfIds] = Field(default_factory=list, max_length=50)
    run: str | None = None
    round: str | None = None


class RankForm(BaseModel):
    pairs: int = 20


class RankQuery(BaseModel):
    """`skip` has pairs not to show, `pair` is one to show again, `voted` is a vote to undo.
    With `round`, only the ideas of this writing round are compared.
    """

    by: Judge = "people"
    skip: list[PairOfIds] = Field(default_factory=list, max_length=50)
    pair: str | None = None
    voted: str | None = None
    run: str | None = None
    round: str | None = None


class PlaceForm(BaseModel):
    """Where a card goes: `lane` is a status or a tag; None means the lane that it comes from. `untag` is
    the lane of ideas without tags, because an empty field counts as absent. `to` is a step within a
    lane, or `same` for no step; `before` and `after` name another card.
    """

    by: By = "status"
    from_lane: str = Field(default="", max_length=TAG_CEILING)
    lane: str | None = Field(default=None, max_length=TAG_CEILING)
    untag: bool = False
    to: Literal["top", "up", "down", "bottom", "same"] | None = None
    before: OptionalId = None
    after: OptionalId = None

    @property
    def to_lane(self) -> str:
        """The lane that it goes to; empty for ideas without tags."""
        return "" if self.untag else self.from_lane if self.lane is None else self.lane


class GroupsForm(BaseModel):
    """`anchor`, `title` and `suggested` have one value for each group, in the same order.

    An anchor is an idea of the group. `suggested` is the title before somebody changed it.
    """

    groups: int = Field(default=DEFAULT_GRANULARITY, ge=COARSEST, le=FINEST)
    fingerprint: str = ""
    anchor: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)
    title: list[Line] = Field(default_factory=list, max_length=GROUPS_CEILING)
    suggested: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)
    chosen: list[str] = Field(default_factory=list, max_length=GROUPS_CEILING)

    @property
    def given_titles(self) -> dict[str, str]:
        """The titles that somebody changed, by the anchor of their group."""
        rows = zip(self.anchor, self.title, self.suggested, strict=False)
        return {anchor: title for anchor, title, suggested in rows if title != suggested}

    @property
    def unchosen(self) -> set[str]:
        return set(self.anchor) - set(self.chosen)


def split_pair(both: str | None) -> list[str]:
    return [] if both is None else both.split(".")


class IdeaFilters(BaseModel):
    """The search and the filters of a board's ideas. Blank fields count as absent. Archived ideas are
    hidden unless `status` is `archived` or `any`.
    """

    q: str = ""
    tag: Annotated[list[str], BeforeValidator(_without_blanks)] = Field(default_factory=list)
    status: OptionalStatus = None
    star: bool | None = None


class BoardQuery(IdeaFilters):
    """What a board shows, and how.

    `loaded` is how many cards had been loaded when the reader left the board, so that the same ones are
    shown on return. `order` is that of the suggestions of `run`: as they were made, or the best first.
    `topic` and `method` fill the form for a brainstorm. `more` names a lane once for each time that
    more of its cards were asked for.
    """

    sort: OptionalSort = None
    view: Annotated[View | None, BeforeValidator(none_if_blank)] = None
    by: Annotated[By | None, BeforeValidator(none_if_blank)] = None
    more: list[str] = Field(default_factory=list, max_length=MOST_MORE)
    cursor: str | None = None
    loaded: int = Field(default=0, ge=0, lt=2**31)
    run: str | None = None
    order: Literal["made"] | None = None
    select: Literal["shown"] | None = None
    topic: str = ""
    method: MethodId = "free"

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q.strip() or self.tag or self.status or self.star)

    @property
    def hides_archived(self) -> bool:
        return self.status is None
