"""Routes to sign in to the pages and out of them, if the service needs a key."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, status
from fastapi.responses import RedirectResponse

from service.messages import Text
from service.store.keys import SESSION_LIFE
from service.web.dependencies import SettingsDep, StoreDep
from service.web.guard import SESSION_COOKIE, token_of
from service.web.templating import Templates

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_form(request: Request) -> Response:
    return _form(request)


@router.post("/login")
def login(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    if settings.needs_key and not store.keys.is_valid(key.strip()):
        return _form(request, error=Text("That key is not valid. Check that you copied all of it."))
    response = RedirectResponse("/", status.HTTP_303_SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        # Not the key itself: a session expires and can be revoked without revoking the key.
        store.keys.create("browser", kind="session"),
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
def logout(request: Request, store: StoreDep) -> Response:
    token = token_of(request.headers)
    if token is not None:
        store.keys.revoke_session(token)
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _form(request: Request, error: str | None = None) -> Response:
    templates: Templates = request.app.state.templates
    return templates.respond(
        request, "shared/login.html", {"error": error}, status_code=401 if error else 200
    )
