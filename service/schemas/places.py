"""Where an idea is put in the order of its board."""

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from service.schemas.fields import TAGS_CEILING, Shape, Status, Tag

_OTHER = "b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"

_BOTH: JsonDict = {
    "required": ["before", "after"],
    "properties": {"before": {"type": "string"}, "after": {"type": "string"}},
}


class IdeaPlace(Shape):
    """Without `before` and `after`, the idea comes first on its board."""

    model_config = ConfigDict(json_schema_extra={"not": _BOTH})

    before: str | None = Field(
        default=None,
        max_length=64,
        description="The idea that it is to come directly before.",
        examples=[_OTHER],
    )
    after: str | None = Field(
        default=None, max_length=64, description="The idea that it is to come directly after."
    )
    status: Status | None = Field(
        default=None, description="Its new status, if it goes to the lane of another one."
    )
    tags: list[Tag] | None = Field(
        default=None,
        max_length=TAGS_CEILING,
        description="Its new tags, all of them, if it goes to the lane of another tag.",
    )


PLACE_EXAMPLES = {
    "before": {"summary": "Put it before another idea", "value": {"before": _OTHER}},
    "lane": {
        "summary": "Put it first in another lane",
        "value": {"status": "in-progress"},
    },
}
