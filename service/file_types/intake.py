"""Decides whether a file may be stored, and as what."""

from dataclasses import dataclass

from service.errors import InvalidInput
from service.file_types.images import DamagedImage, clean_image
from service.file_types.names import clean_name
from service.file_types.sniffing import sniff
from service.messages import Text

# Browsers need four bytes for each pixel of an image that they show.
MOST_PIXELS = 120_000_000
POINTER = "/file"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it is stored; only images have a size."""

    name: str
    media_type: str
    content: bytes
    width: int | None = None
    height: int | None = None


def take_in(name: str, content: bytes) -> NewFile:
    """Raises: InvalidInput if such a file is not stored."""
    if not content:
        raise InvalidInput(Text("The file is empty."), pointer=POINTER)
    kind = sniff(content, name)
    if kind is None:
        raise InvalidInput(
            Text(
                "Such a file cannot be attached. You can attach images (PNG, JPEG, GIF, WebP), PDF, "
                "text in UTF-8, and documents of Office and LibreOffice without macros."
            ),
            pointer=POINTER,
        )
    name = clean_name(name, kind)
    if not kind.is_image:
        return NewFile(name, kind.media_type, content)
    try:
        image = clean_image(content, kind)
    except DamagedImage as error:
        raise InvalidInput(
            Text("This image is damaged. Open it in a program for images and save it again."),
            pointer=POINTER,
        ) from error
    if image.width * image.height > MOST_PIXELS:
        raise InvalidInput(
            Text(
                "The image has %(width)s × %(height)s pixels, which is too large. Make it smaller.",
                width=image.width,
                height=image.height,
            ),
            pointer=POINTER,
        )
    return NewFile(name, kind.media_type, image.content, image.width, image.height)
