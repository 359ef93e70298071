"""What the API says about people, invitations and keys, and what it takes about them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.actor import KeyScope, Role
from service.messages import Text
from service.schemas.fields import Filled, Shape
from service.schemas.identity import now

NAME_CEILING = 60
KEYS_CEILING = 50
LONGEST_KEY_DAYS = 3650
RoleName = Literal["reader", "commenter", "editor", "owner"]
ScopeName = Literal["read", "write", "admin"]
InvitedRole = Literal["reader", "commenter", "editor"]
Days = Literal[1, 7, 30, 365]
PersonName = Annotated[Filled, StringConstraints(max_length=NAME_CEILING)]


def role_name(role: int) -> RoleName:
    return cast(RoleName, Role(role).name.lower())


def role_of(name: RoleName) -> Role:
    return Role[name.upper()]


def scope_name(scope: KeyScope) -> ScopeName:
    return cast(ScopeName, scope.name.lower())


def scope_of(name: str) -> KeyScope:
    return KeyScope[name.upper()]


class PersonPublic(BaseModel):
    """Somebody with a name, as others see them."""

    id: str
    name: str = Field(examples=["Ada"])


class BoardRole(BaseModel):
    board_id: str
    role: RoleName = Field(examples=["editor"])


class PersonDetail(PersonPublic):
    """A person as owners see them."""

    role: RoleName | None = Field(description="What they may do on every board.")
    boards: list[BoardRole] = Field(description="What they may do on single boards.")
    external_name: str | None = Field(
        description="The name that the trusted proxy sends for them, if it does."
    )
    sessions: int = Field(examples=[1], description="How many browsers are signed in.")
    keys: int = Field(examples=[0], description="How many keys of their own they have.")
    created_at: datetime
    seen_at: datetime | None = Field(description="When they were last here, to a few minutes.")
    removed_at: datetime | None


class PersonUpdate(Shape):
    name: PersonName | None = None
    role: RoleName | None = Field(
        default=None,
        description="The role on every board; null takes it away, a field that is left out keeps it.",
    )
    boards: dict[str, InvitedRole | None] = Field(
        default_factory=dict,
        max_length=1000,
        description=(
            "Roles by the id of the board; null takes one away. Only `role` can be `owner`: an owner "
            "may do everything on every board."
        ),
    )


class MePublic(BaseModel):
    """Who sends the request. `person` is null for whoever needs no name."""

    person: PersonPublic | None
    role: RoleName | None = Field(description="What you may do on every board.")
    boards: list[BoardRole] = Field(description="What you may do on single boards.")
    scope: ScopeName = Field(description="What your key lets through of that: see the keys.")


class MeUpdate(Shape):
    name: PersonName = Field(examples=["Ada"])


class InvitationCreate(Shape):
    board_id: str | None = Field(default=None, description="Default: every board.")
    role: InvitedRole = "editor"
    days: Days | None = Field(
        default=7, description="The days after which the link expires; null means never."
    )


class InvitationPublic(BaseModel):
    id: str
    board_id: str | None = Field(description="Null means every board.")
    role: RoleName = Field(examples=["editor"])
    invited_by: PersonPublic | None
    uses: int = Field(examples=[0], description="How many people have joined by it.")
    created_at: datetime
    expires_at: datetime | None


class InvitationMade(InvitationPublic):
    """A new invitation with its link, which cannot be read again."""

    url: str = Field(examples=["http://localhost:8000/join/Zm9vYmFy"])


_SCOPE = (
    "What the key lets through of what you may do: `read` changes nothing and starts no model, `write` "
    "leaves out what is only for owners and what concerns keys, `admin` lets everything through."
)


def key_expiry(text: str) -> datetime:
    """When a key that is made now expires: after days, as in `90d`, or at the end of a day in UTC, as
    in `2027-03-01`. Raises: ValueError.
    """
    moment = now()
    days = re.fullmatch(r"([1-9][0-9]{0,3})d", text)
    latest = moment + timedelta(days=LONGEST_KEY_DAYS)
    expiry = moment + timedelta(days=int(days[1])) if days else _end_of_day(text)
    if expiry is None or not moment < expiry <= latest:
        raise ValueError(
            Text(
                "must be days, such as 90d, or a day to come, such as 2027-03-01; at most %(days)s days",
                days=LONGEST_KEY_DAYS,
            )
        )
    return expiry


def _end_of_day(text: str) -> datetime | None:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None
    return None if day is None else datetime.combine(day, time(23, 59, 59), UTC)


def _checked_expiry(text: str) -> str:
    key_expiry(text)
    return text


ExpiresIn = Annotated[
    str,
    AfterValidator(_checked_expiry),
    Field(
        json_schema_extra={"pattern": r"^([1-9][0-9]{0,3}d|[0-9]{4}-[0-9]{2}-[0-9]{2})$"},
        examples=["90d"],
        description="When the key expires: after days, as in `90d`, or at the end of a day in UTC, as in "
        "`2027-03-01`. Without it the key works until it is revoked.",
    ),
]


class KeyCreate(Shape):
    name: PersonName = Field(examples=["script on my laptop"], description="What the key is for.")
    scope: ScopeName = Field(default="admin", description=_SCOPE)
    expires_in: ExpiresIn | None = None

    @property
    def expires_at(self) -> datetime | None:
        return None if self.expires_in is None else key_expiry(self.expires_in)


class KeyPublic(BaseModel):
    id: str
    name: str
    scope: ScopeName = Field(examples=["write"], description=_SCOPE)
    created_at: datetime
    used_at: datetime | None = Field(description="When it was last used, to a few minutes.")
    expires_at: datetime | None = Field(description="Null means that it works until it is revoked.")


class KeyMade(KeyPublic):
    """A new key with its token, which cannot be read again."""

    key: str = Field(examples=["ip_0123456789"])


class SessionPublic(BaseModel):
    """A browser that is signed in."""

    id: str
    scope: ScopeName = Field(description="That of the key that it was signed in with.")
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None
