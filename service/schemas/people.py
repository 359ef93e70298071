"""What the API says about people, invitations and keys, and what it takes about them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from service.actor import KeyScope, Role
from service.schemas.fields import Filled, Shape

NAME_CEILING = 60
KEYS_CEILING = 50
RoleName = Literal["reader", "commenter", "editor", "owner"]
ScopeName = Literal["read", "write", "admin"]
InvitedRole = Literal["reader", "commenter", "editor"]
Days = Literal[1, 7, 30, 365]
PersonName = Annotated[Filled, StringConstraints(max_length=NAME_CEILING)]


def role_name(role: int) -> RoleName:
    names: dict[int, RoleName] = {
        Role.READER: "reader",
        Role.COMMENTER: "commenter",
        Role.EDITOR: "editor",
        Role.OWNER: "owner",
    }
    return names[role]


def role_of(name: RoleName) -> Role:
    return Role[name.upper()]


def scope_name(scope: KeyScope) -> ScopeName:
    names: dict[KeyScope, ScopeName] = {
        KeyScope.READ: "read",
        KeyScope.WRITE: "write",
        KeyScope.ADMIN: "admin",
    }
    return names[scope]


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


class KeyCreate(Shape):
    name: PersonName = Field(examples=["script on my laptop"], description="What the key is for.")
    scope: ScopeName = Field(default="admin", description=_SCOPE)


class KeyPublic(BaseModel):
    id: str
    name: str
    scope: ScopeName = Field(examples=["write"], description=_SCOPE)
    created_at: datetime
    used_at: datetime | None = Field(description="When it was last used, to a few minutes.")


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
