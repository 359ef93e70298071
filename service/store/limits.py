"""Checks texts and numbers against the limits of the settings."""

from dataclasses import dataclass

from service.errors import InvalidInput
from service.messages import Text


@dataclass(frozen=True, slots=True)
class Limits:
    title: int
    body: int
    suggestions: int

    def check(self, *, title: str | None = None, body: str | None = None) -> None:
        """Checks the length of a title and a body.

        Raises:
            InvalidInput: names the field, its length and the limit.
        """
        fields = ((Text("title"), title, self.title), (Text("body"), body, self.body))
        for name, text, most in fields:
            if text is not None and len(text) > most:
                raise InvalidInput(
                    Text(
                        "The %(name)s has %(count)s characters, and the limit is %(most)s. Shorten it.",
                        name=name,
                        count=len(text),
                        most=most,
                    ),
                    pointer=f"/{name}",
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
