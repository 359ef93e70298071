"""Why something failed, in the API and for pages."""

from typing import Any

from pydantic import BaseModel, Field

from service.messages import unpack


class Failure(BaseModel):
    type: str
    detail: str
    # As `messages.pack` gives it; for pages.
    words: Any = Field(default=None, exclude=True)

    @property
    def reason(self) -> str:
        """Returns the detail as a text that pages can translate."""
        return self.detail if self.words is None else unpack(self.words)
