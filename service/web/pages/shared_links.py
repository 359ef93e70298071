"""Routes for the page on which a board's read-only links are made and withdrawn."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from service.messages import Text
from service.schemas.shared_links import DAYS_CEILING, DAYS_CHOICES, SharedLinkCreate
from service.web.dependencies import OriginDep, StoreDep
from service.web.pages.forms import none_if_blank
from service.web.pages.responses import Flash, redirect, render

# Holds the link that was just made: only its hash is stored, so the next page shows it once.
NEW_LINK_COOKIE = "ideapool_new_link"
NEW_LINK_LIFE_S = 120
router = APIRouter(prefix="/boards/{board_id}/share")


class SharedLinkForm(BaseModel):
    days: Annotated[
        Annotated[int, Field(ge=1, le=DAYS_CEILING)] | None, BeforeValidator(none_if_blank)
    ] = None


@router.get("")
def show_links(request: Request, board_id: str, store: StoreDep, origin: OriginDep) -> Response:
    board = store.boards.get(board_id)
    of_board, _, token = request.cookies.get(NEW_LINK_COOKIE, "").partition(".")
    context = {
        "board": board,
        "links": store.shared_links.all(board_id),
        "days": DAYS_CHOICES,
        "made": f"{origin}/shared/{token}" if token and of_board == board_id else None,
        "origin": origin,
    }
    response = render(request, "boards/share.html", context, board_id=board_id)
    if token:
        response.delete_cookie(NEW_LINK_COOKIE)
    return response


@router.post("")
def make_link(board_id: str, store: StoreDep, form: Annotated[SharedLinkForm, Form()]) -> Response:
    _, token = store.shared_links.create(board_id, SharedLinkCreate(days=form.days))
    response = redirect(f"/boards/{board_id}/share", Flash(Text("The link is ready.")))
    response.set_cookie(
        NEW_LINK_COOKIE,
        f"{board_id}.{token}",
        max_age=NEW_LINK_LIFE_S,
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/{link_id}/withdraw")
def withdraw_link(board_id: str, link_id: str, store: StoreDep) -> Response:
    store.shared_links.withdraw(board_id, link_id)
    return redirect(f"/boards/{board_id}/share", Flash(Text("The link is withdrawn.")))
