"""Checks texts and numbers against the limits of the settings."""

from dataclasses import dataclass
from typing import ClassVar

from service.errors import Conflict, InvalidInput
from service.messages import Text
from service.schemas.fields import COMMENT_CEILING, TAG_CEILING

# By their fields: those on one line are as short as titles, the others as long as an idea's text.
LINES = {
    "title": Text("title"),
    "topic": Text("topic"),
    "name": Text("name"),
}
BODIES = {
    "body": Text("text"),
    "context": Text("background"),
    "goal": Text("goal"),
    "instruction": Text("instruction"),
}

_UNITS = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))


def in_bytes(size: int) -> str:
    """The size as people read it, rounded to one decimal below ten."""
    for unit, name in _UNITS:
        if size >= unit:
            amount = size / unit
            return (
                f"{amount:.1f} {name}".replace(".0 ", " ")
                if amount < 10
                else f"{amount:.0f} {name}"
            )
    return f"{size} B"


@dataclass(frozen=True, slots=True)
class Limits:
    title: int
    body: int
    suggestions: int
    attachment: int = 10 * 1024 * 1024
    attachments: int = 1024 * 1024 * 1024
    tag: ClassVar[int] = TAG_CEILING
    comment: ClassVar[int] = COMMENT_CEILING

    def of(self, field: str) -> int | None:
        """The limit in characters that the settings give the field, if any."""
        if field in LINES:
            return self.title
        return self.body if field in BODIES else None

    def check(self, **texts: str | None) -> None:
        """Checks the lengths of texts, given by the names of their fields.

        Raises:
            InvalidInput: names the field, its length and the limit.
        """
        for field, text in texts.items():
            most = self.of(field)
            if text is not None and most is not None and len(text) > most:
                raise InvalidInput(
                    Text(
                        "The %(name)s has %(count)s characters, and the limit is %(most)s. Shorten it.",
                        name=(LINES | BODIES)[field],
                        count=len(text),
                        most=most,
                    ),
                    pointer=f"/{field}",
                )

    def check_attachment(self, size: int) -> None:
        """Raises:
        Conflict: files are not stored at all.
        InvalidInput: the file is too large.
        """
        if not self.attachment:
            raise Conflict(Text("Files cannot be attached on this server."), pointer="/file")
        if size > self.attachment:
            raise InvalidInput(
                Text(
                    "The file has %(size)s, and the limit is %(most)s. Make it smaller.",
                    size=in_bytes(size),
                    most=in_bytes(self.attachment),
                ),
                pointer="/file",
            )

    def check_attachments(self, total: int) -> None:
        """Raises: Conflict if all files together would take more than they may."""
        if total > self.attachments:
            raise Conflict(
                Text(
                    "There is no room for this file: all files together may have %(most)s. Delete files "
                    "that nobody needs, or ask an owner of the server for more room.",
                    most=in_bytes(self.attachments),
                ),
                pointer="/file",
            )

    def check_suggestions(self, n: int) -> None:
        if n > self.suggestions:
            raise InvalidInput(
                Text(
                    "n is %(n)s, and the limit is %(suggestions)s.",
                    n=n,
                    suggestions=self.suggestions,
                ),
                pointer="/n",
            )
