"""Writing rounds in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from service.schemas.fields import Shape, Title, whole

MOST_MINUTES = 60
DEFAULT_MINUTES = 5
Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES), BeforeValidator(whole)]


class RoundCreate(Shape):
    topic: Title = Field(examples=["How do we get more people to the street party?"])
    minutes: Minutes = DEFAULT_MINUTES
    without_names: bool = Field(
        default=True, description="Whether nobody sees who wrote what until the names are shown."
    )


class RoundExtend(Shape):
    minutes: Minutes = Field(
        default=DEFAULT_MINUTES,
        description="By how much the end moves. It is never more than an hour away.",
    )


class RoundPublic(BaseModel):
    """A writing round. Until it ends, everybody sees only their own ideas of it.

    `writers` counts the people who have written, `ideas` the ideas of the round that you may see.
    """

    id: str
    board_id: str
    topic: str = Field(examples=["How do we get more people to the street party?"])
    is_open: bool = Field(examples=[False])
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None = Field(description="When it really ended; null while it goes on.")
    names_hidden: bool = Field(examples=[True], description="Whether nobody sees who wrote what.")
    can_steer: bool = Field(
        examples=[True],
        description="Whether you may end and extend it: you started it, or own the board.",
    )
    writers: int = Field(examples=[4])
    ideas: int = Field(examples=[11])
