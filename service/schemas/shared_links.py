"""Links that show a board to whoever has them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from service.schemas.fields import Shape, whole

DAYS_CEILING = 3650
# What the page offers; None is for ever.
DAYS_CHOICES = (7, 30, 90, None)
_Days = Annotated[int, Field(ge=1, le=DAYS_CEILING), BeforeValidator(whole)]


class SharedLinkCreate(Shape):
    days: _Days | None = Field(
        default=None, description="Days after which it shows nothing any more; null means never."
    )


class SharedLinkPublic(BaseModel):
    id: str
    board_id: str
    created_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    is_open: bool = Field(description="Whether it shows the board: neither withdrawn nor expired.")


class SharedLinkCreated(SharedLinkPublic):
    """`path` is the address of the board's pages, shown only now: only its hash is stored."""

    path: str = Field(examples=["/shared/s_vX0Qm2hG4rJv6mWq3dYF1d7bY8zq5n9c0Tn4uK2pL1E"])
