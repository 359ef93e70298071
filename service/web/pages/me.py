"""One's own page: the name, the keys, and the browsers that are signed in."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel

from service.actor import ACTOR
from service.messages import Text
from service.schemas.people import ExpiresIn, PersonName, ScopeName, key_expiry
from service.web.dependencies import StoreDep
from service.web.pages.people_names import KEY_LIVES, ROLE_NAMES, SCOPE_MEANINGS, SCOPE_NAMES
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.secrets_once import Made, forget, made_just_now, redirect_with
from service.web.sign_in import signed_out

_HERE = "/me"
router = APIRouter(prefix=_HERE)


class NameForm(BaseModel):
    name: PersonName


class KeyForm(BaseModel):
    key_name: PersonName
    scope: ScopeName = "admin"
    expires_in: Literal[""] | ExpiresIn = ""


@router.get("")
def show_me(request: Request, store: StoreDep) -> Response:
    person_id, made = ACTOR.get().person_id, made_just_now(request, _HERE)
    context = {
        "me": store.people.me(),
        "board_names": {board.id: board.name for board in store.boards.all()},
        "role_names": ROLE_NAMES,
        "scope_names": SCOPE_NAMES,
        "scope_meanings": SCOPE_MEANINGS,
        "key_lives": KEY_LIVES,
        "keys": store.keys.of(person_id),
        "sessions": store.keys.of(person_id, "session"),
        "made": made,
    }
    return forget(render(request, "people/me.html", context), made)


@router.post("")
def rename_me(store: StoreDep, form: Annotated[NameForm, Form()]) -> Response:
    store.people.rename_me(form.name)
    return redirect(_HERE, Flash(Text("Saved.")))


@router.post("/keys")
def make_key(store: StoreDep, form: Annotated[KeyForm, Form()]) -> Response:
    _, token = store.keys.make(
        form.key_name,
        person_id=ACTOR.get().person_id,
        scope=form.scope,
        expires_at=key_expiry(form.expires_in) if form.expires_in else None,
    )
    made = Made("key", token, form.key_name)
    return redirect_with(_HERE, made)


@router.post("/keys/{key_id}/revoke")
def revoke_key(key_id: str, store: StoreDep) -> Response:
    store.keys.revoke_own(ACTOR.get().person_id, key_id)
    return redirect(_HERE, Flash(Text("The key is revoked.")))


@router.post("/sign-out")
def sign_out_everywhere(request: Request, store: StoreDep) -> Response:
    store.keys.revoke_all(ACTOR.get().person_id, "session")
    return signed_out(request)
