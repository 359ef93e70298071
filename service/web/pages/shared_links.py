"""Routes for the page on which a board's read-only links are made and withdrawn."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from service.messages import Text
from service.schemas.shared_links import DAYS_CEILING, DAYS_CHOICES, SharedLinkCreate
from service.web.dependencies import OriginDep, StoreDep
from service.web.pages.forms import none_if_blank
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.secrets_once import Made, forget, made_just_now, redirect_with

router = APIRouter(prefix="/boards/{board_id}/share")


class SharedLinkForm(BaseModel):
    days: Annotated[
        Annotated[int, Field(ge=1, le=DAYS_CEILING)] | None, BeforeValidator(none_if_blank)
    ] = None


@router.get("")
def show_links(request: Request, board_id: str, store: StoreDep, origin: OriginDep) -> Response:
    board = store.boards.get(board_id)
    made = made_just_now(request, _page(board_id))
    context = {
        "board": board,
        "links": store.shared_links.all(board_id),
        "days": DAYS_CHOICES,
        # Not the whole link: a cookie can be forged.
        "made": f"{origin}/shared/{made.text}" if made else None,
        "origin": origin,
    }
    return forget(render(request, "boards/share.html", context, board_id=board_id), made)


@router.post("")
def make_link(board_id: str, store: StoreDep, form: Annotated[SharedLinkForm, Form()]) -> Response:
    _, token = store.shared_links.create(board_id, SharedLinkCreate(days=form.days))
    made = Made("link", token)
    return redirect_with(_page(board_id), made, Flash(Text("The link is ready.")))


@router.post("/{link_id}/withdraw")
def withdraw_link(board_id: str, link_id: str, store: StoreDep) -> Response:
    store.shared_links.withdraw(board_id, link_id)
    return redirect(_page(board_id), Flash(Text("The link is withdrawn.")))


def _page(board_id: str) -> str:
    return f"/boards/{board_id}/share"
