"""What the forms for rubrics, evaluations and their table send."""

from itertools import zip_longest
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from service.analysis.rubrics import Order
from service.schemas.evaluation import CRITERIA_CEILING
from service.schemas.fields import TAGS_CEILING
from service.web.pages.forms import OptionalId, OptionalStatus, PickedIdeas


class EvaluateOneForm(BaseModel):
    rubric: OptionalId = None


class EvaluateForm(EvaluateOneForm):
    """The board's ideas as they are searched and filtered; `is_table` goes back to the table."""

    q: str = ""
    tag: list[str] = Field(default_factory=list, max_length=TAGS_CEILING)
    status: OptionalStatus = None
    star: bool = False
    only_outdated: bool = False
    is_table: bool = False


class EvaluateSelectedForm(PickedIdeas, EvaluateOneForm):
    """The ideas that are ticked."""


class TableQuery(BaseModel):
    """The table's address: by which rubric, sorted by which column."""

    rubric: OptionalId = None
    sort: Annotated[str, Field(pattern="^(overall|title|[1-8])$")] = "overall"
    order: Order = "descending"
    run: str | None = None

    def address(self, board_id: str, **more: str | None) -> str:
        fields = self.model_dump(exclude_defaults=True, exclude={"run"}) | more
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/boards/{board_id}/table" + (f"?{query}" if query else "")


class RubricForm(BaseModel):
    """A row of fields for each criterion; rows without a name and a description are not there."""

    name: str = ""
    criterion: list[str] = Field(default_factory=list, max_length=CRITERIA_CEILING)
    description: list[str] = Field(default_factory=list, max_length=CRITERIA_CEILING)
    weight: list[str] = Field(default_factory=list, max_length=CRITERIA_CEILING)

    @property
    def criteria(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "description": description, "weight": _number(weight)}
            for name, description, weight in self._rows.values()
        ]

    def place(self, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
        """The field of the form for one of a rubric's: `criteria`, which of them, its field."""
        match loc:
            case ("body", "criteria", int(index), str(name), *_):
                field = "criterion" if name == "name" else name
                return ("body", field, list(self._rows)[index])
        return loc

    @property
    def _rows(self) -> dict[int, tuple[str, str, str]]:
        """Those that are filled in, by their place in the form."""
        rows = zip_longest(self.criterion, self.description, self.weight, fillvalue="")
        return {place: row for place, row in enumerate(rows) if row[0].strip() or row[1].strip()}


class RubricEdit(RubricForm):
    revision: int


def _number(typed: str) -> Any:
    """A comma is a point in many languages; what is no number is left for the check to refuse."""
    try:
        return float(typed.strip().replace(",", ".") or 1)
    except ValueError:
        return typed
