"""Routes to sign in to the pages and out of them, if the service needs a key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response, status
from fastapi.responses import RedirectResponse

from service.errors import Unauthorised
from service.messages import Text
from service.web.dependencies import SettingsDep, StoreDep
from service.web.guard import SESSION_COOKIE, token_of
from service.web.sign_in import signed_in
from service.web.templating import Templates

router = APIRouter(include_in_schema=False)
# Why somebody who was signed in has to sign in again.
_ENDED = {
    "removed": Text("An owner removed you from this Ideapool. Ask them for a new invitation."),
    "session": Text("You are signed out here. Sign in with a key, or open an invitation again."),
}


@router.get("/login")
def login_form(request: Request, ended: Literal["removed", "session", ""] = "") -> Response:
    return _form(request, ended=ended)


@router.post("/login")
def login(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    token = key.strip()
    try:
        actor = store.people.by_token(token)
    except Unauthorised as refusal:
        return _form(request, error=refusal.detail)
    if settings.needs_key and actor is None:
        return _form(request, error=Text("That key is not valid. Check that you copied all of it."))
    known = store.keys.find(token)
    # Not the key itself: a session expires and can be revoked without revoking the key.
    session = store.keys.open_session(
        person_id=actor.person_id if actor else None, opened_with=known
    )
    return signed_in(request, "/", session)


@router.post("/logout")
def logout(request: Request, store: StoreDep) -> Response:
    token = token_of(request.headers)
    if token is not None:
        store.keys.revoke_session(token)
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _form(request: Request, error: str | None = None, ended: str = "") -> Response:
    templates: Templates = request.app.state.templates
    return templates.respond(
        request,
        "shared/login.html",
        {"error": error, "why": _ENDED.get(ended)},
        status_code=401 if error else 200,
    )
