"""Files on ideas in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, computed_field

from service.schemas.fields import Shape, clean_line

ALT_CEILING = 300
# Counted as it is sent: no schema can say what is counted after cleaning.
AltText = Annotated[str, StringConstraints(max_length=ALT_CEILING), AfterValidator(clean_line)]
_ALT = "Six people around a huge kettle"


class AttachmentUpdate(Shape):
    alt: AltText = Field(
        description="What an image shows, for people who do not see it.", examples=[_ALT]
    )


class AttachmentPublic(BaseModel):
    """A file on an idea. Its type is told from its content; only images have a width and a height."""

    id: str
    idea_id: str
    name: str = Field(examples=["kettle.jpg"])
    alt: str = Field(examples=[_ALT])
    media_type: str = Field(examples=["image/jpeg"])
    size: int = Field(description="In bytes.", examples=[183_402])
    width: int | None = Field(examples=[1600])
    height: int | None = Field(examples=[1200])
    sha256: str
    created_at: datetime

    @computed_field(description="The path of the file itself.")  # type: ignore[prop-decorator]
    @property
    def url(self) -> str:
        return f"/api/v1/attachments/{self.id}/content"

    @computed_field(  # type: ignore[prop-decorator]
        description="What shows an image, or leads to a file, in the text of the idea.",
    )
    @property
    def markdown(self) -> str:
        mark = "!" if self.is_image else ""
        return f"{mark}[{_plain(self.alt or self.name)}](attachment:{self.id})"

    @property
    def is_image(self) -> bool:
        return self.width is not None


def _plain(text: str) -> str:
    """Without the signs that mean something between the brackets of a link."""
    return "".join(" " if sign in "[]\\`*_<>" else sign for sign in text)
