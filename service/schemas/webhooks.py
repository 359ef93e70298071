"""Webhooks and their deliveries in the API, and the kinds of events that they may get."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import httpx2
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.messages import Text, unpack
from service.schemas.fields import Line, Shape

URL_CEILING = 2000
RESPONSE_CEILING = 500

EventKind = Literal[
    "idea.created", "idea.changed", "idea.moved", "idea.deleted", "idea.restored",
    "like.changed", "comment.created", "comment.changed", "comment.deleted",
    "comparison.made", "comparison.deleted",
    "run.started", "run.ended", "run.decided",
    "round.started", "round.changed", "round.ended",
    "rubric.changed",
    "board.created", "board.changed", "board.deleted", "board.restored",
]  # fmt: skip
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)
TEST_KIND = "webhook.test"
WebhookFormat = Literal["standard", "slack"]
DeliveryStatus = Literal["pending", "done", "failed"]
OffReason = Literal["", "gone", "failing"]


def _web_address(value: str) -> str:
    try:
        url = httpx2.URL(value)
    except httpx2.InvalidURL as error:
        raise ValueError(Text("must look like https://example.org/hook")) from error
    if url.scheme not in ("http", "https") or not url.host or not value.isascii():
        raise ValueError(Text("must look like https://example.org/hook"))
    if url.userinfo or url.fragment:
        raise ValueError(Text("must not have a user, a password or a part after #"))
    return value


WebAddress = Annotated[
    Line, StringConstraints(max_length=URL_CEILING), AfterValidator(_web_address)
]
Kinds = Annotated[
    list[EventKind],
    Field(
        max_length=len(EVENT_KINDS),
        description="The kinds of events to send; an empty list means all of them.",
        examples=[["idea.created", "run.ended"]],
    ),
]


class WebhookCreate(Shape):
    url: WebAddress = Field(examples=["https://example.org/hook"])
    board_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="Default: every board."
    )
    kinds: Kinds = Field(default_factory=list)
    format: WebhookFormat = Field(
        default="standard",
        description="`standard` follows standardwebhooks.com. `slack` sends one line as `{text}` to "
        "Slack, Mattermost, or Discord's address that ends in `/slack`.",
    )


class WebhookUpdate(Shape):
    url: WebAddress | None = None
    kinds: Kinds | None = None
    format: WebhookFormat | None = None
    is_active: bool | None = Field(
        default=None, description="What happens while it is off is never sent."
    )


class WebhookPublic(BaseModel):
    id: str
    board_id: str | None = Field(description="Null means every board.")
    url: str = Field(examples=["https://example.org/hook"])
    kinds: list[EventKind]
    format: WebhookFormat
    is_active: bool
    off_reason: OffReason = Field(
        description="Why the service switched it off: `gone` if the receiver answered 410, `failing` "
        "if it took nothing for days. Empty if a person did, or if it is on."
    )
    failing_since: datetime | None
    waiting: int = Field(description="How many deliveries still have to arrive.", examples=[0])
    created_at: datetime
    updated_at: datetime


class WebhookCreated(WebhookPublic):
    secret: str = Field(
        description="Signs each delivery. Later only the page of the webhook shows it.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class DeliveryPublic(BaseModel):
    """`pending` has still to arrive, `failed` was given up. `response_text` begins the last answer."""

    id: str
    webhook_id: str
    kind: EventKind | Literal["webhook.test"]
    status: DeliveryStatus
    attempts: int = Field(examples=[1])
    next_attempt_at: datetime | None = Field(description="Null if it is done or given up.")
    response_status: int | None = Field(examples=[204])
    response_text: str = Field(examples=["ok"])
    problem: str | None = Field(
        default=None, description="Why the last attempt failed.", examples=["It answered 500."]
    )
    # As `messages.pack` gives it; for pages.
    words: Any = Field(default=None, exclude=True)
    payload: str = Field(
        description="The body that is sent, exactly as it is signed.",
        examples=['{"type":"idea.created"}'],
    )
    created_at: datetime
    tried_at: datetime | None

    @property
    def reason(self) -> str:
        """Why the last attempt failed, as a text that pages can translate."""
        return unpack(self.words) if self.words is not None else self.problem or ""
