from typing import Annotated, Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from service.errors import Conflict, InvalidInput
from service.schemas.fields import Tag, Title
from service.store.limits import Limits
from service.web.validation_messages import error_summary, problems

LONG = "a street party " * 5
LIMITS = Limits(200, 8192, 20)


class Sent(BaseModel):
    title: Title = "Shelf"
    tags: list[Tag] = Field(default_factory=list, max_length=2)
    n: Annotated[int, Field(ge=1, le=20)] = 8
    weight: list[Annotated[float, Field(gt=0)]] = Field(default_factory=list)
    idea_ids: list[str] = Field(default_factory=list, max_length=1)


def refused(**fields: Any) -> RequestValidationError:
    with pytest.raises(ValidationError) as caught:
        Sent.model_validate(fields)
    found = [{**one, "loc": ("body", *one["loc"])} for one in caught.value.errors()]
    return RequestValidationError(found)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"title": "  "}, {"title": "Write something here. Spaces alone are not enough."}),
        ({"n": "ten"}, {"n": "It must be a whole number."}),
        ({"n": 0}, {"n": "It must be at least 1."}),
        ({"n": 50}, {"n": "It must be at most 20."}),
        ({"weight": [1, 0]}, {"weight.1": "It must be more than 0.0."}),
        ({"weight": [1, "much"]}, {"weight.1": "It must be a number."}),
        ({"tags": ["a", "b", "c"]}, {"tags": "There are 3, and the limit is 2."}),
        ({"idea_ids": ["a", "b"]}, {"idea": "There are 2, and the limit is 1."}),
        (
            {"title": "x" * 1001},
            {"title": "This has 1001 characters, and the limit is 200. Shorten it."},
        ),
        (
            {"tags": ["a", LONG]},
            {
                "tags": "The tag “a street party a street…” has 75 characters, and the limit is "
                "40. Shorten it."
            },
        ),
        ({"title": "", "n": 0}, {"title": "Write something here. Spaces alone are not enough.",
                                 "n": "It must be at least 1."}),
    ],
)  # fmt: skip
def test_every_field_with_a_problem_says_which(
    fields: dict[str, Any], expected: dict[str, str]
) -> None:
    assert problems(refused(**fields), LIMITS) == expected


def test_an_error_of_ours_belongs_to_the_field_it_points_at() -> None:
    assert problems(InvalidInput("Choose another.", pointer="/rubric_id"), LIMITS) == {
        "rubric": "Choose another."
    }
    assert problems(Conflict("It is taken.", pointer="/name"), LIMITS) == {"name": "It is taken."}
    assert problems(InvalidInput("Something else."), LIMITS) == {"": "Something else."}


def test_an_alert_names_the_field() -> None:
    assert error_summary(refused(n=50)) == "Ideas: It must be at most 20."


@pytest.mark.parametrize("field", ["title", "topic", "name"])
def test_a_text_on_one_line_is_as_short_as_a_title(field: str) -> None:
    with pytest.raises(
        InvalidInput, match=f"The {field} has 21 characters, and the limit is 20"
    ) as it:
        Limits(20, 256, 20).check(**{field: "x" * 21})

    assert it.value.pointer == f"/{field}"


@pytest.mark.parametrize(
    ("field", "name"),
    [("body", "text"), ("context", "background"), ("goal", "goal"), ("instruction", "instruction")],
)
def test_a_longer_text_may_be_as_long_as_that_of_an_idea(field: str, name: str) -> None:
    limits = Limits(20, 256, 20)
    limits.check(**{field: "x" * 256}, title=None)

    with pytest.raises(InvalidInput, match=f"The {name} has 257 characters") as caught:
        limits.check(**{field: "x" * 257})
    assert caught.value.pointer == f"/{field}"
