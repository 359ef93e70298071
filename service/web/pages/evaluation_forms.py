"""The fields of the forms for rubrics and evaluations, and the query of the table."""

from itertools import zip_longest
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from service.analysis.rubrics import Order
from service.schemas.evaluation import CRITERIA_CEILING
from service.schemas.fields import TAGS_CEILING
from service.web.pages.forms import OptionalId, OptionalStatus, SelectedIdeas


class EvaluateOneForm(BaseModel):
    rubric: OptionalId = None


class EvaluateForm(EvaluateOneForm):
    """The filters of the ideas to evaluate. With `is_table`, the response leads to the table."""

    q: str = ""
    tag: list[str] = Field(default_factory=list, max_length=TAGS_CEILING)
    status: OptionalStatus = None
    star: bool = False
    only_outdated: bool = False
    is_table: bool = False


class EvaluateSelectedForm(SelectedIdeas, EvaluateOneForm):
    """The selected ideas and a rubric."""


class TableQuery(BaseModel):
    """`sort` is a column of the table; the digits number the criteria of the rubric."""

    rubric: OptionalId = None
    sort: Annotated[str, Field(pattern="^(overall|title|[1-8])$")] = "overall"
    order: Order = "descending"
    run: str | None = None

    def address(self, board_id: str, **more: str | None) -> str:
        fields = self.model_dump(exclude_defaults=True, exclude={"run"}) | more
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/boards/{board_id}/table" + (f"?{query}" if query else "")


class RubricForm(BaseModel):
    """The lists have one value for each criterion; empty rows are ignored."""

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
        """Translates the location of an error in a rubric to the field of this form."""
        match loc:
            case ("body", "criteria", int(index), str(name), *_):
                field = "criterion" if name == "name" else name
                return ("body", field, list(self._rows)[index])
        return loc

    @property
    def _rows(self) -> dict[int, tuple[str, str, str]]:
        """The rows that are filled in, by their place in the form."""
        rows = zip_longest(self.criterion, self.description, self.weight, fillvalue="")
        return {place: row for place, row in enumerate(rows) if row[0].strip() or row[1].strip()}


class RubricEdit(RubricForm):
    revision: int


def _number(typed: str) -> Any:
    """Accepts a decimal comma. Returns other text unchanged, so that validation reports it."""
    try:
        return float(typed.strip().replace(",", ".") or 1)
    except ValueError:
        return typed
