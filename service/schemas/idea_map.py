"""The map of a board in the API."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.schemas.overview import IdeaLink

MapGrouping = Literal["meaning", "tag"]
Share = Annotated[float, Field(ge=0, le=1)]


class MapIdea(BaseModel):
    """`x` and `y` are the middle of the idea's card, from the left and from the top. `group` is the name
    of its group.
    """

    id: str = Field(examples=["6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"])
    title: str = Field(examples=["Bread at half price"])
    x: Share = Field(examples=[0.41])
    y: Share = Field(examples=[0.27])
    group: str | None = Field(default=None, examples=["Bread & rolls"])
    tags: list[str]


class MapGroup(BaseModel):
    """`tag` is a tag that all ideas of the group have. `area` has the corners of its outline."""

    name: str = Field(examples=["Bread & rolls"])
    tag: str | None = None
    ideas: int = Field(examples=[4])
    area: list[tuple[Share, Share]]

    @property
    def gives(self) -> str:
        """The tag that an idea gets that is put into the area."""
        return self.tag or self.name


class MapPublic(BaseModel):
    """The places of ideas by meaning. `width` and `height` are those of the whole map, with the room of
    one card as the unit. `unplaced` has ideas without a word that is known. `unseen` counts older ideas
    that have no place.
    """

    board_id: str
    group: MapGrouping
    width: float = Field(examples=[9.4])
    height: float = Field(examples=[8.2])
    ideas: list[MapIdea]
    groups: list[MapGroup]
    unplaced: list[IdeaLink]
    unseen: int
