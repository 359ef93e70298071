"""What the forms of the pages send, checked by the same types as the API's bodies."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from service.fields import Body, Judge, Outcome, Status, Tag, Title, Topic
from service.store.listing import Sort

MOST_TAGS = 20


def _split(value: Any) -> Any:
    """Tags come as one field, parted by commas."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    names = [name.strip().lstrip("#") for part in parts for name in str(part).split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Tags = Annotated[list[Tag], BeforeValidator(_split), Field(max_length=MOST_TAGS)]
OptionalTag = Annotated[Tag | None, BeforeValidator(_absent_if_blank)]
OptionalStatus = Annotated[Status | None, BeforeValidator(_absent_if_blank)]
PairOfIds = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$")]
OptionalSort = Annotated[Sort | None, BeforeValidator(_absent_if_blank)]


class BoardForm(BaseModel):
    name: Title
    goal: Body = ""


class IdeaForm(BaseModel):
    title: Title
    body: Body = ""
    tags: Tags = Field(default_factory=list)


class IdeaEdit(IdeaForm):
    revision: int


class BrainstormForm(BaseModel):
    topic: Topic
    method: str = "free"
    n: int = 8
    creativity: float = 0.5
    context: Body = ""


class BranchForm(BaseModel):
    """A brainstorm from an idea, whose title is the topic."""

    method: str = "free"
    n: int = 8
    creativity: float = 0.5


class RefineForm(BaseModel):
    """`preset` is the button that was pressed; the person's own words come on top of it."""

    preset: str = ""
    instruction: Body = ""

    @property
    def whole(self) -> str:
        return ". ".join(part for part in (self.preset, self.instruction) if part)


class TextForm(BaseModel):
    """A text changed before it is taken over; None takes it as it is."""

    title: Title | None = None
    body: Body | None = None


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


def pair_of(both: str | None) -> list[str]:
    return [] if both is None else both.split(".")


class BoardQuery(BaseModel):
    """The board's address: what is searched, filtered and shown. Blank fields count as absent."""

    q: str = ""
    tag: OptionalTag = None
    status: OptionalStatus = None
    star: bool | None = None
    sort: OptionalSort = None
    cursor: str | None = None
    run: str | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q.strip() or self.tag or self.status or self.star)
