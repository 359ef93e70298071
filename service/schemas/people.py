"""What the API says about people, and what it takes about them."""

from pydantic import BaseModel, Field


class PersonPublic(BaseModel):
    """Somebody with a name, as others see them."""

    id: str
    name: str = Field(examples=["Ada"])
