"""Routes to sign in to the pages and out of them, if the service needs a key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from service.errors import ServiceError, TooManyFailures, Unauthorised
from service.messages import Text
from service.web.dependencies import SettingsDep, StoreDep
from service.web.errors import headers_of, status_of
from service.web.guard import token_of
from service.web.sign_in import signed_in, signed_out
from service.web.templating import Templates
from service.web.visitors import Visitors

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
        if settings.needs_key and actor is None:
            _failed(request)
    except (Unauthorised, TooManyFailures) as refusal:
        return _form(request, refusal)
    known = store.keys.find(token)
    # Not the key itself: a session expires and can be revoked without revoking the key.
    session = store.keys.open_session(
        person_id=actor.person_id if actor else None,
        opened_with=known,
        instead_of=token_of(request.scope),
    )
    return signed_in("/", session)


@router.post("/logout")
def logout(request: Request, store: StoreDep) -> Response:
    token = token_of(request.scope)
    if token is not None:
        store.keys.revoke_session(token)
    return signed_out(request)


def _failed(request: Request) -> None:
    """Raises: Unauthorised; TooManyFailures if nobody known tried the last times, either."""
    visitors: Visitors = request.app.state.visitors
    visitors.failures.note(request.scope, "login")
    raise Unauthorised(Text("That key is not valid. Check that you copied all of it."))


def _form(request: Request, refusal: ServiceError | None = None, ended: str = "") -> Response:
    templates: Templates = request.app.state.templates
    return templates.respond(
        request,
        "shared/login.html",
        {"error": refusal.detail if refusal else None, "why": _ENDED.get(ended)},
        status_code=status_of(refusal) if refusal else 200,
        headers=headers_of(refusal) if isinstance(refusal, TooManyFailures) else None,
    )
