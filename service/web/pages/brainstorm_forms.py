"""What the forms around brainstorms send, and the address of a board's runs."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.fields import (
    COMBINED_CEILING,
    SUGGESTIONS_CEILING,
    Body,
    RunKind,
    RunStatus,
    Topic,
)
from service.web.pages.forms import PickedIdeas, absent_if_blank


class BrainstormForm(BaseModel):
    topic: Topic
    method: str = "free"
    n: int = 8
    creativity: float = 0.5
    context: Body = ""
    avoid_board: bool = True


class CombineForm(PickedIdeas):
    method: str = "free"
    n: int = 5

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if there are too few or too many to be joined."""
        if not 2 <= len(self.idea) <= COMBINED_CEILING:
            raise InvalidInput(
                Text(
                    "Select two to %(most)s ideas to combine, not %(count)s.",
                    most=COMBINED_CEILING,
                    count=len(self.idea),
                ),
                pointer="/idea",
            )
        return self.idea


class BranchForm(BaseModel):
    """A brainstorm from an idea, whose title is the topic."""

    method: str = "free"
    n: int = 8
    creativity: float = 0.5
    avoid_board: bool = True


class SuggestionsForm(BaseModel):
    """The suggestions whose checkboxes are ticked."""

    suggestion: list[str] = Field(default_factory=list, max_length=SUGGESTIONS_CEILING)

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if there are none."""
        if not self.suggestion:
            raise InvalidInput(
                Text("Select suggestions first: tick the box on their cards."),
                pointer="/suggestion",
            )
        return self.suggestion


class RunsQuery(BaseModel):
    """The history's address: which runs, and from where on."""

    kind: Annotated[RunKind | None, BeforeValidator(absent_if_blank)] = None
    status: Annotated[RunStatus | None, BeforeValidator(absent_if_blank)] = None
    cursor: str | None = None
