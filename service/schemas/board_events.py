"""What a stream of a board's changes says, in the API."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.people import PersonPublic


class ChangeEvent(BaseModel):
    """Something that happened on the board. `number` only grows within the board."""

    number: int = Field(examples=[4711])
    kind: str = Field(examples=["idea.changed"])
    subject_id: str = Field(description="The id of what `kind` names, such as the idea.")
    person: PersonPublic | None = Field(
        description="Who did it; null for whoever has no name, and for the server itself."
    )
    at: datetime


class HereEvent(BaseModel):
    """Those who watch the board and have a name."""

    people: list[PersonPublic]
