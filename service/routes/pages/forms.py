"""What the forms of the pages send, checked by the same types as the API's bodies."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from service.fields import Body, Status, Tag, Title, Topic
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
