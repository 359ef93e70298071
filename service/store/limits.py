"""How long a text may be, as the settings say; the one place where it is checked."""

from dataclasses import dataclass

from service.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Limits:
    title: int
    body: int
    suggestions: int

    def check(self, *, title: str | None = None, body: str | None = None) -> None:
        """Raises: InvalidInput that names the field and by how much it is too long."""
        for name, text, most in (("title", title, self.title), ("body", body, self.body)):
            if text is not None and len(text) > most:
                raise InvalidInput(
                    f"The {name} has {len(text)} characters; at most {most} are kept. Shorten it.",
                    pointer=f"/{name}",
                )

    def check_suggestions(self, n: int) -> None:
        if n > self.suggestions:
            raise InvalidInput(f"n is {n}; at most {self.suggestions} are made.", pointer="/n")
