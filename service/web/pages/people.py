"""The owners' page of people: who is here, what they may do, and who is invited."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from service.actor import acting_person_id
from service.messages import Text
from service.schemas.people import Days, InvitationCreate, InvitedRole, PersonUpdate, RoleName
from service.store import Store
from service.web.dependencies import SettingsDep, StoreDep
from service.web.links import join_link
from service.web.pages.confirmation import Confirmation, confirmation_page
from service.web.pages.forms import OptionalId, none_if_blank
from service.web.pages.people_names import DAYS, ROLE_MEANINGS, ROLE_NAMES
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.secrets_once import Made, forget, made_just_now, redirect_with

_HERE = "/people"
router = APIRouter(prefix=_HERE)


def _whole(value: object) -> object:
    """Forms send texts."""
    return int(value) if isinstance(value, str) and value.isdigit() else none_if_blank(value)


class InvitationForm(BaseModel):
    board: OptionalId = None
    role: InvitedRole = "editor"
    days: Annotated[Days | None, BeforeValidator(_whole)] = 7


class RolesForm(BaseModel):
    """`role` counts on every board; each of `board` has its `board_role`. Empty means none."""

    role: Annotated[RoleName | None, BeforeValidator(none_if_blank)] = None
    board: list[str] = Field(default_factory=list, max_length=1000)
    board_role: list[Literal["reader", "commenter", "editor", ""]] = Field(
        default_factory=list, max_length=1000
    )


@router.get("")
def show_people(request: Request, store: StoreDep) -> Response:
    made = made_just_now(request, _HERE)
    context = {
        "people": store.people.page().items,
        "invitations": store.invitations.page().items,
        "board_names": _board_names(store),
        "role_names": ROLE_NAMES,
        "role_meanings": ROLE_MEANINGS,
        "days": DAYS,
        "made": made,
        "me": acting_person_id(),
    }
    return forget(render(request, "people/people.html", context), made)


@router.post("/invitations")
def invite(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    form: Annotated[InvitationForm, Form()],
) -> Response:
    shape = InvitationCreate(board_id=form.board, role=form.role, days=form.days)
    invitation, token = store.invitations.create(shape)
    link = join_link(str(request.base_url), settings, token)
    name = _board_names(store).get(invitation.board_id or "", "")
    made = Made("link", link, name)
    return redirect_with(_HERE, made)


@router.post("/invitations/{invitation_id}/withdraw")
def withdraw(invitation_id: str, store: StoreDep) -> Response:
    store.invitations.withdraw(invitation_id)
    return redirect(_HERE, Flash(Text("The invitation is withdrawn. Its link no longer works.")))


@router.post("/{person_id}")
def change_roles(person_id: str, store: StoreDep, form: Annotated[RolesForm, Form()]) -> Response:
    boards: dict[str, InvitedRole | None] = {
        board_id: role or None for board_id, role in zip(form.board, form.board_role, strict=False)
    }
    person = store.people.update(person_id, PersonUpdate(role=form.role, boards=boards))
    return redirect(_HERE, Flash(Text("The roles of %(name)s are saved.", name=person.name)))


@router.get("/{person_id}/remove")
def ask_to_remove(request: Request, person_id: str, store: StoreDep) -> Response:
    person = store.people.get(person_id)
    question = Confirmation(
        title=Text("Remove %(name)s?", name=person.name),
        detail=Text(
            "Their keys and sessions end at once. What they wrote stays, with their name. You can let "
            "them come back later."
        ),
        button=Text("Remove"),
        action=f"{_HERE}/{person_id}/remove",
        cancel=_HERE,
    )
    return confirmation_page(request, question)


@router.post("/{person_id}/remove")
def remove(person_id: str, store: StoreDep) -> Response:
    person = store.people.remove(person_id)
    return redirect(
        _HERE,
        Flash(Text("%(name)s is removed.", name=person.name), f"{_HERE}/{person_id}/restore"),
    )


@router.post("/{person_id}/restore")
def restore(person_id: str, store: StoreDep) -> Response:
    person = store.people.restore(person_id)
    return redirect(_HERE, Flash(Text("%(name)s may come back.", name=person.name)))


@router.post("/{person_id}/sign-out")
def sign_out(person_id: str, store: StoreDep) -> Response:
    person = store.people.get(person_id)
    store.keys.revoke_all(person_id, "session")
    return redirect(_HERE, Flash(Text("%(name)s is signed out everywhere.", name=person.name)))


@router.post("/{person_id}/revoke-keys")
def revoke_keys(person_id: str, store: StoreDep) -> Response:
    person = store.people.get(person_id)
    store.keys.revoke_all(person_id, "key")
    return redirect(_HERE, Flash(Text("The keys of %(name)s are revoked.", name=person.name)))


def _board_names(store: Store) -> dict[str, str]:
    return {board.id: board.name for board in store.boards.all()}
