"""How long a text may be, as the settings say; the one place where it is checked."""

from dataclasses import dataclass

from service.errors import InvalidInput
from service.messages import Text


@dataclass(frozen=True, slots=True)
class Limits:
    title: int
    body: int
    suggestions: int

    def check(self, *, title: str | None = None, body: str | None = None) -> None:
        """Raises: InvalidInput that names the field and by how much it is too long."""
        fields = ((Text("title"), title, self.title), (Text("body"), body, self.body))
        for name, text, most in fields:
            if text is not None and len(text) > most:
                raise InvalidInput(
                    Text(
                        "The %(name)s has %(count)s characters; at most %(most)s are kept. Shorten it.",
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
                    "n is %(n)s; at most %(suggestions)s are made.",
                    n=n,
                    suggestions=self.suggestions,
                ),
                pointer="/n",
            )
