"""The fields of the forms around brainstorms, and the query of a board's list of runs."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.board_templates import Fact
from service.schemas.fields import (
    COMBINED_CEILING,
    SUGGESTIONS_CEILING,
    Body,
    RunKind,
    RunStatus,
    Topic,
)
from service.web.pages.forms import SelectedIdeas, none_if_blank


class BrainstormForm(BaseModel):
    """The answers to the three short questions become part of the background."""

    topic: Topic
    for_whom: Fact = ""
    tried: Fact = ""
    must_stay: Fact = ""
    method: str = "free"
    n: int = 8
    creativity: float = 0.5
    context: Body = ""
    avoid_board: bool = True

    @property
    def task(self) -> dict[str, Any]:
        """The fields of the task."""
        facts = {
            "For": self.for_whom,
            "There is, or was tried": self.tried,
            "Must not change": self.must_stay,
        }
        lines = [f"{name}: {fact}" for name, fact in facts.items() if fact]
        fields = self.model_dump(exclude={"for_whom", "tried", "must_stay"})
        return fields | {"context": "\n".join([*lines, self.context]).strip()}


class CombineForm(SelectedIdeas):
    method: str = "free"
    n: int = 5

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if too few or too many ideas are selected."""
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
    """A brainstorm that starts from an idea. It has no topic: the title of the idea is used."""

    method: str = "free"
    n: int = 8
    creativity: float = 0.5
    avoid_board: bool = True


class MoreForm(BaseModel):
    only_missing: bool = False


class SuggestionsForm(BaseModel):
    suggestion: list[str] = Field(default_factory=list, max_length=SUGGESTIONS_CEILING)

    @property
    def ids(self) -> list[str]:
        """Raises: InvalidInput if no suggestion is selected."""
        if not self.suggestion:
            raise InvalidInput(
                Text("Select suggestions first: tick the box on their cards."),
                pointer="/suggestion",
            )
        return self.suggestion


class RunsQuery(BaseModel):
    """The filters of the list of runs. `cursor` is where its page begins."""

    kind: Annotated[RunKind | None, BeforeValidator(none_if_blank)] = None
    status: Annotated[RunStatus | None, BeforeValidator(none_if_blank)] = None
    cursor: str | None = None
