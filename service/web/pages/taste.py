"""The page about what a board has learnt of its people's taste, with the switch and the reset."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.messages import Text
from service.schemas.ideas import BoardUpdate
from service.web.dependencies import StoreDep, TastesDep
from service.web.pages.confirmation import Confirmation, confirmation_page
from service.web.pages.forms import TasteForm
from service.web.pages.responses import Flash, redirect, render

router = APIRouter(prefix="/boards/{board_id}/taste")


@router.get("")
def show_taste(request: Request, board_id: str, store: StoreDep, tastes: TastesDep) -> Response:
    context = {"taste": tastes.report(board_id), "board": store.boards.get(board_id)}
    return render(request, "boards/taste.html", context, board_id=board_id)


@router.post("")
def switch(board_id: str, store: StoreDep, form: Annotated[TasteForm, Form()]) -> Response:
    store.boards.update(board_id, BoardUpdate(learns=form.learns))
    notice = (
        Text("This board learns from what you keep and discard.")
        if form.learns
        else Text("This board no longer uses what it has learnt.")
    )
    return redirect(f"/boards/{board_id}/taste", Flash(notice))


@router.get("/forget")
def ask_before_forgetting(request: Request, board_id: str, store: StoreDep) -> Response:
    page = f"/boards/{board_id}/taste"
    question = Confirmation(
        title=Text("Forget what “%(name)s” has learnt?", name=store.boards.get(board_id).name),
        detail=Text(
            "Your ideas and decisions stay. From now on the board learns only from what you decide "
            "later. You cannot undo this."
        ),
        button=Text("Forget it"),
        action=f"{page}/forget",
        cancel=page,
    )
    return confirmation_page(request, question, board_id=board_id)


@router.post("/forget")
def forget(board_id: str, store: StoreDep) -> Response:
    store.taste.forget(board_id)
    return redirect(f"/boards/{board_id}/taste", Flash(Text("Forgotten. It learns anew.")))
