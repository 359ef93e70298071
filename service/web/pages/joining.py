"""The page that an invitation link leads to. To look at it, as chat programs do, uses nothing up."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel

from service.actor import ACTOR, KeyScope
from service.schemas.people import PersonName
from service.store.access import require_scope
from service.web.dependencies import StoreDep
from service.web.guard import token_of
from service.web.sign_in import signed_in
from service.web.templating import Templates

router = APIRouter()


class JoinForm(BaseModel):
    name: PersonName


@router.get("/join/{token}")
def show_invitation(request: Request, token: str, store: StoreDep) -> Response:
    invitation, board_name = store.invitations.by_token(token)
    actor = ACTOR.get()
    templates: Templates = request.app.state.templates
    response = templates.respond(
        request,
        "people/join.html",
        {"invitation": invitation, "board_name": board_name, "actor": actor, "token": token},
    )
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    # The address is a secret.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@router.post("/join/{token}")
def join(
    request: Request, token: str, store: StoreDep, form: Annotated[JoinForm, Form()]
) -> Response:
    actor = ACTOR.get()
    # It changes what a person may do, and opens a session that lets everything through.
    require_scope(KeyScope.ADMIN)
    person_id, board_id = store.invitations.join(token, form.name)
    url = f"/boards/{board_id}" if board_id else "/"
    if actor.person_id is not None and form.name != actor.name:
        store.people.rename(person_id, form.name)
    session = store.keys.open_session(person_id=person_id, instead_of=token_of(request.scope))
    return signed_in(url, session)
