"""Checks texts and numbers against the limits of the settings."""

from dataclasses import dataclass
from typing import ClassVar

from service.errors import InvalidInput
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


@dataclass(frozen=True, slots=True)
class Limits:
    title: int
    body: int
    suggestions: int
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
